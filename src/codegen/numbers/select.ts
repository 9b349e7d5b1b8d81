import type { Graph, Node } from '../graph.ts';
import { measure } from './interval.ts';
import type { Interval, Prices } from './interval.ts';
import { Search } from './search.ts';
import type { SharedTree, SharedTrees } from './shared-tree.ts';

export type { Interval, Prices };

export interface Selection {
  readonly node: Node;
  /** Sum over tests of the weight that passes them, plus the prices of the instructions. */
  readonly cost: number;
  /** The parts of the tree that another tree may go on into. */
  readonly parts: readonly SharedTree[];
}

/** Above this many intervals, halve first: the tables of the search grow with the square. */
const MOST_INTERVALS = 1000;

/** What else a search may know. */
export interface Surroundings {
  /**
   * Whether a leaf stands elsewhere, so that no test can fall into it: return values, shared code.
   */
  readonly isJumpTarget?: (leaf: Node) => boolean;
  /** Parts of trees that are in the program anyway. */
  readonly sharedTrees?: SharedTrees;
  /** Intervals that one search takes; of more, halves are searched. */
  readonly mostIntervals?: number;
}

/**
 * Finds the cheapest tree of tests that tells the intervals apart.
 *
 * Cost counts what the kernel pays: each test on a path, weighted, and the price of each
 * instruction, where a test with a successor to fall into becomes one instruction of eBPF and any
 * other two. docs/codegen.md.
 *
 * @param intervals ascending, without gaps that matter (a gap belongs to either neighbour); at
 *   least one.
 */
export function select(
  graph: Graph,
  intervals: readonly Interval[],
  prices: Prices,
  surroundings: Surroundings = {},
): Selection {
  const {
    isJumpTarget = isReturn,
    sharedTrees = NO_SHARED_TREES,
    mostIntervals = MOST_INTERVALS,
  } = surroundings;
  const merged = mergeNeighbours(intervals);
  if (merged.length > mostIntervals) {
    const middle = Math.floor(merged.length / 2);
    const low = select(graph, merged.slice(0, middle), prices, surroundings);
    const high = select(graph, merged.slice(middle), prices, surroundings);
    const weight = merged.reduce((sum, interval) => sum + interval.weight, 0);
    return {
      node: graph.jge(merged[middle]!.from, high.node, low.node),
      cost: low.cost + high.cost + weight + prices.test,
      parts: [...low.parts, ...high.parts],
    };
  }
  const { members, prices: inUnits } = measure(merged, prices, isJumpTarget);
  const { node, cost, parts } = new Search(graph, members, inUnits, sharedTrees).best();
  return { node, cost: cost * inUnits.unit, parts };
}

const NO_SHARED_TREES: SharedTrees = new Map();

function isReturn(leaf: Node): boolean {
  return leaf.kind === 'ret';
}

export function mergeNeighbours(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const interval of intervals) {
    const last = merged.at(-1);
    if (last?.leaf === interval.leaf)
      merged[merged.length - 1] = { ...last, to: interval.to, weight: last.weight + interval.weight };
    else merged.push(interval);
  }
  return merged;
}
