/** Proves whether a filter of any compiler means what linux.seccomp says. */
import { archOf } from '../arch.ts';
import { checkProgram } from '../bpf/check.ts';
import { decode, INSTRUCTION_BYTES } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { lowerProfile } from '../compile.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { decodeBase64 } from '../format/text.ts';
import { compare } from '../prove/compare.ts';
import type { Relation, Side } from '../prove/compare.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import type { Reference } from '../prove/profile/reference.ts';
import type { Target } from '../target.ts';
import { withProfile } from './compiler.ts';
import { FILTER_ANNOTATION } from './config.ts';
import type { RuntimeConfig } from './config.ts';

/**
 * The program in an annotation, or why readers disagree on it. crun's decoder skips what is not
 * base64, takes "=" in the middle for a zero, and cuts stray bytes (docs/semantics.md 10.5).
 */
function programOf(annotation: string, target: Target): SockFilter[] | string {
  const stray = /[^A-Za-z0-9+/= \t\r\n]/.exec(annotation);
  if (stray !== null)
    return `${JSON.stringify(stray[0])} at position ${stray.index + 1} is not base64; crun would skip it`;
  const bytes = decodeBase64(annotation);
  if (bytes === undefined) return 'it is not padded base64; crun would refuse it, or load a damaged program';
  if (bytes.length === 0) return 'it is empty';
  const rest = bytes.length % INSTRUCTION_BYTES;
  if (rest !== 0)
    return `${bytes.length} bytes are not a whole number of instructions; crun would cut off the last ${rest}`;
  const program = decode(bytes, archOf(target.arch).endian);
  return checkProgram(program)[0]?.message ?? program;
}

/** What linux.seccomp means, for comparisons; undefined if it asks for no filter. */
export async function referenceOf(config: RuntimeConfig, target: Target): Promise<Reference | undefined> {
  if (config.seccomp === undefined) return undefined;
  const lowered = await withProfile(config, config.seccomp, target, lowerProfile);
  return lowered.confined ? lowered.reference : undefined;
}

/** How two filters differ, or why they could not be compared; undefined if the relation holds. */
export async function mismatch(
  wanted: Side,
  actual: Side,
  relation: Relation = 'equal',
): Promise<{ reason: string } | { call: string; wanted: string; actual: string } | undefined> {
  const result = compare(wanted, actual, { relation, limit: 1 });
  if (result.verdict === 'holds') return undefined;
  if (result.verdict !== 'broken') return { reason: result.reason };
  const { data, abi, first, second } = result.differences[0]!;
  const call = await describeCall(data, abi);
  return { call, wanted: describeAnswer(first, abi), actual: describeAnswer(second, abi) };
}

/** Undefined when the annotation is proved to mean the same; else the reason to refuse it. */
export async function judgeAnnotation(
  annotation: string,
  reference: Side,
  target: Target,
): Promise<Diagnostic | undefined> {
  const key = FILTER_ANNOTATION;
  const program = programOf(annotation, target);
  if (typeof program === 'string') return diagnostic('ANNOTATION_INVALID', { key, reason: program });
  const fault = await mismatch(reference, { program, endian: archOf(target.arch).endian });
  if (fault === undefined) return undefined;
  return diagnostic('reason' in fault ? 'ANNOTATION_NOT_PROVED' : 'ANNOTATION_DIFFERS', { key, ...fault });
}

/**
 * Undefined if one filter of a process is proved to mean the same, else the reason to refuse them.
 * The other filters, such as those of the program itself, can only refuse more.
 * @param programs As the kernel runs them, oldest first.
 */
export async function judgeLoaded(
  programs: readonly Uint8Array[],
  reference: Side,
  target: Target,
): Promise<Diagnostic | undefined> {
  const { endian } = archOf(target.arch);
  const faults = [];
  for (const bytes of programs) {
    const fault = await mismatch(reference, { program: decode(bytes, endian), endian });
    if (fault === undefined) return undefined;
    faults.push(fault);
  }
  // A runtime's filter is older than what its program adds.
  const [oldest = { reason: 'there is none' }] = faults;
  if ('reason' in oldest) return diagnostic('LOADED_NOT_PROVED', oldest);
  const which =
    programs.length === 1 ? 'the loaded filter is' : `none of the ${programs.length} loaded filters is`;
  return diagnostic('LOADED_DIFFERS', { which, ...oldest });
}
