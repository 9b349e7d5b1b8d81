import type { Decision, DecisionRange } from './types.ts';

/** The largest syscall number: 2^32-1. */
export const MAX_NR = 0xffffffff;

/** Numbers (ascending) and what is decided about each of them, if anything. */
export interface Decided {
  numbers: readonly number[];
  decisions: readonly (Decision | undefined)[];
}

/** Ranges over all numbers: those decided in `parts`, which ascend, and `otherwise`. */
export function rangesOf(parts: readonly Decided[], otherwise: Decision): DecisionRange[] {
  const ranges: DecisionRange[] = [];
  let from = 0;
  const extend = (to: number, decision: Decision): void => {
    append(ranges, { from, to, decision });
    from = to + 1;
  };
  for (const { numbers, decisions } of parts)
    numbers.forEach((nr, index) => {
      if (nr > from) extend(nr - 1, otherwise);
      extend(nr, decisions[index] ?? otherwise);
    });
  if (from <= MAX_NR) extend(MAX_NR, otherwise);
  return ranges;
}

/** The ranges with one part replaced. */
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
