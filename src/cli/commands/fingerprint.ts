import { sha256 } from '../../cache/records/sha256.ts';
import { EXIT } from '../../errors.ts';
import { fingerprint } from '../../prove/compare.ts';
import { CliCommand } from '../command.ts';
import { addOperandOptions, readOperand } from '../options/operand.ts';
import type { OperandFlags } from '../options/operand.ts';
import { fileOrProcess } from '../options/process.ts';
import { writeProduct } from '../output/streams.ts';
import { diagnosticJson, printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addBudgetOption } from '../options/comparison.ts';
import type { BudgetFlag } from '../options/comparison.ts';
import { printFailureOf } from '../verdict.ts';

interface Options extends OperandFlags, BudgetFlag, OutputOptions {}

const HELP = `
Prints a SHA-256 in hex over the answers to all calls. Two profiles or filters have the same
fingerprint exactly if "seccompc diff" calls them equal. Instructions, byte order and
spelling have no influence; flags, listener and metadata do not count.

Exit code 2: the fingerprint cannot be made within the budget.

Examples:
  seccompc fingerprint profile.json --arch x86_64
  seccompc fingerprint filter.bpf --json`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('fingerprint')
    .description('Prints a hash of what a profile or a filter means.')
    .argument('[PROFILE|FILTER]', 'a profile or a filter; - for standard input')
    .addHelpText('after', HELP)
    .runs(run);
  return addOperandOptions(addBudgetOption(command));
}

async function run(given: string | undefined, options: Options): Promise<number> {
  const file = fileOrProcess(given, 'PROFILE|FILTER', options);
  const { side, diagnostics, bearingOn } = await readOperand(file, options);
  await printDiagnostics(bearingOn(new Set()), options);
  const { nodeBudget } = options;
  const made = fingerprint(side, nodeBudget === undefined ? {} : { nodeBudget });
  if (made.verdict !== 'made') return printFailureOf(made, diagnostics, options);
  const digest = sha256(made.fingerprint);
  await writeProduct(
    options.json
      ? toJson({ fingerprint: digest, diagnostics: diagnostics.map(diagnosticJson) })
      : `${digest}\n`,
  );
  return EXIT.ok;
}
