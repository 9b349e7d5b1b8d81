import { Option } from 'commander';
import { SECCOMP_RET_USER_NOTIF } from '../../action.ts';
import { allArches, archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { BPF_RET, encode } from '../../bpf/instruction.ts';
import { convertedLength } from '../../bpf/check.ts';
import type { Filter } from '../../compile.ts';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { FORMAT_NAMES } from '../../format/program.ts';
import type { FormatName } from '../../format/program.ts';
import { filterIn } from '../../input/filter.ts';
import type { MergeOptions } from '../../merge/merge.ts';
import type { Operation } from '../../merge/operations.ts';
import type { Patch } from '../../merge/patch.ts';
import { programOf } from '../../options/flags.ts';
import { optionNamed } from '../../options/table.ts';
import type { FlagsOf } from '../../options/table.ts';
import type { Difference, Joined } from '../../prove/compare.ts';
import { loadTables } from '../../syscalls/load.ts';
import type { SyscallTables } from '../../syscalls/tables.ts';
import type { Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import type { Input } from './merge/explain.ts';
import { addOptions, addOutputOptions } from '../options/add-options.ts';
import { profilePath } from '../options/built-in-profile.ts';
import { parseCall } from '../options/call.ts';
import { addBudgetOption } from '../options/comparison.ts';
import type { BudgetFlag } from '../options/comparison.ts';
import { filterFor } from '../options/filter-file.ts';
import { readInput } from '../options/input-file.ts';
import { filterOperand, profileOperand } from '../options/operand.ts';
import type { Operand, ProfileOperand } from '../options/operand.ts';
import { addReadingOptions, openProfile } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { addTargetOptions, archArgument, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { differenceLines } from '../output/differences.ts';
import { printDiagnostics, toJson, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { isTerminal, writeProduct } from '../output/streams.ts';
import { summarise } from '../output/summary.ts';
import { printableJson } from '../output/text.ts';

interface Options extends TargetFlags, ReadingFlags, BudgetFlag, OutputOptions, FlagsOf<'program'> {
  output?: string;
  format?: FormatName | 'oci';
  exact?: true;
  explain?: string;
  callArch?: ArchName;
}

interface Texts {
  description: string;
  help: string;
}

const INPUTS = `
A and B are profiles (OCI, config.json, the Docker dialect for the target) or filters (raw or as a
text), in any mix. The result is made from what they answer, and proved before it is written. As a
profile (--format oci) it is exact where the format can say it; elsewhere it is stricter, never
laxer, and each such call is named. --exact refuses then. As a filter it is always exact.

--explain CALL says which input decides a call and writes nothing: read, 'socket(AF_INET, 1)'.
Missing arguments are 0.

Exit codes: 0 exact; 1 stricter than asked; 2 cannot be computed; 65 an input is faulty.
`;

const TEXTS: Record<Operation | 'simplify', Texts> = {
  intersect: {
    description: 'Makes one profile or filter that refuses what any of its inputs refuses.',
    help: `
A call gets the strictest answer of all: KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIF, TRACE,
LOG, ALLOW. Among equal actions the errno of the first input counts. That is what the kernel does
if all are loaded as filters, the last one first.
${INPUTS}
Examples:
  seccompc intersect baseline.json pod.json -o profile.json
  seccompc intersect baseline.json pod.json --format raw -o filter.bpf
  seccompc intersect deny.json filter.bpf container-default --format asm`,
  },
  union: {
    description: 'Makes one profile or filter that lets through what any of its inputs lets through.',
    help: `
A call gets the laxest answer of all, in the kernel's order: ALLOW, LOG, TRACE, USER_NOTIF, ERRNO,
TRAP, KILL_THREAD, KILL_PROCESS. Among equal actions the errno of the first input counts.
${INPUTS}
Examples:
  seccompc union service.json debugging.json -o profile.json`,
  },
  subtract: {
    description: 'Makes a profile or filter that refuses what A refuses, and also what B refuses.',
    help: `
A call that A lets through (ALLOW, LOG) gets the answer of the first B that does not. All other
calls keep the answer of A, also where B is stricter or logs.
${INPUTS}
Examples:
  seccompc subtract container-default deny.json -o profile.json`,
  },
  extend: {
    description: 'Makes a profile or filter that answers as BASE does, except where a patch has an entry.',
    help: `
PATCH is a profile with "syscalls" and without "defaultAction". A call that one of its entries
matches gets that entry's action, also if it is laxer than that of BASE; all others get the answer
of BASE, on its architectures. Of several patches, the last one that matches counts. Names in a
patch that change nothing are told. BASE stays as it is: make the result again when it changes.

BASE is a profile (OCI, config.json, the Docker dialect for the target) or a filter (raw or as a
text).${INPUTS.slice(INPUTS.indexOf(' The result'))}
Examples:
  seccompc extend container-default patch.json -o profile.json
  seccompc extend base.json site.json service.json --format raw -o filter.bpf
  seccompc extend base.json patch.json --explain 'personality(8)'`,
  },
  simplify: {
    description: 'Writes a profile with as few entries as are found, and exactly the same meaning.',
    help: `
The meaning is that for the target: of the Docker dialect, what holds there. Names that no
architecture of the profile has are left out. The result is proved equal, and never has more
entries; if no shorter form is found, it is the profile itself.

Examples:
  seccompc simplify profile.json -o shorter.json
  seccompc simplify docker.json --arch arm64`,
  },
};

const CHOICES = ['oci', ...FORMAT_NAMES];

export function mergeCommand(operation: Operation): CliCommand {
  const { description, help } = TEXTS[operation];
  const [first, others, what] = operation === 'extend' ? ['BASE', 'PATCH', 'patches'] : ['A', 'B', 'others'];
  const command = new CliCommand(operation)
    .description(description)
    .argument(first, 'a profile or a filter; - for standard input', (word) => profilePath(word))
    .argument(`<${others}...>`, what, (word, before?: string[]) => [...(before ?? []), profilePath(word)])
    .usage(`${first} ${others}... [OPTION...]`)
    .option('-o, --output <FILE>', 'where to write the result (default: standard output)')
    .addOption(
      new Option('--format <FORMAT>', 'oci: a profile; raw: a filter, 8 bytes an instruction')
        .choices(CHOICES)
        .default('oci'),
    )
    .option('--exact', 'write nothing if a profile cannot say it exactly')
    .addOption(
      new Option('--explain <CALL>', 'say which input decides a call, and write nothing').conflicts([
        'output',
        'format',
        'exact',
      ]),
    )
    .option('--call-arch <A>', 'architecture of that call, if not --arch', archArgument)
    .addHelpText('after', help)
    .runs((a: string, b: string[], options: Options) => {
      if (options.format === 'oci' && command.getOptionValueSource('optimize') === 'cli')
        fail('USAGE', { reason: '--optimize is for filters: give --format raw or another of them' });
      if (options.json && options.format !== 'oci')
        fail('USAGE', { reason: `--json and --format ${options.format} ask for different products` });
      return runMerge(operation, [a, ...b], options);
    });
  return finish(addOptions(command, [optionNamed('optimize')]));
}

export function simplifyCommand(): CliCommand {
  const { description, help } = TEXTS.simplify;
  const command = new CliCommand('simplify')
    .description(description)
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('-o, --output <FILE>', 'where to write the profile (default: standard output)')
    .addHelpText('after', help)
    .runs(runSimplify);
  return finish(command);
}

function finish(command: CliCommand): CliCommand {
  return addTargetOptions(addReadingOptions(addBudgetOption(addOutputOptions(command))));
}

async function runMerge(operation: Operation, files: readonly string[], options: Options): Promise<number> {
  const { format = 'oci', output } = options;
  if (files.filter((file) => file === '-').length > 1) fail('USAGE', { reason: 'only one input can be -' });
  if (format === 'raw' && output === undefined && isTerminal(1)) fail('OUTPUT_IS_TERMINAL');
  const target = targetOf(options);
  const inputs = await (operation === 'extend' ? readExtension : readOperands)(files, target, options);
  const sides = inputs.map(({ side }) => side);
  const diagnostics = inputs.flatMap((input) => input.diagnostics);
  if (options.explain !== undefined) return explainResult(operation, inputs, options.explain, options);
  const common = { tables: await allTables(), nodeBudget: options.nodeBudget };
  if (format === 'oci') {
    const [{ joined }, { mergedProfile }] = [
      await import('../../merge/merge.ts'),
      await import('../../merge/proved-profile.ts'),
    ];
    const { text, lost } = await mergedProfile(joined(operation, sides), { target, ...common });
    await printDiagnostics([...diagnostics, ...(await lostCalls(lost, options))], options);
    await writeProduct(printableJson(text), output);
    return lost.length === 0 ? EXIT.ok : EXIT.no;
  }
  const filter = await mergedFilter(operation, sides, target, {
    ...common,
    optimize: programOf(options).optimize,
  });
  await printDiagnostics(diagnostics, options);
  const { formatProgram } = await import('../../format/index.ts');
  const { tablesFor } = await import('../../bpf/tested-arches.ts');
  const tables = format === 'asm' ? await tablesFor(filter.instructions) : undefined;
  await writeProduct(formatProgram(format, filter, tables), output);
  if (!options.quiet && !options.json)
    await writeStderr(`${await summarise(filter)}${operation} of ${files.length}\n`);
  return EXIT.ok;
}

async function runSimplify(file: string, options: Options): Promise<void> {
  const target = targetOf(options);
  const text = await openProfile(await readInput(file), file, options);
  const { side, diagnostics } = await profileOperand(text, target);
  const { simplifiedProfile } = await import('../../merge/proved-profile.ts');
  const common = { tables: side.tables, nodeBudget: options.nodeBudget };
  const simplified = await simplifiedProfile(side, { target, ...common });
  await printDiagnostics(diagnostics, options);
  await writeProduct(printableJson(simplified.text), options.output);
  if (!options.quiet && !options.json)
    await writeStderr(
      `${simplified.entries} instead of ${side.seccomp.syscalls.length} entries; proved equal\n`,
    );
}

type Read = Input & { diagnostics: Diagnostic[] };

async function readOperands(files: readonly string[], target: Target, options: Options): Promise<Read[]> {
  const read: Read[] = [];
  for (const file of files) read.push({ file, ...(await readOperandFor(target, file, options)) });
  return read;
}

async function readExtension(files: readonly string[], target: Target, options: Options): Promise<Read[]> {
  const [base, ...others] = files;
  const { nodeBudget } = options;
  const { archesOfFilter, namesWithoutEffect, readPatch } = await import('../../merge/patch.ts');
  const operand = await readOperandFor(target, base!, options);
  const arches =
    'lowered' in operand
      ? operand.lowered.arches
      : archesOfFilter(operand.side, archOf(target.arch), nodeBudget);
  const patches: (Read & Patch)[] = [];
  for (const word of others) {
    const { bytes, file, notes } = await openProfile(await readInput(word), word, options);
    const patch = await readPatch(bytes, { file, target, arches });
    patches.push({ file, ...patch, diagnostics: [...notes, ...patch.lowered.diagnostics] });
  }
  const useless = namesWithoutEffect(operand.side, patches, nodeBudget);
  return [{ file: base!, ...operand, diagnostics: [...operand.diagnostics, ...useless] }, ...patches];
}

async function explainResult(
  operation: Operation,
  inputs: readonly Read[],
  text: string,
  options: Options,
): Promise<number> {
  const [, name, list] = /^\s*(\w+)\s*(?:\((.*)\))?\s*$/s.exec(text) ?? [];
  if (name === undefined)
    fail('USAGE', { reason: `"${text}" is no call: give a name, or a name with arguments such as read(3)` });
  const arch = options.callArch ?? targetOf(options).arch;
  const args = (list ?? '').trim() === '' ? [] : list!.split(',').map((each) => each.trim());
  const call = await parseCall({ call: name, args, ip: '0', arch });
  const { explainMerge } = await import('./merge/explain.ts');
  await printDiagnostics(
    inputs.flatMap(({ diagnostics }) => diagnostics),
    options,
  );
  const explained = explainMerge(operation, inputs, call, arch);
  await writeProduct(options.json ? toJson(explained.json) : explained.text);
  return EXIT.ok;
}

/** @throws SeccompcError also for a filter of another machine */
async function readOperandFor(
  target: Target,
  file: string,
  options: Options,
): Promise<Operand | ProfileOperand> {
  const bytes = await readInput(file);
  const isFilter = filterFor(target.arch, bytes, file) !== undefined;
  if (isFilter) return filterOperand({ side: filterIn(bytes)!, notes: [] }, target.arch);
  return profileOperand(await openProfile(bytes, file, options), target);
}

async function mergedFilter(
  operation: Operation,
  sides: Joined['sides'],
  target: Target,
  options: Omit<MergeOptions, 'native'>,
): Promise<Filter> {
  const { merge } = await import('../../merge/merge.ts');
  const { mergedMembers } = await import('../../merge/proved-profile.ts');
  const { program, endian, arches } = merge(operation, sides, { native: archOf(target.arch), ...options });
  const notifies = program.some(({ code, k }) => code === BPF_RET && k === SECCOMP_RET_USER_NOTIF);
  return {
    instructions: program,
    bytes: encode(program, endian),
    convertedLength: convertedLength(program),
    endian,
    arches: arches.map(({ name }) => name),
    confined: true,
    ...mergedMembers(sides, notifies),
    target,
    proved: true,
    diagnostics: [],
  };
}

/** The inputs can be filters for any architecture. */
function allTables(): Promise<SyscallTables> {
  return loadTables(allArches().map(({ table }) => table));
}

/** What the profile lost, in words. @throws SeccompcError with --exact */
async function lostCalls(lost: readonly Difference[], { exact }: Options): Promise<Diagnostic[]> {
  if (lost.length === 0) return [];
  const arches = lost.flatMap(({ abi }) => abi ?? []);
  const { lines } = await differenceLines(lost, arches, (a, b) => `${a} becomes ${b}`, Infinity);
  const severity = exact ? 'error' : undefined;
  const found = diagnostic('MERGE_LOST', { calls: lines.join('; ') }, { severity });
  if (exact) throw new SeccompcError([found]);
  return [found];
}
