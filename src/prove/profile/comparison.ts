/** One comparison of an argument as a BDD over its bits. */
import type { Bdd, Node } from '../bdd/bdd.ts';
import { FALSE, TRUE, Undecided } from '../bdd/bdd.ts';
import { argWord, variableOf, WORD_BITS } from '../bdd/input-words.ts';
import type { Comparison } from './reference.ts';

/**
 * Section 8 of the semantics, bit by bit from the least significant: each step puts a test above
 * the last.
 */
export function comparisonOverBits(bdd: Bdd, { arg, op, value, valueTwo, bits }: Comparison): Node {
  const words: Words = [lowWord(value), highWord(value), argWord(arg, 'low'), bits === 64];
  switch (op) {
    case 'SCMP_CMP_EQ':
      return matchesOverBits(bdd, words, ALL_BITS, TRUE, FALSE);
    case 'SCMP_CMP_NE':
      return matchesOverBits(bdd, words, ALL_BITS, FALSE, TRUE);
    case 'SCMP_CMP_LT':
      return orderedOverBits(bdd, words, 'less', FALSE);
    case 'SCMP_CMP_LE':
      return orderedOverBits(bdd, words, 'less', TRUE);
    case 'SCMP_CMP_GT':
      return orderedOverBits(bdd, words, 'greater', FALSE);
    case 'SCMP_CMP_GE':
      return orderedOverBits(bdd, words, 'greater', TRUE);
    case 'SCMP_CMP_MASKED_EQ': {
      const wanted: Words = [lowWord(valueTwo), highWord(valueTwo), argWord(arg, 'low'), bits === 64];
      return matchesOverBits(bdd, wanted, value, TRUE, FALSE);
    }
    default:
      throw new Undecided(`unknown operator ${String(op)}`);
  }
}

/**
 * A constant as its low and high word, the low word of the argument, and whether the high one is
 * compared too.
 */
type Words = readonly [low: number, high: number, word: number, wide: boolean];

const ALL_BITS = 0xffff_ffff_ffff_ffffn;

/** The bits of the mask are those of the constant: `then`, else `otherwise`. */
function matchesOverBits(
  bdd: Bdd,
  [low, high, word, wide]: Words,
  mask: bigint,
  then: Node,
  otherwise: Node,
): Node {
  const onLow = matchWord(bdd, word, low, lowWord(mask), then, otherwise);
  return wide ? matchWord(bdd, word - 1, high, highWord(mask), onLow, otherwise) : onLow;
}

function matchWord(
  bdd: Bdd,
  word: number,
  constant: number,
  mask: number,
  then: Node,
  otherwise: Node,
): Node {
  let result = then;
  let variable = variableOf(word, 0);
  for (let bit = 0; bit < WORD_BITS; bit++, variable--) {
    if (((mask >>> bit) & 1) === 0) continue;
    if (((constant >>> bit) & 1) === 1) result = bdd.branch(variable, result, otherwise);
    else result = bdd.branch(variable, otherwise, result);
  }
  return result;
}

/** The argument is less, or greater, than the constant; `tie` where it is equal. */
function orderedOverBits(
  bdd: Bdd,
  [low, high, word, wide]: Words,
  order: 'less' | 'greater',
  tie: Node,
): Node {
  const [above, below] = order === 'less' ? [FALSE, TRUE] : [TRUE, FALSE];
  const onLow = orderWord(bdd, word, low, above, below, tie);
  return wide ? orderWord(bdd, word - 1, high, above, below, onLow) : onLow;
}

function orderWord(bdd: Bdd, word: number, constant: number, above: Node, below: Node, tie: Node): Node {
  let result = tie;
  let variable = variableOf(word, 0);
  for (let bit = 0; bit < WORD_BITS; bit++, variable--)
    if (((constant >>> bit) & 1) === 1) result = bdd.branch(variable, result, below);
    else result = bdd.branch(variable, above, result);
  return result;
}

export function lowWord(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

export function highWord(value: bigint): number {
  return Number(BigInt.asUintN(32, value >> 32n));
}
