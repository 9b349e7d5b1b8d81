import { diagnostic } from '../../errors.ts';
import { CliCommand } from '../command.ts';
import { readFilter, refuseFaults, refuseOtherOrder } from '../options/filter-file.ts';
import { readInput } from '../options/input-file.ts';
import { readProfileFile } from '../options/profile-file.ts';
import { addOperandOptions, filterOperand, profileOperand, refuseTwiceStdin } from '../options/operand.ts';
import type { GivenFilter, OperandFlags } from '../options/operand.ts';
import { fileOrProcess, readProcess } from '../options/process.ts';
import { targetOf } from '../options/target-options.ts';
import { addComparisonOptions } from '../options/comparison.ts';
import type { ComparisonFlags } from '../options/comparison.ts';
import { printVerdict } from '../verdict.ts';
import type { Wording } from '../verdict.ts';
import type { OutputOptions } from '../output/report.ts';

interface Options extends OperandFlags, ComparisonFlags, OutputOptions {}

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

With --pid or --container: does a running process run under the profile, and nothing else?
All of its filters count together, as in the kernel. If they differ from the profile, a line
for each filter says whether it is the profile by itself. The kernel does not tell the flags.

Exit codes: 0 equal, 1 different, or no filter; 2 cannot be decided, 65 the profile or the
filter is faulty, 66 the filters of the process cannot be read.

Examples:
  seccompc verify profile.json filter.bpf
  seccompc verify config.json seccomp.bpf --arch arm64 --json
  seccompc verify profile.json --container web
  seccompc compile profile.json | seccompc verify profile.json -`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('verify')
    .description('Proves that a filter does what a profile says, or shows where it does not.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .argument('[FILTER]', 'a filter of any compiler, raw or as a text; - for standard input')
    .addHelpText('after', HELP)
    .runs(run);
  return addOperandOptions(addComparisonOptions(command));
}

async function run(profileFile: string, filter: string | undefined, options: Options): Promise<number> {
  const filterFile = fileOrProcess(filter, 'FILTER', options);
  refuseTwiceStdin(profileFile, filterFile);
  const opened = await readProfileFile(profileFile, options);
  const bytes = filterFile === undefined ? undefined : await readInput(filterFile);
  const target = targetOf(options);
  const profile = await profileOperand(opened, target);
  const given: GivenFilter =
    bytes === undefined ? await readProcess(options) : filterInFile(bytes, filterFile!);
  refuseOtherOrder(given.side, target.arch, given.file);
  if ('program' in given.side)
    return printVerdict(profile, await filterOperand(given), 'equal', options, WORDING);
  const { flags, listenerPath } = profile.side.seccomp;
  const members = [
    ...(flags?.length ? ['flags'] : []),
    ...(listenerPath === undefined ? [] : ['listenerPath']),
  ];
  if (members.length > 0) given.notes.push(diagnostic('FLAGS_UNSEEN', { members: members.join(' and ') }));
  const wording = wordingOf(given.file, given.side.stack.length);
  return printVerdict(profile, await filterOperand(given), 'equal', options, wording);
}

function filterInFile(bytes: Uint8Array, file: string): GivenFilter {
  const side = readFilter(bytes, file);
  refuseFaults(file, side.program);
  return { side, file, notes: [] };
}

function wordingOf(file: string, count: number): Wording {
  const all =
    count === 1 ? `the filter of ${file} answers` : `the ${count} filters of ${file} together answer`;
  return {
    ...WORDING,
    holds: ['equal', `${all} every call as the profile asks`],
    broken: ['different', `calls that ${file} gets answered otherwise`],
    change: (asked, given) => `the profile asks for ${asked}, the process gets ${given}`,
  };
}
