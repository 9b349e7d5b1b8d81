import { checkProgram } from '../bpf/check.ts';
import { MAX_INSTRUCTIONS } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { generateProgram, TooManyRules } from '../codegen/generate.ts';
import type { Optimize } from '../codegen/goal.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { callOf, largestCall } from '../policy/largest.ts';
import type { Policy } from '../policy/types.ts';
import type { SyscallTables } from '../syscalls/tables.ts';

/** The program of a policy; empty after a reported error. */
export function generatedProgram(
  policy: Policy,
  optimize: Optimize,
  tables: SyscallTables,
  report: (fault: Diagnostic) => void,
): SockFilter[] {
  try {
    return generateProgram(policy, optimize, tables);
  } catch (error) {
    if (!(error instanceof TooManyRules)) throw error;
    const call = callOf(error.decision, policy, tables)!;
    report(diagnostic('TOO_MANY_RULES', { ...call, limit: MAX_INSTRUCTIONS }));
    return [];
  }
}

/**
 * Why the kernel would refuse a program; of one that is too long also which call takes the most
 * room.
 */
export function kernelFaults(
  program: readonly SockFilter[],
  policy: Policy,
  tables: SyscallTables,
): Diagnostic[] {
  return checkProgram(program).map((fault) => {
    const largest = fault.code === 'FILTER_TOO_LONG' ? largestCall(policy, tables) : undefined;
    if (largest === undefined) return fault;
    const { name, arch, rules } = largest;
    const hint = `${name} has ${rules} rules with conditions on ${arch}, more than any other call; ${fault.hint}`;
    return { ...fault, hint };
  });
}
