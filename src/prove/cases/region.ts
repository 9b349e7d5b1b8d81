import { argWord, WORD_ARCH, WORD_ARGS, WORD_IP, WORD_NR, WORDS } from '../bdd/input-words.ts';
import { changeLow, EVERY_ARGUMENT, isSame, isSameArgument, lowOf, unionOfArguments, withHigh } from './argument-set.ts'; // prettier-ignore
import type { ArgumentSet } from './argument-set.ts';
import { EVERYTHING, firstWithBits, greatest, image, intersection, LARGEST, least, union, unionOfRanges, withBits, within, without } from './word-set.ts'; // prettier-ignore
import type { WordSet } from './word-set.ts';

/** A test of a word under a mask against a constant; all u32. */
export interface WordTest {
  readonly word: number;
  readonly mask: number;
  readonly comparison: 'equal' | 'greater' | 'atLeast' | 'intersects';
  readonly constant: number;
}

/** What is known of a word under a mask: ranges of its values. */
interface MaskedFact {
  readonly word: number;
  readonly mask: number;
  readonly ranges: readonly number[];
}

/**
 * A set of inputs: sets of architectures, numbers and arguments, and what is known of words under
 * masks. It may be larger than what it stands for, never smaller. Never changed once made.
 */
export class Region {
  readonly #arch: WordSet;
  readonly #number: WordSet;
  readonly #args: readonly ArgumentSet[];
  readonly #facts: readonly MaskedFact[];

  constructor(
    arch: WordSet,
    number: WordSet,
    args: readonly ArgumentSet[],
    facts: readonly MaskedFact[] = [],
  ) {
    this.#arch = arch;
    this.#number = number;
    this.#args = args;
    this.#facts = facts;
  }

  /** The values that a word can have. */
  valuesOf(word: number): WordSet {
    if (word === WORD_ARCH) return this.#arch;
    if (word === WORD_NR) return this.#number;
    if (word >= WORD_IP) return EVERYTHING;
    const set = this.#args[(word - WORD_ARGS) >> 1]!;
    return isHigh(word) ? set.high : lowOf(set);
  }

  /** The values that an argument can have. */
  argument(index: number): ArgumentSet {
    return this.#args[index]!;
  }

  /** The inputs whose word is in what its set becomes; undefined for none. */
  #changed(word: number, change: (set: WordSet) => WordSet | undefined): Region | undefined {
    let next: Region;
    if (word >= WORD_IP) return this;
    if (word < WORD_ARGS) {
      const before = word === WORD_ARCH ? this.#arch : this.#number;
      const set = change(before);
      if (set === undefined) return undefined;
      if (set === before) return this;
      next =
        word === WORD_ARCH
          ? new Region(set, this.#number, this.#args, this.#facts)
          : new Region(this.#arch, set, this.#args, this.#facts);
    } else {
      const index = (word - WORD_ARGS) >> 1;
      const before = this.#args[index]!;
      const set = isHigh(word) ? withHigh(before, change(before.high)) : changeLow(before, change);
      if (set === undefined) return undefined;
      next = new Region(this.#arch, this.#number, this.#args.with(index, set), this.#facts);
    }
    return next.#agreeing(word);
  }

  /** The same with facts about a word that agree with its values; undefined where they cannot. */
  #agreeing(word: number): Region | undefined {
    if (!this.#facts.some((fact) => fact.word === word)) return this;
    const set = this.valuesOf(word);
    const facts: MaskedFact[] = [];
    const single: MaskedFact[] = [];
    for (const fact of this.#facts) {
      if (fact.word !== word) {
        facts.push(fact);
        continue;
      }
      const ranges = possibleUnder(fact, set);
      if (ranges.length === 0) return undefined;
      const next = { ...fact, ranges };
      if (ranges.length === 2 && ranges[0] === ranges[1]) single.push(next);
      else if (saysMore(next, set)) facts.push(next);
    }
    let region: Region | undefined = new Region(this.#arch, this.#number, this.#args, facts);
    for (const { mask, ranges } of single)
      if (region !== undefined)
        region = region.#changed(word, (values) => withBits(values, mask, ranges[0]!));
    return region;
  }

  /** The inputs of these numbers; undefined for none. */
  withNumbers(from: number, to: number): Region | undefined {
    return this.#changed(WORD_NR, (set) => within(set, from, to));
  }

  /** The inputs for which a test holds, or does not; undefined for none. */
  when(test: WordTest, holds: boolean): Region | undefined {
    const { word, mask, comparison, constant } = test;
    if (word >= WORD_IP) return this;
    if (comparison === 'intersects') {
      const bits = (mask & constant) >>> 0;
      if (!holds) return this.#changed(word, (set) => withBits(set, bits, 0));
      if (bits === 0) return undefined;
      if ((bits & (bits - 1)) === 0) return this.#changed(word, (set) => withBits(set, bits, bits));
      return this.#masked(word, bits, [1, bits]);
    }
    if (mask !== LARGEST) return this.#whenMasked(test, holds);
    if (comparison === 'equal')
      return this.#changed(word, (set) => (holds ? within(set, constant, constant) : without(set, constant)));
    const first = comparison === 'greater' ? constant + 1 : constant;
    return this.#changed(word, (set) => (holds ? within(set, first, LARGEST) : within(set, 0, first - 1)));
  }

  #whenMasked({ word, mask, comparison, constant }: WordTest, holds: boolean): Region | undefined {
    if (comparison === 'equal') {
      const isPossible = (constant & ~mask) === 0;
      if (holds) return isPossible ? this.#changed(word, (set) => withBits(set, mask, constant)) : undefined;
      if (!isPossible) return this;
      const below = constant > 0 ? [0, constant - 1] : [];
      const beyond = constant < mask ? [constant + 1, mask] : [];
      return this.#masked(word, mask, [...below, ...beyond]);
    }
    const first = comparison === 'greater' ? constant + 1 : constant;
    if (holds) return first > mask ? undefined : this.#masked(word, mask, [first, mask]);
    return first === 0 ? undefined : this.#masked(word, mask, [0, Math.min(first - 1, mask)]);
  }

  /** With a word under a mask in some ranges. */
  #masked(word: number, mask: number, ranges: readonly number[]): Region | undefined {
    const set = this.valuesOf(word);
    const before = this.#facts.find((fact) => fact.word === word && fact.mask === mask);
    const known = before?.ranges ?? image(set, mask) ?? [0, mask];
    const both = possibleUnder({ word, mask, ranges: intersection(known, ranges) }, set);
    if (both.length === 0) return undefined;
    if (both.length === 2 && both[0] === both[1])
      return this.#changed(word, (values) => withBits(values, mask, both[0]!));
    const others = this.#facts.filter((fact) => fact !== before);
    return new Region(this.#arch, this.#number, this.#args, [...others, { word, mask, ranges: both }]);
  }

  /**
   * Whether a test holds for all inputs of a region; undefined where it is not the same for all, or
   * not easily told.
   */
  outcome(test: WordTest): boolean | undefined {
    const { word } = test;
    if (word >= WORD_IP) return undefined;
    let outcome: boolean | undefined;
    if (word < WORD_ARGS || isHigh(word)) outcome = outcomeIn(test, this.valuesOf(word));
    else {
      const { pieces } = this.#args[(word - WORD_ARGS) >> 1]!;
      outcome = outcomeIn(test, pieces[0]!.low);
      for (let at = 1; outcome !== undefined && at < pieces.length; at++)
        if (outcomeIn(test, pieces[at]!.low) !== outcome) outcome = undefined;
    }
    if (outcome !== undefined || !this.#facts.some((fact) => fact.word === word)) return outcome;
    // What is known under masks can tell more.
    if (this.when(test, true) === undefined) return false;
    return this.when(test, false) === undefined ? true : undefined;
  }

  /** A test of one bit, where all that is known is that a word has one of several. */
  openBit(): WordTest | undefined {
    for (const { word, mask, ranges } of this.#facts) {
      const open = mask & ~this.valuesOf(word).mask;
      if (ranges[0] === 0 || open === 0) continue;
      const bit = 2 ** (31 - Math.clz32(open));
      return { word, mask: bit, comparison: 'equal', constant: bit };
    }
    return undefined;
  }

  /** A region that holds the inputs of two. */
  join(other: Region): Region {
    if (other === this) return this;
    const args = this.#args.map((set, index) => unionOfArguments(set, other.#args[index]!));
    const facts: MaskedFact[] = [];
    for (const { word, mask } of [...this.#facts, ...other.#facts]) {
      if (facts.some((fact) => fact.word === word && fact.mask === mask)) continue;
      const [ours, theirs] = [this.#rangesUnder(word, mask), other.#rangesUnder(word, mask)];
      if (ours === undefined || theirs === undefined) continue;
      const fact = { word, mask, ranges: unionOfRanges(ours, theirs) };
      if (saysMore(fact, EVERYTHING)) facts.push(fact);
    }
    return new Region(union(this.#arch, other.#arch), union(this.#number, other.#number), args, facts);
  }

  #rangesUnder(word: number, mask: number): readonly number[] | undefined {
    const fact = this.#facts.find((each) => each.word === word && each.mask === mask);
    if (fact !== undefined) return fact.ranges;
    const set = this.valuesOf(word);
    if ((mask & ~set.mask) !== 0) return undefined;
    const value = (set.value & mask) >>> 0;
    return [value, value];
  }

  /**
   * Whether two regions differ in one argument at most, so that their join is about as large as
   * both together.
   */
  joinsExactly(other: Region): boolean {
    if (this.#facts.length > 0 || other.#facts.length > 0) return false;
    if (!isSame(this.#arch, other.#arch) || !isSame(this.#number, other.#number)) return false;
    let differing = 0;
    for (let index = 0; index < this.#args.length; index++)
      if (!isSameArgument(this.#args[index]!, other.#args[index]!) && ++differing > 1) return false;
    return true;
  }

  /** An input that is most likely in the region, as sixteen words. */
  sample(): Uint32Array {
    const bit = this.openBit();
    const narrower = bit && (this.when(bit, true) ?? this.when(bit, false));
    if (narrower !== undefined) return narrower.sample();
    const words = new Uint32Array(WORDS);
    words[WORD_ARCH] = least(this.#arch);
    words[WORD_NR] = least(this.#number);
    this.#args.forEach(({ pieces }, index) => {
      words[argWord(index, 'high')] = pieces[0]!.from;
      words[argWord(index, 'low')] = least(pieces[0]!.low);
    });
    return words;
  }
}

/** All inputs. */
export const ALL_INPUTS = new Region(
  EVERYTHING,
  EVERYTHING,
  Array.from({ length: 6 }, () => EVERY_ARGUMENT),
);

function isHigh(word: number): boolean {
  return word === argWord((word - WORD_ARGS) >> 1, 'high');
}

/** Whether a test holds for all words of a set, or for none. */
export function outcomeIn(
  { mask, comparison, constant }: Omit<WordTest, 'word'>,
  set: WordSet,
): boolean | undefined {
  const { ranges } = set;
  if (comparison === 'intersects') {
    const bits = (mask & constant) >>> 0;
    if ((set.value & bits) !== 0) return true;
    if ((bits & ~set.mask) === 0) return false;
    return ranges.length === 2 && ranges[0] === ranges[1] ? (ranges[0]! & bits) !== 0 : undefined;
  }
  if (mask !== LARGEST) {
    if (ranges.length === 2 && ranges[0] === ranges[1]) {
      const value = (ranges[0]! & mask) >>> 0;
      return compareAll(comparison, value, value, constant);
    }
    if (comparison === 'equal' && ((constant ^ set.value) & set.mask & mask) !== 0) return false;
    return compareAll(comparison, (set.value & mask) >>> 0, ((set.value | ~set.mask) & mask) >>> 0, constant);
  }
  if (comparison === 'equal') {
    if (((constant ^ set.value) & set.mask) !== 0) return false;
    if (ranges.length > 2 && within(set, constant, constant) === undefined) return false;
  }
  return compareAll(comparison, least(set), greatest(set), constant);
}

function compareAll(
  comparison: 'equal' | 'greater' | 'atLeast',
  low: number,
  high: number,
  constant: number,
): boolean | undefined {
  if (comparison === 'equal') {
    if (constant < low || constant > high) return false;
    return low === high ? true : undefined;
  }
  const first = comparison === 'greater' ? constant + 1 : constant;
  if (low >= first) return true;
  return high < first ? false : undefined;
}

/** Whether a fact rules out values of its word that its set has, as far as bits tell. */
function saysMore({ mask, ranges }: MaskedFact, set: WordSet): boolean {
  const bits = (set.mask & mask) >>> 0;
  let from = 0;
  for (let at = 0; at <= ranges.length; at += 2) {
    const to = at < ranges.length ? ranges[at]! - 1 : mask;
    if (from <= to && firstWithBits(from, (bits | ~mask) >>> 0, (set.value & bits) >>> 0) <= to) return true;
    from = (ranges[at + 1] ?? mask) + 1;
  }
  return false;
}

/** The ranges of a fact that agree with what is known of its word. */
function possibleUnder({ mask, ranges }: MaskedFact, set: WordSet): readonly number[] {
  if (set.ranges.length === 2 && set.ranges[0] === set.ranges[1]) {
    const value = (set.ranges[0]! & mask) >>> 0;
    return intersection(ranges, [value, value]);
  }
  if (ranges.length === 0) return ranges;
  // Bits outside the mask are 0 in a masked value.
  const bits = (set.mask & mask) >>> 0;
  return (
    withBits({ ranges, mask: 0, value: 0 }, (bits | ~mask) >>> 0, (set.value & bits) >>> 0)?.ranges ?? []
  );
}
