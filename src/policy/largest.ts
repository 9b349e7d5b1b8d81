import type { ArchName } from '../arch.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Policy } from './types.ts';

/** The call with the most rules on one architecture: what takes the room in a program that is too long. */
export interface LargestCall {
  /** Undefined for a number that the tables do not name. */
  name: string | undefined;
  nr: number;
  arch: ArchName;
  /** How many rules with different conditions it has. */
  rules: number;
}

/** Undefined when no call has rules with conditions. */
export function largestCall(policy: Policy, tables: SyscallTables): LargestCall | undefined {
  let largest: LargestCall | undefined;
  for (const { abis, ranges } of policy.arches)
    for (const { from: nr, decision } of ranges) {
      const rules = decision.rules.length;
      if (rules <= (largest?.rules ?? 0)) continue;
      const names = abis.map((abi) => [abi.name, tables.of(abi.name).nameOf(nr)] as const);
      const [arch, name] = names.find(([, found]) => found !== undefined) ?? names[0]!;
      largest = { name, nr, arch, rules };
    }
  return largest;
}
