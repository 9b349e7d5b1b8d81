/** Walking two functions of one BDD together, in search of inputs that tell them apart. */
import type { Bdd, Node } from './bdd.ts';
import { LARGEST_NODE_BUDGET } from './bdd.ts';

/** Whether two return values of one input break the relation; false for equal values. */
export type Breaks = (first: number, second: number) => boolean;

/** Inputs as their sixteen words. */
export type Input = Uint32Array;

/** Whether the relation is broken for some input below a pair of nodes. */
export type IsBroken = (first: Node, second: Node) => boolean;

/** Whether some input below a pair of nodes breaks the relation, remembered for every pair. */
export function makeBrokenTest(bdd: Bdd, breaks: Breaks): IsBroken {
  const known = new Map<number, boolean>();
  const isBroken = (first: Node, second: Node): boolean => {
    if (first === second) return false;
    if (bdd.isTerminal(first) && bdd.isTerminal(second))
      return breaks(bdd.valueOf(first), bdd.valueOf(second));
    const key = first * LARGEST_NODE_BUDGET + second;
    let broken = known.get(key);
    if (broken === undefined) {
      const [lowFirst, highFirst, lowSecond, highSecond] = split(bdd, first, second);
      broken = isBroken(lowFirst, lowSecond) || isBroken(highFirst, highSecond);
      known.set(key, broken);
    }
    return broken;
  };
  return isBroken;
}

/**
 * Both functions with the uppermost variable 0, then 1: first low, first high, second low, second
 * high.
 */
export function split(bdd: Bdd, first: Node, second: Node): [Node, Node, Node, Node] {
  const a = bdd.levelOf(first);
  const b = bdd.levelOf(second);
  return [
    a <= b ? bdd.low(first) : first,
    a <= b ? bdd.high(first) : first,
    b <= a ? bdd.low(second) : second,
    b <= a ? bdd.high(second) : second,
  ];
}

export function topVariable(bdd: Bdd, first: Node, second: Node): number {
  return bdd.variableOf(bdd.levelOf(first) <= bdd.levelOf(second) ? first : second);
}

/** Follows a broken path down to terminals, low side first, and sets the bits on it. */
export function fillBits(bdd: Bdd, first: Node, second: Node, isBroken: IsBroken, input: Input): void {
  let [a, b] = [first, second];
  while (!bdd.isTerminal(a) || !bdd.isTerminal(b)) {
    const variable = topVariable(bdd, a, b);
    const [lowA, highA, lowB, highB] = split(bdd, a, b);
    if (isBroken(lowA, lowB)) {
      [a, b] = [lowA, lowB];
    } else {
      input[variable >>> 5]! += 2 ** (31 - (variable & 31));
      [a, b] = [highA, highB];
    }
  }
}
