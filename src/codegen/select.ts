import type { Graph, Node } from './graph.ts';
import { ChainWindow, JsetWindow, memberOf } from './windows.ts';
import type { Interval, Jset, Member } from './windows.ts';

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
  const leaves = new Map<Node, number>();
  const members = merged.map((interval) => {
    const { leaf } = interval;
    if (!leaves.has(leaf)) leaves.set(leaf, leaves.size);
    return memberOf(interval, leaves.get(leaf)!, isFar(leaf));
  });
  return new Search(graph, members, price).best();
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

/** How a window is decided where that is not by a split. */
const CHAIN = 1;
const JSET = 2;

/**
 * Windows run from interval i up to, not including, interval e. The tables hold one at [i * (n + 1) + e].
 *
 * The search runs once in a process more often than not, and then in the interpreter: tables of numbers, and tests
 * made only for those windows that are chosen in the end.
 */
class Search {
  readonly #graph: Graph;
  readonly #members: readonly Member[];
  readonly #price: number;
  readonly #stride: number;
  /**
   * Costs of windows. The half that no window uses, [e * (n + 1) + i], has the cost of the same window above a split
   * before i: both halves of a split then lie side by side, and the instruction more that the split's constant may
   * take is counted.
   */
  readonly #cost: Float64Array;
  /** Where the best JGE split of a window starts its upper half. */
  readonly #split: Int16Array;
  /** CHAIN or JSET where one of these is better than the split. */
  readonly #direct: Uint8Array;

  constructor(graph: Graph, members: readonly Member[], price: number) {
    this.#graph = graph;
    this.#members = members;
    this.#price = price;
    this.#stride = members.length + 1;
    this.#cost = new Float64Array(this.#stride * this.#stride);
    this.#split = new Int16Array(this.#stride * this.#stride);
    this.#direct = new Uint8Array(this.#stride * this.#stride);
  }

  best(): Selection {
    const n = this.#members.length;
    for (let start = n - 1; start >= 0; start--) this.#decideFrom(start);
    return { node: this.#build(0, n), cost: this.#cost[n]! };
  }

  /** Decides all windows that start at one interval, the shorter ones first; those that start later are decided. */
  #decideFrom(start: number): void {
    const members = this.#members;
    const [n, stride, price] = [members.length, this.#stride, this.#price];
    const [costs, splits] = [this.#cost, this.#split];
    const first = members[start]!;
    const splitPrice = (first.from >>> 31) * price;
    costs[(start + 1) * stride + start] = splitPrice;
    const chains = new ChainWindow();
    let chainPossible = chains.extend(first);
    const jsets = new JsetWindow(members, start);
    let { weight } = first;

    for (let end = start + 2; end <= n; end++) {
      const window = start * stride + end;
      const last = members[end - 1]!;
      weight += last.weight;

      let from = start + 1;
      let to = end - 1;
      if (n > FULL_SEARCH && end - start > 3) {
        from = Math.max(from, splits[window - 1]! - NEAR);
        to = Math.min(to, splits[window + stride]! + NEAR);
      }
      let best = Infinity;
      let split = from;
      const [lower, upper] = [start * stride, end * stride];
      for (let m = from; m <= to; m++) {
        const cost = costs[lower + m]! + costs[upper + m]!;
        if (cost < best) {
          best = cost;
          split = m;
        }
      }
      splits[window] = split;
      best = best + weight + price;
      if (end === start + 2 && first.far && last.far) best += price;

      if (chainPossible && (chainPossible = chains.extend(last))) {
        const cost = chains.cost(weight, price);
        if (cost < best) {
          best = cost;
          this.#direct[window] = CHAIN;
        }
      }
      const jset = jsets.isPossible ? jsets.extend() : undefined;
      if (jset) {
        const cost = jsetCost(jset, weight, price);
        if (cost < best) {
          best = cost;
          this.#direct[window] = JSET;
        }
      }
      costs[window] = best;
      costs[end * stride + start] = best + splitPrice;
    }
  }

  #build(start: number, end: number): Node {
    const members = this.#members;
    if (end === start + 1) return members[start]!.leaf;
    const graph = this.#graph;
    const window = start * this.#stride + end;
    if (this.#direct[window] === CHAIN) {
      const { links, main } = chainOf(members.slice(start, end));
      return links.reduceRight<Node>((rest, { value, member }) => graph.jeq(value, member.leaf, rest), main.leaf);
    }
    if (this.#direct[window] === JSET) {
      const { mask, hit, miss, aside } = jsetOf(members.slice(start, end))!;
      const test = graph.jset(mask, hit.leaf, miss.leaf);
      return aside === undefined ? test : graph.jeq(aside.from, aside.leaf, test);
    }
    const split = this.#split[window]!;
    return graph.jge(members[split]!.from, this.#build(split, end), this.#build(start, split));
  }
}

function jsetCost({ miss, aside }: Jset, weight: number, price: number): number {
  // A JSET is cheap when it falls into its false side: the kernel cannot turn it around.
  const cost = weight + price * (miss.far ? 2 : 1);
  if (aside === undefined) return cost;
  return cost + weight - aside.weight + price * (1 + (aside.from >>> 31));
}

/** The chain that decides a window of which it is known that one does. */
function chainOf(members: readonly Member[]): ChainWindow {
  const chain = new ChainWindow();
  for (const member of members) chain.extend(member);
  return chain;
}

/** The JSET that decides a window of which it is known that one does. */
function jsetOf(members: readonly Member[]): Jset | undefined {
  const window = new JsetWindow(members, 0);
  let jset: Jset | undefined;
  for (let at = 1; at < members.length; at++) jset = window.extend();
  return jset;
}
