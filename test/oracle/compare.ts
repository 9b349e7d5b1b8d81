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

/**
 * For `describe.skipIf`: whether to skip because an oracle is missing. Loud on a developer's machine; where CI is
 * set a missing oracle is a failure, so nothing can pass by not being run.
 */
export function skipWithout(missing: string | undefined): boolean {
  if (missing === undefined) return false;
  if (process.env['CI']) throw new Error(`an oracle is missing: ${missing}`);
  console.warn(`SKIPPED, an oracle is missing: ${missing}`);
  return true;
}
