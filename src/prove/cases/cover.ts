import type { Effort } from '../bdd/bdd.ts';
import { argWord } from '../bdd/input-words.ts';
import type { Comparison, Rule } from '../profile/reference.ts';
import { Undecided } from '../bdd/bdd.ts';
import { highWord, lowWord } from '../profile/comparison.ts';
import type { Piece } from './argument-set.ts';
import { outcomeIn } from './region.ts';
import type { Region, WordTest } from './region.ts';
import { LARGEST } from './word-set.ts';

/**
 * Whether a comparison holds in all of a region, in none of it, or else a test of a word that goes
 * on with it.
 */
function standing(comparison: Comparison, region: Region): boolean | WordTest {
  const { arg, op, value, valueTwo, bits } = comparison;
  const low = argWord(arg, 'low');
  const high = bits === 64 ? argWord(arg, 'high') : undefined;
  if (op === 'SCMP_CMP_MASKED_EQ') {
    const wanted = valueTwo & value;
    const tests = [
      equalTo(high, highWord(value), highWord(wanted)),
      equalTo(low, lowWord(value), lowWord(wanted)),
    ];
    return together(tests, region);
  }
  const { pieces } = region.argument(arg);
  let outcome = onPiece(comparison, pieces[0]!);
  for (let at = 1; outcome !== undefined && at < pieces.length; at++)
    if (onPiece(comparison, pieces[at]!) !== outcome) outcome = undefined;
  if (outcome !== undefined) return outcome;
  // Of the tests of words that decide it, the first that is open.
  const [onHigh, onLow] = [highWord(value), lowWord(value)];
  const tests =
    op === 'SCMP_CMP_EQ' || op === 'SCMP_CMP_NE'
      ? [equalTo(high, LARGEST, onHigh), equalTo(low, LARGEST, onLow)]
      : [
          ordered(high, 'greater', onHigh),
          ordered(high, 'atLeast', onHigh),
          ordered(low, op === 'SCMP_CMP_GT' || op === 'SCMP_CMP_LE' ? 'greater' : 'atLeast', onLow),
        ];
  return tests.find((test) => test !== undefined && region.outcome(test) === undefined) ?? tests.at(-1)!;
}

/** A comparison other than of masks, for the values in one piece of an argument's set. */
function onPiece({ op, value, bits }: Comparison, { from, to, low }: Piece): boolean | undefined {
  const constant = highWord(value);
  const isSame = bits === 32 || (from === constant && to === constant);
  const isApart = bits === 64 && (constant < from || constant > to);
  const onLow = (comparison: 'equal' | 'greater' | 'atLeast') =>
    outcomeIn({ mask: LARGEST, comparison, constant: lowWord(value) }, low);
  switch (op) {
    case 'SCMP_CMP_EQ':
    case 'SCMP_CMP_NE': {
      const equal = isApart || onLow('equal') === false ? false : isSame ? onLow('equal') : undefined;
      return equal === undefined ? undefined : equal === (op === 'SCMP_CMP_EQ');
    }
    case 'SCMP_CMP_GT':
    case 'SCMP_CMP_GE':
      if (isApart) return from > constant;
      return isSame ? onLow(op === 'SCMP_CMP_GT' ? 'greater' : 'atLeast') : undefined;
    case 'SCMP_CMP_LT':
    case 'SCMP_CMP_LE': {
      if (isApart) return to < constant;
      const beyond = isSame ? onLow(op === 'SCMP_CMP_LT' ? 'atLeast' : 'greater') : undefined;
      return beyond === undefined ? undefined : !beyond;
    }
    default:
      throw new Undecided(`unknown operator ${op}`);
  }
}

function equalTo(word: number | undefined, mask: number, constant: number): WordTest | undefined {
  return word === undefined || mask === 0 ? undefined : { word, mask, comparison: 'equal', constant };
}

function ordered(
  word: number | undefined,
  comparison: 'greater' | 'atLeast',
  constant: number,
): WordTest | undefined {
  return word === undefined ? undefined : { word, mask: LARGEST, comparison, constant };
}

/** Tests that must all hold. */
function together(tests: readonly (WordTest | undefined)[], region: Region): boolean | WordTest {
  let open: WordTest | undefined;
  for (const test of tests) {
    const outcome = test === undefined ? true : region.outcome(test);
    if (outcome === false) return false;
    if (outcome === undefined) open ??= test;
  }
  return open ?? true;
}

/** How a rule stands in a region. */
interface Open {
  readonly rule: Rule;
  /** Comparisons that hold in a part of the region only. */
  readonly open: number;
  /** A test of a word that goes on with the first of them. */
  readonly test: WordTest;
}

/** Tests of which both sides are looked at for one region, before that is given up. */
const MOST_SPLITS = 500;

/**
 * Whether each input of a region satisfies one of some rules. Comparisons that are equal should be
 * one object.
 */
export class Cover {
  readonly #rules: readonly Rule[];
  readonly #effort: Effort;
  /** Which rule was the last one that sufficed: the next region is likely to be near it. */
  #last = 0;
  #splitsLeft = 0;

  constructor(rules: readonly Rule[], effort: Effort) {
    this.#rules = rules;
    this.#effort = effort;
  }

  /** False also where that is not found out. */
  covers(region: Region): boolean {
    this.#splitsLeft = MOST_SPLITS;
    return this.#isCovered(region, this.#nearest());
  }

  /** The rules on both sides of the last one that sufficed, in turn. */
  *#nearest(): Generator<Rule> {
    const count = this.#rules.length;
    let below = Math.min(this.#last, count - 1);
    for (let above = below + 1; below >= 0 || above < count; below--, above++) {
      if (below >= 0) yield this.#rules[below]!;
      if (above < count) yield this.#rules[above]!;
    }
  }

  #isCovered(region: Region, rules: Iterable<Rule>): boolean {
    const open: Open[] = [];
    const known = new Map<Comparison, boolean | WordTest>();
    for (const rule of rules) {
      const outcome = this.#ruleIn(rule, region, known);
      if (outcome === true) {
        this.#last = this.#rules.indexOf(rule);
        return true;
      }
      if (outcome !== false) open.push(outcome);
    }
    return this.#splits(region, open);
  }

  /** Whether a rule holds in all of a region, in none of it, or what is open. */
  #ruleIn(rule: Rule, region: Region, known: Map<Comparison, boolean | WordTest>): boolean | Open {
    let open = 0;
    let test: WordTest | undefined;
    for (const comparison of rule.comparisons) {
      let outcome = known.get(comparison);
      if (outcome === undefined) {
        this.#effort.spend(1);
        known.set(comparison, (outcome = standing(comparison, region)));
      }
      if (outcome === false) return false;
      if (outcome === true) continue;
      open++;
      test ??= outcome;
    }
    return test === undefined ? true : { rule, open, test };
  }

  /**
   * A region without what single comparisons that are open cover; the rest by looking at both sides
   * of a test.
   */
  #splits(region: Region, open: readonly Open[]): boolean {
    if (open.length === 0 || --this.#splitsLeft < 0) return false;
    let left = region;
    for (const { rule, open: count, test } of open) {
      if (count > 1) continue;
      const holds = left.when(test, true);
      if (holds !== undefined && this.#ruleIn(rule, holds, new Map()) !== true) continue;
      const next = left.when(test, false);
      if (next === undefined) return true;
      left = next;
    }
    const rules = open.map(({ rule }) => rule);
    if (left !== region) return this.#isCovered(left, rules);
    const best = open.reduce((a, b) => (b.open < a.open ? b : a));
    // Of all rules that are open, the one that needs least, or a bit that the region may have
    // instead of others.
    const test = (best.open > 1 ? region.openBit() : undefined) ?? best.test;
    return [true, false].every((holds) => {
      const side = region.when(test, holds);
      return side === undefined || this.#isCovered(side, rules);
    });
  }
}
