import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import { archOf } from '../../arch.ts';
import { decode } from '../../bpf/instruction.ts';
import type { Stack } from '../../bpf/stack.ts';
import { diagnostic } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { hostArch } from '../../host.ts';
import { refuseFaults } from './filter-file.ts';

/** A running process, whose filters take the place of a FILTER. */
export interface ProcessFlags {
  pid?: number;
  container?: string;
}

export interface ProcessFilters {
  /** `process 123` */
  file: string;
  side: Stack;
  notes: Diagnostic[];
}

export function addProcessOptions<C extends Command>(command: C): C {
  const pid = new Option('--pid <N>', 'in place of FILTER: all filters of a running process, as root');
  const container = new Option(
    '--container <ID>',
    'the same of a container of podman, docker, crictl, crun or runc; docker:ID asks only docker',
  );
  pid.argParser((text) => {
    if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
    throw new InvalidArgumentError('Give the number of a process.');
  });
  for (const option of [pid.conflicts('container'), container])
    command.addOption(option.helpGroup('Process:'));
  return command;
}

/**
 * The word for a FILTER; undefined where a process replaces it.
 * @throws InvalidArgumentError for both, or none
 */
export function fileOrProcess(
  word: string | undefined,
  name: string,
  flags: ProcessFlags,
): string | undefined {
  if (!isOfProcess(flags)) return required(word, name);
  if (word !== undefined) throw new InvalidArgumentError(`give either ${name} or a process, not both`);
  return undefined;
}

/** The same where other words follow: a process leaves the first word to them. */
export function withProcess(
  first: string | undefined,
  others: readonly string[],
  name: string,
  flags: ProcessFlags,
): [string | undefined, ...string[]] {
  if (!isOfProcess(flags)) return [required(first, name), ...others];
  return [undefined, ...(first === undefined ? [] : [first]), ...others];
}

/** @throws InvalidArgumentError if the word is missing */
export function required(word: string | undefined, name: string): string {
  if (word !== undefined) return word;
  throw new InvalidArgumentError(`missing required argument '${name}'`);
}

function isOfProcess({ pid, container }: ProcessFlags): boolean {
  return pid !== undefined || container !== undefined;
}

/** @throws SeccompcError if there is no such process, or all of its filters cannot be read */
export async function readProcess(flags: ProcessFlags): Promise<ProcessFilters> {
  const { filteredProcess, readLoadedFilters } = await import('../../oci/process/loaded-filter.ts');
  const notes: Diagnostic[] = [];
  let pid = flags.pid!;
  if (flags.container !== undefined) {
    const { findContainer } = await import('../../oci/process/container.ts');
    const found = await findContainer(flags.container);
    ({ pid } = found);
    const engines = found.engines.join(', ');
    notes.push(diagnostic('FILTERS_OF_CONTAINER', { name: flags.container, pid, engines }));
  }
  const { threads, narrow } = filteredProcess(pid);
  const programs = await readLoadedFilters(pid, hostArch());
  const { endian, wordBits } = archOf(hostArch());
  const stack = programs.map((bytes) => decode(bytes, endian));
  const file = `process ${pid}`;
  refuseFaults(file, ...stack);
  const others = [...threads].filter(([, count]) => count !== stack.length);
  const count = stack.length;
  if (others.length > 0)
    notes.push(
      diagnostic('FILTERS_OF_THREADS', { pid, count, others: others.length, threads: threads.size }),
    );
  if (narrow && wordBits === 64) notes.push(diagnostic('PROCESS_32_BIT', { pid }));
  return { file, side: { stack, endian }, notes };
}
