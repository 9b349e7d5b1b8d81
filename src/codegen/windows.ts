import type { Node } from './graph.ts';

/** Values `from`..`to` of the accumulator, both included, u32, and what to do for them. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly leaf: Node;
  /** How much a test on the way here costs; positive. */
  readonly weight: number;
}

/** An interval with what the windows ask of it, found once: it lies in hundreds of them. */
export interface Member extends Interval {
  /** The leaf's place among the leaves of the search: 0, 1, 2, ... */
  readonly leafIndex: number;
  /** Whether the leaf stands elsewhere, so that no test can fall into it. */
  readonly far: boolean;
  /** All bits of all values, as a signed word; of no meaning where the interval is too wide for a JSET. */
  readonly bits: number;
  /** The values as links of a chain: one or two, or none where the interval is too long for that. */
  readonly links: readonly Link[];
}

/** One JEQ of a chain. */
export interface Link {
  readonly value: number;
  readonly member: Member;
  readonly weight: number;
}

/** A test of bits: values with a bit of the mask go to the leaf of `hit`, the others to that of `miss`. */
export interface Jset {
  /** u32 */
  readonly mask: number;
  readonly hit: Member;
  readonly miss: Member;
  /** A single value with an answer of its own, asked for first. */
  readonly aside: Member | undefined;
}

/** The longest chain of JEQ tests; longer ones only pay where one value outweighs the rest. */
const MAX_CHAIN = 8;
/** Widest window that one JSET may decide, in values. */
const MAX_JSET_SPAN = 256;
/** Fewest and most intervals of a window in which a value to stand aside is looked for. */
const MIN_ASIDE_MEMBERS = 4;
const MAX_ASIDE_MEMBERS = 7;

/** @param indexOf the place of a leaf among the leaves of the search */
export function memberOf(interval: Interval, leafIndex: number, far: boolean): Member {
  const { from, to, leaf, weight } = interval;
  const links: Link[] = [];
  const member = { from, to, leaf, weight, leafIndex, far, bits: bitsOf(from, to), links };
  const count = to - from + 1;
  if (count <= 2) links.push({ value: from, member, weight: weight / count });
  if (count === 2) links.push({ value: to, member, weight: weight / count });
  return member;
}

/** Below the highest bit in which the ends differ, some value or other has every bit. */
function bitsOf(from: number, to: number): number {
  return from === to ? from | 0 : to | (0xffffffff >>> Math.clz32(from ^ to));
}

/**
 * A growing window that a chain of JEQ might decide: all leaves but one are on single values, or pairs of
 * neighbours. Once it fails it fails for every larger window.
 */
export class ChainWindow {
  /** An interval too long for a link; only its leaf may have others. */
  #long: Member | undefined;
  /** Heaviest first, then ascending. */
  readonly #links: Link[] = [];
  /** By leaf: how many links it has, and the first interval that has it. */
  readonly #tallies: { count: number; readonly first: Member }[] = [];
  /** The first interval of the leaf that has most links, of several such leaves the first. */
  #leader: Member | undefined;

  /** Takes the next interval in; false where no chain can decide the window, nor any larger one. */
  extend(next: Member): boolean {
    if (next.links.length > 0) for (const link of next.links) this.#add(link);
    else if (this.#long === undefined) this.#long = next;
    else if (this.#long.leafIndex !== next.leafIndex) return false;
    return this.#links.length - (this.#tallies[this.main.leafIndex]?.count ?? 0) <= MAX_CHAIN;
  }

  /** An interval with the leaf that the chain ends in: that of the long ones, or else the most frequent one. */
  get main(): Member {
    return this.#long ?? this.#leader!;
  }

  /** The tests in their order. */
  get links(): Link[] {
    const { leafIndex } = this.main;
    return this.#links.filter(({ member }) => member.leafIndex !== leafIndex);
  }

  /** What the chain costs in a window of this weight. */
  cost(weight: number, price: number): number {
    const { main } = this;
    let cost = 0;
    let left = weight;
    let size = 0;
    let last = main;
    for (let at = 0; at < this.#links.length; at++) {
      const link = this.#links[at]!;
      if (link.member.leafIndex === main.leafIndex) continue;
      cost += left;
      left -= link.weight;
      size += 1 + (link.value >>> 31);
      last = link.member;
    }
    return cost + price * (main.far && last.far ? size + 1 : size);
  }

  #add(link: Link): void {
    const { member, weight } = link;
    let at = this.#links.length;
    while (at > 0 && this.#links[at - 1]!.weight < weight) at--;
    this.#links.splice(at, 0, link);

    const tally = (this.#tallies[member.leafIndex] ??= { count: 0, first: member });
    tally.count++;
    const most = this.#leader === undefined ? 0 : this.#tallies[this.#leader.leafIndex]!.count;
    if (tally.count > most || (tally.count === most && tally.first.from < this.#leader!.from))
      this.#leader = tally.first;
  }
}

/**
 * A growing window that one test of bits might decide: two leaves, where every value of the one has a bit that no
 * value of the other has. One value may stand aside, tested on its own before. Once a way fails it fails for every
 * larger window.
 */
export class JsetWindow {
  readonly #members: readonly Member[];
  /** The window is `#members[#start]` up to, not including, `#members[#end]`. */
  readonly #start: number;
  #end: number;
  #wholePossible = true;
  /** Bit m: with member `#start` + m aside the test has failed. */
  #failedAside = 0;

  constructor(members: readonly Member[], start: number) {
    this.#members = members;
    this.#start = start;
    this.#end = start + 1;
  }

  /** False once no larger window can be decided. */
  get isPossible(): boolean {
    return this.#wholePossible || this.#end - this.#start < MAX_ASIDE_MEMBERS;
  }

  /** Takes the next interval in, and finds the test that decides the window. */
  extend(): Jset | undefined {
    const next = this.#members[this.#end++]!;
    if (next.to - this.#members[this.#start]!.from >= MAX_JSET_SPAN) {
      this.#wholePossible = false;
      this.#end += MAX_ASIDE_MEMBERS;
      return undefined;
    }
    if (this.#wholePossible) {
      const jset = this.#test(undefined);
      if (jset) return jset;
      this.#wholePossible = false;
    }
    const count = this.#end - this.#start;
    return count < MIN_ASIDE_MEMBERS || count > MAX_ASIDE_MEMBERS ? undefined : this.#testWithAside();
  }

  #testWithAside(): Jset | undefined {
    for (let at = this.#start; at < this.#end; at++) {
      const aside = this.#members[at]!;
      const failed = 1 << (at - this.#start);
      if (aside.from !== aside.to || (this.#failedAside & failed) !== 0) continue;
      const jset = this.#test(aside);
      if (jset) return jset;
      this.#failedAside |= failed;
    }
    return undefined;
  }

  /** A test that tells two leaves apart, without the value that stands aside. */
  #test(aside: Member | undefined): Jset | undefined {
    let first: Member | undefined;
    let second: Member | undefined;
    let firstBits = 0;
    let secondBits = 0;
    for (let at = this.#start; at < this.#end; at++) {
      const member = this.#members[at]!;
      if (member === aside) continue;
      first ??= member;
      if (member.leafIndex === first.leafIndex) firstBits |= member.bits;
      else {
        second ??= member;
        if (member.leafIndex !== second.leafIndex) return undefined;
        secondBits |= member.bits;
      }
    }
    if (first === undefined || second === undefined) return undefined;
    const firstMask = firstBits & ~secondBits;
    if (this.#allHit(first, firstMask, aside))
      return { mask: firstMask >>> 0, hit: first, miss: second, aside };
    const secondMask = secondBits & ~firstBits;
    if (this.#allHit(second, secondMask, aside))
      return { mask: secondMask >>> 0, hit: second, miss: first, aside };
    return undefined;
  }

  /** Whether every value with the leaf of `hit` has a bit of the mask. */
  #allHit(hit: Member, mask: number, aside: Member | undefined): boolean {
    if (mask === 0) return false;
    for (let at = this.#start; at < this.#end; at++) {
      const member = this.#members[at]!;
      if (member.leafIndex !== hit.leafIndex || member === aside) continue;
      for (let value = member.from; value <= member.to; value++) if ((value & mask) === 0) return false;
    }
    return true;
  }
}
