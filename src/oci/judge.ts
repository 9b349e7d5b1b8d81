/** Whether a filter means what linux.seccomp says: decided by proof, for filters of any compiler. */
import { archOf } from '../arch.ts';
import { checkProgram } from '../bpf/check.ts';
import { decode, INSTRUCTION_BYTES } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { lowerProfile } from '../compile.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { decodeBase64 } from '../format/text.ts';
import { compare } from '../prove/compare.ts';
import type { ComparisonResult, Side } from '../prove/compare.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { Target } from '../target.ts';
import { inConfig, seccompDocument, targetFor } from './compiler.ts';
import { FILTER_ANNOTATION } from './config.ts';
import type { RuntimeConfig, Span } from './config.ts';

/**
 * The program in an annotation, or why there is none that every reader agrees on. crun's decoder is lenient: it skips
 * what is not base64, takes "=" in the middle for a zero, and cuts stray bytes at the end (docs/semantics.md 10.5).
 */
export function programOf(
  annotation: string,
  target: Target,
): { program: SockFilter[] } | { fault: Diagnostic } {
  const bytes = decodeBase64(annotation);
  const invalid = (reason: string) => ({
    fault: diagnostic('ANNOTATION_INVALID', { key: FILTER_ANNOTATION, reason }),
  });
  const stray = /[^A-Za-z0-9+/= \t\r\n]/.exec(annotation);
  if (stray !== null)
    return invalid(
      `${JSON.stringify(stray[0])} at position ${stray.index + 1} is not base64; crun would skip it`,
    );
  if (bytes === undefined)
    return invalid('it is not padded base64; crun would refuse it, or load a damaged program');
  if (bytes.length === 0) return invalid('it is empty');
  if (bytes.length % INSTRUCTION_BYTES !== 0)
    return invalid(
      `${bytes.length} bytes are not a whole number of instructions; crun would cut off the last ${bytes.length % INSTRUCTION_BYTES}`,
    );
  const program = decode(bytes, archOf(target.arch).endian);
  const refused = checkProgram(program)[0];
  return refused === undefined ? { program } : invalid(refused.message);
}

/** What linux.seccomp means, as a side of a comparison; undefined when it asks for no filter at all. */
export async function referenceOf(
  config: RuntimeConfig,
  seccomp: Span,
  target: Target,
  file: string,
): Promise<Reference | undefined> {
  try {
    const options = { target: targetFor(config, target), file };
    const lowered = await lowerProfile(seccompDocument(seccomp), options);
    return lowered.confined ? lowered.reference : undefined;
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    throw new SeccompcError(error.diagnostics.map((found) => inConfig(found, config, seccomp)));
  }
}

/** Undefined when the annotation is proved to mean the same; else the reason to refuse it. */
export async function judgeAnnotation(
  annotation: string,
  reference: Side,
  target: Target,
): Promise<Diagnostic | undefined> {
  const found = programOf(annotation, target);
  if ('fault' in found) return found.fault;
  const side: Side = { program: found.program, endian: archOf(target.arch).endian };
  const result = compare(reference, side, { limit: 1 });
  const key = FILTER_ANNOTATION;
  switch (result.verdict) {
    case 'holds':
      return undefined;
    case 'undecided':
    case 'malformed':
      return diagnostic('ANNOTATION_NOT_PROVED', { key, reason: result.reason });
    case 'broken': {
      const { data, abi, first, second } = result.differences[0]!;
      return diagnostic('ANNOTATION_DIFFERS', {
        key,
        call: await describeCall(data, abi),
        wanted: describeAnswer(first, abi),
        actual: describeAnswer(second, abi),
      });
    }
  }
}

/**
 * Undefined when one of a process's filters is proved to mean the same; else the reason to refuse them. The kernel takes
 * the strictest answer of all filters, so the others allow nothing that this one refuses: programs add some themselves.
 * @param programs As the kernel runs them, oldest first.
 */
export async function judgeLoaded(
  programs: readonly Uint8Array[],
  reference: Side,
  target: Target,
): Promise<Diagnostic | undefined> {
  const { endian } = archOf(target.arch);
  let oldest: Exclude<ComparisonResult, { verdict: 'holds' }> | undefined;
  for (const bytes of programs) {
    const result = compare(reference, { program: decode(bytes, endian), endian }, { limit: 1 });
    if (result.verdict === 'holds') return undefined;
    oldest ??= result;
  }
  // A runtime's filter is older than what its program adds.
  if (oldest?.verdict !== 'broken')
    return diagnostic('LOADED_NOT_PROVED', { reason: oldest?.reason ?? 'there is none' });
  const { data, abi, first, second } = oldest.differences[0]!;
  return diagnostic('LOADED_DIFFERS', {
    which:
      programs.length === 1 ? 'the loaded filter is' : `none of the ${programs.length} loaded filters is`,
    call: await describeCall(data, abi),
    wanted: describeAnswer(first, abi),
    actual: describeAnswer(second, abi),
  });
}
