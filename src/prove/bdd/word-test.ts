/**
 * Branches on a word of the input against a constant: nearly all that a filter does. The function
 * that a branch chooses is made in one walk over the bits of the word, without a BDD of the
 * comparison itself.
 */
import type { Node } from './bdd.ts';
import { FALSE, TRUE } from './bdd.ts';
import { variableOf, WORD_BITS } from './input-words.ts';
import type { Space } from './space.ts';
import { atLeast, constantVector, equal, wordVector } from './vector.ts';

/** `word & mask` compared with a constant; all u32. */
export interface WordTest {
  readonly comparison: 'equal' | 'greater' | 'atLeast';
  readonly word: number;
  readonly mask: number;
  readonly constant: number;
}

/** TRUE or FALSE where the test does not depend on the word. */
export function outcomeOf({ comparison, mask, constant }: WordTest): Node | undefined {
  if (comparison === 'equal') return (constant & ~mask) === 0 ? undefined : FALSE;
  if (comparison === 'atLeast' && constant === 0) return TRUE;
  const reachable = comparison === 'greater' ? constant < mask : constant <= mask;
  return reachable ? undefined : FALSE;
}

/** `then` where the test holds, `otherwise` elsewhere. */
export function chooseByWord(space: Space, test: WordTest, then: Node, otherwise: Node): Node {
  if (then === otherwise) return then;
  const { bdd } = space;
  if (space.wordwise) {
    const top = bdd.levelOf(bdd.variable(variableOf(test.word, WORD_BITS - 1)));
    if (bdd.levelOf(then) >= top && bdd.levelOf(otherwise) >= top) {
      const above = test.comparison === 'equal' ? otherwise : then;
      const inside = test.comparison === 'greater' ? otherwise : then;
      const node = bdd.compareWord(
        top,
        { mask: test.mask, path: test.constant },
        { below: otherwise, inside, above },
      );
      if (node !== undefined) return node;
    }
  }
  const word = wordVector(bdd, test.word, test.mask);
  const constant = constantVector(test.constant);
  const holds =
    test.comparison === 'equal'
      ? equal(bdd, word, constant)
      : atLeast(bdd, word, constant, test.comparison === 'greater');
  return bdd.ite(holds, then, otherwise);
}
