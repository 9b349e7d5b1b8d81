import type { Condition as PolicyCondition } from '../../policy/types.ts';

/**
 * Conditions on 64-bit arguments as the machine can test them: decisions over 32-bit words, the
 * high word of an argument before its low one.
 */

/** Which word of which argument: 2 * arg for its high half, 2 * arg + 1 for its low half; 0..11. */
export type Word = number;

export function argOf(word: Word): number {
  return word >> 1;
}

/** The largest value of a word. */
export const MAX_WORD = 0xffffffff;

/**
 * What a condition comes to once something is known of its word: decided, or a condition on the
 * other word.
 */
export type Outcome = boolean | Condition;

/** A decision over the words of one argument. Equal conditions are one object. */
export type Condition = RangesCondition | MaskCondition;

interface Common {
  readonly id: number;
  /** The word it looks at first. */
  readonly word: Word;
  /** Instructions to test it, about. */
  readonly cost: number;
}

/**
 * By the value of the word: `outcomes[i]` from `starts[i]` up to the next start. Starts ascend from
 * 0, neighbours differ.
 */
export interface RangesCondition extends Common {
  readonly kind: 'ranges';
  readonly starts: readonly number[];
  readonly outcomes: readonly Outcome[];
}

/** `equal` where (word & mask) == value, else `other`; all u32. Of a single bit the value is 0. */
export interface MaskCondition extends Common {
  readonly kind: 'mask';
  readonly mask: number;
  readonly value: number;
  readonly equal: Outcome;
  readonly other: Outcome;
}

/**
 * What a test has shown of a word: that it lies in a range, both ends included, or what it is under
 * a mask.
 */
export type Fact =
  | { readonly word: Word; readonly kind: 'range'; readonly from: number; readonly to: number }
  | {
      readonly word: Word;
      readonly kind: 'mask';
      readonly mask: number;
      readonly value: number;
      readonly holds: boolean;
    };

/** Makes conditions; what is always true or never is no condition but that. */
export class Conditions {
  readonly #known = new Map<string, Condition>();
  readonly #unions = new Map<number, Outcome | undefined>();

  /** A condition of a policy. */
  of({ arg, comparator, value, mask, bits }: PolicyCondition): Outcome {
    const high = 2 * arg;
    const low = high + 1;
    const valueLow = Number(value & 0xffff_ffffn);
    const valueHigh = Number(value >> 32n);
    if (comparator === 'masked_eq') {
      const onLow = this.mask(low, Number(mask & 0xffff_ffffn), valueLow, true, false);
      return bits === 32 ? onLow : this.mask(high, Number(mask >> 32n), valueHigh, onLow, false);
    }
    const [below, at, above] = SIDES[comparator];
    const onLow = this.#around(low, valueLow, below, at, above);
    return bits === 32 ? onLow : this.#around(high, valueHigh, below, onLow, above);
  }

  #around(word: Word, value: number, below: Outcome, at: Outcome, above: Outcome): Outcome {
    const starts: number[] = [];
    const outcomes: Outcome[] = [];
    if (value > 0) append(starts, outcomes, 0, below);
    append(starts, outcomes, value, at);
    if (value < MAX_WORD) append(starts, outcomes, value + 1, above);
    return this.ranges(word, starts, outcomes);
  }

  /** @param starts ascending from 0; neighbours differ */
  ranges(word: Word, starts: readonly number[], outcomes: readonly Outcome[]): Outcome {
    if (outcomes.length === 1) return outcomes[0]!;
    const key = `${word} ${starts.join()} ${outcomes.map(idOf).join()}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const cost = 1 + testsFor(starts) + costOf(new Set(outcomes));
    const made: Condition = { kind: 'ranges', id: this.#known.size, word, cost, starts, outcomes };
    this.#known.set(key, made);
    return made;
  }

  mask(word: Word, mask: number, value: number, equal: Outcome, other: Outcome): Outcome {
    if (equal === other || mask === 0) return equal;
    const free = ~mask >>> 0;
    // A mask of leading ones is a range, and of all ones a single value: those are cheaper to test.
    if ((free & (free + 1)) === 0) {
      const starts: number[] = [];
      const outcomes: Outcome[] = [];
      const last = (value | free) >>> 0;
      if (value > 0) append(starts, outcomes, 0, other);
      append(starts, outcomes, value, equal);
      if (last < MAX_WORD) append(starts, outcomes, last + 1, other);
      return this.ranges(word, starts, outcomes);
    }
    if (isOneBit(mask) && value !== 0) return this.mask(word, mask, 0, other, equal);
    const key = `${word} &${mask} ${value} ${idOf(equal)} ${idOf(other)}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const cost = (value === 0 ? 2 : 3) + costOf([equal, other]);
    const made: Condition = { kind: 'mask', id: this.#known.size, word, cost, mask, value, equal, other };
    this.#known.set(key, made);
    return made;
  }

  /**
   * The condition that holds where one of two on the same argument does; undefined where it is not
   * of this form.
   */
  or(a: Outcome, b: Outcome): Outcome | undefined {
    if (a === true || b === true) return true;
    if (a === false || a === b) return b;
    if (b === false) return a;
    const key = a.id < b.id ? a.id * 2 ** 26 + b.id : b.id * 2 ** 26 + a.id;
    if (this.#unions.has(key)) return this.#unions.get(key);
    const union = this.#or(a, b);
    this.#unions.set(key, union);
    return union;
  }

  #or(a: Condition, b: Condition): Outcome | undefined {
    if (a.word > b.word) return this.#or(b, a);
    if (a.word < b.word) return this.#map(a, (outcome) => this.or(outcome, b));
    if (a.kind === 'ranges' && b.kind === 'ranges') return this.#orRanges(a, b);
    if (a.kind === 'mask' && b.kind === 'mask') return this.#orMasks(a, b);
    return implies(a, b) ? b : implies(b, a) ? a : this.#orAllBut(a, b);
  }

  #orRanges(a: RangesCondition, b: RangesCondition): Outcome | undefined {
    const starts: number[] = [];
    const outcomes: Outcome[] = [];
    let i = 0;
    let j = 0;
    for (let from = 0; ;) {
      const union = this.or(a.outcomes[i]!, b.outcomes[j]!);
      if (union === undefined) return undefined;
      append(starts, outcomes, from, union);
      const nextA = a.starts[i + 1] ?? Infinity;
      const nextB = b.starts[j + 1] ?? Infinity;
      from = Math.min(nextA, nextB);
      if (from === Infinity) break;
      if (nextA === from) i++;
      if (nextB === from) j++;
    }
    return this.ranges(a.word, starts, outcomes);
  }

  #orMasks(a: MaskCondition, b: MaskCondition): Outcome | undefined {
    if (a.mask === b.mask && a.value === b.value) {
      const equal = this.or(a.equal, b.equal);
      const other = this.or(a.other, b.other);
      return equal === undefined || other === undefined
        ? undefined
        : this.mask(a.word, a.mask, a.value, equal, other);
    }
    if (implies(a, b)) return b;
    if (implies(b, a)) return a;
    // Two values that differ in one bit of the mask do without that bit.
    const apart = (a.value ^ b.value) >>> 0;
    if (a.mask === b.mask && isOneBit(apart) && a.equal === b.equal && a.other === false && b.other === false)
      return this.mask(a.word, (a.mask & ~apart) >>> 0, (a.value & ~apart) >>> 0, a.equal, false);
    return this.#orAllBut(a, b);
  }

  /**
   * Of two that hold everywhere but where the word has some value under a mask: all but what both
   * leave out.
   */
  #orAllBut(a: Condition, b: Condition): Outcome | undefined {
    const [first, second] = [allBut(a), allBut(b)];
    if (first === undefined || second === undefined) return undefined;
    if (((first.value ^ second.value) & first.mask & second.mask) !== 0) return true;
    const equal = this.or(first.equal, second.equal);
    if (equal === undefined) return undefined;
    const mask = (first.mask | second.mask) >>> 0;
    return this.mask(a.word, mask, (first.value | second.value) >>> 0, equal, true);
  }

  #map(condition: Condition, change: (outcome: Outcome) => Outcome | undefined): Outcome | undefined {
    if (condition.kind === 'mask') {
      const equal = change(condition.equal);
      const other = change(condition.other);
      return equal === undefined || other === undefined
        ? undefined
        : this.mask(condition.word, condition.mask, condition.value, equal, other);
    }
    const starts: number[] = [];
    const outcomes: Outcome[] = [];
    for (let at = 0; at < condition.starts.length; at++) {
      const outcome = change(condition.outcomes[at]!);
      if (outcome === undefined) return undefined;
      append(starts, outcomes, condition.starts[at]!, outcome);
    }
    return this.ranges(condition.word, starts, outcomes);
  }

  /** What is left of a condition once a fact on one of its argument's words is known. */
  given(condition: Condition, fact: Fact): Outcome {
    if (condition.word > fact.word) return condition;
    if (condition.word < fact.word)
      return this.#map(condition, (outcome) =>
        typeof outcome === 'boolean' ? outcome : this.given(outcome, fact),
      )!;
    if (condition.kind === 'ranges') return this.#rangesGiven(condition, fact);
    return this.#maskGiven(condition, fact);
  }

  #rangesGiven({ word, starts, outcomes }: RangesCondition, fact: Fact): Outcome {
    const kept: number[] = [];
    const left: Outcome[] = [];
    for (let at = 0; at < starts.length; at++) {
      // What cannot be any more is as good as what stands beside it.
      if (isPossible(fact, starts[at]!, (starts[at + 1] ?? MAX_WORD + 1) - 1))
        append(kept, left, left.length === 0 ? 0 : starts[at]!, outcomes[at]!);
    }
    return this.ranges(word, kept, left);
  }

  #maskGiven(condition: MaskCondition, fact: Fact): Outcome {
    const { word, mask, value, equal, other } = condition;
    if (fact.kind === 'range') {
      if (fact.from === fact.to) return (fact.from & mask) >>> 0 === value ? equal : other;
      return isPossibleUnder(mask, value, fact.from, fact.to) ? condition : other;
    }
    let known = fact;
    if (!fact.holds && isOneBit(fact.mask))
      known = { ...fact, value: (fact.value ^ fact.mask) >>> 0, holds: true };
    if (!known.holds) {
      const isExcluded = (known.mask & ~mask) === 0 && (value & known.mask) >>> 0 === known.value;
      return isExcluded ? other : condition;
    }
    if (((value ^ known.value) & mask & known.mask) !== 0) return other;
    return this.mask(word, (mask & ~known.mask) >>> 0, (value & ~known.mask) >>> 0, equal, other);
  }
}

/** Below, at and above the constant. */
const SIDES: Record<
  Exclude<PolicyCondition['comparator'], 'masked_eq'>,
  readonly [boolean, boolean, boolean]
> = {
  eq: [false, true, false],
  ne: [true, false, true],
  lt: [true, false, false],
  le: [true, true, false],
  gt: [false, false, true],
  ge: [false, true, true],
};

/**
 * Whether what satisfies the first satisfies the second; false also where that is not easily seen.
 */
export function implies(a: Outcome, b: Outcome): boolean {
  if (a === false || b === true || a === b) return true;
  if (a === true || b === false) return false;
  if (a.word < b.word) return outcomesOf(a).every((outcome) => implies(outcome, b));
  if (b.word < a.word) return outcomesOf(b).every((outcome) => implies(a, outcome));
  if (a.kind === 'ranges' && b.kind === 'ranges') return rangesImply(a, b);
  if (a.kind === 'mask' && b.kind === 'mask') return masksImply(a, b);
  if (a.kind === 'ranges' && b.kind === 'mask') return rangesImplyMask(a, b);
  return false;
}

function rangesImply(a: RangesCondition, b: RangesCondition): boolean {
  let i = 0;
  let j = 0;
  for (;;) {
    if (!implies(a.outcomes[i]!, b.outcomes[j]!)) return false;
    const nextA = a.starts[i + 1] ?? Infinity;
    const nextB = b.starts[j + 1] ?? Infinity;
    if (nextA === Infinity && nextB === Infinity) return true;
    if (nextA <= nextB) i++;
    if (nextB <= nextA) j++;
  }
}

function masksImply(a: MaskCondition, b: MaskCondition): boolean {
  if (a.mask === b.mask && a.value === b.value) return implies(a.equal, b.equal) && implies(a.other, b.other);
  const isDisjoint = ((a.value ^ b.value) & a.mask & b.mask) !== 0;
  // Inside a's mask and value lies: all of it in b's, or none.
  const isInside = !isDisjoint && (b.mask & ~a.mask) === 0;
  const onEqual = isInside
    ? implies(a.equal, b.equal)
    : isDisjoint
      ? implies(a.equal, b.other)
      : implies(a.equal, b.equal) && implies(a.equal, b.other);
  return onEqual && (a.other === false || (implies(a.other, b.equal) && implies(a.other, b.other)));
}

/** Single values, or nothing, under a mask. */
function rangesImplyMask({ starts, outcomes }: RangesCondition, b: MaskCondition): boolean {
  return outcomes.every((outcome, at) => {
    if (outcome === false) return true;
    const from = starts[at]!;
    const to = (starts[at + 1] ?? MAX_WORD + 1) - 1;
    if (from === to) return implies(outcome, (from & b.mask) >>> 0 === b.value ? b.equal : b.other);
    return implies(outcome, b.equal) && implies(outcome, b.other);
  });
}

/**
 * A condition as one that holds wherever the word has another value under a mask; undefined where
 * it is none.
 */
function allBut(condition: Condition): Pick<MaskCondition, 'mask' | 'value' | 'equal'> | undefined {
  if (condition.kind === 'mask') {
    const { mask, value, equal, other } = condition;
    if (other === true) return { mask, value, equal };
    return isOneBit(mask) && equal === true ? { mask, value: mask, equal: other } : undefined;
  }
  return onlyUnderMask(condition, true);
}

/**
 * The one range with another outcome than `rest`, as the values with one value under a mask;
 * undefined where there are several, or it is not such a range.
 */
export function onlyUnderMask(
  { starts, outcomes }: RangesCondition,
  rest: boolean,
): Pick<MaskCondition, 'mask' | 'value' | 'equal'> | undefined {
  const at = outcomes.findIndex((outcome) => outcome !== rest);
  if (outcomes.some((outcome, piece) => piece !== at && outcome !== rest)) return undefined;
  const from = starts[at]!;
  const size = (starts[at + 1] ?? MAX_WORD + 1) - from;
  // It must begin at a multiple of its size, a power of two.
  if (!Number.isInteger(Math.log2(size)) || from % size !== 0) return undefined;
  return { mask: (MAX_WORD + 1 - size) >>> 0, value: from, equal: outcomes[at]! };
}

export function isOneBit(mask: number): boolean {
  return mask !== 0 && (mask & (mask - 1)) === 0;
}

function outcomesOf(condition: Condition): readonly Outcome[] {
  return condition.kind === 'ranges' ? condition.outcomes : [condition.equal, condition.other];
}

/** Whether some value from `from` to `to` agrees with a fact about the word. */
function isPossible(fact: Fact, from: number, to: number): boolean {
  if (fact.kind === 'range') return from <= fact.to && to >= fact.from;
  const { mask, value, holds } = fact;
  if (holds) return isPossibleUnder(mask, value, from, to);
  // All values of the range have that value under the mask only if no bit of the mask changes
  // within it.
  const changing = from === to ? 0 : (0xffffffff >>> Math.clz32(from ^ to)) >>> 0;
  return (changing & mask) !== 0 || (from & mask) >>> 0 !== value;
}

/** Whether some x from `from` to `to` has (x & mask) == value. */
function isPossibleUnder(mask: number, value: number, from: number, to: number): boolean {
  if ((from & mask) >>> 0 === value) return true;
  // The smallest such x above `from` leaves it at a bit that is 0 there and 1 in x.
  for (let bit = 0; bit < 32; bit++) {
    const one = 2 ** bit;
    if ((from & one) !== 0) continue;
    const x = ((from & ~(2 * one - 1)) | one | (value & (one - 1))) >>> 0;
    if ((x & mask) >>> 0 === value) return x <= to;
  }
  return false;
}

/** Adds what begins at a start, unless it goes on as before. */
function append(starts: number[], outcomes: Outcome[], from: number, outcome: Outcome): void {
  if (outcomes.at(-1) === outcome) return;
  starts.push(from);
  outcomes.push(outcome);
}

function idOf(outcome: Outcome): number {
  return outcome === false ? -2 : outcome === true ? -1 : outcome.id;
}

function costOf(outcomes: Iterable<Outcome>): number {
  let cost = 0;
  for (const outcome of outcomes) if (typeof outcome !== 'boolean') cost += outcome.cost;
  return cost;
}

/**
 * Comparisons that tell the ranges apart: one for each bound, but a single value takes one for
 * both.
 */
function testsFor(starts: readonly number[]): number {
  let tests = 0;
  for (let at = 1; at < starts.length; at++) {
    tests++;
    if (starts[at + 1] === starts[at]! + 1) at++;
  }
  return tests;
}
