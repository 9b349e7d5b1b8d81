import { Option } from 'commander';
import { EXIT, fail } from '../../errors.ts';
import type { Difference, Relation } from '../../prove/compare.ts';
import { CliCommand } from '../command.ts';
import { profilePath } from '../options/built-in-profile.ts';
import { addOperandOptions, readOperand, refuseTwiceStdin } from '../options/operand.ts';
import type { Operand, OperandFlags } from '../options/operand.ts';
import { fileOrProcess } from '../options/process.ts';
import { diffMarkdown } from '../output/diff-markdown.ts';
import { printDiagnostics } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';
import { addComparisonOptions } from '../options/comparison.ts';
import type { ComparisonFlags } from '../options/comparison.ts';
import { compareOperands, printFailureOf, printVerdict } from '../verdict.ts';
import type { Wording } from '../verdict.ts';

interface Options extends OperandFlags, ComparisonFlags, OutputOptions {
  format: 'text' | 'markdown';
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
  seccompc diff old.json new.json --format markdown       for a pull request
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
    .addOption(
      new Option('--format <FORMAT>', 'markdown: what the change opens and closes, for a pull request')
        .choices(['text', 'markdown'])
        .default('text'),
    )
    .addHelpText('after', HELP)
    .runs(run);
  return addOperandOptions(addComparisonOptions(command));
}

async function run(fileA: string, other: string | undefined, options: Options): Promise<number> {
  const fileB = fileOrProcess(other, 'B', options);
  refuseTwiceStdin(fileA, fileB);
  const a = await readOperand(fileA, options);
  const b = await readOperand(fileB, options);
  if (options.format === 'markdown') {
    if (options.json || options.tightens || options.loosens)
      fail('USAGE', {
        reason: '--format markdown shows both directions, without --json, --tightens, --loosens',
      });
    return printMarkdown([fileA, fileB ?? 'the process'], a, b, options);
  }
  const relation = options.tightens ? 'tightens' : options.loosens ? 'loosens' : 'equal';
  return printVerdict(a, b, relation, options, WORDINGS[relation]);
}

async function printMarkdown(
  names: readonly [string, string],
  a: Operand,
  b: Operand,
  options: ComparisonFlags & OutputOptions,
): Promise<number> {
  const diagnostics = [...a.diagnostics, ...b.diagnostics];
  const found: Record<Relation, readonly Difference[]> = { equal: [], tightens: [], loosens: [] };
  for (const relation of ['equal', 'tightens', 'loosens'] as const) {
    const result = compareOperands(a, b, relation, options);
    if (result.verdict === 'malformed' || result.verdict === 'undecided')
      return printFailureOf(result, diagnostics, options);
    if (result.verdict === 'broken') found[relation] = result.differences;
  }
  await printDiagnostics(diagnostics, options);
  const changes = { opens: found.tightens, closes: found.loosens, all: found.equal };
  const arches = [...a.calls, ...b.calls].map(({ abi }) => abi.name);
  await writeProduct(await diffMarkdown(names, changes, arches, options.limit));
  return found.equal.length === 0 ? EXIT.ok : EXIT.no;
}
