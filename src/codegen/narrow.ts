import { MAX_WORD } from './words.ts';
import type { WordSet } from './words.ts';

/**
 * What is left of a set of values of a word once something is known of the word.
 */

export type Cube = Extract<WordSet, { kind: 'cube' }>;
type Ranges = Extract<WordSet, { kind: 'ranges' }>;

/** Cuts 0..`top` wherever one of the sets begins or ends. */
export function stretchesOf(sets: readonly WordSet[], top: number): (readonly [number, number])[] {
  const starts = new Set([0]);
  for (const set of sets)
    if (set.kind === 'ranges')
      for (const [from, to] of set.ranges) {
        starts.add(from);
        if (to < top) starts.add(to + 1);
      }
  const ascending = [...starts].toSorted((a, b) => a - b);
  return ascending.map((from, index) => [from, (ascending[index + 1] ?? top + 1) - 1]);
}

export function contains(set: WordSet, value: number): boolean {
  if (set.kind === 'cube') return (value & set.mask) >>> 0 === set.value;
  return set.ranges.some(([from, to]) => from <= value && value <= to);
}

/** A set for values that have all bits of `mask` clear: true, false, or what is left to test. */
export function whenClear(set: WordSet, mask: number): boolean | WordSet {
  if (set.kind === 'ranges') return rangesAmong(set, 0, ~mask >>> 0, (value) => (value & mask) === 0);
  if ((set.value & mask) !== 0) return false;
  const rest = (set.mask & ~mask) >>> 0;
  return rest === 0 ? true : { kind: 'cube', mask: rest, value: set.value };
}

/** A set for values that have some bit of `mask` set. */
export function whenHit(set: WordSet, mask: number): boolean | WordSet {
  if (set.kind === 'ranges')
    return rangesAmong(set, (mask & -mask) >>> 0, MAX_WORD, (value) => (value & mask) !== 0);
  if ((set.mask & mask) >>> 0 === mask && (set.value & mask) === 0) return false;
  // One bit is known to be set; of several it is not known which.
  if ((mask & (mask - 1)) !== 0 || (set.mask & mask) === 0) return set;
  const rest = (set.mask & ~mask) >>> 0;
  return rest === 0 ? true : { kind: 'cube', mask: rest, value: (set.value & ~mask) >>> 0 };
}

/**
 * Stretches for values that are known to lie in `low`..`high` and to pass `possible`: true where they cover all of
 * these, false where they hold none; single values that are not possible fall away.
 */
function rangesAmong(
  set: Ranges,
  low: number,
  high: number,
  possible: (value: number) => boolean,
): boolean | WordSet {
  const left = set.ranges.filter(
    ([from, to]) => from <= high && to >= low && (from !== to || possible(from)),
  );
  if (left.some(([from, to]) => from <= low && high <= to)) return true;
  return left.length > 0 && { kind: 'ranges', ranges: left };
}

/** A set for values that are in a cube. */
export function whenIn(set: WordSet, known: Cube): boolean | WordSet {
  if (set.kind === 'ranges')
    return rangesAmong(set, known.value, (known.value | ~known.mask) >>> 0, (value) =>
      contains(known, value),
    );
  if (((set.value ^ known.value) & set.mask & known.mask) !== 0) return false;
  const rest = (set.mask & ~known.mask) >>> 0;
  return rest === 0 ? true : { kind: 'cube', mask: rest, value: (set.value & ~known.mask) >>> 0 };
}
