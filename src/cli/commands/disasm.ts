import type { ArchName } from '../../arch.ts';
import { checkProgram, convertedLength } from '../../bpf/check.ts';
import { disassemble, formatInstruction } from '../../bpf/disassemble.ts';
import { CliCommand } from '../command.ts';
import { archArgument } from '../options/target-options.ts';
import { readFilter } from '../options/filter-file.ts';
import { readInput } from '../options/input-file.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { diagnosticJson, printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { tablesFor } from '../../bpf/tested-arches.ts';

interface Options extends OutputOptions {
  arch?: ArchName;
}

const HELP = `
FILTER is a file or - for standard input: 8 bytes for each instruction in either byte order,
raw or in base64, or a text: all formats of "compile", xxd -p, tcpdump -ddd, and the tables of
libseccomp, seccomp-tools and firejail.

A filter that the kernel would refuse is printed too, with a warning for each reason.

Examples:
  seccompc disasm filter.bpf
  seccompc compile profile.json | seccompc disasm -`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('disasm')
    .description('Prints the instructions of a filter, and in comments what their numbers mean.')
    .argument('FILTER', 'the filter')
    .option(
      '--arch <A>',
      'whose calls the numbers are where the filter does not test it itself',
      archArgument,
    )
    .addHelpText('after', HELP)
    .runs(run);
  return addOutputOptions(command);
}

async function run(file: string, options: Options): Promise<void> {
  const { program, endian } = readFilter(await readInput(file), file);
  const found = checkProgram(program).map((fault) => ({ ...fault, file, severity: 'warning' as const }));
  await printDiagnostics(found, options);
  if (options.json) {
    const instructions = program.map((instruction, index) => ({
      ...instruction,
      text: formatInstruction(instruction, index),
    }));
    return writeProduct(
      toJson({
        endian,
        instructions,
        convertedLength: convertedLength(program),
        diagnostics: found.map(diagnosticJson),
      }),
    );
  }
  const { arch } = options;
  const tables = await tablesFor(program, arch);
  await writeProduct(disassemble(program, { endian, tables, ...(arch === undefined ? {} : { arch }) }));
}
