/**
 * What a profile answers, by action: the calls of all its architectures in as few groups as there
 * are answers.
 */
import type { Arch, ArchName } from '../arch.ts';
import type { Condition, Decision } from '../policy/types.ts';
import type { NamedCalls } from '../prove/compare.ts';

/** No call of any architecture. */
const UNNAMED = 0xffffffff;

/** Calls that get one answer on the same architectures. */
export interface AnswerGroup {
  /** u32 return value. */
  answer: number;
  arches: ArchName[];
  /** Sorted. */
  calls: string[];
}

/**
 * A call whose answer depends on its arguments, and the architectures on which it does so in the
 * same way.
 */
export interface ConditionalCall {
  call: string;
  arches: ArchName[];
  decision: Decision | undefined;
}

export interface Overview {
  /** What a number without a name gets; undefined if that depends on arguments. */
  otherwise: number | undefined;
  groups: AnswerGroup[];
  conditional: ConditionalCall[];
}

/** What the decisions of a profile or a filter are looked up by. */
export interface DecisionSource {
  calls: readonly NamedCalls[];
  /** Undefined for a decision that has too many rules to list. */
  decisionOn: (auditArch: number, nr: number) => Decision | undefined;
}

/**
 * The answers to all calls with a name, those that most calls get first; conditional calls by name.
 */
export function overviewOf({ calls, decisionOn }: DecisionSource): Overview {
  const constant = new Map<string, { answer: number; arches: ArchName[] }>();
  const conditional = new Map<string, ConditionalCall>();
  for (const { abi, table } of calls)
    for (const [nr, call] of table.entries()) {
      const decision = decisionOn(abi.auditArch, nr);
      const key = JSON.stringify([call, decision && decisionText(decision)]);
      if (decision === undefined || decision.rules.length > 0)
        addArch(conditional, key, abi, { call, decision, arches: [] });
      else {
        const { otherwise: answer } = decision;
        addArch(constant, JSON.stringify([call, answer]), abi, { answer, arches: [] });
      }
    }
  const groups = new Map<string, AnswerGroup>();
  for (const [key, { answer, arches: names }] of constant) {
    const [call] = JSON.parse(key) as [string, number];
    const group = groups.get(`${answer} ${names.join()}`) ?? { answer, arches: names, calls: [] };
    groups.set(`${answer} ${names.join()}`, group);
    group.calls.push(call);
  }
  for (const group of groups.values()) group.calls.sort();
  return {
    otherwise: decisionOn(calls[0]!.abi.auditArch, UNNAMED)?.otherwise,
    groups: [...groups.values()].toSorted((a, b) => b.calls.length - a.calls.length),
    conditional: [...conditional.values()].toSorted((a, b) => (a.call < b.call ? -1 : 1)),
  };
}

function addArch<T extends { arches: ArchName[] }>(
  to: Map<string, T>,
  key: string,
  { name }: Arch,
  made: T,
): void {
  const known = to.get(key) ?? made;
  to.set(key, known);
  known.arches.push(name);
}

/** Equal for decisions that read alike, also where one compares 32 bits and the other 64. */
export function decisionText({ rules, otherwise }: Decision): string {
  const conditionText = ({ arg, comparator, value, mask }: Condition) =>
    `${arg} ${comparator} ${value} ${comparator === 'masked_eq' ? mask : ''}`;
  return JSON.stringify([
    ...rules.map((rule) => [rule.conditions.map(conditionText), rule.action]),
    otherwise,
  ]);
}
