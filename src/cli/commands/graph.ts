import { Option } from 'commander';
import type { ArchName } from '../../arch.ts';
import { tablesFor } from '../../bpf/tested-arches.ts';
import { fail } from '../../errors.ts';
import { reachedBy } from '../../graph/reach.ts';
import { formatSvg } from '../../graph/svg.ts';
import { formatDot, formatMermaid } from '../../graph/text.ts';
import { decisionTree } from '../../graph/tree.ts';
import type { DecisionTree } from '../../graph/tree.ts';
import { nearestNames } from '../../syscalls/lookup.ts';
import { CliCommand } from '../command.ts';
import { wholeNumber } from '../options/add-options.ts';
import { addOperandOptions, readOperand } from '../options/operand.ts';
import type { OperandFlags } from '../options/operand.ts';
import { fileOrProcess } from '../options/process.ts';
import { printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { writeProduct } from '../output/streams.ts';

const FORMATS = {
  svg: formatSvg,
  dot: formatDot,
  mermaid: formatMermaid,
  json: ({ root, nodes }: DecisionTree) => toJson({ root, nodes: [...nodes.values()] }),
};

interface Options extends OperandFlags, OutputOptions {
  format: keyof typeof FORMATS;
  output?: string;
  depth?: number;
  call?: string;
}

const HELP = `
Boxes are tests, with names of calls and constants as "seccompc disasm" has them; round boxes
are actions. What several paths share is there once: in SVG an arrow names it elsewhere.

Examples:
  seccompc graph profile.json -o profile.svg
  seccompc graph profile.json --call socket       only what decides this call
  seccompc graph filter.bpf --depth 4 --format mermaid
  seccompc graph profile.json --format dot | dot -Tpdf -o profile.pdf`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('graph')
    .description('Draws the decision tree of a filter.')
    .argument('[PROFILE|FILTER]', 'a profile or a compiled filter; - for standard input')
    .option('-o, --output <FILE>', 'where to write (default: standard output)')
    .addOption(
      new Option('--format <FORMAT>', 'language of the picture').choices(Object.keys(FORMATS)).default('svg'),
    )
    .option('--depth <N>', 'fold what is below N tests', wholeNumber(1, 9999))
    .option('--call <CALL>', 'only the tests that calls of this name or number meet')
    .addHelpText('after', HELP)
    .runs((file: string | undefined, options: Options) => {
      if (options.json && options.format !== 'json' && command.getOptionValueSource('format') === 'cli')
        fail('USAGE', { reason: `--json and --format ${options.format} ask for different products` });
      return run(file, options.json ? { ...options, format: 'json' } : options);
    });
  return addOperandOptions(command);
}

async function run(file: string | undefined, options: Options): Promise<void> {
  const { arch, depth, call } = options;
  const operand = await readOperand(fileOrProcess(file, 'PROFILE|FILTER', options), options);
  await printDiagnostics(operand.diagnostics, options);
  if (operand.program === undefined)
    return fail('USAGE', {
      reason: 'the process has several filters, and a graph shows one: see "seccompc disasm"',
    });
  const { program, endian } = await operand.program();
  const tables = await tablesFor(program, arch);
  const only =
    call === undefined
      ? undefined
      : new Set(numbersOf(call, operand).flatMap(([on, nr]) => [...reachedBy(program, on, nr).steps]));
  const isFolded = (_: number, above: number) => above >= (depth ?? Infinity);
  const tree = decisionTree(program, {
    endian,
    tables,
    isFolded,
    only,
    ...(arch === undefined ? {} : { arch }),
  });
  const title =
    call === undefined ? 'Decision tree of a seccomp filter' : `What a seccomp filter asks about ${call}`;
  await writeProduct(FORMATS[options.format](tree, title), options.output);
}

/**
 * The audit arch and number of a call, on each architecture that has it.
 * @throws SeccompcError CALL_UNKNOWN
 */
function numbersOf(call: string, { calls }: Awaited<ReturnType<typeof readOperand>>): [number, number][] {
  const number = /^(?:\d{1,10}|0x[\da-f]{1,8})$/i.test(call) ? Number(call) : undefined;
  const found = calls.flatMap(({ abi, table }): [number, number][] => {
    const nr = number ?? table.numberOf(call);
    return nr === undefined ? [] : [[abi.auditArch, nr >>> 0]];
  });
  const names: ArchName[] = calls.map(({ abi }) => abi.name);
  if (found.length > 0) return found;
  const near = nearestNames(call, 2);
  const hint = near.length === 0 ? undefined : `did you mean ${near.join(' or ')}?`;
  return fail('CALL_UNKNOWN', { call, arch: names.join(', ') }, { hint });
}
