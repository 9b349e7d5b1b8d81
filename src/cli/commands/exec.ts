import { constants } from 'node:os';
import { InvalidArgumentError } from 'commander';
import { diagnostic, fail } from '../../errors.ts';
import { flagBits } from '../../launcher/flags.ts';
import {
  bytesOfWords,
  callersEnvironment,
  descriptorFault,
  findCommand,
  runUnderFilter,
} from '../../oci/process/start-filtered.ts';
import { CliCommand } from '../command.ts';
import { hostArch } from '../options/host.ts';
import { addCacheOptions } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { refuseUnconfined } from '../options/confined.ts';
import { addReadingOptions, readProfileFile } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { addOutputOptions, addProofOption } from '../options/add-options.ts';
import type { ProofFlag } from '../options/add-options.ts';
import { programOf } from '../../options/flags.ts';
import { printDiagnostics } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { compileWith } from '../compile-with.ts';

interface Options extends TargetFlags, ReadingFlags, ProofFlag, CacheFlags, OutputOptions {
  keepFd: number[];
}

const HELP = `
A small program loads the filter and then becomes the command; this needs no rights. The command gets
no_new_privs, so set-user-ID programs do not change the user. Input, output, terminal, exit
code and signals are the command's own.

Exit codes: 128+N if signal N ended the command, as in a shell; 127 if it does not exist;
126 if it is not executable. If the filter ended the command, or a program that a shell ran
last, a note names the call and the entry, as far as the kernel's log can be read. Arguments and environment reach the command byte for byte.
Other open descriptors are closed without --keep-fd.

Examples:
  seccompc exec profile.json -- ls -l
  seccompc exec profile.json -q -- make test`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('exec')
    .usage('PROFILE [OPTION...] -- COMMAND...')
    .description('Runs a command under the filter of a profile.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .argument('<COMMAND...>', 'what to run, and its arguments')
    .option('--keep-fd <N>', 'leave this descriptor open for the command (repeatable)', descriptor, [])
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addCacheOptions(addOutputOptions(addProofOption(command)))));
}

async function run(path: string, command: string[], options: Options): Promise<number> {
  const target = targetOf(options);
  const host = hostArch();
  if (target.arch !== host)
    fail('USAGE', {
      reason: `a filter for ${target.arch} would end every process of this machine, which is ${host}`,
    });
  for (const fd of options.keepFd) {
    const reason = descriptorFault(fd);
    if (reason !== undefined) fail('USAGE', { reason: `descriptor ${fd} cannot be kept: ${reason}` });
  }
  const profile = await readProfileFile(path, options);
  const { file } = profile;
  const settings = { target, file, prove: programOf(options).prove } as const;
  const { filter, warnings } = await compileWith(options, profile, settings);
  refuseUnconfined(filter, file);
  await printDiagnostics([...warnings, ...filter.diagnostics], options);
  const words = bytesOfWords(command);
  if (words === undefined)
    fail('USAGE', { reason: 'with arguments that are not UTF-8, put -- before the command' });
  const environment = callersEnvironment();
  const found = findCommand(words[0]!, environment);
  if ('reason' in found) {
    const { reason, exitCode } = found;
    await printDiagnostics([diagnostic('COMMAND_NOT_STARTED', { command: command[0]!, reason })], {});
    return exitCode;
  }
  const started = Date.now();
  const { exitCode, signal, pid } = await runUnderFilter(
    filter.bytes,
    { path: found.path, words, environment, keep: options.keepFd },
    { arch: host, flags: flagBits(filter.flags) },
  );
  // A shell exits like this if SIGSYS ended the program that it ran last.
  if (signal === 'SIGSYS' || (signal === null && exitCode === 128 + constants.signals.SIGSYS)) {
    const { refusedCall } = await import('../refused-call.ts');
    const ended = signal === null ? undefined : pid;
    await printDiagnostics(
      [await refusedCall({ profile: profile.bytes, file, target }, ended, started)],
      options,
    );
  }
  return exitCode;
}

const LARGEST_DESCRIPTOR = 65535;

function descriptor(text: string, before: number[]): number[] {
  const fd = Number(text);
  if (!/^\d+$/.test(text) || fd < 3 || fd > LARGEST_DESCRIPTOR)
    throw new InvalidArgumentError(`Give a number from 3 to ${LARGEST_DESCRIPTOR}.`);
  return [...new Set([...before, fd])];
}
