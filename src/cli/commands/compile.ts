import { Command, Option } from 'commander';
import { FORMAT_NAMES } from '../../format/names.ts';
import { addCacheOptions } from '../cache-options.ts';
import { runCompile } from '../compile-run.ts';
import { addVoiceOptions } from '../report.ts';
import { addTargetOptions } from '../target-options.ts';

export { compileWith } from '../compile-run.ts';

const HELP = `
Nothing is written when the profile has faults: all of them are listed, with line, column and a hint.
An existing FILE is replaced in one step, or left as it was.

Examples:
  seccompc compile profile.json -o filter.bpf
  seccompc compile profile.json --format asm | less
  seccompc compile config.json --arch arm64 --format c -o filter.h
  generate-profile | seccompc compile - --json --cap NET_ADMIN`;

export function makeCommand(): Command {
  const command = new Command('compile')
    .description('Compiles a profile to the BPF program that seccomp(2) loads.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('-o, --output <FILE>', 'where to write the filter (default: standard output)')
    .addOption(
      new Option('--format <FORMAT>', 'raw: 8 bytes an instruction; asm: readable (default: raw)').choices([
        ...FORMAT_NAMES,
        'json',
      ]),
    )
    .addOption(
      new Option('--optimize <FOR>', 'attach: fast to load; frequency: fast common calls; size: short')
        .choices(['attach', 'frequency', 'size'])
        .default('attach'),
    )
    .option('--no-prove', 'do not prove that the filter answers every call as the profile says')
    .option('--require-proof', 'fail rather than give a filter without that proof')
    .addHelpText('after', HELP)
    .action(runCompile);
  return addTargetOptions(addCacheOptions(addVoiceOptions(command)));
}
