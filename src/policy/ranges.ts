import type { Decision, DecisionRange } from './types.ts';

/** The largest syscall number: 2^32-1. */
export const MAX_NR = 0xffffffff;

/** Ranges over all numbers: what was decided for single ones, `otherwise` everywhere else. */
export function rangesOf(decided: ReadonlyMap<number, Decision>, otherwise: Decision): DecisionRange[] {
  const ranges: DecisionRange[] = [];
  let next = 0;
  for (const [nr, decision] of [...decided].toSorted(([a], [b]) => a - b)) {
    if (nr > next) append(ranges, { from: next, to: nr - 1, decision: otherwise });
    append(ranges, { from: nr, to: nr, decision });
    next = nr + 1;
  }
  if (next <= MAX_NR) append(ranges, { from: next, to: MAX_NR, decision: otherwise });
  return ranges;
}

/** The ranges with one stretch replaced. */
export function overlay(ranges: readonly DecisionRange[], layer: DecisionRange): DecisionRange[] {
  const result: DecisionRange[] = [];
  for (const range of ranges) {
    if (range.from < layer.from) append(result, { ...range, to: Math.min(range.to, layer.from - 1) });
    if (range.from <= layer.from && layer.from <= range.to) append(result, layer);
    if (range.to > layer.to) append(result, { ...range, from: Math.max(range.from, layer.to + 1) });
  }
  return result;
}

/** Adds the next range, joined to the last one where the decision is the same. */
function append(ranges: DecisionRange[], range: DecisionRange): void {
  const last = ranges.at(-1);
  if (last && last.decision === range.decision) last.to = range.to;
  else ranges.push({ ...range });
}
