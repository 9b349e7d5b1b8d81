import { ChainWindow } from './chain.ts';
import type { Graph, Node } from '../graph.ts';
import { JsetWindows } from './jset.ts';
import type { Jset } from './jset.ts';
import { constantSize } from './interval.ts';
import type { Member, UnitPrices } from './interval.ts';
import { sharedWindowsFrom } from './shared-tree.ts';
import type { SharedTree, SharedTrees } from './shared-tree.ts';

/**
 * Above this many intervals the place of a split is looked for near those of the two windows that
 * are one interval shorter: 6 places around, or 1 where both have the same. docs/codegen.md 4 has
 * what that costs and saves.
 */
const FULL_SEARCH = 40;
const NEAR = 6;
const AGREED = 1;

/** How a window is decided where that is not by a split. */
const CHAIN = 1;
const JSET = 2;
/** By a singleton at its lower or its upper end: see `#singletonLimit`. */
const NOTCH_FIRST = 3;
const NOTCH_LAST = 4;
/** By a tree that is there anyway. */
const STANDING = 5;

/**
 * Dynamic programming over windows of neighbouring intervals. A window is decided by a JGE between
 * two smaller ones, by a chain of JEQ, by a JSET with at most one more test, by cutting off a
 * singleton, or by going on into a shared tree.
 *
 * Windows run from interval i up to, not including, interval e; the tables hold one at [i * (n + 1)
 * + e]. A process mostly searches once, and then in the interpreter: hence tables of numbers, and
 * nodes only for the windows chosen.
 */
export class Search {
  readonly #graph: Graph;
  readonly #members: readonly Member[];
  readonly #prices: UnitPrices;
  readonly #sharedTrees: SharedTrees;
  readonly #stride: number;
  readonly #jsets: JsetWindows;
  /**
   * Costs of windows. The half that no window uses, [e * (n + 1) + i], has the cost of the same
   * window above a split before i: both halves of a split then lie side by side, and the
   * instruction more that the split's constant may take is counted.
   */
  readonly #cost: Int32Array;
  /** Where the best JGE split of a window starts its upper half. */
  readonly #split: Int16Array;
  /** Of the above ways one that is better than the split; 0 for none. */
  readonly #way: Uint8Array;
  /**
   * Where a singleton begins, the weight of a window from which on it is no gain to cut it off; 0
   * elsewhere.
   */
  readonly #singletonLimits: Int32Array;
  /** Windows that shared trees decide best. */
  readonly #sharedNodes = new Map<number, Node>();
  readonly #parts: SharedTree[] = [];

  constructor(graph: Graph, members: readonly Member[], prices: UnitPrices, sharedTrees: SharedTrees) {
    this.#graph = graph;
    this.#members = members;
    this.#prices = prices;
    this.#sharedTrees = sharedTrees;
    this.#stride = members.length + 1;
    this.#jsets = new JsetWindows(members, prices);
    this.#cost = new Int32Array(this.#stride * this.#stride);
    this.#split = new Int16Array(this.#stride * this.#stride);
    this.#way = new Uint8Array(this.#stride * this.#stride);
    this.#singletonLimits = Int32Array.from(members, (_, at) => this.#singletonLimit(at));
  }

  best(): { node: Node; cost: number; parts: readonly SharedTree[] } {
    const n = this.#members.length;
    for (let start = n - 1; start >= 0; start--) this.#decideFrom(start);
    return { node: this.#build(0, n), cost: this.#cost[n]!, parts: this.#parts };
  }

  /**
   * A singleton is a single value between two intervals of one leaf. Asked for early, on its own,
   * it leaves one comparison to cut off all three; left to the end, its test has nothing to fall
   * into and becomes two instructions of eBPF.
   */
  #singletonLimit(at: number): number {
    const [first, value, last] = [this.#members[at]!, this.#members[at + 1], this.#members[at + 2]];
    if (value === undefined || last === undefined) return 0;
    if (value.from !== value.to || last.leaf !== first.leaf || !first.isJumpTarget) return 0;
    // The window pays the second test but for that value; the singleton, its own test and what it
    // becomes.
    return first.weight + 2 * value.weight + last.weight + this.#prices.more;
  }

  /** What a window of some weight pays for cutting off a singleton first, with that value in it. */
  #singletonCost(weight: number, value: Member): number {
    const { test, more } = this.#prices;
    return 2 * (weight + test) - value.weight + more * constantSize(value.from);
  }

  /**
   * Decides all windows that start at one interval, the shorter ones first; those that start later
   * are decided.
   */
  #decideFrom(start: number): void {
    const members = this.#members;
    const n = members.length;
    const stride = this.#stride;
    const { test, more } = this.#prices;
    const narrow = n > FULL_SEARCH;
    const costs = this.#cost;
    const splits = this.#split;
    const ways = this.#way;
    const singletonLimits = this.#singletonLimits;
    const firstSingleton = singletonLimits[start]!;
    const lower = start * stride;
    const first = members[start]!;
    const splitPrice = constantSize(first.from) * more;
    costs[(start + 1) * stride + start] = splitPrice;
    const windows = sharedWindowsFrom(start, members, this.#sharedTrees);
    const chains = new ChainWindow(this.#prices);
    let chainPossible = chains.extend(first);
    const jsets = this.#jsets;
    jsets.begin(start);
    let jsetPossible = true;
    let { weight } = first;

    for (let end = start + 2; end <= n; end++) {
      const last = members[end - 1]!;
      weight += last.weight;
      const window = lower + end;
      const upper = end * stride;

      let from = start + 1;
      let to = end - 1;
      if (narrow && to > start + 2) {
        // That of the shorter window is the lower one, with few exceptions.
        let low = splits[window - 1]!;
        let high = splits[window + stride]!;
        if (low > high) [low, high] = [high, low];
        const around = low === high ? AGREED : NEAR;
        if (low - around > from) from = low - around;
        if (high + around < to) to = high + around;
      }
      let best = costs[lower + from]! + costs[upper + from]!;
      let split = from;
      for (let m = from + 1; m <= to; m++) {
        const cost = costs[lower + m]! + costs[upper + m]!;
        if (cost < best) {
          best = cost;
          split = m;
        }
      }
      splits[window] = split;
      best += weight + test;
      if (end === start + 2 && first.isJumpTarget && last.isJumpTarget) best += more;

      let way = 0;
      if (chainPossible && (chainPossible = chains.extend(last))) {
        const cost = chains.cost(weight);
        // Of two ways as good, the one that names its values.
        if (cost <= best) {
          best = cost;
          way = CHAIN;
        }
      }
      if (jsetPossible && (jsetPossible = jsets.extend()) && end > start + 2) {
        const jset = jsets.cheapest(weight, best);
        if (jset !== undefined) {
          best = jset.cost;
          way = JSET;
        }
      }
      // With one interval besides the singleton a chain is as good.
      if (weight < firstSingleton && end > start + 4) {
        const cost = this.#singletonCost(weight, members[start + 1]!) + costs[upper + start + 3]!;
        if (cost < best) {
          best = cost;
          way = NOTCH_FIRST;
        }
      }
      if (end > start + 4 && weight < singletonLimits[end - 3]!) {
        const rest = costs[window - 3]! + more * constantSize(members[end - 3]!.from);
        const cost = this.#singletonCost(weight, members[end - 2]!) + rest;
        if (cost < best) {
          best = cost;
          way = NOTCH_LAST;
        }
      }
      if (windows !== undefined)
        for (const there of windows)
          if (there.end === end && there.cost < best) {
            best = there.cost;
            way = STANDING;
            this.#sharedNodes.set(window, there.node);
          }
      if (way !== 0) ways[window] = way;
      costs[window] = best;
      costs[upper + start] = best + splitPrice;
    }
  }

  #build(start: number, end: number): Node {
    const members = this.#members;
    if (end === start + 1) return members[start]!.interval.leaf;
    const node = this.#decide(start, end);
    if (end > start + 2)
      this.#parts.push({ node, count: end - start, second: members[start + 1]!.interval.from });
    return node;
  }

  #decide(start: number, end: number): Node {
    const graph = this.#graph;
    const at = (index: number) => this.#members[index]!.interval;
    const window = start * this.#stride + end;
    switch (this.#way[window]) {
      case CHAIN:
        return this.#buildChain(start, end);
      case JSET:
        return this.#buildJset(start, end);
      case NOTCH_FIRST: {
        const rest = graph.jge(at(start + 3).from, this.#build(start + 3, end), at(start).leaf);
        return graph.jeq(at(start + 1).from, at(start + 1).leaf, rest);
      }
      case NOTCH_LAST: {
        const rest = graph.jge(at(end - 3).from, at(end - 3).leaf, this.#build(start, end - 3));
        return graph.jeq(at(end - 2).from, at(end - 2).leaf, rest);
      }
      case STANDING:
        return this.#sharedNodes.get(window)!;
      default: {
        const split = this.#split[window]!;
        return graph.jge(at(split).from, this.#build(split, end), this.#build(start, split));
      }
    }
  }

  #buildChain(start: number, end: number): Node {
    const chain = new ChainWindow(this.#prices);
    for (let at = start; at < end; at++) chain.extend(this.#members[at]!);
    return chain.links.reduceRight<Node>(
      (rest, { value, member }) => this.#graph.jeq(value >>> 0, member.interval.leaf, rest),
      chain.main.interval.leaf,
    );
  }

  #buildJset(start: number, end: number): Node {
    const graph = this.#graph;
    const { mask, hit, rest, aside } = this.#jset(start, end);
    const [first, second, third] = rest.map((member) => member?.interval);
    let node = first!.leaf;
    if (third !== undefined) node = graph.jeq(second!.from, second!.leaf, node);
    else if (second !== undefined) node = graph.jge(second.from, second.leaf, node);
    node = graph.jset(mask, hit.interval.leaf, node);
    return aside === undefined ? node : graph.jeq(aside.interval.from, aside.interval.leaf, node);
  }

  /** The test of bits once more, for a window that it decides. */
  #jset(start: number, end: number): Jset {
    const jsets = new JsetWindows(this.#members, this.#prices);
    let { weight } = this.#members[start]!;
    jsets.begin(start);
    for (let at = start + 1; at < end; at++) {
      weight += this.#members[at]!.weight;
      jsets.extend();
    }
    return jsets.cheapest(weight, Infinity)!;
  }
}
