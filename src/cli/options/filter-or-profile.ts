import { archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { checkProgram } from '../../bpf/check.ts';
import { encode } from '../../bpf/instruction.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { diagnostic, SeccompcError } from '../../errors.ts';
import { isFilter, readFilter } from './filter-file.ts';

/**
 * The program in a FILTER for a machine, in its byte order; undefined for what is read as a profile.
 * @throws SeccompcError for a filter that the kernel would refuse, or that is for other machines
 */
export function filterFor(arch: ArchName, bytes: Uint8Array, file: string): Uint8Array | undefined {
  if (!isFilter(bytes, file)) return undefined;
  const { program, endian } = readFilter(bytes, file);
  const refuse = (...found: ReturnType<typeof checkProgram>) => {
    throw new SeccompcError(found.map((each) => ({ ...each, file })));
  };
  const faults = checkProgram(program);
  if (faults.length > 0) refuse(...faults);
  const order = archOf(arch).endian;
  if (endian !== order) refuse(diagnostic('FILTER_BYTE_ORDER', { filterOrder: endian, arch, order }));
  const arches = testedArches(program);
  if (arches.length > 0 && !arches.includes(arch))
    refuse(diagnostic('FILTER_OF_OTHER_MACHINE', { arches: arches.join(', '), arch }));
  return encode(program, endian);
}
