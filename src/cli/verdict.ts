/** What a comparison found, as text or JSON, for every command that compares. */
import { runPrograms } from '../bpf/stack.ts';
import type { Stack } from '../bpf/stack.ts';
import { EXIT, SeccompcError, undecided } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { compare } from '../prove/compare.ts';
import type { ComparisonResult, Difference, Failure, NamedCalls, Relation, Side } from '../prove/compare.ts';
import { answerParts, nameOfCall } from '../prove/describe.ts';
import { MOST_WITNESSES } from './options/comparison.ts';
import type { BudgetFlag, ComparisonFlags } from './options/comparison.ts';
import type { Operand } from './options/operand.ts';
import { differenceLines } from './output/differences.ts';
import type { ChangeText } from './output/differences.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from './output/report.ts';
import type { OutputOptions } from './output/report.ts';
import { writeProduct } from './output/streams.ts';

/** The texts of one comparison. */
export interface Wording {
  /** The verdict that goes with exit code 0, and the sentence that says so. */
  holds: readonly [verdict: string, text: string];
  /** The same for exit code 1. */
  broken: readonly [verdict: string, text: string];
  /** `ALLOW becomes LOG` */
  change: ChangeText;
  /** The names of the answers in JSON. */
  members: readonly [first: string, second: string];
}

/** Compares two operands; the differences of the native architecture come first. */
export function compareOperands(
  first: Operand,
  second: Operand,
  relation: Relation,
  { nodeBudget }: BudgetFlag,
): ComparisonResult {
  const calls = [...first.calls, ...second.calls];
  const budget = nodeBudget === undefined ? {} : { nodeBudget };
  const result = compare(first.side, second.side, { relation, limit: MOST_WITNESSES, calls, ...budget });
  if (result.verdict !== 'broken') return result;
  return { ...result, differences: nativeFirst(result.differences, calls) };
}

/**
 * Compares and prints the verdict with its witnesses. Gives the exit code: 0 it holds, 1 it does
 * not, 2 undecided.
 */
export async function printVerdict(
  first: Operand,
  second: Operand,
  relation: Relation,
  flags: ComparisonFlags & OutputOptions,
  wording: Wording,
): Promise<number> {
  const diagnostics = [...first.diagnostics, ...second.diagnostics];
  const result = compareOperands(first, second, relation, flags);
  if (result.verdict === 'malformed' || result.verdict === 'undecided') {
    await printDiagnostics(diagnostics, flags);
    return printFailureOf(result, diagnostics, flags);
  }
  const holds = result.verdict === 'holds';
  const found = holds ? [] : result.differences;
  const exitCode = holds ? EXIT.ok : EXIT.no;
  const [verdict, text] = holds ? wording.holds : wording.broken;
  const verdictOn = (side: Side) => {
    const alone = compareOperands(first, { ...second, side }, relation, flags).verdict;
    return alone === 'holds' || alone === 'broken' ? wording[alone][0] : 'undecided';
  };
  const filters = 'stack' in second.side ? filtersOf(second.side, found, verdictOn) : undefined;
  if (flags.json) {
    const witnesses = found.slice(0, flags.limit);
    const shown = await Promise.all(witnesses.map((witness) => witnessJson(witness, wording.members)));
    const more = found.length > witnesses.length;
    await writeProduct(
      toJson({
        verdict,
        witnesses: shown,
        more,
        ...(filters && { filters }),
        diagnostics: diagnostics.map(diagnosticJson),
      }),
    );
    return exitCode;
  }
  const names = await Promise.all(found.map(({ abi, data }) => nameOfCall(abi, data.nr)));
  const different = new Set(names.filter((name) => name !== undefined));
  await printDiagnostics([...first.bearingOn(different), ...second.bearingOn(different)], flags);
  const arches = [...first.calls, ...second.calls].map(({ abi }) => abi.name);
  const { lines, total } = await differenceLines(found, arches, wording.change, flags.limit);
  const rest = lines.length > flags.limit ? [`... and more; --limit N prints up to N`] : [];
  const all = [
    `${verdict}: ${text}`,
    ...lines.slice(0, flags.limit),
    ...rest,
    ...(total === '' ? [] : [total]),
    ...(holds || filters === undefined || filters.length === 1 ? [] : filters.map(filterLine)),
  ];
  await writeProduct(table(all.map((line) => [line])));
  return exitCode;
}

/** One of the filters of a process. */
interface FilterAlone {
  instructions: number;
  /** What the comparison says of this filter alone. */
  verdict: string;
  /** How many of the calls that show a difference get its answer. */
  decides: number;
}

/** Oldest first. */
function filtersOf(
  side: Stack,
  found: readonly Difference[],
  verdictOn: (side: Side) => string,
): FilterAlone[] {
  const deciding = found.map(({ data }) => runPrograms(side, data).by);
  return side.stack.map((program, at) => ({
    instructions: program.length,
    verdict: verdictOn({ program, endian: side.endian }),
    decides: deciding.filter((by) => by === at).length,
  }));
}

function filterLine(
  { instructions, verdict, decides }: FilterAlone,
  at: number,
  { length }: unknown[],
): string {
  const age = at === 0 ? ', the oldest' : at === length - 1 ? ', the newest' : '';
  const alone = `filter ${at + 1} of ${length}${age} (${instructions} instructions), alone: ${verdict}`;
  return decides === 0 ? alone : `${alone}; it decides ${decides} of these calls`;
}

/**
 * The architectures in the order of the sides, each with its calls in the order of their numbers.
 */
function nativeFirst(differences: readonly Difference[], calls: readonly NamedCalls[]): Difference[] {
  const order = calls.map(({ abi }) => abi.name);
  const placeOf = ({ abi }: Difference) =>
    abi !== undefined && order.includes(abi) ? order.indexOf(abi) : order.length;
  return differences.toSorted((a, b) => placeOf(a) - placeOf(b) || a.data.nr - b.data.nr);
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
  const found = undecided(failure);
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
