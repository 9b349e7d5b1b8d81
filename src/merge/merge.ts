/** Set operations on filters and profiles: the program of the result, proved. */
import type { Arch } from '../arch.ts';
import type { Endian, SockFilter } from '../bpf/instruction.ts';
import { generatedProgram, kernelFaults } from '../compile/make-program.ts';
import type { Optimize } from '../codegen/goal.ts';
import { SeccompcError, undecided } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { Undecided } from '../prove/bdd/bdd.ts';
import { joinedDiagram } from '../prove/compare.ts';
import type { Joined } from '../prove/compare.ts';
import { programBdd } from '../prove/program/program-bdd.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import { OPERATIONS } from './operations.ts';
import type { Operation } from './operations.ts';
import { numberingsOf, policyOf } from './policy-of.ts';

export interface MergeOptions {
  native: Arch;
  /** Tables of all architectures that the inputs test. */
  tables: SyscallTables;
  optimize?: Optimize | undefined;
  nodeBudget?: number | undefined;
}

/** A program for which it is proved that it answers every call as the operation says. */
export interface Merged {
  program: SockFilter[];
  endian: Endian;
  arches: Arch[];
}

/** The inputs as one side of a comparison. */
export function joined(operation: Operation, sides: Joined['sides']): Joined {
  return { ...OPERATIONS[operation], sides };
}

/**
 * @throws SeccompcError UNDECIDED if the result cannot be computed or proved; the faults of a
 *   program that the kernel would refuse
 */
export function merge(operation: Operation, sides: Joined['sides'], options: MergeOptions): Merged {
  const { native, tables, optimize = 'attach', nodeBudget } = options;
  try {
    const { space, root } = joinedDiagram(joined(operation, sides), nodeBudget);
    const numberings = numberingsOf(space.bdd, root, native);
    const policy = policyOf(space.bdd, numberings, native.endian);
    const faults: Diagnostic[] = [];
    const program = generatedProgram(policy, optimize, tables, (fault) => faults.push(fault));
    if (faults.length === 0) faults.push(...kernelFaults(program, policy, tables));
    if (faults.length > 0) throw new SeccompcError(faults);
    // In one space, equal functions are the same node.
    if (programBdd(space, program, native.endian) !== root)
      throw new Error('internal error: the program of a merge differs from its inputs');
    return { program, endian: native.endian, arches: policy.arches.flatMap(({ abis }) => abis) };
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    throw new SeccompcError([undecided({ reason: error.message, isBudget: error.isBudget })]);
  }
}
