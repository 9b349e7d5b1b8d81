import type { SockFilter } from '../bpf/instruction.ts';
import { diagnostic, fail, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import { prove } from '../prove/prove.ts';
import type { Witness } from '../prove/prove.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { ProofMode } from './settings.ts';

/**
 * Whether a program from any source is proved to answer every possible call as the profile says.
 */
export function isProved(program: readonly SockFilter[], reference: Reference): boolean {
  return prove(program, reference).verdict === 'equal';
}

/**
 * Proves a program that was just generated. One that differs from its profile is a bug of the
 * compiler and is never handed out.
 *
 * @throws SeccompcError PROOF_CONTRADICTS; {@link Contradiction} if a call shows it
 */
export function proveGenerated(
  program: readonly SockFilter[],
  reference: Reference,
  mode: ProofMode,
  report: (d: Diagnostic) => void,
): boolean {
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
      throw new Contradiction(result.witnesses[0]!);
  }
}

export class Contradiction extends SeccompcError {
  readonly #witness: Witness;

  constructor(witness: Witness) {
    const { nr, arch, args } = witness.data;
    const call = `call ${nr} of audit arch 0x${arch.toString(16)} with ${args.join(', ')}`;
    super([diagnostic('PROOF_CONTRADICTS', { witness: contradiction(call, witness) })]);
    this.#witness = witness;
  }

  /** The same with names. */
  async described(): Promise<SeccompcError> {
    const call = await describeCall(this.#witness.data, this.#witness.abi);
    return new SeccompcError([
      diagnostic('PROOF_CONTRADICTS', { witness: contradiction(call, this.#witness) }),
    ]);
  }
}

function contradiction(call: string, { abi, expected, actual }: Witness): string {
  const [asked, given] = [expected, actual].map((value) => describeAnswer(value, abi));
  return `${call}: the profile asks for ${asked}, the program gives ${given}`;
}
