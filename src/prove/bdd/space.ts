/** Where two functions live that are to be compared: a BDD, and what its variables mean. */
import { Bdd } from './bdd.ts';
import type { Effort } from './bdd.ts';
import { INPUT_BITS, variableOf, WORD_ARGS, WORD_BITS, WORDS } from './input-words.ts';

export interface Space {
  readonly bdd: Bdd;
  /** The bits of a word are next to each other in the order, the most significant first. */
  readonly wordwise: boolean;
  /** Nodes mean the same in every space of this kind; so a fingerprint can be taken. */
  readonly canonical: boolean;
}

/** Bits that one place tests together: a mask (u32) for each word concerned. */
export type TestGroup = ReadonlyMap<number, number>;

/** Every bit a variable, words in their order. */
export function canonicalSpace(nodeBudget: number | undefined, effort?: Effort): Space {
  return { bdd: new Bdd({ nodeBudget, effort }), wordwise: true, canonical: true };
}

/** Every bit a variable, and bits that are tested together next to each other. */
export function interleavedSpace(
  nodeBudget: number | undefined,
  groups: Iterable<TestGroup>,
  effort?: Effort,
): Space {
  const bdd = new Bdd({ nodeBudget, order: interleavedOrder(groups), effort });
  return { bdd, wordwise: false, canonical: false };
}

/**
 * arch and nr first; then bits in order of first use, the words of one group interleaved. Groups of
 * several words come before those of one, which are content with any order.
 */
function interleavedOrder(groups: Iterable<TestGroup>): number[] {
  const order = Array.from({ length: WORD_ARGS * WORD_BITS }, (_, variable) => variable);
  const placed = new Uint8Array(INPUT_BITS).fill(1, 0, order.length);
  const place = (variable: number) => {
    if (placed[variable]) return;
    placed[variable] = 1;
    order.push(variable);
  };
  const all = [...groups];
  for (const group of [...all.filter(({ size }) => size > 1), ...all])
    for (let bit = WORD_BITS - 1; bit >= 0; bit--)
      for (const [word, mask] of group) if ((mask >>> bit) & 1) place(variableOf(word, bit));
  for (let variable = 0; variable < WORDS * WORD_BITS; variable++) place(variable);
  return order;
}
