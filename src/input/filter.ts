import { archOf } from '../arch.ts';
import { checkProgram, isSeccompOpcode } from '../bpf/check.ts';
import type { Endian, SockFilter } from '../bpf/instruction.ts';
import { testedArches } from '../bpf/tested-arches.ts';
import { decodeBase64 } from '../format/text.ts';
import { filterInText, readings } from './filter-text.ts';
import type { FilterText } from './filter-text.ts';

/**
 * A program that was read from a file. The byte order follows from the opcodes, all of which are
 * below 256, or from the architectures.
 */
export interface FilterInput {
  program: SockFilter[];
  endian: Endian;
}

/**
 * The filter in the bytes, raw or as a text; undefined for other input. If the kernel would refuse
 * every reading, the first one most of whose opcodes exist: checkProgram says what is wrong with
 * it.
 */
export function filterIn(bytes: Uint8Array): FilterInput | undefined {
  const found = candidates(bytes);
  return (
    found.find(({ program }) => checkProgram(program).length === 0) ??
    found.find(
      ({ program }) => program.filter(({ code }) => isSeccompOpcode(code)).length * 2 > program.length,
    )
  );
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
