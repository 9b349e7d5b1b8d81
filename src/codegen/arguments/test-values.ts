import { coverByCubes } from './cubes.ts';
import type { Effort } from '../effort.ts';
import { graphSize } from '../graph.ts';
import type { Graph, Node } from '../graph.ts';
import { mergeNeighbours, select } from '../numbers/select.ts';
import type { Interval } from '../numbers/select.ts';
import type { ArgumentGoal } from '../numbers/weights.ts';

/**
 * Weight of a whole word against the price of an instruction: how much depth counts in an argument
 * tree.
 */
const WORD_WEIGHT = 1;
/**
 * Fewest intervals that tests of bits, or one test after the other, can tell apart in fewer
 * instructions than a tree.
 */
const MIN_COVERED = 4;
/**
 * Intervals of which one tree is searched for; longer lists are halved first. The search takes
 * their square.
 */
const MAX_SEARCHED = 100;
/** Tests one after the other that are worth one instruction less than a tree of them. */
const TESTS_PER_INSTRUCTION = 4;

/** Values `from`..`to` of the accumulator, both included, and what to do for them. */
export type Values = Omit<Interval, 'weight'>;

/**
 * Tells the values of the accumulator apart: by a tree, by tests of bits, or by one test after the
 * other.
 */
export function testValues(
  values: readonly Values[],
  graph: Graph,
  goal: ArgumentGoal,
  effort: Effort,
): Node {
  const weight = WORD_WEIGHT / values.length;
  const intervals = mergeNeighbours(values.map((each) => ({ ...each, weight })));
  effort.spend(Math.min(intervals.length, MAX_SEARCHED) * intervals.length);
  const tree = select(graph, intervals, goal.prices, { mostIntervals: MAX_SEARCHED }).node;
  if (intervals.length < MIN_COVERED) return tree;

  let best = tree;
  let least = graphSize(tree);
  const others = [coverByCubes(graph, intervals), goal.shortPaths ? undefined : oneByOne(intervals, graph)];
  for (const other of others) {
    if (other === undefined) continue;
    const size = graphSize(other);
    const depth = goal.shortPaths ? Math.floor(size / TESTS_PER_INSTRUCTION) : 0;
    if (size + depth >= least) continue;
    least = size;
    best = other;
  }
  return best;
}

/** A test for each value, or two for a range, of all leaves but the most frequent one. */
function oneByOne(intervals: readonly Interval[], graph: Graph): Node {
  const counts = new Map<Node, number>();
  for (const { leaf } of intervals) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  const [main] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
  return intervals.reduceRight<Node>((rest, { from, to, leaf }) => {
    if (leaf === main) return rest;
    if (from === to) return graph.jeq(from, leaf, rest);
    const upTo = to === LARGEST ? leaf : graph.jgt(to, rest, leaf);
    return from === 0 ? upTo : graph.jge(from, upTo, rest);
  }, main);
}

const LARGEST = 0xffffffff;
