/** Decisions about one number as functions of the arguments. */
import type { Comparator, Condition, Decision } from '../policy/types.ts';
import { FALSE, TRUE } from '../prove/bdd/bdd.ts';
import type { Bdd, Effort, Node } from '../prove/bdd/bdd.ts';
import { dataOf, argWord, variableOf, WORD_BITS, WORDS } from '../prove/bdd/input-words.ts';
import { canonicalSpace } from '../prove/bdd/space.ts';
import type { Space } from '../prove/bdd/space.ts';
import { comparisonOverBits } from '../prove/profile/comparison.ts';
import { spanBdd } from '../prove/profile/profile-bdd.ts';
import type { Comparison } from '../prove/profile/reference.ts';

const NODE_BUDGET = 1 << 17;

/** All methods throw Undecided when the effort is used up. */
export class ArgumentSpace {
  readonly bdd: Bdd;
  readonly #space: Space;

  constructor(effort: Effort) {
    this.#space = canonicalSpace(NODE_BUDGET, effort);
    this.bdd = this.#space.bdd;
  }

  /** Where all conditions hold. */
  all(conditions: readonly Condition[]): Node {
    const { bdd } = this;
    return conditions.reduce(
      (node, condition) => bdd.and(node, comparisonOverBits(bdd, comparisonOf(condition))),
      TRUE,
    );
  }

  /** The answer; equal decisions have one node. */
  diagram({ rules, otherwise }: Decision): Node {
    const all = rules.map(({ conditions, action }) => ({
      comparisons: conditions.map(comparisonOf),
      action,
    }));
    return spanBdd(this.#space, { from: 0, to: 0, rules: all, otherwise });
  }

  /** Where the answer is one of those. */
  where({ rules, otherwise }: Decision, isMeant: (answer: number) => boolean): Node {
    const marked = (answer: number) => Number(isMeant(answer));
    return this.diagram({
      rules: rules.map(({ conditions, action }) => ({ conditions, action: marked(action) })),
      otherwise: marked(otherwise),
    });
  }

  /**
   * What is left of a function where bits of an argument are known: those of `mask` are those of
   * `value`.
   */
  restrict(node: Node, arg: number, mask: bigint, value: bigint): Node {
    const { bdd } = this;
    const known = new Map<number, boolean>();
    for (let bit = 0; bit < 64; bit++) {
      if (((mask >> BigInt(bit)) & 1n) === 0n) continue;
      const word = argWord(arg, bit < WORD_BITS ? 'low' : 'high');
      known.set(variableOf(word, bit % WORD_BITS), ((value >> BigInt(bit)) & 1n) === 1n);
    }
    const done = new Map<Node, Node>();
    const visit = (from: Node): Node => {
      if (bdd.isTerminal(from)) return from;
      let made = done.get(from);
      if (made === undefined) {
        const variable = bdd.variableOf(from);
        const fixed = known.get(variable);
        made =
          fixed === undefined
            ? bdd.branch(variable, visit(bdd.high(from)), visit(bdd.low(from)))
            : visit(fixed ? bdd.high(from) : bdd.low(from));
        done.set(from, made);
      }
      return made;
    };
    return visit(node);
  }

  /** Arguments for which a boolean function holds, the smallest; undefined if there are none. */
  example(node: Node): readonly bigint[] | undefined {
    const { bdd } = this;
    if (node === FALSE) return undefined;
    const words = new Uint32Array(WORDS);
    for (let at = node; at !== TRUE;) {
      const low = bdd.low(at);
      const variable = bdd.variableOf(at);
      if (low === FALSE) words[variable >>> 5]! |= 1 << (31 - (variable & 31));
      at = low === FALSE ? bdd.high(at) : low;
    }
    return dataOf(words).args;
  }
}

function comparisonOf({ arg, comparator, value, mask, bits }: Condition): Comparison {
  const op = `SCMP_CMP_${comparator.toUpperCase() as Uppercase<Comparator>}` as const;
  return comparator === 'masked_eq'
    ? { arg, op, value: mask, valueTwo: value, bits }
    : { arg, op, value, valueTwo: 0n, bits };
}
