import { actionLabel, compareStrictness, SECCOMP_RET_DATA } from '../action.ts';
import type { Arch } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import { commonValue, conditionKey, constantTruth, holds } from './condition.ts';
import { inOrderOfDecision } from './precedence.ts';
import type { Rule } from './rules.ts';
import type { Condition, Decision, DecisionRule } from './types.ts';

/** `ERRNO(38)`, `ALLOW`: a return value for messages. */
export function describeAction(value: number): string {
  const label = actionLabel(value) ?? `0x${value.toString(16)}`;
  return label === 'ERRNO' || label === 'TRACE' ? `${label}(${value & SECCOMP_RET_DATA})` : label;
}

/**
 * How many pairs of rules with different actions are searched for a common call: all pairs of 300
 * rules, while real profiles have a few on one call.
 */
const MAX_PAIRS = 50_000;

/** The place of a pointer in words, seen from another one: `line 12`. */
export type PlaceOf = (pointer: string, from: string) => string;

/** Makes the decisions of one filter; equal decisions come out as one object. */
export interface Combiner {
  constant(action: number): Decision;
  /**
   * What all rules on one number mean together: `rules` with conditions, in profile order, and the
   * decision of the first one without, if there is one.
   */
  combine(rules: readonly Rule[], arch: Arch, always: Decision | undefined): Decision;
}

/**
 * Decides what several rules on one number mean together. docs/semantics.md section 7.
 *
 * - The first rule without conditions decides alone.
 * - Otherwise the rules form a union. If rules with different actions match one call, the order of
 *   precedence.ts decides, and the pair is reported with such a call.
 * - The same conditions with different actions are a contradiction, which both runtimes refuse.
 */
export function makeCombiner(
  defaultAction: number,
  overlap: 'warn' | 'error',
  report: (d: Diagnostic) => void,
  placeOf: PlaceOf,
): Combiner {
  const interned = new Map<string, Decision>();
  const reported = new Set<string>();
  let pairsLeft = MAX_PAIRS;

  /** A fault is reported once for each pair of entries, for all calls and architectures. */
  function isNews(code: Code, first: Rule, second: Rule): boolean {
    const key = `${code} ${first.entry.pointer} ${second.entry.pointer}`;
    const size = reported.size;
    return reported.add(key).size > size;
  }

  function reportPair(
    code: Code,
    [first, second]: [first: Rule, second: Rule],
    arch: Arch,
    others: Record<string, string> = {},
    severity?: 'warning' | 'error',
  ): void {
    const pointer = conditionPlace(second);
    const place = placeOf(conditionPlace(first), pointer);
    const [action, otherAction] = [describeAction(second.action), describeAction(first.action)];
    const names = { name: namedBy(second), other: namedBy(first), arch: arch.name };
    const values = { ...names, action, otherAction, place, ...others };
    report(diagnostic(code, values, { pointer, severity }));
  }

  /** Warns of conditions lost behind socketcall or ipc: once for an entry, once for a call. */
  function reportMultiplexed(
    code: 'MULTIPLEXED_BYPASS' | 'MULTIPLEXED_ARGS',
    rules: readonly Rule[],
    arch: Arch,
    always?: Decision,
  ): void {
    for (const { entry, name, by, action: ruled } of rules) {
      if (by === undefined || entry.args.length === 0) continue;
      // What is refused anyway bypasses nothing.
      if (always !== undefined && !isLaxer(always.otherwise, ruled, defaultAction)) continue;
      const keys = [`${code} ${entry.pointer}`, `${code} ${by} ${name}`];
      const isKnown = keys.some((key) => reported.has(key));
      for (const key of keys) reported.add(key);
      if (isKnown) continue;
      const pointer = `${entry.pointer}/args`;
      const action = always === undefined ? '' : describeAction(always.otherwise);
      report(diagnostic(code, { name, by, arch: arch.name, action }, { pointer }));
    }
  }

  function intern(decision: Decision): Decision {
    const key = decisionKey(decision);
    const known = interned.get(key);
    if (known) return known;
    interned.set(key, decision);
    return decision;
  }

  function constant(action: number): Decision {
    return intern({ rules: [], otherwise: action });
  }

  function combine(rules: readonly Rule[], arch: Arch, always: Decision | undefined): Decision {
    if (always !== undefined) {
      // If socketcall or ipc has a rule without conditions, those on the calls behind it are lost.
      reportMultiplexed('MULTIPLEXED_BYPASS', rules, arch, always);
      return always;
    }
    const distinct = new Map<string, Rule>();
    for (const rule of rules) {
      const key = rule.conditions.map(conditionKey).join(', ');
      const earlier = distinct.get(key);
      if (earlier === undefined) distinct.set(key, rule);
      else if (earlier.action !== rule.action && isNews('CONFLICTING_RULES', earlier, rule))
        reportPair('CONFLICTING_RULES', [earlier, rule], arch);
    }
    const kept = [...distinct.values()];
    // The selector of the call replaces conditions on argument 0. docs/semantics.md section 6.3.
    reportMultiplexed('MULTIPLEXED_ARGS', kept, arch);
    const ordered = inOrderOfDecision(kept);
    reportOverlaps(kept, ordered, arch);
    return intern(simplify(ordered, defaultAction));
  }

  /**
   * Reports pairs of rules with different actions that match one call, within the budget: the
   * first, and how many more.
   */
  function reportOverlaps(rules: readonly Rule[], ordered: readonly Rule[], arch: Arch): void {
    const severity = overlap === 'error' ? 'error' : 'warning';
    const earlier = new EarlierRules(rules);
    let first: { pair: [Rule, Rule]; call: Map<number, bigint> } | undefined;
    let count = 0;
    for (const [index, rule] of rules.entries()) {
      const candidates = earlier.thatMayMeet(index, pairsLeft);
      if (candidates === undefined) {
        const values = { name: rule.name, arch: arch.name, count: rules.length };
        report(diagnostic('OVERLAPS_NOT_SEARCHED', values, { pointer: rule.entry.pointer, severity }));
        break;
      }
      pairsLeft -= candidates.length;
      for (const other of candidates) {
        const call = commonCall(other.conditions, rule.conditions);
        if (call === undefined || !isNews('OVERLAPPING_RULES', other, rule)) continue;
        first ??= { pair: [other, rule], call };
        count += 1;
      }
      earlier.add(index);
    }
    if (first === undefined) return;
    const { pair, call } = first;
    const args = [...call].map(([arg, value]) => `arg${arg}=0x${value.toString(16)}`).join(', ');
    const winner = ordered.find(({ conditions }) =>
      conditions.every((c) => holds(c, call.get(c.arg) ?? 0n)),
    )!;
    const values = {
      example: `${pair[1].by ?? pair[1].name}(${args})`,
      winner: describeAction(winner.action),
      more: count === 1 ? '' : ` (and ${count - 1} more pairs)`,
    };
    reportPair('OVERLAPPING_RULES', pair, arch, values, severity);
  }

  return { constant, combine };
}

/**
 * Rules to compare a later one with. If many rules ask for one value each of the same argument, as
 * lists of commands do, most pairs cannot overlap and are skipped.
 */
class EarlierRules {
  readonly #rules: readonly Rule[];
  /** The argument that most rules ask for one value of. */
  readonly #arg: number;
  /** Indexes of rules by that value, or without one, and by action. */
  readonly #groups = new Map<bigint | undefined, Map<number, number[]>>();

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
    const counts = [0, 0, 0, 0, 0, 0];
    for (const { conditions } of rules)
      for (const { arg, comparator } of conditions) if (comparator === 'eq') counts[arg]! += 1;
    this.#arg = counts.indexOf(Math.max(...counts));
  }

  add(index: number): void {
    const rule = this.#rules[index]!;
    const value = this.#valueOf(rule);
    const byAction = this.#groups.get(value) ?? new Map<number, number[]>();
    this.#groups.set(value, byAction);
    const same = byAction.get(rule.action) ?? [];
    byAction.set(rule.action, same);
    same.push(index);
  }

  /**
   * Rules with other actions that may match the same call, in order; undefined if above `limit`.
   */
  thatMayMeet(index: number, limit: number): Rule[] | undefined {
    const rule = this.#rules[index]!;
    const value = this.#valueOf(rule);
    const groups =
      value === undefined ? this.#groups.values() : [this.#groups.get(value), this.#groups.get(undefined)];
    const found: number[] = [];
    for (const byAction of groups)
      for (const [action, same] of byAction ?? []) {
        if (action === rule.action) continue;
        if (found.length + same.length > limit) return undefined;
        for (const other of same) found.push(other);
      }
    return found.toSorted((a, b) => a - b).map((other) => this.#rules[other]!);
  }

  #valueOf({ conditions }: Rule): bigint | undefined {
    return conditions.find(({ arg, comparator }) => arg === this.#arg && comparator === 'eq')?.value;
  }
}

/**
 * Drops conditions that are always true, and rules that never match or come after an unconditional
 * one.
 */
function simplify(rules: readonly Rule[], defaultAction: number): Decision {
  const result: DecisionRule[] = [];
  for (const { conditions, action } of rules) {
    if (conditions.some((c) => constantTruth(c) === false)) continue;
    const open = conditions.filter((c) => constantTruth(c) === undefined);
    if (open.length === 0) return { rules: result, otherwise: action };
    result.push({ conditions: open, action });
  }
  return { rules: result, otherwise: defaultAction };
}

/** Text that two decisions share only if they are the same. */
function decisionKey({ rules, otherwise }: Decision): string {
  const parts = rules.map((rule) => `${rule.conditions.map(conditionKey).join(', ')} -> ${rule.action}`);
  return [...parts, String(otherwise)].join('; ');
}

/** Arguments that satisfy both rules, if there are any. docs/semantics.md section 7.6. */
function commonCall(a: readonly Condition[], b: readonly Condition[]): Map<number, bigint> | undefined {
  const call = new Map<number, bigint>();
  for (const condition of [...a, ...b]) {
    if (call.has(condition.arg)) continue;
    const mine = a.find((c) => c.arg === condition.arg) ?? condition;
    const theirs = b.find((c) => c.arg === condition.arg) ?? condition;
    const value = commonValue(mine, theirs);
    if (value === undefined) return undefined;
    call.set(condition.arg, value);
  }
  return call;
}

/** Pointer of the condition that a rule is made of; of several, their list. */
function conditionPlace({ entry: { pointer, args } }: Rule): string {
  return args.length === 0 ? pointer : args.length === 1 ? `${pointer}/args/0` : `${pointer}/args`;
}

function isLaxer(answer: number, ...others: number[]): boolean {
  return others.some((other) => compareStrictness(answer, other) > 0);
}

function namedBy(rule: Rule): string {
  return rule.by === undefined ? `"${rule.name}"` : `"${rule.name}" (through ${rule.by})`;
}
