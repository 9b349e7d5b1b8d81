import { tableOf } from './facts.ts';
import { edgeArguments } from './inputs.ts';
import { evaluateProfile } from './naive.ts';
import type { Evaluator } from './naive.ts';
import { seccompOf } from './oci.ts';

const ALLOW = 0x7fff0000;

/**
 * The calls that two profiles answer differently, by the naive evaluator.
 * @throws Error where the second does not allow one
 */
export function changedCalls(before: string, after: string): string[] {
  const profiles = [before, after].map((text) => seccompOf(text)!);
  const meanings = profiles.map((each) => evaluateProfile(each, { native: 'x86_64' }) as Evaluator);
  const [one, other] = meanings as [Evaluator, Evaluator];
  const changed = new Set<string>();
  for (const abi of one.abis)
    for (const [nr, name] of tableOf(abi.table).names) {
      const edges = profiles.flatMap((each, at) => edgeArguments(each, meanings[at]!.rules(abi, nr)));
      for (const args of [Array<bigint>(6).fill(0n), Array<bigint>(6).fill(2n ** 64n - 1n), ...edges]) {
        const [was, is] = [one.evaluate(abi.audit, nr, args), other.evaluate(abi.audit, nr, args)];
        if (was === is) continue;
        if (is !== ALLOW) throw new Error(`${name} gets 0x${is.toString(16)}`);
        changed.add(`${abi.oci} ${name}`);
      }
    }
  return [...changed].toSorted();
}
