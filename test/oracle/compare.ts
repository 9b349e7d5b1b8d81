/**
 * Two answers to the same calls, and what a suite does when an oracle cannot be had.
 */
import type { Call } from './bpf.ts';

export type Answers = (call: Call) => number;

/** The first call on which two answer differently, as a sentence; undefined when there is none. */
export function firstDifference(
  calls: Iterable<Call>,
  [nameA, a]: readonly [string, Answers],
  [nameB, b]: readonly [string, Answers],
): string | undefined {
  for (const call of calls) {
    const valueA = a(call);
    const valueB = b(call);
    if (valueA !== valueB) return `${showCall(call)}: ${nameA} ${hex(valueA)}, ${nameB} ${hex(valueB)}`;
  }
  return undefined;
}

export function showCall({ arch, nr, args }: Call): string {
  return `arch ${hex(arch)} nr ${nr} args ${args.map((x) => `0x${x.toString(16)}`).join(' ')}`;
}

const hex = (x: number) => `0x${x.toString(16).padStart(8, '0')}`;

/** Something a suite needs, or why this machine does not have it. */
export type Oracle<T extends object> = T | { missing: string };

/**
 * For `skipIf`: whether to skip because an oracle is missing. Loud on a developer's machine; where
 * CI is set a missing oracle is a failure, so nothing can pass by not being run.
 */
export function skipWithout(oracle: Oracle<object>): boolean {
  if (!('missing' in oracle)) return false;
  const why = `an oracle is missing: ${oracle.missing}`;
  if (process.env['CI']) throw new Error(why);
  console.warn(`SKIPPED, ${why}`);
  return true;
}

/** The oracle itself, in a test that would have been skipped without it. */
export function available<T extends object>(oracle: Oracle<T>): T {
  if ('missing' in oracle) throw new Error(oracle.missing);
  return oracle;
}
