import type { Command } from 'commander';
import { archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { programsOf } from '../../bpf/stack.ts';
import type { Stack } from '../../bpf/stack.ts';
import { testedArches } from '../../bpf/tested-arches.ts';
import { fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { filterIn } from '../../input/filter.ts';
import type { FilterInput } from '../../input/filter.ts';
import type { ProfileText } from '../../input/profile-text.ts';
import type { LoweredProfile } from '../../compile.ts';
import type { Profile } from '../../profile/types.ts';
import type { NamedCalls, Side } from '../../prove/compare.ts';
import type { Reference } from '../../prove/profile/reference.ts';
import { loadTables } from '../../syscalls/load.ts';
import type { Target } from '../../target.ts';
import { addOutputOptions } from './add-options.ts';
import { bearingOn } from './bearing.ts';
import { notConfined } from './confined.ts';
import { refuseFaults } from './filter-file.ts';
import { readInput } from './input-file.ts';
import { addProcessOptions, readProcess } from './process.ts';
import type { ProcessFlags } from './process.ts';
import { addReadingOptions, openProfile, withNotes } from './profile-file.ts';
import type { ReadingFlags } from './profile-file.ts';
import { addTargetOptions, targetOf } from './target-options.ts';
import type { TargetFlags } from './target-options.ts';

/** The flags of a command that takes a profile, a filter or a process. */
export interface OperandFlags extends TargetFlags, ReadingFlags, ProcessFlags {}

/** `--quiet` and `--json` too. */
export function addOperandOptions<C extends Command>(command: C): C {
  return addTargetOptions(addProcessOptions(addReadingOptions(addOutputOptions(command))));
}

/** A profile for its target or a filter with its byte order, ready to be compared. */
export interface Operand {
  side: Side;
  /** Its architectures. A difference is searched for each of their calls. */
  calls: NamedCalls[];
  /** Warnings and notes; always empty for a filter in a file. */
  diagnostics: Diagnostic[];
  /**
   * The filter itself; of a profile, the one that it compiles to. Not of a process with several.
   */
  program?: () => Promise<FilterInput>;
  /** Those of them that have a bearing on why calls of these names are answered differently. */
  bearingOn: (different: ReadonlySet<string>) => Diagnostic[];
}

/** A filter, or the filters of a process. */
export interface GivenFilter {
  side: FilterInput | Stack;
  file: string;
  notes: Diagnostic[];
}

/**
 * Reads what PROFILE|FILTER names: a filter, raw or as a text, or else a profile; without a file,
 * the filters of a process.
 * @throws SeccompcError also for a filter that the kernel would refuse
 */
export async function readGiven(
  file: string | undefined,
  flags: ReadingFlags & ProcessFlags,
): Promise<GivenFilter | ProfileText> {
  if (file === undefined) return readProcess(flags);
  const bytes = await readInput(file);
  const side = filterIn(bytes);
  if (side === undefined) return openProfile(bytes, file, flags);
  refuseFaults(file, side.program);
  return { side, file, notes: [] };
}

/** The same, ready to be compared. */
export async function readOperand(file: string | undefined, flags: OperandFlags): Promise<Operand> {
  const given = await readGiven(file, flags);
  return 'side' in given ? filterOperand(given, flags.arch) : profileOperand(given, targetOf(flags));
}

export interface ProfileOperand extends Operand {
  side: Reference;
  profile: Profile;
  lowered: LoweredProfile & { confined: true };
}

/** @throws SeccompcError with all faults of the profile, also when it asks for no filter */
export async function profileOperand(
  { bytes, file, notes }: ProfileText,
  target: Target,
): Promise<ProfileOperand> {
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
    profile,
    lowered,
    calls: arches.map((abi) => ({ abi, table: reference.tables.of(abi.name) })),
    diagnostics,
    program: async () => {
      const { instructions, endian } = await compile(profile, { target, file });
      return { program: instructions, endian };
    },
    bearingOn: (different) => bearingOn(diagnostics, profile, different, 'differences'),
  };
}

/** `arch` is added to the architectures that the filters test. */
export async function filterOperand<S extends FilterInput | Stack>(
  { side, notes }: { side: S; notes: Diagnostic[] },
  arch?: ArchName,
): Promise<Operand & { side: S }> {
  const programs = programsOf(side);
  const names = new Set([...(arch === undefined ? [] : [arch]), ...programs.flatMap(testedArches)]);
  const abis = [...names].map(archOf);
  const tables = await loadTables(abis.map(({ table }) => table));
  const { endian } = side;
  const only = programs.length === 1 && {
    program: async () => ({ program: [...programs[0]!], endian }),
  };
  return {
    side,
    calls: abis.map((abi) => ({ abi, table: tables.of(abi.name) })),
    diagnostics: notes,
    ...only,
    bearingOn: () => notes,
  };
}

/** Two operands cannot both be standard input. @throws SeccompcError USAGE */
export function refuseTwiceStdin(...files: (string | undefined)[]): void {
  if (files.every((file) => file === '-')) fail('USAGE', { reason: 'only one of the two can be -' });
}
