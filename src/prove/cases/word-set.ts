/**
 * Sets of values of one 32-bit word, as far as tests of it can tell: ranges, and bits that are
 * known. A set may be larger than what it stands for, never smaller.
 */

/** Values in one of the ranges whose bits under the mask are those of `value`; all u32. */
export interface WordSet {
  /** From and to in turn, both included; ascending, and never adjacent. */
  readonly ranges: readonly number[];
  readonly mask: number;
  readonly value: number;
}

export const LARGEST = 0xffffffff;
export const EVERYTHING: WordSet = { ranges: [0, LARGEST], mask: 0, value: 0 };

/** More ranges than this become one that spans them all. */
const MOST_RANGES = 64;

export function least({ ranges }: WordSet): number {
  return ranges[0]!;
}

export function greatest({ ranges }: WordSet): number {
  return ranges.at(-1)!;
}

/** The values of a set from `from` to `to`; undefined for none. */
export function within(set: WordSet, from: number, to: number): WordSet | undefined {
  if (from <= least(set) && greatest(set) <= to) return set;
  return made(intersection(set.ranges, [from, to]), set.mask, set.value);
}

/** The values that two lists of ranges share. */
export function intersection(a: readonly number[], b: readonly number[]): readonly number[] {
  const ranges: number[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const low = Math.max(a[i]!, b[j]!);
    const high = Math.min(a[i + 1]!, b[j + 1]!);
    if (low <= high) ranges.push(low, high);
    if (a[i + 1]! < b[j + 1]!) i += 2;
    else j += 2;
  }
  return ranges;
}

/** The values of a set but one; undefined for none. */
export function without(set: WordSet, value: number): WordSet | undefined {
  return made(intersection(set.ranges, [0, value - 1, value + 1, LARGEST]), set.mask, set.value);
}

/** The values of a set that have some bits; undefined for none. */
export function withBits(set: WordSet, mask: number, value: number): WordSet | undefined {
  if (((set.value ^ value) & set.mask & mask) !== 0) return undefined;
  if ((mask & ~set.mask) === 0) return set;
  return made(set.ranges, (set.mask | mask) >>> 0, (set.value | value) >>> 0);
}

/**
 * A set of ranges and bits, without ranges that no value with these bits lies in, and with the bits
 * that all share.
 */
function made(ranges: readonly number[], mask: number, value: number): WordSet | undefined {
  const possible: number[] = [];
  for (let at = 0; at < ranges.length; at += 2) {
    const [low, high] = [ranges[at]!, ranges[at + 1]!];
    const first = firstWithBits(low, mask, value);
    if (first > high) continue;
    // The largest one is the smallest one counted down from above.
    const last = LARGEST - firstWithBits(LARGEST - high, mask, (~value & mask) >>> 0);
    possible.push(first, last);
  }
  if (possible.length === 0) return undefined;
  // The leading bits that the smallest and the largest value share, all have.
  const first = possible[0]!;
  const shared = ~(LARGEST >>> Math.clz32(first ^ possible.at(-1)!));
  const known = first === possible.at(-1) ? LARGEST : (mask | shared) >>> 0;
  return { ranges: possible, mask: known, value: (value | (first & known & ~mask)) >>> 0 };
}

/** The smallest value from `from` on with some bits; more than LARGEST for none. */
export function firstWithBits(from: number, mask: number, value: number): number {
  const wrong = (from ^ value) & mask;
  if (wrong === 0) return from;
  // The highest bit that is wrong, and all below it.
  const below = LARGEST >>> Math.clz32(wrong);
  const highest = below ^ (below >>> 1);
  // Set there, it is larger than `from` whatever the bits below are.
  if ((value & highest) !== 0) return ((from & ~below) | (value & below)) >>> 0;
  // Else it must leave `from` further up, at the lowest bit that is free and clear.
  const free = ~(from | mask | below);
  if (free === 0) return LARGEST + 1;
  const bit = free & -free;
  return ((from & ~(bit | (bit - 1))) | bit | (value & (bit - 1))) >>> 0;
}

/** A set that holds the values of two. */
export function union(a: WordSet, b: WordSet): WordSet {
  if (a === b) return a;
  const mask = (a.mask & b.mask & ~(a.value ^ b.value)) >>> 0;
  return { ranges: unionOfRanges(a.ranges, b.ranges), mask, value: (a.value & mask) >>> 0 };
}

export function unionOfRanges(a: readonly number[], b: readonly number[]): readonly number[] {
  const ranges: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const isFromA = j >= b.length || (i < a.length && a[i]! <= b[j]!);
    const [low, high] = isFromA ? [a[i]!, a[i + 1]!] : [b[j]!, b[j + 1]!];
    if (isFromA) i += 2;
    else j += 2;
    if (ranges.length > 0 && low <= ranges.at(-1)! + 1)
      ranges[ranges.length - 1] = Math.max(ranges.at(-1)!, high);
    else ranges.push(low, high);
  }
  return ranges.length > 2 * MOST_RANGES ? [ranges[0]!, ranges.at(-1)!] : ranges;
}

/** The values of a set under a mask, as ranges; undefined where that is not easily told. */
export function image({ ranges }: WordSet, mask: number): readonly number[] | undefined {
  const hidden = ~mask >>> 0;
  if (hidden === 0) return ranges;
  if ((hidden & (hidden - 1)) !== 0) return undefined;
  // Without one bit, what lies between two multiples of it keeps its order and has no gaps.
  if ((ranges.at(-1)! - ranges[0]!) / hidden > MOST_RANGES) return undefined;
  let images: readonly number[] = [];
  for (let at = 0; at < ranges.length; at += 2)
    for (let low = ranges[at]!; low <= ranges[at + 1]!;) {
      const next = (Math.floor(low / hidden) + 1) * hidden;
      const high = Math.min(ranges[at + 1]!, next - 1);
      images = unionOfRanges(images, [(low & mask) >>> 0, (high & mask) >>> 0]);
      low = next;
    }
  return images;
}
