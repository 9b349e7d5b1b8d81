import { compareSeverity } from '../action.ts';
import type { Rule } from './rules.ts';
import type { Comparator, Condition } from './types.ts';

/**
 * What libseccomp asks first of one argument. The other comparators keep the order of the profile.
 */
const RANK: Partial<Record<Comparator, number>> = { eq: 0, lt: 1, le: 1, ge: 2, gt: 2 };

/**
 * Rules in the order in which they decide: the strictest action first, then the narrowest range of
 * one argument, then the earlier entry. Rules of one action on one argument stand where the first
 * of them is. docs/semantics.md 7.4.
 */
export function inOrderOfDecision(rules: readonly Rule[]): Rule[] {
  const groups = new Map<string, number>();
  const placed = rules.map((rule, index) => {
    const range = soleRange(rule);
    if (range === undefined) return { rule, group: index, rank: 0, distance: 0n };
    const key = `${compareSeverity(rule.action, 0)} ${range.arg}`;
    const group = groups.get(key) ?? index;
    groups.set(key, group);
    const rank = RANK[range.comparator]!;
    return { rule, group, rank, distance: rank === 2 ? -range.value : range.value };
  });
  placed.sort(
    (a, b) =>
      compareSeverity(a.rule.action, b.rule.action) ||
      a.group - b.group ||
      a.rank - b.rank ||
      Number(a.distance - b.distance),
  );
  return placed.map(({ rule }) => rule);
}

/** The condition of a rule that has one only, if that is an equality or an ordered comparison. */
function soleRange({ conditions: [only, another] }: Rule): Condition | undefined {
  return another === undefined && RANK[only!.comparator] !== undefined ? only : undefined;
}
