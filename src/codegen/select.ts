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
  readonly value: number;
  readonly leaf: Node;
  readonly weight: number;
}

interface Chain {
  readonly kind: 'chain';
  readonly links: readonly Link[];
  readonly main: Node;
}

interface Jset {
  readonly kind: 'jset';
  readonly mask: number;
  readonly hit: Node;
  readonly miss: Node;
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
        const cost = weight + this.#price * (this.#isFar(jset.miss) ? 2 : 1);
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

  #build(i: number, j: number): Node {
    if (i === j) return this.#all[i]!.leaf;
    const graph = this.#graph;
    const direct = this.#direct.get(i * this.#n + j);
    if (direct?.kind === 'jset') return graph.jset(direct.mask, direct.hit, direct.miss);
    if (direct?.kind === 'chain')
      return direct.links.reduceRight((rest, { value, leaf }) => graph.jeq(value, leaf, rest), direct.main);
    const m = this.#split[i * this.#n + j]!;
    return graph.jge(this.#all[m]!.from, this.#build(m, j), this.#build(i, m - 1));
  }
}

/**
 * A growing window that a chain of JEQ might decide: all leaves but one are on single values, or pairs of
 * neighbours. Once it fails it fails for every larger window.
 */
class ChainWindow {
  /** The leaf of the intervals too long for a link. */
  #long: Node | undefined;
  #links: Link[] = [];
  #possible = true;

  constructor(first: Interval) {
    this.#add(first);
  }

  extend(next: Interval): Chain | undefined {
    if (this.#possible) this.#add(next);
    if (!this.#possible) return undefined;
    const main = this.#long ?? mostFrequent(this.#links);
    const links = this.#links.filter(({ leaf }) => leaf !== main);
    this.#possible = links.length <= MAX_CHAIN;
    if (!this.#possible) return undefined;
    return { kind: 'chain', links: links.toSorted((a, b) => b.weight - a.weight || a.value - b.value), main };
  }

  #add({ from, to, leaf, weight }: Interval): void {
    const count = to - from + 1;
    if (count > 2) {
      this.#possible = this.#long === undefined || this.#long === leaf;
      this.#long = leaf;
    } else {
      for (let value = from; value <= to; value++) this.#links.push({ value, leaf, weight: weight / count });
    }
  }
}

function mostFrequent(links: readonly Link[]): Node {
  const counts = new Map<Node, number>();
  for (const { leaf } of links) counts.set(leaf, (counts.get(leaf) ?? 0) + 1);
  let best = links[0]!.leaf;
  for (const [leaf, count] of counts) if (count > counts.get(best)!) best = leaf;
  return best;
}

/**
 * A growing window that one test of bits might decide: two leaves, where every value of the one has a bit that
 * no value of the other has.
 */
class JsetWindow {
  readonly #first: Interval;
  #second: Node | undefined;
  readonly #intervals: Interval[] = [];
  /** All bits of the values of either leaf. */
  #firstBits = 0;
  #secondBits = 0;
  #possible = true;

  constructor(first: Interval) {
    this.#first = first;
    this.#possible = first.to - first.from < MAX_JSET_SPAN;
    if (this.#possible) this.#add(first);
  }

  extend(next: Interval): Jset | undefined {
    const { leaf: first, from } = this.#first;
    this.#second ??= next.leaf;
    this.#possible &&= next.to - from < MAX_JSET_SPAN && (next.leaf === first || next.leaf === this.#second);
    if (!this.#possible) return undefined;
    this.#add(next);
    const onlyFirst = (this.#firstBits & ~this.#secondBits) >>> 0;
    if (this.#allHit(first, onlyFirst))
      return { kind: 'jset', mask: onlyFirst, hit: first, miss: this.#second };
    const onlySecond = (this.#secondBits & ~this.#firstBits) >>> 0;
    if (this.#allHit(this.#second, onlySecond))
      return { kind: 'jset', mask: onlySecond, hit: this.#second, miss: first };
    return undefined;
  }

  #add(interval: Interval): void {
    this.#intervals.push(interval);
    let bits = 0;
    for (let value = interval.from; value <= interval.to; value++) bits |= value;
    if (interval.leaf === this.#first.leaf) this.#firstBits |= bits;
    else this.#secondBits |= bits;
  }

  #allHit(leaf: Node, mask: number): boolean {
    if (mask === 0) return false;
    return this.#intervals.every((interval) => {
      if (interval.leaf !== leaf) return true;
      for (let value = interval.from; value <= interval.to; value++) if ((value & mask) === 0) return false;
      return true;
    });
  }
}
