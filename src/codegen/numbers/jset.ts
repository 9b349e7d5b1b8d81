import { constantSize } from './interval.ts';
import type { Member, UnitPrices } from './interval.ts';

/**
 * A test of bits: values with a bit of the mask have the leaf of `hit`. What is left is one leaf,
 * or takes one more test: a JGE between two runs, or a JEQ of the single value between two runs of
 * one leaf.
 */
export interface Jset {
  /** u32 */
  readonly mask: number;
  readonly hit: Member;
  /** The first interval of each run of what is left: one, two or three. */
  readonly rest: readonly [first: Member, second: Member | undefined, third: Member | undefined];
  /** A single value asked for before the test of bits; what is left then is one leaf. */
  readonly aside: Member | undefined;
  /** In units of the search. */
  readonly cost: number;
}

/** Widest window that a test of bits may decide, in values. */
const MAX_SPAN = 256;
/** Most leaves in such a window: that of the hits and two others. */
const MAX_LEAVES = 3;
/** Fewest and most intervals of a window in which a value to stand aside is looked for. */
const MIN_ASIDE_MEMBERS = 4;
const MAX_ASIDE_MEMBERS = 7;

/**
 * Windows that a test of bits might decide, alone or with one more test. What fails in a window,
 * fails in every window around it: that has more values, and fewer bits to tell them by. So a
 * failure is noted once for all windows, which have to be asked for from the last interval to the
 * first, each growing from two intervals on.
 */
export class JsetWindows {
  readonly #members: readonly Member[];
  readonly #prices: UnitPrices;
  /** The window is `#members[#start]` up to, not including, `#members[#end]`. */
  #start = 0;
  #end = 0;
  /** The first interval of each leaf in the window. */
  #leaves: Member[] = [];
  /** By leaf: windows of this end, or a later one, cannot have its values as the hits. */
  readonly #leafFails: number[] = [];
  /** By interval: windows of this end, or a later one, cannot be decided with it aside. */
  readonly #asideFails: number[] = [];

  constructor(members: readonly Member[], prices: UnitPrices) {
    this.#members = members;
    this.#prices = prices;
    for (const _ of members) {
      this.#leafFails.push(Infinity);
      this.#asideFails.push(Infinity);
    }
  }

  /** A new window of one interval. */
  begin(start: number): void {
    this.#start = start;
    this.#end = start + 1;
    this.#leaves = [this.#members[start]!];
  }

  /**
   * Takes the next interval in. False where no test of bits can decide the window, nor any larger
   * one.
   */
  extend(): boolean {
    const leaves = this.#leaves;
    const next = this.#members[this.#end++]!;
    // Words are signed here, their distance is not.
    if ((next.to - leaves[0]!.from) >>> 0 >= MAX_SPAN) return false;
    let known = 0;
    while (known < leaves.length && leaves[known]!.leaf !== next.leaf) known++;
    if (known === MAX_LEAVES) return false;
    leaves[known] ??= next;
    if (this.#end - this.#start <= MAX_ASIDE_MEMBERS) return true;
    for (let at = 0; at < leaves.length; at++)
      if (this.#end < this.#leafFails[leaves[at]!.leaf]!) return true;
    return false;
  }

  /** The cheapest tests for the window, which has this weight, if they cost less than `most`. */
  cheapest(weight: number, most: number): Jset | undefined {
    let best: Jset | undefined;
    for (let at = 0; at < this.#leaves.length; at++) {
      const hit = this.#leaves[at]!;
      if (this.#end >= this.#leafFails[hit.leaf]!) continue;
      const jset = this.#test(hit, undefined, weight);
      if (jset === undefined) this.#leafFails[hit.leaf] = this.#end;
      else if (jset.cost < (best?.cost ?? most)) best = jset;
    }
    const count = this.#end - this.#start;
    if (count < MIN_ASIDE_MEMBERS || count > MAX_ASIDE_MEMBERS) return best;
    return this.#cheapestWithAside(weight, best?.cost ?? most) ?? best;
  }

  #cheapestWithAside(weight: number, most: number): Jset | undefined {
    let best: Jset | undefined;
    for (let at = this.#start; at < this.#end; at++) {
      const aside = this.#members[at]!;
      if (aside.from !== aside.to || this.#end >= this.#asideFails[at]!) continue;
      if (2 * (weight + this.#prices.test) - aside.weight >= (best?.cost ?? most)) continue;
      let isPossible = false;
      for (let leaf = 0; leaf < this.#leaves.length; leaf++) {
        const jset = this.#test(this.#leaves[leaf]!, aside, weight);
        isPossible ||= jset !== undefined;
        if (jset !== undefined && jset.cost < (best?.cost ?? most)) best = jset;
      }
      if (!isPossible) this.#asideFails[at] = this.#end;
    }
    return best;
  }

  /** The test by which only values with the leaf of `hit` have a bit of the mask. */
  #test(hit: Member, aside: Member | undefined, weight: number): Jset | undefined {
    const mask = this.#maskFor(hit, aside);
    // With one value aside no other test may follow.
    if (mask === 0 && aside !== undefined) return undefined;
    let first: Member | undefined;
    let second: Member | undefined;
    let third: Member | undefined;
    let last = -1;
    let restWeight = 0;
    /** Of the second run, which a JEQ can only tell from its neighbours if it is a single value. */
    let isSingle = true;
    for (let at = this.#start; at < this.#end; at++) {
      const member = this.#members[at]!;
      if (member === aside || (member.leaf === hit.leaf && allHit(member, mask))) continue;
      restWeight += member.weight;
      if (member.leaf === last) {
        if (second !== undefined && third === undefined) isSingle = false;
        continue;
      }
      last = member.leaf;
      if (first === undefined) first = member;
      else if (aside !== undefined || third !== undefined) return undefined;
      else if (second === undefined) {
        second = member;
        isSingle = member.from === member.to;
      } else if (isSingle && member.leaf === first.leaf) third = member;
      else return undefined;
    }
    if (first === undefined) return undefined;

    const { test, more } = this.#prices;
    let cost = weight + test;
    // A JSET is cheap when it falls into its false side: the kernel cannot turn it around.
    if (second === undefined) cost += first.isJumpTarget ? more : 0;
    else
      cost +=
        restWeight +
        test +
        more * ((first.isJumpTarget && second.isJumpTarget ? 1 : 0) + constantSize(second.from));
    if (aside !== undefined) cost += weight - aside.weight + test + more * constantSize(aside.from);
    return { mask: mask >>> 0, hit, rest: [first, second, third], aside, cost: mask === 0 ? Infinity : cost };
  }

  /** The bits that values of one leaf have, and no other value. */
  #maskFor(hit: Member, aside: Member | undefined): number {
    let mine = 0;
    let others = 0;
    for (let at = this.#start; at < this.#end; at++) {
      const member = this.#members[at]!;
      if (member === aside) continue;
      if (member.leaf === hit.leaf) mine |= member.bits;
      else others |= member.bits;
    }
    return mine & ~others;
  }
}

/** Whether every value has a bit of the mask. */
function allHit({ from, to }: Member, mask: number): boolean {
  if (to < from) return false;
  for (let value = from; value <= to; value++) if ((value & mask) === 0) return false;
  return true;
}
