import type { Node } from '../graph.ts';

/** Values `from`..`to` of the accumulator, both included, u32, and what to do for them. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly leaf: Node;
  /** How much a test on the way here costs; positive. */
  readonly weight: number;
}

/**
 * What a search goes by: what instructions cost, in the unit of the weights, and how deep it goes.
 */
export interface Prices {
  /** A test that becomes one instruction of eBPF. */
  readonly test: number;
  /** Each further instruction of eBPF that a test becomes. */
  readonly more: number;
  /** The longest chain of JEQ tests. */
  readonly longestChain: number;
}

/**
 * Prices in whole units of a search, and what a unit is. Not of the shape of Prices, whose numbers
 * are no integers.
 */
export interface UnitPrices {
  readonly unit: number;
  readonly test: number;
  readonly more: number;
  readonly longestChain: number;
}

/**
 * An interval with what the search asks of it, found once since it lies in hundreds of windows. All
 * small integers, words too, which are signed here: a larger number would be made anew each time it
 * is read.
 */
export interface Member {
  readonly interval: Interval;
  /** Its place among the intervals of the search. */
  readonly index: number;
  /** The leaf's place among the leaves of the search. */
  readonly leaf: number;
  /** Whether the leaf stands elsewhere, so that no test can fall into it. */
  readonly isJumpTarget: boolean;
  /** In units of the search; even. */
  readonly weight: number;
  readonly from: number;
  readonly to: number;
  /** All bits of all values. */
  readonly bits: number;
  /**
   * The values as links of a chain: one or two, or none where the interval is too long for that.
   */
  readonly links: readonly Link[];
}

/** One JEQ of a chain. */
export interface Link {
  readonly value: number;
  readonly member: Member;
  readonly weight: number;
}

/** Above any cost in units, and still a small integer, sums of two included. */
const MAX_COST = 2 ** 30;

/**
 * The intervals as members, and the prices, in a unit in which no tree costs more than MAX_COST.
 */
export function measure(
  intervals: readonly Interval[],
  { test, more, longestChain }: Prices,
  isJumpTarget: (leaf: Node) => boolean,
): { members: Member[]; prices: UnitPrices } {
  let weight = 0;
  for (const interval of intervals) weight += interval.weight;
  const unit = ((weight + test + 2 * more) * intervals.length) / MAX_COST;
  const leaves = new Map<Node, number>();
  const members = intervals.map((interval, index) => {
    const { leaf } = interval;
    if (!leaves.has(leaf)) leaves.set(leaf, leaves.size);
    const half = Math.max(1, Math.round(interval.weight / unit / 2));
    return memberOf(interval, index, leaves.get(leaf)!, isJumpTarget(leaf), half);
  });
  const inUnits = (price: number) => Math.max(1, Math.round(price / unit));
  return { members, prices: { unit, test: inUnits(test), more: inUnits(more), longestChain } };
}

/** @param half of the interval's weight */
function memberOf(
  interval: Interval,
  index: number,
  leaf: number,
  isJumpTarget: boolean,
  half: number,
): Member {
  const from = interval.from | 0;
  const to = interval.to | 0;
  const links: Link[] = [];
  const member = {
    interval,
    index,
    leaf,
    isJumpTarget,
    weight: 2 * half,
    from,
    to,
    bits: bitsOf(from, to),
    links,
  };
  if (to === from) links.push({ value: from, member, weight: 2 * half });
  if (to === from + 1) links.push({ value: from, member, weight: half }, { value: to, member, weight: half });
  return member;
}

/** Below the highest bit in which the ends differ, some value or other has every bit. */
function bitsOf(from: number, to: number): number {
  return from === to ? from : to | (-1 >>> Math.clz32(from ^ to));
}

/** Instructions that a constant takes beside its test: one with the highest bit, a second one. */
export function constantSize(word: number): number {
  return word >>> 31;
}
