import type { Graph, Node } from './graph.ts';
import { ChainWindow, JsetWindow } from './windows.ts';
import type { Chain, Interval, Jset } from './windows.ts';

export type { Interval };

export interface Selection {
  readonly node: Node;
  /** Sum over tests of the weight that passes them, plus the price of each converted instruction. */
  readonly cost: number;
}

/** Above this many intervals the place of a split is looked for near its neighbours' only. */
const FULL_SEARCH = 40;
const NEAR = 4;
/** Above this many intervals, halve first: the tables of the search grow with the square. */
const MAX_INTERVALS = 1000;

/**
 * Finds the cheapest tree of tests that tells the intervals apart, by dynamic programming over windows of
 * neighbouring intervals. A window is decided by a JGE split, by a chain of JEQ, or by one JSET, with one value
 * asked for before it if need be.
 *
 * Cost counts what the kernel pays: each test on a path, weighted, and `price` for each instruction after its
 * conversion to eBPF, where a test with a successor to fall into takes one instruction and any other two.
 * docs/codegen.md.
 *
 * @param intervals ascending, without gaps that matter (a gap belongs to either neighbour); at least one.
 * @param isFar whether a leaf stands elsewhere, so that no test can fall into it: return values, shared code.
 */
export function select(
  graph: Graph,
  intervals: readonly Interval[],
  price: number,
  isFar: (leaf: Node) => boolean = isReturn,
): Selection {
  const merged = mergeNeighbours(intervals);
  if (merged.length > MAX_INTERVALS) {
    const middle = Math.floor(merged.length / 2);
    const low = select(graph, merged.slice(0, middle), price, isFar);
    const high = select(graph, merged.slice(middle), price, isFar);
    const weight = merged.reduce((sum, interval) => sum + interval.weight, 0);
    return {
      node: graph.jge(merged[middle]!.from, high.node, low.node),
      cost: low.cost + high.cost + weight + price,
    };
  }
  return new Search(graph, merged, price, isFar).best();
}

function isReturn(leaf: Node): boolean {
  return leaf.kind === 'ret';
}

function mergeNeighbours(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const interval of intervals) {
    const last = merged.at(-1);
    if (last?.leaf === interval.leaf)
      merged[merged.length - 1] = { ...last, to: interval.to, weight: last.weight + interval.weight };
    else merged.push(interval);
  }
  return merged;
}

/** Windows are (i, j), both included; tables hold window (i, j) at i * n + j. */
class Search {
  readonly #graph: Graph;
  readonly #all: readonly Interval[];
  readonly #price: number;
  readonly #isFar: (leaf: Node) => boolean;
  readonly #n: number;
  readonly #cost: Float64Array;
  /** The costs again, window (i, j) at j * n + i, so that both halves of a split lie side by side. */
  readonly #costByEnd: Float64Array;
  /** Where the best JGE split of a window starts its upper half. */
  readonly #split: Int32Array;
  /** Windows that something other than a split decides best. */
  readonly #direct = new Map<number, Chain | Jset>();
  /** What a split before interval m costs beside its test: its constant may take a second instruction. */
  readonly #extra: Float64Array;

  constructor(graph: Graph, intervals: readonly Interval[], price: number, isFar: (leaf: Node) => boolean) {
    this.#graph = graph;
    this.#all = intervals;
    this.#price = price;
    this.#isFar = isFar;
    this.#n = intervals.length;
    this.#cost = new Float64Array(this.#n * this.#n);
    this.#costByEnd = new Float64Array(this.#n * this.#n);
    this.#split = new Int32Array(this.#n * this.#n);
    this.#extra = Float64Array.from(intervals, ({ from }) => (from >>> 31) * price);
  }

  best(): Selection {
    for (let i = this.#n - 1; i >= 0; i--) this.#decideFrom(i);
    return { node: this.#build(0, this.#n - 1), cost: this.#cost[this.#n - 1]! };
  }

  /** Decides all windows that start at interval i, the shorter ones first; those that start later are decided. */
  #decideFrom(i: number): void {
    const n = this.#n;
    const chains = new ChainWindow(this.#all[i]!);
    const jsets = new JsetWindow(this.#all[i]!);
    let weight = this.#all[i]!.weight;
    for (let j = i + 1; j < n; j++) {
      const next = this.#all[j]!;
      weight += next.weight;
      let best = this.#bestSplit(i, j) + weight + this.#price;
      if (j === i + 1 && this.#isFar(this.#all[i]!.leaf) && this.#isFar(next.leaf)) best += this.#price;

      const chain = chains.extend(next);
      if (chain) {
        const cost = this.#chainCost(chain, weight);
        if (cost < best) {
          best = cost;
          this.#direct.set(i * n + j, chain);
        }
      }
      const jset = jsets.extend(next);
      if (jset) {
        const cost = this.#jsetCost(jset, weight);
        if (cost < best) {
          best = cost;
          this.#direct.set(i * n + j, jset);
        }
      }
      this.#cost[i * n + j] = best;
      this.#costByEnd[j * n + i] = best;
    }
  }

  /** Finds the cheapest place to split a window in two: the cost of both halves. */
  #bestSplit(i: number, j: number): number {
    const n = this.#n;
    const narrow = n > FULL_SEARCH && j - i > 2;
    const first = narrow ? Math.max(i + 1, this.#split[i * n + j - 1]! - NEAR) : i + 1;
    const last = narrow ? Math.min(j, this.#split[(i + 1) * n + j]! + NEAR) : j;
    const lower = i * n - 1;
    const upper = j * n;
    let best = Infinity;
    let split = first;
    for (let m = first; m <= last; m++) {
      const cost = this.#cost[lower + m]! + this.#costByEnd[upper + m]! + this.#extra[m]!;
      if (cost < best) {
        best = cost;
        split = m;
      }
    }
    this.#split[i * n + j] = split;
    return best;
  }

  #chainCost({ links, main }: Chain, weight: number): number {
    let cost = 0;
    let left = weight;
    let size = this.#isFar(main) && this.#isFar(links.at(-1)!.leaf) ? 1 : 0;
    for (const link of links) {
      cost += left;
      left -= link.weight;
      size += 1 + (link.value >>> 31);
    }
    return cost + this.#price * size;
  }

  #jsetCost({ miss, aside }: Jset, weight: number): number {
    // A JSET is cheap when it falls into its false side: the kernel cannot turn it around.
    const cost = weight + this.#price * (this.#isFar(miss) ? 2 : 1);
    if (aside === undefined) return cost;
    return cost + weight - aside.weight + this.#price * (1 + (aside.from >>> 31));
  }

  #build(i: number, j: number): Node {
    if (i === j) return this.#all[i]!.leaf;
    const graph = this.#graph;
    const direct = this.#direct.get(i * this.#n + j);
    if (direct?.kind === 'jset') {
      const { mask, hit, miss, aside } = direct;
      const test = graph.jset(mask, hit, miss);
      return aside === undefined ? test : graph.jeq(aside.from, aside.leaf, test);
    }
    if (direct?.kind === 'chain')
      return direct.links.reduceRight((rest, { value, leaf }) => graph.jeq(value, leaf, rest), direct.main);
    const m = this.#split[i * this.#n + j]!;
    return graph.jge(this.#all[m]!.from, this.#build(m, j), this.#build(i, m - 1));
  }
}
