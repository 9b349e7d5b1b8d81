import type { Node } from '../graph.ts';

/** Numbers `from`..`to`, both included, u32, and what to do for them. */
export interface LeafRange {
  from: number;
  to: number;
  leaf: Node;
}

/** A stretch of numbers with its leaf in two lists. */
export interface Overlap extends LeafRange {
  other: Node;
}

/** Both lists cut at each other's bounds. */
export function overlapsOf(a: readonly LeafRange[], b: readonly LeafRange[]): Overlap[] {
  const result: Overlap[] = [];
  let j = 0;
  for (const { from, to, leaf } of a) {
    while (b[j]!.to < from) j++;
    for (let at = j; at < b.length && b[at]!.from <= to; at++) {
      const other = b[at]!;
      result.push({
        from: Math.max(from, other.from),
        to: Math.min(to, other.to),
        leaf,
        other: other.leaf,
      });
    }
  }
  return result;
}

/** Whether two lists differ in so few places that one can be the other with exceptions. */
export function resembles(a: readonly LeafRange[], b: readonly LeafRange[]): boolean {
  return overlapsOf(a, b).filter(({ leaf, other }) => leaf !== other).length < a.length;
}

/** The part of a list within bounds, moved by some distance. */
export function cut(ranges: readonly LeafRange[], low: number, high: number, by = 0): LeafRange[] {
  const part: LeafRange[] = [];
  for (const { from, to, leaf } of ranges)
    if (from <= high && to >= low)
      part.push({ from: Math.max(from, low) + by, to: Math.min(to, high) + by, leaf });
  return part;
}

/** Neighbours of one leaf as one range. */
export function join(ranges: readonly LeafRange[]): LeafRange[] {
  const joined: LeafRange[] = [];
  let last: LeafRange | undefined;
  for (const { from, to, leaf } of ranges) {
    if (last?.leaf === leaf) last.to = to;
    else joined.push((last = { from, to, leaf }));
  }
  return joined;
}
