import { archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { checkProgram } from '../../bpf/check.ts';
import type { Stack } from '../../bpf/stack.ts';
import { fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import type { NamedCalls, Side } from '../../prove/compare.ts';
import type { Reference } from '../../prove/profile/reference.ts';
import { loadTables } from '../../syscalls/load.ts';
import type { Target } from '../../target.ts';
import { bearingOn } from './bearing.ts';
import { notConfined } from './confined.ts';
import { isFilter, readFilter } from './filter-file.ts';
import type { FilterInput } from './filter-file.ts';
import { readInput } from './input-file.ts';
import { readProcess } from './process.ts';
import type { ProcessFilters, ProcessFlags } from './process.ts';
import { openProfile, withNotes } from './profile-file.ts';
import type { ReadingFlags } from './profile-file.ts';
import { targetOf } from './target-options.ts';
import type { TargetFlags } from './target-options.ts';
import { testedArches } from '../../bpf/tested-arches.ts';

/** A profile for its target or a filter with its byte order, ready to be compared. */
export interface Operand {
  side: Side;
  /** Its architectures. A difference is searched for each of their calls. */
  calls: NamedCalls[];
  /** Warnings and notes; always empty for a filter. */
  diagnostics: Diagnostic[];
  /** The filter itself; of a profile, the one that it compiles to. Not of a process with several. */
  program?: () => Promise<FilterInput>;
  /** Those of them that have a bearing on why calls of these names are answered differently. */
  bearingOn: (different: ReadonlySet<string>) => Diagnostic[];
}

/**
 * Reads a filter (raw or base64) or a profile, whichever the file contains; without a file, the filters of a process.
 * @throws SeccompcError
 */
export async function readOperand(
  file: string | undefined,
  flags: TargetFlags & ReadingFlags & ProcessFlags,
): Promise<Operand> {
  if (file === undefined) return processOperand(await readProcess(flags), flags.arch);
  const bytes = await readInput(file);
  return isFilter(bytes, file)
    ? filterOperand(bytes, file, flags.arch)
    : profileOperand(await openProfile(bytes, file, flags), targetOf(flags));
}

/** @throws SeccompcError with all faults of the profile, also when it asks for no filter */
export async function profileOperand(
  { bytes, file, notes }: ProfileText,
  target: Target,
): Promise<Operand & { side: Reference }> {
  const { compile, lowerProfile } = await import('../../compile.ts');
  const { readInput: readProfile } = await import('../../compile/findings.ts');
  const read = async () => {
    const { profile } = readProfile(bytes, { file, semantics: target.semantics });
    return { profile, ...(await lowerProfile(profile, { target, file })) };
  };
  const lowered = await withNotes(notes, read());
  const { profile, diagnostics } = lowered;
  if (!lowered.confined) throw new SeccompcError([...diagnostics, notConfined(file)]);
  const { arches, reference } = lowered;
  return {
    side: reference,
    calls: arches.map((abi) => ({ abi, table: reference.tables.of(abi.name) })),
    diagnostics,
    program: async () => {
      const { instructions, endian } = await compile(profile, { target, file });
      return { program: instructions, endian };
    },
    bearingOn: (different) => bearingOn(diagnostics, profile, different, 'differences'),
  };
}

/**
 * `arch` is added to the architectures that the filter tests.
 * @throws SeccompcError if the input is not a filter, or the kernel would refuse it
 */
export async function filterOperand(
  bytes: Uint8Array,
  file: string,
  arch?: ArchName,
): Promise<Operand & { side: FilterInput }> {
  const side = readFilter(bytes, file);
  const faults = checkProgram(side.program);
  if (faults.length > 0) throw new SeccompcError(faults.map((fault) => ({ ...fault, file })));
  const calls = await callsOf([side.program], arch);
  return { side, calls, diagnostics: [], program: async () => side, bearingOn: () => [] };
}

/** As {@link filterOperand}, of the filters of a process. */
export async function processOperand(
  { side, notes }: ProcessFilters,
  arch?: ArchName,
): Promise<Operand & { side: Stack }> {
  const calls = await callsOf(side.stack, arch);
  const { stack, endian } = side;
  const program = stack.length === 1 && { program: async () => ({ program: [...stack[0]!], endian }) };
  return { side, calls, diagnostics: notes, ...program, bearingOn: () => notes };
}

async function callsOf(programs: Stack['stack'], arch: ArchName | undefined): Promise<NamedCalls[]> {
  const names = new Set([...(arch === undefined ? [] : [arch]), ...programs.flatMap(testedArches)]);
  const abis = [...names].map(archOf);
  const tables = await loadTables(abis.map(({ table }) => table));
  return abis.map((abi) => ({ abi, table: tables.of(abi.name) }));
}

/** Two operands cannot both be standard input. @throws SeccompcError USAGE */
export function refuseTwiceStdin(...files: (string | undefined)[]): void {
  if (files.every((file) => file === '-')) fail('USAGE', { reason: 'only one of the two can be -' });
}
