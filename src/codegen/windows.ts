import type { Node } from './graph.ts';

/** Values `from`..`to` of the accumulator, both included, u32, and what to do for them. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly leaf: Node;
  /** How much a test on the way here costs; positive. */
  readonly weight: number;
}

/** The longest chain of JEQ tests; longer ones only pay where one value outweighs the rest. */
const MAX_CHAIN = 8;
/** Widest window that one JSET may decide, in values. */
const MAX_JSET_SPAN = 256;
/** Most intervals of a window in which a value to stand aside is looked for. */
const MAX_ASIDE_MEMBERS = 7;

/** One JEQ of a chain. */
export interface Link {
  readonly value: number;
  readonly leaf: Node;
  readonly weight: number;
}

export interface Chain {
  readonly kind: 'chain';
  readonly links: readonly Link[];
  readonly main: Node;
}

export interface Jset {
  readonly kind: 'jset';
  readonly mask: number;
  readonly hit: Node;
  readonly miss: Node;
  /** A single value with an answer of its own, asked for first. */
  readonly aside: Interval | undefined;
}

/**
 * A growing window that a chain of JEQ might decide: all leaves but one are on single values, or pairs of
 * neighbours. Once it fails it fails for every larger window.
 */
export class ChainWindow {
  /** The leaf of the intervals too long for a link. */
  #long: Node | undefined;
  #links: Link[] = [];
  #possible = true;

  constructor(first: Interval) {
    this.#add(first);
  }

  extend(next: Interval): Chain | undefined {
    if (this.#possible) this.#add(next);
    if (!this.#possible) return undefined;
    const main = this.#long ?? mostFrequent(this.#links);
    const links = this.#links.filter(({ leaf }) => leaf !== main);
    this.#possible = links.length <= MAX_CHAIN;
    if (!this.#possible) return undefined;
    return { kind: 'chain', links: links.toSorted((a, b) => b.weight - a.weight || a.value - b.value), main };
  }

  #add({ from, to, leaf, weight }: Interval): void {
    const count = to - from + 1;
    if (count > 2) {
      this.#possible = this.#long === undefined || this.#long === leaf;
      this.#long = leaf;
    } else {
      for (let value = from; value <= to; value++) this.#links.push({ value, leaf, weight: weight / count });
    }
  }
}

function mostFrequent(links: readonly Link[]): Node {
  const counts = new Map<Node, number>();
  for (const { leaf } of links) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  let best = links[0]!.leaf;
  for (const [leaf, count] of counts) if (count > counts.get(best)!) best = leaf;
  return best;
}

/** An interval with what a test of bits needs of it: all bits of its values. */
interface Bits {
  readonly interval: Interval;
  readonly bits: number;
}

/**
 * A growing window that one test of bits might decide: two leaves, where every value of the one has a bit that no
 * value of the other has. One value may stand aside, tested on its own before.
 */
export class JsetWindow {
  readonly #start: number;
  readonly #members: Bits[] = [];
  /** The leaves of the window, each with its intervals. */
  readonly #groups = new Map<Node, Bits[]>();
  #possible = true;

  constructor(first: Interval) {
    this.#start = first.from;
    this.#add(first);
  }

  extend(next: Interval): Jset | undefined {
    this.#add(next);
    if (!this.#possible) return undefined;
    const whole = this.#groups.size === 2 ? this.#decide(undefined) : undefined;
    if (whole || this.#members.length < 4 || this.#members.length > MAX_ASIDE_MEMBERS) return whole;
    for (const member of this.#members) {
      const { from, to, leaf } = member.interval;
      if (from !== to || (this.#groups.size === 3 && this.#groups.get(leaf)!.length > 1)) continue;
      const jset = this.#decide(member);
      if (jset) return jset;
    }
    return undefined;
  }

  #add(interval: Interval): void {
    this.#possible &&= interval.to - this.#start < MAX_JSET_SPAN;
    if (!this.#possible) return;
    let bits = 0;
    for (let value = interval.from; value <= interval.to; value++) bits |= value;
    const member = { interval, bits };
    this.#members.push(member);
    const group = this.#groups.get(interval.leaf);
    if (group) group.push(member);
    else this.#groups.set(interval.leaf, [member]);
    this.#possible = this.#groups.size <= 3;
  }

  /** A test that tells two leaves apart, without the value that stands aside. */
  #decide(aside: Bits | undefined): Jset | undefined {
    let first: readonly Bits[] | undefined;
    let second: readonly Bits[] | undefined;
    for (const members of this.#groups.values()) {
      if (members.length === 1 && members[0] === aside) continue;
      if (second !== undefined) return undefined;
      if (first === undefined) first = members;
      else second = members;
    }
    if (first === undefined || second === undefined) return undefined;
    const firstBits = allBits(first, aside);
    const secondBits = allBits(second, aside);
    return (
      testOfBits(first, second, (firstBits & ~secondBits) >>> 0, aside) ??
      testOfBits(second, first, (secondBits & ~firstBits) >>> 0, aside)
    );
  }
}

/** The test, if every value of one side hits the mask. */
function testOfBits(
  hit: readonly Bits[],
  miss: readonly Bits[],
  mask: number,
  aside: Bits | undefined,
): Jset | undefined {
  if (!allHit(hit, aside, mask)) return undefined;
  const [hitLeaf, missLeaf] = [hit[0]!.interval.leaf, miss[0]!.interval.leaf];
  return { kind: 'jset', mask, hit: hitLeaf, miss: missLeaf, aside: aside?.interval };
}

function allBits(members: readonly Bits[], aside: Bits | undefined): number {
  let bits = 0;
  for (const member of members) if (member !== aside) bits |= member.bits;
  return bits;
}

function allHit(members: readonly Bits[], aside: Bits | undefined, mask: number): boolean {
  if (mask === 0) return false;
  for (const member of members) {
    if (member === aside) continue;
    const { from, to } = member.interval;
    for (let value = from; value <= to; value++) if ((value & mask) === 0) return false;
  }
  return true;
}
