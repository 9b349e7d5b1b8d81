import type { Command } from 'commander';
import type { ArchName } from '../../arch.ts';
import { targetOf as targetOfFlags } from '../../options/flags.ts';
import { optionsIn } from '../../options/table.ts';
import type { TargetFlags } from '../../options/table.ts';
import type { Target } from '../../target.ts';
import { hostArch, hostKernel } from '../../host.ts';
import { addOptions, valueParser } from './add-options.ts';

export type { TargetFlags };

/** Adds the options that every command with a profile has. */
export function addTargetOptions<C extends Command>(command: C): C {
  return addOptions(command, optionsIn('target'));
}

/**
 * The target that the flags ask for. Only here does a result come to depend on the machine it is
 * made on.
 */
export function targetOf(flags: TargetFlags): Target {
  const kernel = flags.kernel ?? hostKernel();
  return targetOfFlags({
    ...flags,
    arch: flags.arch ?? hostArch(),
    ...(kernel === undefined ? {} : { kernel }),
  });
}

/** For options of single commands: an architecture in any spelling. */
export const archArgument = valueParser<ArchName>({ takes: 'arch' });
