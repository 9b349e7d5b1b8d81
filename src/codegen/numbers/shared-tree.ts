import { BPF_JEQ, BPF_JGE } from '../../bpf/instruction.ts';
import type { Node } from '../graph.ts';
import type { Member } from './interval.ts';

/**
 * A part of a tree that is in the program already, for another architecture: to go on into it takes
 * no instruction.
 */
export interface SharedTree {
  readonly node: Node;
  /** How many intervals it tells apart. */
  readonly count: number;
  /** Where the second of them begins: the first place that it tells apart. */
  readonly second: number;
}

/** By `second`. */
export type SharedTrees = ReadonlyMap<number, readonly SharedTree[]>;

/** A window of a search, up to member `end`, that a shared tree decides. */
export interface SharedWindow {
  readonly node: Node;
  readonly end: number;
  /** In units of the search. */
  readonly cost: number;
}

/** Widest stretch of values of which each is tried where a test of bits decides. */
const MAX_TRIED = 256;

/** The windows that start with a member and that shared trees decide. */
export function sharedWindowsFrom(
  start: number,
  members: readonly Member[],
  trees: SharedTrees,
): SharedWindow[] | undefined {
  const begins = members[start + 1]?.interval.from;
  const those = begins === undefined ? undefined : trees.get(begins);
  if (those === undefined) return undefined;
  let windows: SharedWindow[] | undefined;
  for (const { node, count } of those) {
    const end = start + count;
    if (end > members.length) continue;
    const cost = costInSharedTree(node, members.slice(start, end));
    if (cost !== undefined) (windows ??= []).push({ node, end, cost });
  }
  return windows;
}

/**
 * What intervals pay that go on into a shared tree: the tests on the way of each, weighted, in
 * units of the search. Undefined where it does not give each its leaf.
 */
function costInSharedTree(node: Node, members: readonly Member[]): number | undefined {
  let cost = 0;
  for (const { interval, weight } of members) {
    const { from, to, leaf } = interval;
    if (!leadsTo(leaf, node, from, to)) return undefined;
    cost += weight * depthOf(leaf, node, from);
  }
  return cost;
}

/** Whether all values `from`..`to` end in a leaf. */
function leadsTo(leaf: Node, node: Node, from: number, to: number): boolean {
  if (from > to || node === leaf) return true;
  if (node.kind !== 'test') return false;
  const { operation, k, yes, no } = node;
  if (operation === BPF_JGE)
    return leadsTo(leaf, yes, Math.max(from, k), to) && leadsTo(leaf, no, from, Math.min(to, k - 1));
  if (operation === BPF_JEQ && (k < from || k > to)) return leadsTo(leaf, no, from, to);
  if (operation === BPF_JEQ && k === to) return leadsTo(leaf, yes, k, k) && leadsTo(leaf, no, from, to - 1);
  if (to - from >= MAX_TRIED) return false;
  for (let value = from; value <= to; value++) {
    const next = holds(operation, k, value) ? yes : no;
    if (!leadsTo(leaf, next, value, value)) return false;
  }
  return true;
}

/** Tests that a value passes before it comes to a leaf. */
export function depthOf(leaf: Node, root: Node, value: number): number {
  let depth = 0;
  for (let node = root; node !== leaf && node.kind === 'test'; depth++)
    node = holds(node.operation, node.k, value) ? node.yes : node.no;
  return depth;
}

/** JEQ, JGE or JSET: what a search makes. */
function holds(operation: number, k: number, value: number): boolean {
  if (operation === BPF_JEQ) return value === k;
  return operation === BPF_JGE ? value >= k : (value & k) !== 0;
}
