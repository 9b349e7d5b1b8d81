import { archOf } from '../../arch.ts';
import { checkProgram, isSeccompOpcode } from '../../bpf/check.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { diagnostic, SeccompcError } from '../../errors.ts';
import { decodeBase64 } from '../../format/text.ts';
import { filterInText, readings } from '../../input/filter-text.ts';
import type { FilterText } from '../../input/filter-text.ts';
import { foreignBytes, foreignText } from '../../profile/foreign.ts';

/** A program that was read from a file. */
export interface FilterInput {
  program: SockFilter[];
  endian: Endian;
}

/**
 * The program in the bytes, raw or as a text, if the kernel would accept it; undefined otherwise.
 * The byte order follows from the opcodes, all of which are below 256, or from the architectures.
 */
export function recogniseFilter(bytes: Uint8Array): FilterInput | undefined {
  for (const candidate of candidates(bytes))
    if (checkProgram(candidate.program).length === 0) return candidate;
  return undefined;
}

/**
 * Like {@link recogniseFilter}, but also takes a program that the kernel would refuse, as long as most of its
 * opcodes are some: who takes a filter apart wants to see what is wrong with it.
 * @throws SeccompcError NOT_A_FILTER
 */
export function readFilter(bytes: Uint8Array, file: string): FilterInput {
  const accepted = recogniseFilter(bytes);
  if (accepted !== undefined) return accepted;
  const likely = candidates(bytes).find(({ program }) => {
    const known = program.filter(({ code }) => isSeccompOpcode(code)).length;
    return known * 2 > program.length;
  });
  if (likely !== undefined) return likely;
  const { reason, hint } = whyNot(bytes);
  throw new SeccompcError([{ ...diagnostic('NOT_A_FILTER', { reason }, { hint }), file }]);
}

/** Also a filter that the kernel would refuse: as a profile it would only be called binary. */
export function isFilter(bytes: Uint8Array, file: string): boolean {
  if (recogniseFilter(bytes) !== undefined) return true;
  try {
    readFilter(bytes, file);
    return true;
  } catch (error) {
    if (error instanceof SeccompcError) return false;
    throw error;
  }
}

function candidates(bytes: Uint8Array): FilterInput[] {
  const text = new TextDecoder('latin1').decode(bytes);
  const found: (FilterText | undefined)[] = [bytes, filterInText(text), decodeBase64(text)];
  return found
    .filter((each) => each !== undefined)
    .filter((each) => !(each instanceof Uint8Array) || (each.length > 0 && each.length % 8 === 0))
    .flatMap(readings)
    .map(({ program, endian }) => ({ program, endian: endian ?? orderOf(program) }));
}

/** Instructions alone have no byte order; the architecture that they test for has. */
function orderOf(program: readonly SockFilter[]): Endian {
  const [first] = testedArches(program);
  return first === undefined ? 'little' : archOf(first).endian;
}

function whyNot(bytes: Uint8Array): { reason: string; hint?: string } {
  if (bytes.length === 0) return { reason: 'it is empty' };
  const text = new TextDecoder('latin1').decode(bytes);
  const foreign = foreignBytes(bytes) ?? foreignText(text);
  if (foreign !== undefined && !/filter/.test(foreign.what))
    return { reason: `it is ${foreign.what}`, ...(foreign.program && { hint: foreign.hint! }) };
  if (/^\s*[{[]/.test(text))
    return {
      reason: 'it is JSON',
      hint: 'compile a profile first: "seccompc compile FILE | seccompc disasm -"',
    };
  return {
    reason:
      bytes.length % 8 === 0
        ? 'its opcodes are not those of seccomp'
        : `${bytes.length} bytes are no whole number of instructions, and no text form of a filter either`,
  };
}
