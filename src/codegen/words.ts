import { argOffset } from '../bpf/instruction.ts';
import type { Endian } from '../bpf/instruction.ts';
import type { Condition, Decision } from '../policy/types.ts';

/**
 * Conditions on 64-bit arguments as the machine can test them: on 32-bit words, high word before low.
 */

/** Which word of which argument: 2 * arg for its high half, 2 * arg + 1 for its low half; 0..11. */
export type WordIndex = number;

export function highWord(arg: number): WordIndex {
  return 2 * arg;
}

export function lowWord(arg: number): WordIndex {
  return 2 * arg + 1;
}

/** Byte offset in seccomp_data of a word. */
export function wordOffset(word: WordIndex, endian: Endian): number {
  return argOffset(word >> 1, word % 2 === 0 ? 'high' : 'low', endian);
}

/** A set of values of one word: either stretches, both ends included, or all x with (x & mask) == value. */
export type WordSet =
  | { readonly kind: 'ranges'; readonly ranges: readonly (readonly [from: number, to: number])[] }
  | { readonly kind: 'cube'; readonly mask: number; readonly value: number };

/** All words named must be in their sets. Words ascending, each at most once. */
export interface Clause {
  readonly words: readonly (readonly [word: WordIndex, set: WordSet])[];
  /** u32 return value. */
  readonly action: number;
}

/** The largest value of a word. */
export const MAX_WORD = 0xffffffff;

/** The rules of a decision as clauses, in the same order: the first that holds gives the answer. */
export function clausesOf(decision: Decision): Clause[] {
  const clauses: Clause[] = [];
  for (const { conditions, action } of decision.rules) {
    let products: Clause['words'][] = [[]];
    for (const condition of conditions) {
      const cases = wordCases(condition);
      products = products.flatMap((words) => cases.map((more) => [...words, ...more]));
    }
    for (const words of products) clauses.push({ words, action });
  }
  return clauses;
}

/** A condition as alternatives that exclude each other, each a conjunction of word tests. */
function wordCases({ arg, comparator, value, mask, bits }: Condition): Clause['words'][] {
  const low = lowWord(arg);
  if (bits === 32) return [tests([low, plainSet(comparator, Number(value), Number(mask))])];

  const high = highWord(arg);
  const valueHigh = Number(value >> 32n);
  const valueLow = Number(value & 0xffff_ffffn);
  const same = exactly(valueHigh);
  switch (comparator) {
    case 'eq':
      return [tests([high, same], [low, exactly(valueLow)])];
    case 'ne':
      return [tests([high, allBut(valueHigh)]), tests([high, same], [low, allBut(valueLow)])];
    case 'masked_eq':
      return [
        tests(
          [high, cube(Number(mask >> 32n), valueHigh)],
          [low, cube(Number(mask & 0xffff_ffffn), valueLow)],
        ),
      ];
    default: {
      // x <= v and x > v are x < v+1 and x >= v+1; a v of all ones never gets here, it is constant.
      const bound = comparator === 'le' || comparator === 'gt' ? value + 1n : value;
      const boundHigh = Number(bound >> 32n);
      const boundLow = Number(bound & 0xffff_ffffn);
      const below = comparator === 'lt' || comparator === 'le';
      const beyond = below ? stretch(0, boundHigh - 1) : stretch(boundHigh + 1, MAX_WORD);
      const rest = below ? stretch(0, boundLow - 1) : stretch(boundLow, MAX_WORD);
      if (!below && boundLow === 0) return [tests([high, stretch(boundHigh, MAX_WORD)])];
      return [
        ...(isEmpty(beyond) ? [] : [tests([high, beyond])]),
        ...(isEmpty(rest) ? [] : [tests([high, exactly(boundHigh)], [low, rest])]),
      ];
    }
  }
}

function plainSet(comparator: Condition['comparator'], value: number, mask: number): WordSet {
  switch (comparator) {
    case 'eq':
      return exactly(value);
    case 'ne':
      return allBut(value);
    case 'lt':
      return stretch(0, value - 1);
    case 'le':
      return stretch(0, value);
    case 'gt':
      return stretch(value + 1, MAX_WORD);
    case 'ge':
      return stretch(value, MAX_WORD);
    case 'masked_eq':
      return cube(mask, value);
  }
}

function exactly(value: number): WordSet {
  return { kind: 'ranges', ranges: [[value, value]] };
}

function stretch(from: number, to: number): WordSet {
  return { kind: 'ranges', ranges: from <= to ? [[from, to]] : [] };
}

function allBut(value: number): WordSet {
  const ranges: [number, number][] = [];
  if (value > 0) ranges.push([0, value - 1]);
  if (value < MAX_WORD) ranges.push([value + 1, MAX_WORD]);
  return { kind: 'ranges', ranges };
}

/** A mask of leading ones is a stretch, and of all ones a single value: those are cheaper to test. */
export function cube(mask: number, value: number): WordSet {
  const free = ~mask >>> 0;
  if ((free & (free + 1)) === 0) return stretch(value, (value | free) >>> 0);
  return { kind: 'cube', mask, value };
}

function isEmpty(set: WordSet): boolean {
  return set.kind === 'ranges' && set.ranges.length === 0;
}

export function isEverything(set: WordSet): boolean {
  const [first] = set.kind === 'ranges' ? set.ranges : [];
  return first !== undefined && first[0] === 0 && first[1] === MAX_WORD;
}

/** A conjunction without the tests that always hold. */
function tests(...words: [WordIndex, WordSet][]): Clause['words'] {
  return words.filter(([, set]) => !isEverything(set));
}

/** Text that two sets share only if they are equal. */
export function setKey(set: WordSet): string {
  return set.kind === 'cube'
    ? `&${set.mask}=${set.value}`
    : set.ranges.map(([from, to]) => `${from}-${to}`).join('+');
}
