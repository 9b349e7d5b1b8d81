/** `--arch` and `--kernel` are lists in some commands, and single values in every other. */
import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { allArches } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { parseKernelVersion } from '../../target.ts';
import type { KernelVersion } from '../../target.ts';
import { archArgument } from './target-options.ts';

export function takeArches(command: Command, description: string): void {
  takeList(command, '--arch', archList, description);
}

export function takeKernels(command: Command, description: string): void {
  takeList(command, '--kernel', kernelList, description);
}

function takeList(
  command: Command,
  flag: string,
  read: (text: string) => unknown[],
  description: string,
): void {
  const option = command.options.find(({ long }) => long === flag)!;
  option.argParser(read);
  option.description = description;
}

function archList(text: string): ArchName[] {
  if (text === 'all') return allArches().map(({ name }) => name);
  return [...new Set(text.split(',').map((name) => archArgument(name.trim())))];
}

function kernelList(text: string): KernelVersion[] {
  return [...new Set(text.split(','))].map((release) => {
    const version = parseKernelVersion(release.trim());
    if (version === undefined) throw new InvalidArgumentError('Give releases such as 5.15,6.1.');
    return version;
  });
}
