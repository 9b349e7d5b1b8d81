import type { SockFilter } from '../bpf/instruction.ts';
import { diagnostic, fail } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import { prove } from '../prove/prove.ts';
import type { Witness } from '../prove/prove.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { ProofMode } from './settings.ts';

/** Whether a program from any source is proved to answer every possible call as the profile says. */
export function isProved(program: readonly SockFilter[], reference: Reference): boolean {
  return prove(program, reference).verdict === 'equal';
}

/**
 * Proves a program that was just generated. One that differs from its profile is a bug of the compiler and is never
 * handed out.
 *
 * @throws SeccompcError PROOF_CONTRADICTS
 */
export async function proveGenerated(
  program: readonly SockFilter[],
  reference: Reference,
  mode: ProofMode,
  report: (d: Diagnostic) => void,
): Promise<boolean> {
  if (mode === 'never') return false;
  const result = prove(program, reference);
  switch (result.verdict) {
    case 'equal':
      return true;
    case 'undecided': {
      const severity = mode === 'require' ? 'error' : 'note';
      report(diagnostic('NOT_PROVED', { reason: result.reason }, { severity }));
      return false;
    }
    case 'malformed':
      return fail('PROOF_CONTRADICTS', { witness: result.reason });
    case 'different':
      return fail('PROOF_CONTRADICTS', { witness: await describeWitness(result.witnesses[0]!) });
  }
}

async function describeWitness({ data, abi, expected, actual }: Witness): Promise<string> {
  const [asked, given] = [expected, actual].map((value) => describeAnswer(value, abi));
  return `${await describeCall(data, abi)}: the profile asks for ${asked}, the program gives ${given}`;
}
