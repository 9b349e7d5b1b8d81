/**
 * What a program answers, from one number of a call to the next. The tests of a filter are nearly
 * all on the number, and while nothing else is tested, a branch joins two lists of steps; bits are
 * looked at once, at the end.
 */
import type { Bdd, Node, Steps } from '../bdd/bdd.ts';
import { variableOf, WORD_ARGS, WORD_BITS, WORD_NR } from '../bdd/input-words.ts';
import type { Space } from '../bdd/space.ts';
import type { WordTest } from '../bdd/word-test.ts';
import { chooseByWord } from '../bdd/word-test.ts';

const NUMBER = variableOf(WORD_NR, WORD_BITS - 1);
const ARGUMENTS = variableOf(WORD_ARGS, WORD_BITS - 1);
const ALL_BITS = 0xffffffff;

/** Steps are copied at every branch: a chain of more tests than this is joined as BDDs. */
const MOST_STEPS = 64;

/** Steps over the number under a mask (u32), and their BDD once it is made. */
export interface NumberSteps extends Steps {
  readonly mask: number;
  node: Node | undefined;
}

/** What a state of the program gives. */
export type Outcome = Node | NumberSteps;

export function nodeOf(bdd: Bdd, outcome: Outcome): Node {
  if (typeof outcome === 'number') return outcome;
  return (outcome.node ??= bdd.steps(NUMBER, outcome, outcome.mask));
}

/** `then` where a test of the number holds, `otherwise` elsewhere. */
export function chooseByNumber(space: Space, test: WordTest, then: Outcome, otherwise: Outcome): Outcome {
  const { bdd } = space;
  const { comparison, mask, constant } = test;
  const inside = stepsOf(bdd, mask, then);
  const outside = stepsOf(bdd, mask, otherwise);
  if (!inside || !outside || inside.starts.length + outside.starts.length > MOST_STEPS)
    return chooseByWord(space, test, nodeOf(bdd, then), nodeOf(bdd, otherwise));
  const first = comparison === 'greater' ? constant + 1 : constant;
  const last = comparison === 'equal' ? constant : ALL_BITS;
  const starts: number[] = [];
  const nodes: Node[] = [];
  append(starts, nodes, outside, 0, first - 1);
  append(starts, nodes, inside, first, last);
  append(starts, nodes, outside, last + 1, ALL_BITS);
  return nodes.length === 1 ? nodes[0]! : { mask, starts, nodes, node: undefined };
}

/**
 * An outcome as steps under a mask; undefined where it tests what must not be below a test of the
 * number.
 */
function stepsOf(bdd: Bdd, mask: number, outcome: Outcome): Steps | undefined {
  if (typeof outcome !== 'number' && outcome.mask === mask) return outcome;
  const node = nodeOf(bdd, outcome);
  const level = bdd.levelOf(node);
  if (level < NUMBER) return undefined;
  const hidden = ~mask;
  const oneBit = (hidden & (hidden - 1)) === 0;
  return level >= ARGUMENTS || oneBit ? { starts: [0], nodes: [node] } : undefined;
}

/** Adds the part of some steps that lies from `first` to `last`; nothing if that is empty. */
function append(starts: number[], nodes: Node[], from: Steps, first: number, last: number): void {
  if (first > last) return;
  let index = 0;
  while (index + 1 < from.starts.length && from.starts[index + 1]! <= first) index++;
  for (let start = first; start <= last;) {
    const node = from.nodes[index]!;
    if (nodes.at(-1) !== node) {
      starts.push(start);
      nodes.push(node);
    }
    if (++index === from.starts.length) return;
    start = from.starts[index]!;
  }
}
