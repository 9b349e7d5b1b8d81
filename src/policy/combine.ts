import { actionLabel, compareSeverity, SECCOMP_RET_DATA } from '../action.ts';
import type { Arch } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { commonValue, conditionKey, constantTruth } from './condition.ts';
import type { Rule } from './rules.ts';
import type { Condition, Decision, DecisionRule } from './types.ts';

/** `ERRNO(38)`, `ALLOW`: a return value in the words of the messages. */
export function describeAction(value: number): string {
  const label = actionLabel(value) ?? `0x${value.toString(16)}`;
  return label === 'ERRNO' || label === 'TRACE' ? `${label}(${value & SECCOMP_RET_DATA})` : label;
}

/**
 * Pairs of rules with different actions that one filter is searched for calls that both match: all pairs of 300 rules,
 * where real profiles have a few on one call.
 */
const MAX_PAIRS = 50_000;

/** Makes the decisions of one filter; equal decisions come out as one object. */
export interface Combiner {
  /** The decision that always gives one return value. */
  constant(action: number): Decision;
  /**
   * What all the rules on one number mean together: those with conditions, in profile order, and (`always`) what the
   * first one without conditions decides, if there is one.
   */
  combine(rules: readonly Rule[], arch: Arch, always: Decision | undefined): Decision;
}

/**
 * Decides what several rules on one number mean together. docs/semantics.md section 7.
 *
 * - A rule without conditions decides alone, the first of several.
 * - Otherwise the rules form a union; where rules with different actions match one call, the most restrictive
 *   action wins, and the pair is reported with a call that shows it.
 * - The same conditions with different actions are a contradiction: both runtimes refuse such a profile.
 */
export function makeCombiner(
  defaultAction: number,
  overlap: 'warn' | 'error',
  report: (d: Diagnostic) => void,
): Combiner {
  const interned = new Map<string, Decision>();
  const reported = new Set<string>();
  let pairsLeft = MAX_PAIRS;

  /** Reports a fault once for each pair of entries, whatever number of calls and architectures it shows on. */
  function reportPair(
    code: 'CONFLICTING_RULES' | 'OVERLAPPING_RULES',
    first: Rule,
    second: Rule,
    d: () => Diagnostic,
  ) {
    const key = `${code} ${first.entry.pointer} ${second.entry.pointer}`;
    if (reported.has(key)) return;
    reported.add(key);
    report(d());
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
      reportBypassed(always.otherwise, rules, arch, reported, report);
      return always;
    }
    const distinct = new Map<string, Rule>();
    for (const rule of rules) {
      const key = rule.conditions.map(conditionKey).join(', ');
      const earlier = distinct.get(key);
      if (earlier === undefined) distinct.set(key, rule);
      else if (earlier.action !== rule.action)
        reportPair('CONFLICTING_RULES', earlier, rule, () => conflict(earlier, rule, arch));
    }
    const kept = [...distinct.values()];
    reportLostSelectors(kept, arch, reported, report);
    reportOverlaps(kept, arch);
    const strictestFirst = kept.toSorted((a, b) => compareSeverity(a.action, b.action));
    return intern(simplify(strictestFirst, defaultAction));
  }

  /** Reports pairs of rules with different actions that match one call, as far as the budget of the filter goes. */
  function reportOverlaps(rules: readonly Rule[], arch: Arch): void {
    const severity = overlap === 'error' ? 'error' : 'warning';
    const earlier = new EarlierRules(rules);
    for (const rule of rules) {
      const candidates = earlier.thatMayMeet(rule, pairsLeft);
      if (candidates === undefined) {
        const values = { name: rule.name, arch: arch.name, count: rules.length };
        report(diagnostic('OVERLAPS_NOT_SEARCHED', values, { pointer: rule.entry.pointer, severity }));
        return;
      }
      pairsLeft -= candidates.length;
      for (const other of candidates) {
        const example = commonCall(other.conditions, rule.conditions);
        if (example !== undefined)
          reportPair('OVERLAPPING_RULES', other, rule, () =>
            overlapping(other, rule, arch, example, severity),
          );
      }
      earlier.add(rule);
    }
  }

  return { constant, combine };
}

/**
 * Rules to compare a later one with. Where many ask for one value of the same argument each, as lists of commands do,
 * most pairs cannot meet, and are not looked at.
 */
class EarlierRules {
  /** The argument that most rules ask for one value of. */
  readonly #arg: number;
  /** By that value, or without one, and by action: places in order of the rules. */
  readonly #groups = new Map<bigint | undefined, Map<number, Placed[]>>();
  #count = 0;

  constructor(rules: readonly Rule[]) {
    const counts = [0, 0, 0, 0, 0, 0];
    for (const { conditions } of rules)
      for (const { arg, comparator } of conditions) if (comparator === 'eq') counts[arg]! += 1;
    this.#arg = counts.indexOf(Math.max(...counts));
  }

  add(rule: Rule): void {
    const value = this.#valueOf(rule);
    let byAction = this.#groups.get(value);
    if (byAction === undefined) this.#groups.set(value, (byAction = new Map<number, Placed[]>()));
    const place = this.#count++;
    const same = byAction.get(rule.action);
    if (same === undefined) byAction.set(rule.action, [{ rule, place }]);
    else same.push({ rule, place });
  }

  /** The rules with other actions that may match what this one matches, in order; undefined for more than `limit`. */
  thatMayMeet(rule: Rule, limit: number): Rule[] | undefined {
    const value = this.#valueOf(rule);
    const groups =
      value === undefined ? this.#groups.values() : [this.#groups.get(value), this.#groups.get(undefined)];
    const found: Placed[] = [];
    for (const byAction of groups)
      for (const [action, rules] of byAction ?? []) {
        if (action === rule.action) continue;
        if (found.length + rules.length > limit) return undefined;
        for (const placed of rules) found.push(placed);
      }
    return found.toSorted((a, b) => a.place - b.place).map((placed) => placed.rule);
  }

  #valueOf({ conditions }: Rule): bigint | undefined {
    return conditions.find(({ arg, comparator }) => arg === this.#arg && comparator === 'eq')?.value;
  }
}

interface Placed {
  rule: Rule;
  place: number;
}

/** Drops what no argument can change: conditions always true, rules never true, rules behind one that always holds. */
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

/** Arguments that satisfy both rules, or undefined when no call does. docs/semantics.md section 7.6. */
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

function namedBy(rule: Rule): string {
  return rule.by === undefined ? `"${rule.name}"` : `"${rule.name}" (through ${rule.by})`;
}

function conflict(first: Rule, second: Rule, arch: Arch): Diagnostic {
  return diagnostic(
    'CONFLICTING_RULES',
    {
      name: namedBy(second),
      other: namedBy(first),
      arch: arch.name,
      action: describeAction(second.action),
      otherAction: describeAction(first.action),
      pointer: first.entry.pointer,
    },
    { pointer: second.entry.pointer },
  );
}

function overlapping(
  first: Rule,
  second: Rule,
  arch: Arch,
  example: Map<number, bigint>,
  severity: 'warning' | 'error',
): Diagnostic {
  const args = [...example].map(([arg, value]) => `arg${arg}=0x${value.toString(16)}`).join(', ');
  const winner = compareSeverity(first.action, second.action) <= 0 ? first : second;
  return diagnostic(
    'OVERLAPPING_RULES',
    {
      name: namedBy(second),
      arch: arch.name,
      action: describeAction(second.action),
      otherAction: describeAction(first.action),
      pointer: first.entry.pointer,
      example: `${second.by ?? second.name}(${args})`,
      winner: describeAction(winner.action),
    },
    { pointer: second.entry.pointer, severity },
  );
}

/** socketcall or ipc allowed outright: then the conditions on the calls behind it do not hold there. */
function reportBypassed(
  always: number,
  rules: readonly Rule[],
  arch: Arch,
  reported: Set<string>,
  report: (d: Diagnostic) => void,
): void {
  for (const rule of rules) {
    if (rule.by === undefined || rule.entry.args.length === 0) continue;
    if (!isNews(reported, 'MULTIPLEXED_BYPASS', rule)) continue;
    report(
      diagnostic(
        'MULTIPLEXED_BYPASS',
        { name: rule.name, by: rule.by, arch: arch.name, action: describeAction(always) },
        { pointer: rule.entry.pointer },
      ),
    );
  }
}

/** A condition on argument 0 gives way to the selector of the multiplexed call. docs/semantics.md section 6.3. */
function reportLostSelectors(
  rules: readonly Rule[],
  arch: Arch,
  reported: Set<string>,
  report: (d: Diagnostic) => void,
): void {
  for (const rule of rules) {
    const { entry, name, by } = rule;
    if (by === undefined || entry.args.length === 0 || !isNews(reported, 'MULTIPLEXED_ARGS', rule)) continue;
    report(
      diagnostic('MULTIPLEXED_ARGS', { name, by, arch: arch.name }, { pointer: `${entry.pointer}/args` }),
    );
  }
}

/** Once for an entry, whatever calls it names, and once for a call, whatever entries name it. */
function isNews(reported: Set<string>, code: Diagnostic['code'], { entry, name, by }: Rule): boolean {
  const keys = [`${code} ${entry.pointer}`, `${code} ${by} ${name}`];
  const news = !keys.some((key) => reported.has(key));
  for (const key of keys) reported.add(key);
  return news;
}
