/** Whether a filter annotation means what linux.seccomp says: decided by proof, whoever made the filter. */
import { archOf } from '../arch.ts';
import { checkProgram } from '../bpf/check.ts';
import { decode } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { readMeaning } from '../compile.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { decodeBase64 } from '../format/text.ts';
import { compare } from '../prove/compare.ts';
import type { Side } from '../prove/compare.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import type { Target } from '../target.ts';
import { inConfig, seccompDocument, targetFor } from './compiler.ts';
import { FILTER_ANNOTATION } from './config.ts';
import type { RuntimeConfig, Span } from './config.ts';

/** The program in an annotation, or why crun or the kernel would not take it. */
export function programOf(
  annotation: string,
  target: Target,
): { program: SockFilter[] } | { fault: Diagnostic } {
  const bytes = decodeBase64(annotation);
  const invalid = (reason: string) => ({
    fault: diagnostic('ANNOTATION_INVALID', { key: FILTER_ANNOTATION, reason }),
  });
  if (bytes === undefined) return invalid('it is not padded base64');
  if (bytes.length === 0) return invalid('it is empty');
  if (bytes.length % 8 !== 0) return invalid(`${bytes.length} bytes are no whole number of instructions`);
  const program = decode(bytes, archOf(target.arch).endian);
  const refused = checkProgram(program)[0];
  return refused === undefined ? { program } : invalid(refused.message);
}

/** What linux.seccomp means, as a side of a comparison; undefined when it asks for no filter at all. */
export async function meaningOf(
  config: RuntimeConfig,
  seccomp: Span,
  target: Target,
  file: string,
): Promise<Side | undefined> {
  try {
    const options = { target: targetFor(config, target), file };
    const meaning = await readMeaning(seccompDocument(seccomp), options);
    return meaning.confined ? meaning.reference : undefined;
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    throw new SeccompcError(error.diagnostics.map((found) => inConfig(found, config, seccomp)));
  }
}

/** Undefined when the annotation is proved to mean the same; else the reason to refuse it. */
export async function judgeAnnotation(
  annotation: string,
  meaning: Side,
  target: Target,
): Promise<Diagnostic | undefined> {
  const found = programOf(annotation, target);
  if ('fault' in found) return found.fault;
  const side: Side = { program: found.program, endian: archOf(target.arch).endian };
  const result = compare(meaning, side, { limit: 1 });
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
