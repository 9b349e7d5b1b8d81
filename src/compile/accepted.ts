import { checkProgram } from '../bpf/check.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import type { Diagnostic } from '../errors.ts';
import { largestCall } from '../policy/largest.ts';
import type { Policy } from '../policy/types.ts';
import type { SyscallTables } from '../syscalls/tables.ts';

/** Why the kernel would refuse a program; of one that is too long also which call takes the most room. */
export function kernelFaults(
  program: readonly SockFilter[],
  policy: Policy,
  tables: SyscallTables,
): Diagnostic[] {
  return checkProgram(program).map((fault) => {
    const largest = fault.code === 'FILTER_TOO_LONG' ? largestCall(policy, tables) : undefined;
    if (largest === undefined) return fault;
    const { name = `number ${largest.nr}`, arch, rules } = largest;
    const hint = `${name} has ${rules} rules with conditions on ${arch}, more than any other call; ${fault.hint}`;
    return { ...fault, hint };
  });
}
