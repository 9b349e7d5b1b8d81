import { addOutputOptions } from '../options/add-options.ts';
import { Option } from 'commander';
import type { Relation } from '../../prove/compare.ts';
import { CliCommand } from '../command.ts';
import { addReadingOptions } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { profilePath } from '../options/built-in-profile.ts';
import { readOperand, refuseTwiceStdin } from '../options/operand.ts';
import { addProcessOptions, fileOrProcess } from '../options/process.ts';
import type { ProcessFlags } from '../options/process.ts';

import { addTargetOptions } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { addComparisonOptions, printVerdict } from './verdict.ts';
import type { ComparisonFlags, Wording } from './verdict.ts';

interface Options extends TargetFlags, ReadingFlags, ComparisonFlags, ProcessFlags {
  tightens?: true;
  loosens?: true;
}

const SIDES = {
  change: (a: string, b: string) => `${a} becomes ${b}`,
  members: ['a', 'b'],
} as const;

const WORDINGS: Record<Relation, Wording> = {
  equal: {
    ...SIDES,
    holds: ['equal', 'A and B answer every call alike'],
    broken: ['different', 'calls that A and B answer differently'],
  },
  tightens: {
    ...SIDES,
    holds: ['yes', 'B is at least as strict as A at every call'],
    broken: ['no', 'calls at which B is less strict than A'],
  },
  loosens: {
    ...SIDES,
    holds: ['yes', 'B is at most as strict as A at every call'],
    broken: ['no', 'calls at which B is stricter than A'],
  },
};

const HELP = `
A and B are profiles or filters (raw or as a text, of any compiler), in any combination. The
target options apply to profiles. With --pid or --container, B is all filters of a running
process together. The answers to all calls are compared; flags, listener and
metadata are not.

Without an option: do both give every call the same answer, errno included?
--tightens: is B's action for every call the same as A's or a stricter one? The kernel's
order is KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE, LOG, ALLOW. Then B lets
nothing through that A stops. Errnos are not compared, except that errno 0 (success without
running) is less strict than any other.
--loosens: the same for equal or less strict actions.

Exit codes: 0 equal, or yes; 1 different, or no, with calls that show it (missing arguments
are 0); 2 cannot be decided; 65 A or B is faulty.

Examples:
  seccompc diff old.json new.json
  seccompc diff old.json new.json --tightens      does the new profile let nothing more through?
  seccompc diff filter.bpf profile.json --arch arm64 --json
  seccompc diff ceiling.json --pid 4242 --tightens`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('diff')
    .description('Compares what two profiles or filters answer, for every possible call.')
    .argument('A', 'a profile or a filter; - for standard input', (word) => profilePath(word))
    .argument('[B]', 'the other', (word) => profilePath(word))
    .addOption(
      new Option('--tightens', 'ask whether B is at least as strict as A at every call').conflicts('loosens'),
    )
    .option('--loosens', 'ask whether B is at most as strict as A at every call')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(
    addProcessOptions(addReadingOptions(addComparisonOptions(addOutputOptions(command)))),
  );
}

async function run(fileA: string, other: string | undefined, options: Options): Promise<number> {
  const fileB = fileOrProcess(other, 'B', options);
  refuseTwiceStdin(fileA, fileB);
  const a = await readOperand(fileA, options);
  const b = await readOperand(fileB, options);
  const relation = options.tightens ? 'tightens' : options.loosens ? 'loosens' : 'equal';
  return printVerdict(a, b, relation, options, WORDINGS[relation]);
}
