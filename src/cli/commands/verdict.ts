import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';
import { diagnostic, EXIT, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { compare } from '../../prove/compare.ts';
import type { Difference, Failure, Relation } from '../../prove/compare.ts';
import { answerParts, describeAnswer, describeCall, nameOfCall } from '../../prove/describe.ts';
import { DEFAULT_NODE_BUDGET, LARGEST_NODE_BUDGET } from '../../prove/bdd/bdd.ts';
import type { Operand } from '../options/operand.ts';
import { writeProduct } from '../output/streams.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';

/** `--node-budget`, for every command that proves something. */
export interface BudgetFlag {
  nodeBudget?: number;
}

/** The flags of a comparison. */
export interface ComparisonFlags extends BudgetFlag, OutputOptions {
  limit: number;
}

/** The texts of one comparison. */
export interface Wording {
  /** The verdict that goes with exit code 0, and the sentence that says so. */
  holds: readonly [verdict: string, text: string];
  /** The same for exit code 1. */
  broken: readonly [verdict: string, text: string];
  /** The text before the answer of each side: `the profile asks for`. */
  says: readonly [first: string, second: string];
  /** The names of the answers in JSON. */
  members: readonly [first: string, second: string];
}

const DEFAULT_LIMIT = 32;
const MOST_WITNESSES = 4096;

export function addComparisonOptions<C extends Command>(command: C): C {
  return addBudgetOption(command).option(
    '--limit <N>',
    'witnesses to print, at most one for each call',
    (text) => count(text, MOST_WITNESSES),
    DEFAULT_LIMIT,
  );
}

export function addBudgetOption<C extends Command>(command: C): C {
  return command.option(
    '--node-budget <N>',
    `nodes that a decision diagram may have (default: ${DEFAULT_NODE_BUDGET})`,
    (text) => count(text, LARGEST_NODE_BUDGET),
  );
}

function count(text: string, largest: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= largest) return value;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${largest}.`);
}

/** Compares and prints the verdict with its witnesses. Gives the exit code: 0 it holds, 1 it does not, 2 undecided. */
export async function printVerdict(
  first: Operand,
  second: Operand,
  relation: Relation,
  flags: ComparisonFlags,
  wording: Wording,
): Promise<number> {
  const diagnostics = [...first.diagnostics, ...second.diagnostics];
  await printDiagnostics(diagnostics, flags);
  const result = compare(first.side, second.side, {
    relation,
    ...(flags.nodeBudget === undefined ? {} : { nodeBudget: flags.nodeBudget }),
    // One more than is printed tells whether that was all.
    limit: flags.limit + 1,
    calls: [...first.calls, ...second.calls],
  });
  if (result.verdict === 'malformed' || result.verdict === 'undecided')
    return printFailureOf(result, diagnostics, flags);
  const holds = result.verdict === 'holds';
  const found = holds ? [] : result.differences;
  const exitCode = holds ? EXIT.ok : EXIT.no;
  const witnesses = found.slice(0, flags.limit);
  const more = found.length > witnesses.length;
  const [verdict, text] = holds ? wording.holds : wording.broken;
  if (flags.json) {
    const shown = await Promise.all(witnesses.map((witness) => witnessJson(witness, wording.members)));
    await writeProduct(
      toJson({ verdict, witnesses: shown, more, diagnostics: diagnostics.map(diagnosticJson) }),
    );
    return exitCode;
  }
  const lines = await Promise.all(witnesses.map((witness) => witnessText(witness, wording.says)));
  const rest = more ? [`... and more; --limit N prints up to N`] : [];
  await writeProduct(table([`${verdict}: ${text}`, ...lines, ...rest].map((line) => [line])));
  return exitCode;
}

/** Says why there is no verdict. Gives the exit code. */
export async function printFailureOf(
  failure: Failure,
  diagnostics: readonly Diagnostic[],
  { json = false }: OutputOptions,
): Promise<number> {
  const { reason } = failure;
  // The kernel's rules were checked when the filter was read, and the proof knows no others.
  if (failure.verdict === 'malformed') throw new Error(`${failure.side} program: ${reason}`);
  const found = diagnostic('UNDECIDED', { reason });
  if (!json) await printDiagnostics([found], {});
  else
    await writeProduct(
      toJson({
        verdict: 'undecided',
        reason,
        diagnostics: [...diagnostics, found].map(diagnosticJson),
      }),
    );
  return new SeccompcError([found]).exitCode;
}

/** `socket(0x28) on X86_64: the profile asks for ERRNO EPERM (1), the filter gives ALLOW` */
async function witnessText(
  { data, abi, first, second }: Difference,
  [says, alsoSays]: Wording['says'],
): Promise<string> {
  const call = await describeCall(data, abi);
  return `${call}: ${says} ${describeAnswer(first, abi)}, ${alsoSays} ${describeAnswer(second, abi)}`;
}

/** `call` and the answers, as in `simulate --json`. */
async function witnessJson(
  { data, abi, first, second }: Difference,
  [one, other]: Wording['members'],
): Promise<Record<string, unknown>> {
  const call = await witnessCall({ data, abi });
  return { call, [one]: answerParts(first, abi), [other]: answerParts(second, abi) };
}

export async function witnessCall({ data, abi }: Pick<Difference, 'data' | 'abi'>): Promise<unknown> {
  return {
    arch: abi ?? null,
    auditArch: data.arch,
    nr: data.nr,
    name: (await nameOfCall(abi, data.nr)) ?? null,
    args: data.args.map(String),
    ip: String(data.ip),
  };
}
