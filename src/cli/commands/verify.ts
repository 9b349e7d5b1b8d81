import { addOutputOptions } from '../options/add-options.ts';
import { archOf } from '../../arch.ts';
import { diagnostic, SeccompcError } from '../../errors.ts';
import { CliCommand } from '../command.ts';
import { readInput } from '../options/input-file.ts';
import { addReadingOptions, readProfileFile } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { filterOperand, profileOperand, refuseTwiceStdin } from '../options/operand.ts';

import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { addComparisonOptions, printVerdict } from './verdict.ts';
import type { ComparisonFlags, Wording } from './verdict.ts';

interface Options extends TargetFlags, ReadingFlags, ComparisonFlags {}

const WORDING: Wording = {
  holds: ['equal', 'the filter answers every call as the profile asks'],
  broken: ['different', 'calls that the filter answers otherwise'],
  change: (asked, given) => `the profile asks for ${asked}, the filter gives ${given}`,
  members: ['expected', 'actual'],
};

const HELP = `
Proves that FILTER gives the answer that PROFILE asks for, for every architecture, number,
argument and instruction pointer. Otherwise it prints calls with different answers, one line
for each difference; missing arguments are 0. FILTER may come from any compiler, raw or as a
text (base64, hex, a listing), for example the seccomp.bpf that crun keeps.

Exit codes: 0 equal, 1 different, 2 cannot be decided, 65 the profile or the filter is
faulty.

Examples:
  seccompc verify profile.json filter.bpf
  seccompc verify config.json seccomp.bpf --arch arm64 --json
  seccompc compile profile.json | seccompc verify profile.json -`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('verify')
    .description('Proves that a filter does what a profile says, or shows where it does not.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .argument('FILTER', 'a filter of any compiler, raw or as a text; - for standard input')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addReadingOptions(addComparisonOptions(addOutputOptions(command))));
}

async function run(profileFile: string, filterFile: string, options: Options): Promise<number> {
  refuseTwiceStdin(profileFile, filterFile);
  const [opened, filterBytes] = [await readProfileFile(profileFile, options), await readInput(filterFile)];
  const target = targetOf(options);
  const profile = await profileOperand(opened, target);
  const filter = await filterOperand(filterBytes, filterFile);
  const { endian } = filter.side;
  const { name, endian: order } = archOf(target.arch);
  if (endian !== order) {
    const fault = diagnostic('FILTER_BYTE_ORDER', { filterOrder: endian, arch: name, order });
    throw new SeccompcError([{ ...fault, file: filterFile }]);
  }
  return printVerdict(profile, filter, 'equal', options, WORDING);
}
