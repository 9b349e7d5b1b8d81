import { sha256 } from '../../cache/records/sha256.ts';
import { EXIT } from '../../errors.ts';
import { fingerprint } from '../../prove/compare.ts';
import { CliCommand } from '../command.ts';
import { addReadingOptions } from '../options/profile-file.ts';
import type { ReadingFlags } from '../options/profile-file.ts';
import { readOperand } from '../options/operand.ts';
import { addProcessOptions, fileOrProcess } from '../options/process.ts';
import type { ProcessFlags } from '../options/process.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { diagnosticJson, printDiagnostics, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';
import { addBudgetOption, printFailureOf } from './verdict.ts';
import type { BudgetFlag } from './verdict.ts';

interface Options extends TargetFlags, ReadingFlags, BudgetFlag, OutputOptions, ProcessFlags {}

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
  return addTargetOptions(addProcessOptions(addReadingOptions(addBudgetOption(addOutputOptions(command)))));
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
