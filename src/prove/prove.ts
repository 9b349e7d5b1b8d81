/**
 * The proof that a program answers every call as its profile says: the last step of every
 * compilation.
 */
import type { ArchName } from '../arch.ts';
import { archOf } from '../arch.ts';
import type { Endian, SeccompData, SockFilter } from '../bpf/instruction.ts';
import { compare } from './compare.ts';
import type { Reference } from './profile/reference.ts';

/**
 * A call that the program answers wrongly. Both values have been found again without the proof's
 * means.
 */
export interface Witness {
  data: SeccompData;
  /** Whose call it is; undefined for an audit arch that no ABI has. */
  abi: ArchName | undefined;
  /** u32 return value that the profile asks for. */
  expected: number;
  /** u32 return value of the program. */
  actual: number;
}

/**
 * `nodes`: size of the BDD. `fingerprint`: canonical bytes of the function, to be hashed; missing
 * when the proof needed one of the fallbacks. `malformed`: the kernel would refuse the program.
 */
export type ProofResult =
  | { verdict: 'equal'; nodes: number; fingerprint?: Uint8Array }
  | { verdict: 'different'; witnesses: Witness[] }
  | { verdict: 'malformed'; reason: string }
  | { verdict: 'undecided'; reason: string };

export interface ProofOptions {
  /** Nodes a BDD may have; 2^19 unless said. */
  nodeBudget?: number;
  /** Byte order of the program's machine; the target's unless said. */
  endian?: Endian;
  /** Witnesses to report, one for each call; 32 unless said. */
  limit?: number;
}

/**
 * Proves a program against a resolved profile, for all 2^32 architectures, 2^32 numbers, six 64-bit
 * arguments and instruction pointers. "equal" is said of nothing that was not proved.
 */
export function prove(
  program: readonly SockFilter[],
  reference: Reference,
  options: ProofOptions = {},
): ProofResult {
  const { endian = archOf(reference.target.arch).endian, ...rest } = options;
  const result = compare(reference, { program, endian }, rest);
  if (result.verdict === 'holds') {
    const { nodes } = result;
    if (!('fingerprint' in result)) return { verdict: 'equal', nodes };
    return {
      verdict: 'equal',
      nodes,
      get fingerprint() {
        return result.fingerprint!;
      },
    };
  }
  if (result.verdict === 'malformed') return { verdict: 'malformed', reason: result.reason };
  if (result.verdict === 'undecided') return { verdict: 'undecided', reason: result.reason };
  const witnesses = result.differences.map(({ first, second, ...call }) => ({
    ...call,
    expected: first,
    actual: second,
  }));
  return { verdict: 'different', witnesses };
}
