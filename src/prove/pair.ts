/** Walking two functions of one diagram together, in search of inputs that tell them apart. */
import type { Diagram, Node } from './diagram.ts';
import { LARGEST_NODE_BUDGET } from './diagram.ts';

/** Whether two return values of one input break the relation; false for equal values. */
export type Breaks = (first: number, second: number) => boolean;

/** Inputs as their sixteen words. */
export type Input = Uint32Array;

/** Whether the relation is broken for some input below a pair of nodes. */
export type IsBroken = (first: Node, second: Node) => boolean;

/** Whether some input below a pair of nodes breaks the relation, remembered for every pair. */
export function makeBrokenTest(diagram: Diagram, breaks: Breaks): IsBroken {
  const known = new Map<number, boolean>();
  const isBroken = (first: Node, second: Node): boolean => {
    if (first === second) return false;
    if (diagram.isTerminal(first) && diagram.isTerminal(second))
      return breaks(diagram.valueOf(first), diagram.valueOf(second));
    const key = first * LARGEST_NODE_BUDGET + second;
    let broken = known.get(key);
    if (broken === undefined) {
      const [lowFirst, highFirst, lowSecond, highSecond] = split(diagram, first, second);
      broken = isBroken(lowFirst, lowSecond) || isBroken(highFirst, highSecond);
      known.set(key, broken);
    }
    return broken;
  };
  return isBroken;
}

/** Both functions with the uppermost variable 0, then 1: first low, first high, second low, second high. */
export function split(diagram: Diagram, first: Node, second: Node): [Node, Node, Node, Node] {
  const a = diagram.levelOf(first);
  const b = diagram.levelOf(second);
  return [
    a <= b ? diagram.low(first) : first,
    a <= b ? diagram.high(first) : first,
    b <= a ? diagram.low(second) : second,
    b <= a ? diagram.high(second) : second,
  ];
}

export function topVariable(diagram: Diagram, first: Node, second: Node): number {
  return diagram.variableOf(diagram.levelOf(first) <= diagram.levelOf(second) ? first : second);
}

/** Follows a broken path down to terminals, low side first, and sets the bits on it. */
export function fillBits(
  diagram: Diagram,
  first: Node,
  second: Node,
  isBroken: IsBroken,
  input: Input,
): void {
  let [a, b] = [first, second];
  while (!diagram.isTerminal(a) || !diagram.isTerminal(b)) {
    const variable = topVariable(diagram, a, b);
    const [lowA, highA, lowB, highB] = split(diagram, a, b);
    if (isBroken(lowA, lowB)) {
      [a, b] = [lowA, lowB];
    } else {
      input[variable >>> 5]! += 2 ** (31 - (variable & 31));
      [a, b] = [highA, highB];
    }
  }
}
