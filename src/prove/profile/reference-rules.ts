/**
 * The prover's own reading of an entry: its rules, and what they say about each number of a table.
 */
import type { ActionName } from '../../action.ts';
import { actionValue, carriesErrno, compareSeverity } from '../../action.ts';
import type { Arch } from '../../arch.ts';
import type { OperatorName, Seccomp, SyscallArg } from '../../profile/types.ts';
import type { SyscallTables } from '../../syscalls/tables.ts';
import type { Target } from '../../target.ts';
import { Undecided } from '../bdd/bdd.ts';
import { multiplexedCalls } from './reference-multiplex.ts';

const LAST_NUMBER = 0xffffffff;
const CRUN_MOST_ARGS = 6;
const ARGUMENTS = 6;

/** One comparison of an argument (0..5); constants are cut to the width that is compared. */
export interface Comparison {
  readonly arg: number;
  readonly op: OperatorName;
  readonly value: bigint;
  readonly valueTwo: bigint;
  readonly bits: 32 | 64;
}

export interface Rule {
  /** All must hold; empty for a rule that always applies. */
  readonly comparisons: readonly Comparison[];
  /** u32 return value. */
  readonly action: number;
  /** Its only comparison, if that is an equality or sets a bound: section 7.4. */
  readonly bounds?: Comparison | undefined;
}

/**
 * Numbers `from`..`to` (u32, both included) that get the same answer: the first rule that holds,
 * else `otherwise`.
 */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly rules: readonly Rule[];
  readonly otherwise: number;
}

/** What one number gets. Answers that compare nothing are one object for each action. */
export type Answer = Omit<Span, 'from' | 'to'>;

/**
 * A rule of the profile before it is put under numbers: names with their ids, and one list of
 * comparisons.
 */
export interface ProfileRule {
  readonly names: readonly string[];
  readonly ids: readonly number[];
  readonly args: readonly SyscallArg[];
  readonly action: number;
  /** When nothing is compared. */
  readonly always: Answer;
}

/** Section 4.2. */
export function returnValue(action: ActionName, errno: number | undefined): number {
  return carriesErrno(action) ? actionValue(action, errno ?? 1) : actionValue(action);
}

/**
 * Section 5: entries that differ from the default, each as one rule or, when an index repeats, as
 * several.
 */
export function profileRules(
  seccomp: Seccomp,
  target: Target,
  tables: SyscallTables,
  defaultAction: number,
): ProfileRule[] {
  const rules: ProfileRule[] = [];
  const constants = new Map<number, Answer>();
  for (const entry of seccomp.syscalls) {
    const action = returnValue(entry.action, entry.errnoRet);
    if (action === defaultAction || entry.names === undefined) continue;
    const args = target.semantics === 'runc' ? entry.args : entry.args.slice(0, CRUN_MOST_ARGS);
    if (args.some(({ index }) => !(index >= 0 && index < ARGUMENTS)))
      throw new Undecided('a rule has an argument index above 5');
    const repeats = new Set(args.map(({ index }) => index)).size < args.length;
    const { names } = entry;
    const ids = names.map((name) => tables.idOf(name));
    const always = constants.get(action) ?? { rules: [], otherwise: action };
    constants.set(action, always);
    for (const together of repeats ? args.map((arg) => [arg]) : [args])
      rules.push({ names, ids, args: together, action, always });
  }
  return rules;
}

/**
 * Sections 6 and 7: what the rules say about each number of a table, in its order; undefined where
 * there are none. The rules of a name stand under its number, and under socketcall's and ipc's.
 */
export function ruledAnswers(
  abi: Arch,
  profile: readonly ProfileRule[],
  defaultAction: number,
  tables: SyscallTables,
): (Answer | undefined)[] {
  const { positions, numbers, count } = tables.of(abi.name);
  const answers = Array.from<Answer | undefined>({ length: count });
  const comparing = new Map<number, Rule[]>();
  const add = (position: number, rule: Rule): void => {
    const rules = comparing.get(position);
    if (rules) rules.push(rule);
    else comparing.set(position, [rule]);
  };
  const isMultiplexed = abi.socketcall !== undefined || abi.ipc !== undefined;
  for (const { names, ids, args, action, always } of profile) {
    const asking = args.filter((arg) => comparisonOf(arg, abi).length > 0);
    const comparisons = asking.flatMap((arg) => comparisonOf(arg, abi));
    const rule: Rule = { comparisons, action, bounds: boundsOf(asking, comparisons) };
    for (const id of ids) {
      const position = id < 0 ? -1 : positions[id]!;
      if (position < 0) continue;
      if (rule.comparisons.length > 0) add(position, rule);
      // The first rule that compares nothing decides alone.
      else answers[position] ??= always;
    }
    if (!isMultiplexed) continue;
    for (const name of names)
      for (const { nr, call } of multiplexedCalls(abi, name)) {
        const position = numbers.indexOf(nr);
        if (position < 0) throw new Undecided(`number ${nr} is no call of ${abi.name}`);
        const selector = { index: 0, op: 'SCMP_CMP_EQ', value: BigInt(call), valueTwo: 0n } as const;
        const others = comparisons.filter(({ arg }) => arg !== 0);
        const [selected] = comparisonOf(selector, abi);
        const bounds = others.length === 0 ? selected : undefined;
        add(position, { comparisons: [selected!, ...others], action, bounds });
      }
  }
  for (const [position, rules] of comparing) answers[position] ??= strictestOf(rules, defaultAction);
  return answers;
}

/**
 * Section 8: constants are cut to the width of the ABI; a mask without bits is no comparison, and
 * one of all the bits of the argument or of its low word is an equality.
 */
function comparisonOf(
  { index: arg, op, value, valueTwo }: SyscallArg,
  { wordBits: bits }: Arch,
): Comparison[] {
  const cut = BigInt.asUintN(bits, value);
  const second = BigInt.asUintN(bits, valueTwo);
  if (op !== 'SCMP_CMP_MASKED_EQ') return [{ arg, op, value: cut, valueTwo: second, bits }];
  if (cut === 0n) return [];
  for (const width of [32, 64] as const)
    if (cut === BigInt.asUintN(width, -1n))
      return [{ arg, op: 'SCMP_CMP_EQ', value: second & cut, valueTwo: 0n, bits: width }];
  return [{ arg, op, value: cut, valueTwo: second, bits }];
}

/**
 * Section 7.4: of the rules that hold, the strictest. Within one action, the rules that only bound
 * one argument follow each other from where the first of them is: equalities, upper bounds from the
 * lowest, lower bounds from the highest.
 */
function strictestOf(rules: readonly Rule[], defaultAction: number): Answer {
  const left = new Set(rules.toSorted((a, b) => compareSeverity(a.action, b.action)));
  const ordered: Rule[] = [];
  for (const rule of left) {
    const { bounds } = rule;
    const together = bounds === undefined ? [rule] : boundingAlike(rule, bounds, left);
    for (const next of together) left.delete(next);
    ordered.push(...together);
  }
  return { rules: ordered, otherwise: defaultAction };
}

function boundingAlike(rule: Rule, { arg }: Comparison, left: ReadonlySet<Rule>): Rule[] {
  const lists: [Rule[], Rule[], Rule[]] = [[], [], []];
  for (const other of left) {
    if (other.bounds?.arg !== arg || compareSeverity(other.action, rule.action) !== 0) continue;
    const { op } = other.bounds;
    lists[op === 'SCMP_CMP_EQ' ? 0 : op === 'SCMP_CMP_LT' || op === 'SCMP_CMP_LE' ? 1 : 2].push(other);
  }
  const upwards = (a: Rule, b: Rule) => Number(a.bounds!.value - b.bounds!.value);
  const [equal, upper, lower] = lists;
  return [...equal, ...upper.toSorted(upwards), ...lower.toSorted((a, b) => upwards(b, a))];
}

/** The comparison of a rule that has one only, if that is by one of the bounding operators. */
function boundsOf(
  [only, another]: readonly SyscallArg[],
  [made]: readonly Comparison[],
): Comparison | undefined {
  if (only === undefined || another !== undefined) return undefined;
  return only.op === 'SCMP_CMP_NE' || only.op === 'SCMP_CMP_MASKED_EQ' ? undefined : made;
}

/**
 * All numbers, ascending, in stretches for which the rules give one answer, or (undefined) none.
 */
export function ruledStretches(
  tables: readonly { numbers: readonly number[]; answers: readonly (Answer | undefined)[] }[],
): { from: number; to: number; byRules: Answer | undefined }[] {
  const stretches: { from: number; to: number; byRules: Answer | undefined }[] = [];
  let from = 0;
  let current: Answer | undefined;
  const change = (at: number, next: Answer | undefined): void => {
    if (at > from) stretches.push({ from, to: at - 1, byRules: current });
    from = at;
    current = next;
  };
  let expected = 0;
  for (const { numbers, answers } of tables)
    for (let index = 0; index < numbers.length; index++) {
      const nr = numbers[index]!;
      if (nr !== expected && current !== undefined) change(expected, undefined);
      if (answers[index] !== current) change(nr, answers[index]);
      expected = nr + 1;
    }
  if (current !== undefined) change(expected, undefined);
  change(LAST_NUMBER + 1, undefined);
  return stretches;
}
