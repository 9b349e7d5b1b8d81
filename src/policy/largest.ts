import type { ArchName } from '../arch.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Decision, Policy } from './types.ts';

/**
 * The call with the most rules on one architecture, for the message on a program that is too long.
 */
export interface LargestCall {
  /** `number 999` for one that the tables do not name. */
  name: string;
  arch: ArchName;
  /** How many rules with different conditions it has. */
  rules: number;
}

/** Undefined when no call has rules with conditions. */
export function largestCall(policy: Policy, tables: SyscallTables): LargestCall | undefined {
  let largest: Decision | undefined;
  for (const { ranges } of policy.arches)
    for (const { decision } of ranges)
      if (decision.rules.length > (largest?.rules.length ?? 0)) largest = decision;
  return largest && callOf(largest, policy, tables);
}

/** The first call that has a decision. */
export function callOf(decision: Decision, policy: Policy, tables: SyscallTables): LargestCall | undefined {
  for (const { abis, ranges } of policy.arches) {
    const range = ranges.find((each) => each.decision === decision);
    if (range === undefined) continue;
    const nr = range.from;
    const names = abis.map((abi) => [abi.name, tables.of(abi.name).nameOf(nr)] as const);
    const [arch, found] = names.find(([, name]) => name !== undefined) ?? names[0]!;
    return { name: found ?? `number ${nr}`, arch, rules: decision.rules.length };
  }
  return undefined;
}
