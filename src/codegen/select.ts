import type { Graph, Node } from './graph.ts';

/** Values `from`..`to` of the accumulator, both included, u32, and what to do for them. */
export interface Interval {
  readonly from: number;
  readonly to: number;
  readonly leaf: Node;
  /** How much a test on the way here costs; positive. */
  readonly weight: number;
}

export interface Selection {
  readonly node: Node;
  /** Sum over tests of the weight that passes them, plus the price of each converted instruction. */
  readonly cost: number;
}

/** The longest chain of JEQ tests; longer ones only pay where one value outweighs the rest. */
const MAX_CHAIN = 8;
/** Widest window that one JSET may decide, in values. */
const MAX_JSET_SPAN = 256;
/** Above this many intervals the place of a split is looked for near its neighbours' only. */
const FULL_SEARCH = 150;
const NEAR = 4;
/** Above this many intervals, halve first: the tables of the search grow with the square. */
const MAX_INTERVALS = 1000;

/**
 * Finds the cheapest tree of tests that tells the intervals apart, by dynamic programming over windows of
 * neighbouring intervals. A window is decided by a JGE split, by a chain of JEQ, or by one JSET.
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

/** One JEQ of a chain. */
interface Link {
  value: number;
  leaf: Node;
  weight: number;
}

interface Chain {
  kind: 'chain';
  links: Link[];
  main: Node;
}
interface Jset {
  kind: 'jset';
  mask: number;
  hit: Node;
  miss: Node;
}

class Search {
  readonly #graph: Graph;
  readonly #all: readonly Interval[];
  readonly #price: number;
  readonly #isFar: (leaf: Node) => boolean;
  readonly #n: number;
  /** Window (i, j) at i * n + j. */
  readonly #cost: Float64Array;
  /** Where the best JGE split of a window starts its upper half. */
  readonly #split: Int32Array;
  readonly #other = new Map<number, Chain | Jset>();
  /** Weight of the first i intervals. */
  readonly #weightBelow: Float64Array;

  constructor(graph: Graph, intervals: readonly Interval[], price: number, isFar: (leaf: Node) => boolean) {
    this.#isFar = isFar;
    this.#graph = graph;
    this.#all = intervals;
    this.#price = price;
    this.#n = intervals.length;
    this.#cost = new Float64Array(this.#n * this.#n);
    this.#split = new Int32Array(this.#n * this.#n);
    this.#weightBelow = new Float64Array(this.#n + 1);
    intervals.forEach(({ weight }, i) => (this.#weightBelow[i + 1] = this.#weightBelow[i]! + weight));
  }

  best(): Selection {
    for (let length = 2; length <= this.#n; length++)
      for (let i = 0; i + length <= this.#n; i++) this.#decide(i, i + length - 1);
    return { node: this.#build(0, this.#n - 1), cost: this.#cost[this.#n - 1]! };
  }

  #decide(i: number, j: number): void {
    const n = this.#n;
    const weight = this.#weightBelow[j + 1]! - this.#weightBelow[i]!;
    let best = Infinity;
    let split = i + 1;
    const narrow = n > FULL_SEARCH && j - i > 2;
    const first = narrow ? Math.max(i + 1, this.#split[i * n + j - 1]! - NEAR) : i + 1;
    const last = narrow ? Math.min(j, this.#split[(i + 1) * n + j]! + NEAR) : j;
    for (let m = first; m <= last; m++) {
      const twoJumps =
        m - 1 === i && m === j && this.#isFar(this.#all[i]!.leaf) && this.#isFar(this.#all[j]!.leaf);
      const size = (twoJumps ? 2 : 1) + (this.#all[m]!.from >>> 31);
      const cost = this.#cost[i * n + m - 1]! + this.#cost[m * n + j]! + weight + this.#price * size;
      if (cost < best) {
        best = cost;
        split = m;
      }
    }
    this.#split[i * n + j] = split;

    const chain = this.#chain(i, j);
    if (chain) {
      const cost = this.#chainCost(chain, weight);
      if (cost < best) {
        best = cost;
        this.#other.set(i * n + j, chain);
      }
    }
    const jset = this.#jset(i, j);
    if (jset) {
      const size = this.#isFar(jset.miss) ? 2 : 1;
      const cost = weight + this.#price * size;
      if (cost < best) {
        best = cost;
        this.#other.set(i * n + j, jset);
      }
    }
    this.#cost[i * n + j] = best;
  }

  /** A chain needs all leaves but one to be on single values, or pairs of neighbours. */
  #chain(i: number, j: number): Chain | undefined {
    if (j - i > 2 * MAX_CHAIN) return undefined;
    const main = this.#mainLeaf(i, j);
    if (main === undefined) return undefined;
    const links: Link[] = [];
    for (let at = i; at <= j; at++) {
      const { from, to, leaf, weight } = this.#all[at]!;
      if (leaf === main) continue;
      const each = weight / (to - from + 1);
      for (let value = from; value <= to; value++) links.push({ value, leaf, weight: each });
      if (links.length > MAX_CHAIN) return undefined;
    }
    links.sort((a, b) => b.weight - a.weight || a.value - b.value);
    return { kind: 'chain', links, main };
  }

  /** The leaf that the end of a chain falls to: that of the long intervals, or of most values. */
  #mainLeaf(i: number, j: number): Node | undefined {
    let main: Node | undefined;
    const counts = new Map<Node, number>();
    for (let at = i; at <= j; at++) {
      const { from, to, leaf } = this.#all[at]!;
      const count = to - from + 1;
      if (count > 2) {
        if (main !== undefined && main !== leaf) return undefined;
        main = leaf;
      }
      counts.set(leaf, (counts.get(leaf) ?? 0) + count);
    }
    if (main !== undefined) return main;
    let most = 0;
    for (const [leaf, count] of counts)
      if (count > most) {
        most = count;
        main = leaf;
      }
    return main;
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

  /** One test of bits tells two leaves apart when all values of one share zeros that every value of the other hits. */
  #jset(i: number, j: number): Jset | undefined {
    const start = this.#all[i]!.from;
    if (this.#all[j]!.to - start >= MAX_JSET_SPAN) return undefined;
    const first = this.#all[i]!.leaf;
    const second = this.#all[i + 1]!.leaf;
    let firstBits = 0;
    let secondBits = 0;
    for (let at = i; at <= j; at++) {
      const { from, to, leaf } = this.#all[at]!;
      if (leaf !== first && leaf !== second) return undefined;
      for (let value = from; value <= to; value++)
        if (leaf === first) firstBits |= value;
        else secondBits |= value;
    }
    const hitsFirst = (firstBits & ~secondBits) >>> 0;
    if (this.#allHit(i, j, first, hitsFirst))
      return { kind: 'jset', mask: hitsFirst, hit: first, miss: second };
    const hitsSecond = (secondBits & ~firstBits) >>> 0;
    if (this.#allHit(i, j, second, hitsSecond))
      return { kind: 'jset', mask: hitsSecond, hit: second, miss: first };
    return undefined;
  }

  #allHit(i: number, j: number, leaf: Node, mask: number): boolean {
    if (mask === 0) return false;
    for (let at = i; at <= j; at++) {
      const interval = this.#all[at]!;
      if (interval.leaf !== leaf) continue;
      for (let value = interval.from; value <= interval.to; value++) if ((value & mask) === 0) return false;
    }
    return true;
  }

  #build(i: number, j: number): Node {
    if (i === j) return this.#all[i]!.leaf;
    const graph = this.#graph;
    const other = this.#other.get(i * this.#n + j);
    if (other?.kind === 'jset') return graph.jset(other.mask, other.hit, other.miss);
    if (other?.kind === 'chain')
      return other.links.reduceRight((rest, { value, leaf }) => graph.jeq(value, leaf, rest), other.main);
    const m = this.#split[i * this.#n + j]!;
    return graph.jge(this.#all[m]!.from, this.#build(m, j), this.#build(i, m - 1));
  }
}
