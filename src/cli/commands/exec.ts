import { fail } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { flagBits } from '../../compile/flag-bits.ts';
import { descriptorFault } from '../../oci/process/start-filtered.ts';
import { programOf } from '../../options/flags.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { compileWith } from '../compile-with.ts';
import { keepHot } from '../keep-hot.ts';
import { addOutputOptions, addProofOption, wholeNumber } from '../options/add-options.ts';
import type { ProofFlag } from '../options/add-options.ts';
import { addCacheOptions } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { refuseUnconfined } from '../options/confined.ts';
import { filterFor } from '../options/filter-file.ts';
import { hostArch } from '../../host.ts';
import { readInput } from '../options/input-file.ts';
import { addReadingOptions, openProfile } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { printDiagnostics } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { keptForm, runFiltered } from '../run-filtered.ts';
import type { Loadable } from '../run-filtered.ts';

interface Options extends TargetFlags, ReadingFlags, ProofFlag, CacheFlags, OutputOptions {
  keepFd: number[];
}

const HELP = `
A small program loads the filter and then becomes the command; this needs no rights. The command gets
no_new_privs, so set-user-ID programs do not change the user. Input, output, terminal, exit
code and signals are the command's own.

Exit codes: 128+N if signal N ended the command, as in a shell; 127 if it does not exist;
126 if it is not executable. If the filter ended the command, or a program that a shell ran
last, a note names the call and the entry, as far as the kernel's log can be read.

Arguments and environment reach the command byte for byte. Descriptors from 3 on are closed,
except those of --keep-fd.

Examples:
  seccompc exec profile.json -- ls -l
  seccompc exec profile.json -q -- make test`;

export function makeCommand({ args }: Invocation): CliCommand {
  const command = new CliCommand('exec')
    .usage('PROFILE|FILTER [OPTION...] -- COMMAND...')
    .description('Runs a command under a filter.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile, or a filter; - for standard input')
    .argument('<COMMAND...>', 'what to run, and its arguments')
    .option('--keep-fd <N>', 'leave this descriptor open for the command (repeatable)', descriptor, [])
    .addHelpText('after', HELP)
    .runs((file: string, words: string[], options: Options) => run(file, words, options, args));
  return addTargetOptions(addReadingOptions(addCacheOptions(addOutputOptions(addProofOption(command)))));
}

async function run(
  file: string,
  words: string[],
  options: Options,
  args: readonly string[],
): Promise<number> {
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
  const input = await readInput(file);
  const { filter, diagnostics, warnings } = await loadable(input, file, target, options);
  const product = async () => keptForm(filter, options);
  warnings.push(...(await keepHot(args, { input, warnings, diagnostics, output: options, product })));
  await printDiagnostics([...warnings, ...diagnostics], options);
  return runFiltered(filter, { words, input, file, keep: options.keepFd, ...options });
}

/** A filter to load, and what was found in it. */
interface Found {
  filter: Loadable;
  diagnostics: readonly Diagnostic[];
  /** Of the cache. */
  warnings: Diagnostic[];
}

async function loadable(input: Uint8Array, file: string, target: Target, options: Options): Promise<Found> {
  const { arch } = target;
  const bytes = filterFor(arch, input, file);
  // A filter has no flags with it.
  if (bytes !== undefined) return { filter: { bytes, flags: 0, arch }, diagnostics: [], warnings: [] };
  const profile = await openProfile(input, file, options);
  const settings = { target, file: profile.file, prove: programOf(options).prove } as const;
  const { filter, warnings } = await compileWith(options, profile, settings);
  refuseUnconfined(filter, profile.file);
  const origin = { target, jsonc: options.jsonc ?? false };
  const loaded = { bytes: filter.bytes, flags: flagBits(filter.flags), arch, origin };
  return { filter: loaded, diagnostics: filter.diagnostics, warnings };
}

const parseDescriptor = wholeNumber(3, 65_535);

function descriptor(text: string, before: number[]): number[] {
  return [...new Set([...before, parseDescriptor(text)])];
}
