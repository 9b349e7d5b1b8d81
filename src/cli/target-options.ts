import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { ArchName } from '../arch.ts';
import { parseKernelVersion } from '../target.ts';
import type { KernelVersion } from '../target.ts';
import { archArgument } from './arch-option.ts';
import { collect, parseArchList } from './target-flags.ts';

export { targetOf } from './target-flags.ts';
export type { TargetFlags } from './target-flags.ts';

/** Adds the flags that every command with a profile has. */
export function addTargetOptions<C extends Command>(command: C): C {
  return command
    .optionsGroup('Target:')
    .option(
      '--arch <A>',
      'native architecture, such as x86_64 or arm64 (default: this machine)',
      archArgument,
    )
    .option(
      '--architectures <A,B>',
      'use these instead of the architectures in the profile; "native": only --arch',
      architectureList,
    )
    .addOption(
      new Option('--cap-set <SET>', 'capabilities of the container, for includes and excludes')
        .choices(['default', 'all', 'none'])
        .default('default', "the engine's own"),
    )
    .option('--cap <CAP>', 'one more capability (repeatable)', collect)
    .option('--cap-drop <CAP>', 'one capability less (repeatable)', collect)
    .option('--kernel <X.Y>', 'kernel release, for minKernel (default: this machine)', kernelVersion)
    .addOption(
      new Option('--engine <ENGINE>', 'whose reading of the Docker dialect')
        .choices(['moby', 'podman'])
        .default('moby'),
    )
    .addOption(
      new Option('--semantics <RUNTIME>', 'whose reading where runtimes disagree')
        .choices(['crun', 'runc'])
        .default('crun'),
    )
    .option(
      '--enosys-stub',
      'answer ENOSYS to calls newer than any in the profile (default: with runc semantics)',
    )
    .option('--no-enosys-stub', 'do not, also with runc semantics')
    .option(
      '--enosys-after <X.Y>',
      'answer ENOSYS to unnamed calls that are newer than this kernel',
      kernelVersion,
    )
    .addOption(
      new Option('--overlap <HOW>', 'rules with different actions that match one call')
        .choices(['warn', 'error'])
        .default('warn'),
    )
    .option('--fail-unknown', 'refuse names that are no system call')
    .option('--force', 'accept what is nearly always a mistake');
}

function architectureList(text: string): ArchName[] | 'native' {
  return parseArchList(text) ?? text.split(',').map((name) => archArgument(name.trim()));
}

function kernelVersion(text: string): KernelVersion {
  const version = parseKernelVersion(text);
  if (version === undefined) throw new InvalidArgumentError('Give two numbers, such as 5.15.');
  return version;
}
