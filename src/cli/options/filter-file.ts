import { archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { checkProgram } from '../../bpf/check.ts';
import { encode } from '../../bpf/instruction.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { fail, SeccompcError } from '../../errors.ts';
import { filterIn } from '../../input/filter.ts';
import type { FilterInput } from '../../input/filter.ts';
import { foreignBytes, foreignText } from '../../profile/foreign.ts';

/** Of an input that must be a filter. @throws SeccompcError NOT_A_FILTER */
export function readFilter(bytes: Uint8Array, file: string): FilterInput {
  const found = filterIn(bytes);
  if (found !== undefined) return found;
  const { reason, hint } = whyNot(bytes);
  return fail('NOT_A_FILTER', { reason }, { file, hint });
}

/** @throws SeccompcError with all reasons why the kernel would refuse these programs */
export function refuseFaults(file: string, ...programs: readonly (readonly SockFilter[])[]): void {
  const faults = programs.flatMap((program) => checkProgram(program));
  if (faults.length > 0) throw new SeccompcError(faults.map((fault) => ({ ...fault, file })));
}

/** @throws SeccompcError FILTER_BYTE_ORDER */
export function refuseOtherOrder({ endian }: { endian: Endian }, arch: ArchName, file: string): void {
  const order = archOf(arch).endian;
  if (endian === order) return;
  fail('FILTER_BYTE_ORDER', { filterOrder: endian, arch, order }, { file });
}

/**
 * The bytes of a filter that a machine can load; undefined for what is read as a profile.
 * @throws SeccompcError for a filter that the kernel would refuse, or that is for other machines
 */
export function filterFor(arch: ArchName, bytes: Uint8Array, file: string): Uint8Array | undefined {
  const found = filterIn(bytes);
  if (found === undefined) return undefined;
  const { program, endian } = found;
  refuseFaults(file, program);
  refuseOtherOrder(found, arch, file);
  const arches = testedArches(program);
  if (arches.length > 0 && !arches.includes(arch))
    fail('FILTER_OF_OTHER_MACHINE', { arches: arches.join(', '), arch }, { file });
  return encode(program, endian);
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
