import type { ArchName } from '../../arch.ts';
import { checkProgram, convertedLength } from '../../bpf/check.ts';
import { disassemble, formatInstruction } from '../../bpf/disassemble.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { CliCommand } from '../command.ts';
import { archArgument } from '../options/target-options.ts';
import { readFilter } from '../options/filter-file.ts';
import { readInput } from '../options/input-file.ts';
import { addProcessOptions, fileOrProcess, readProcess } from '../options/process.ts';
import type { ProcessFlags } from '../options/process.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { diagnosticJson, printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { tablesFor } from '../../bpf/tested-arches.ts';

interface Options extends OutputOptions, ProcessFlags {
  arch?: ArchName;
}

const HELP = `
FILTER is a file or - for standard input: 8 bytes for each instruction in either byte order,
raw or in base64, or a text: all formats of "compile", xxd -p, tcpdump -ddd, and the tables of
libseccomp, seccomp-tools and firejail.

A filter that the kernel would refuse is printed too, with a warning for each reason.
With --pid or --container, all filters of a running process are printed, oldest first.

Examples:
  seccompc disasm filter.bpf
  seccompc compile profile.json | seccompc disasm -
  seccompc disasm --container web`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('disasm')
    .description('Prints the instructions of a filter, and in comments what their numbers mean.')
    .argument('[FILTER]', 'the filter')
    .option(
      '--arch <A>',
      'whose calls the numbers are where the filter does not test it itself',
      archArgument,
    )
    .addHelpText('after', HELP)
    .runs(run);
  return addProcessOptions(addOutputOptions(command));
}

async function run(given: string | undefined, options: Options): Promise<void> {
  const file = fileOrProcess(given, 'FILTER', options);
  if (file === undefined) return listProcess(options);
  const filter = readFilter(await readInput(file), file);
  const found = checkProgram(filter.program).map((fault) => ({
    ...fault,
    file,
    severity: 'warning' as const,
  }));
  await printDiagnostics(found, options);
  await writeProduct(
    options.json
      ? toJson({ ...documentOf(filter), diagnostics: found.map(diagnosticJson) })
      : await listingOf(filter, options),
  );
}

async function listProcess(options: Options): Promise<void> {
  const { side, notes } = await readProcess(options);
  await printDiagnostics(notes, options);
  const { stack, endian } = side;
  if (options.json) {
    const filters = stack.map((program) => documentOf({ program, endian }));
    return writeProduct(toJson({ filters, diagnostics: notes.map(diagnosticJson) }));
  }
  const listings = await Promise.all(stack.map((program) => listingOf({ program, endian }, options)));
  const heads = listings.map(
    (_, at) => `; filter ${at + 1} of ${stack.length}${at === 0 ? ', the oldest' : ''}\n`,
  );
  await writeProduct(
    stack.length === 1 ? listings[0]! : listings.map((text, at) => `${heads[at]}${text}`).join('\n'),
  );
}

interface Filter {
  program: readonly SockFilter[];
  endian: Endian;
}

function documentOf({ program, endian }: Filter) {
  const instructions = program.map((instruction, index) => ({
    ...instruction,
    text: formatInstruction(instruction, index),
  }));
  return { endian, instructions, convertedLength: convertedLength(program) };
}

async function listingOf({ program, endian }: Filter, { arch }: Options): Promise<string> {
  const tables = await tablesFor(program, arch);
  return disassemble(program, { endian, tables, ...(arch === undefined ? {} : { arch }) });
}
