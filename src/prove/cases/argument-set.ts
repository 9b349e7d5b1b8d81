/**
 * Sets of values of one 64-bit argument: for ranges of its high word, sets of its low word. So what
 * holds beyond a constant of 64 bits is one set, although a program needs tests of both words for
 * it.
 */
import { EVERYTHING, firstWithBits, LARGEST, union } from './word-set.ts';
import type { WordSet } from './word-set.ts';

/** High words `from`..`to`, both included, each with any low word of a set. */
export interface Piece {
  readonly from: number;
  readonly to: number;
  readonly low: WordSet;
}

export interface ArgumentSet {
  /** By high word, ascending; at least one. */
  readonly pieces: readonly Piece[];
  /** The high words, with the bits of them that are known. */
  readonly high: WordSet;
}

export const EVERY_ARGUMENT: ArgumentSet = {
  pieces: [{ from: 0, to: LARGEST, low: EVERYTHING }],
  high: EVERYTHING,
};

/** More pieces than this become one that spans them all. */
const MOST_PIECES = 64;

/** The ranges of the high words of some pieces. */
function rangesOf(pieces: readonly Piece[]): number[] {
  const ranges: number[] = [];
  for (const { from, to } of pieces)
    if (ranges.length > 0 && from === ranges.at(-1)! + 1) ranges[ranges.length - 1] = to;
    else ranges.push(from, to);
  return ranges;
}

/** A set with some of its high words only; undefined for none. */
export function withHigh(set: ArgumentSet, high: WordSet | undefined): ArgumentSet | undefined {
  if (high === undefined) return undefined;
  const pieces: Piece[] = [];
  for (const { from, to, low } of set.pieces)
    for (let at = 0; at < high.ranges.length; at += 2) {
      const first = firstWithBits(Math.max(from, high.ranges[at]!), high.mask, high.value);
      const last = Math.min(to, high.ranges[at + 1]!);
      if (first <= last) pieces.push({ from: first, to: last, low });
    }
  if (pieces.length === 0) return undefined;
  return { pieces, high: { ranges: rangesOf(pieces), mask: high.mask, value: high.value } };
}

/** The low words of a set. */
export function lowOf({ pieces }: ArgumentSet): WordSet {
  return pieces.reduce((all, { low }) => union(all, low), pieces[0]!.low);
}

/** A set with its low words changed, whatever the high one is; undefined for none. */
export function changeLow(
  set: ArgumentSet,
  change: (low: WordSet) => WordSet | undefined,
): ArgumentSet | undefined {
  const pieces: Piece[] = [];
  for (const piece of set.pieces) {
    const low = change(piece.low);
    if (low !== undefined) pieces.push(low === piece.low ? piece : { ...piece, low });
  }
  if (pieces.length === 0) return undefined;
  const { mask, value } = set.high;
  return {
    pieces,
    high: pieces.length === set.pieces.length ? set.high : { ranges: rangesOf(pieces), mask, value },
  };
}

/** A set that holds the values of two. */
export function unionOfArguments(a: ArgumentSet, b: ArgumentSet): ArgumentSet {
  if (a === b) return a;
  const pieces: Piece[] = [];
  const add = (from: number, to: number, low: WordSet) => {
    const last = pieces.at(-1);
    if (last !== undefined && last.to + 1 === from && isSame(last.low, low))
      pieces[pieces.length - 1] = { ...last, to };
    else pieces.push({ from, to, low });
  };
  let i = 0;
  let j = 0;
  for (let from = 0; i < a.pieces.length || j < b.pieces.length;) {
    const [mine, theirs] = [a.pieces[i], b.pieces[j]];
    from = Math.max(from, Math.min(mine?.from ?? Infinity, theirs?.from ?? Infinity));
    const inMine = mine !== undefined && mine.from <= from;
    const inTheirs = theirs !== undefined && theirs.from <= from;
    const ends = [
      inMine ? mine.to : (mine?.from ?? Infinity) - 1,
      inTheirs ? theirs.to : (theirs?.from ?? Infinity) - 1,
    ];
    const to = Math.min(...ends);
    if (inMine && inTheirs) add(from, to, union(mine.low, theirs.low));
    else if (inMine) add(from, to, mine.low);
    else if (inTheirs) add(from, to, theirs.low);
    if (mine?.to === to) i++;
    if (theirs?.to === to) j++;
    from = to + 1;
  }
  const high = union(a.high, b.high);
  if (pieces.length <= MOST_PIECES) return { pieces, high: { ...high, ranges: rangesOf(pieces) } };
  const [from, to] = [pieces[0]!.from, pieces.at(-1)!.to];
  const low = pieces.reduce((all, piece) => union(all, piece.low), pieces[0]!.low);
  return { pieces: [{ from, to, low }], high: { ...high, ranges: [from, to] } };
}

export function isSameArgument(a: ArgumentSet, b: ArgumentSet): boolean {
  if (a === b) return true;
  return (
    isSame(a.high, b.high) &&
    a.pieces.length === b.pieces.length &&
    a.pieces.every((piece, at) => {
      const other = b.pieces[at]!;
      return piece.from === other.from && piece.to === other.to && isSame(piece.low, other.low);
    })
  );
}

export function isSame(a: WordSet, b: WordSet): boolean {
  if (a === b) return true;
  return (
    a.mask === b.mask &&
    a.value === b.value &&
    a.ranges.length === b.ranges.length &&
    a.ranges.every((bound, at) => bound === b.ranges[at])
  );
}
