/**
 * The compiler under test, asked the way the oracles are asked: a plain profile in, a raw program
 * out.
 */
import { parseArch } from '../../src/arch.ts';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';
import type { Target } from '../../src/target.ts';
import { readProgram } from './bpf.ts';
import type { RawProgram } from './bpf.ts';
import type { NaiveOptions } from './naive.ts';

export type Compiled =
  | { bytes: Uint8Array; program: RawProgram }
  /** No filter at all. */
  | { absent: true }
  /** Codes of the errors. */
  | { refused: string[] };

/** The target that means the same as the evaluator's options. */
export function targetOf({ native, ...options }: NaiveOptions): Target {
  const arch = parseArch(native);
  if (arch === undefined) throw new Error(`no architecture ${native}`);
  const { semantics, release, enosysStub, enosysAfter, overlap, failUnknown } = options;
  return makeTarget({
    arch,
    ...(semantics === undefined ? {} : { semantics }),
    ...(release === undefined ? {} : { runcRelease: release }),
    ...(enosysStub === undefined ? {} : { enosysStub }),
    ...(enosysAfter === undefined ? {} : { enosysAfter: enosysAfter.release }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(failUnknown === undefined ? {} : { failUnknown }),
  });
}

export async function compileText(text: string, target: Target): Promise<Compiled> {
  try {
    const { bytes, confined, endian } = await compile(text, { target, allowUnconfined: true });
    if (!confined) return { absent: true };
    return { bytes, program: readProgram(bytes, endian === 'big') };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return { refused: error.diagnostics.filter((d) => d.severity === 'error').map((d) => d.code) };
  }
}
