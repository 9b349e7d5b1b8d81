import type { ArchName } from '../arch.ts';
import type { CompileSettings } from '../compile.ts';
import { capabilitySet, makeTarget, parseEngine } from '../target.ts';
import type { Target } from '../target.ts';
import { flagOf, optionsIn } from './table.ts';
import type { OptionSpec, ProgramFlags, TargetFlags } from './table.ts';
import { formatValue } from './option-values.ts';

/** Flags by their names, whatever table they are of. */
export type Flags = Readonly<Record<string, unknown>>;

/** The options that a program depends on, besides its profile. */
export type ProgramOptions = Required<Pick<CompileSettings, 'target' | 'optimize' | 'prove'>>;

/**
 * The target of the flags. It depends on nothing else, least of all this machine.
 * @throws SeccompcError
 */
export function targetOf(flags: TargetFlags & { arch: ArchName }): Target {
  const given = Object.entries(flags).filter(([flag]) => TARGET_FLAGS.has(flag));
  const { capSet = 'default', cap, capDrop, ...members } = Object.fromEntries(given) as typeof flags;
  const capabilities = capabilitySet(parseEngine(members.engine)?.engine ?? 'moby', capSet, cap, capDrop);
  return makeTarget({ ...members, capabilities });
}

const TARGET_FLAGS = new Set(optionsIn('target').map((option) => flagOf(option).flag));

/** How the program is made. */
export function programOf(flags: ProgramFlags): Omit<ProgramOptions, 'target'> {
  const { optimize = 'attach', prove = true, requireProof = false } = flags;
  return { optimize, prove: requireProof ? 'require' : prove ? 'auto' : 'never' };
}

/**
 * The flags that give exactly these options on any machine: {@link targetOf} and {@link programOf}
 * undone.
 */
export function flagsFor({ target, optimize, prove }: ProgramOptions): TargetFlags & ProgramFlags {
  const { capabilities, semantics, runcRelease, engine, engineRelease, ...members } = target;
  const isRelease = semantics === 'runc' && runcRelease !== undefined;
  return {
    ...members,
    engine: engine === 'moby' && engineRelease !== undefined ? `docker@${engineRelease}` : engine,
    semantics: isRelease ? `runc@${runcRelease}` : semantics,
    capSet: 'none',
    cap: capabilities,
    optimize,
    prove: prove !== 'never',
    requireProof: prove === 'require',
  };
}

/**
 * The options that set these flags, with their texts: undefined for a switch. Defaults are given
 * like other values.
 */
export function givenOptions<S extends OptionSpec>(
  flags: Flags,
  table: readonly S[],
): { option: S; text: string | undefined }[] {
  return table.flatMap((option): { option: S; text: string | undefined }[] => {
    const { flag, negative } = flagOf(option);
    const value = flags[flag];
    // A flag with a value and a `no-` option is false by that one.
    if (value === undefined || (value === false && option.takes !== 'switch')) return [];
    if (option.takes === 'switch') return value === !negative ? [{ option, text: undefined }] : [];
    return formatValue(option, value).map((text) => ({ option, text }));
  });
}
