import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { BPF_JGE, BPF_JSET } from '../../src/bpf/instruction.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { assemble } from '../../src/codegen/assembler.ts';
import { Graph, graphSize, reachable } from '../../src/codegen/graph.ts';
import type { Node } from '../../src/codegen/graph.ts';
import { select } from '../../src/codegen/numbers/select.ts';
import type { Interval, Prices } from '../../src/codegen/numbers/select.ts';
import { runs } from '../runs.ts';

const args = [0n, 0n, 0n, 0n, 0n, 0n];

/** Leaves by number, cut wherever the list says; the last one runs to 2^32-1. */
function build(cuts: readonly number[], leaves: readonly number[], price: number) {
  const graph = new Graph();
  const starts = [0, ...new Set(cuts)].toSorted((a, b) => a - b).filter((x, i, all) => x !== all[i - 1]);
  const answers = starts.map((_, index) => leaves[index % leaves.length]!);
  const intervals = starts.map((from, index) => ({
    from,
    to: (starts[index + 1] ?? 2 ** 32) - 1,
    leaf: graph.ret(answers[index]!),
    weight: 1 / starts.length,
  }));
  const { node, cost } = select(graph, intervals, { test: price, more: price, longestChain: 8 });
  const program = assemble(graph.load(0, node));
  const ask = (nr: number) => run(program, { nr, arch: 0, ip: 0n, args }).value;
  const want = (nr: number) => answers[starts.findLastIndex((from) => from <= nr)]!;
  return { node, cost, ask, want, starts };
}

describe('the tree search', () => {
  test('answers every number as its interval does', () => {
    const cut = fc.oneof(
      fc.nat(300),
      fc.nat(0xffffffff),
      fc.constantFrom(0x40000000, 0x80000000, 0xffffffff),
    );
    fc.assert(
      fc.property(
        fc.array(cut, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 9 }),
        fc.constantFrom(0.001, 0.1, 2),
        (cuts, leaves, price) => {
          const { ask, want, starts } = build(cuts, leaves, price);
          for (const start of starts)
            for (const nr of [start - 1, start, start + 1])
              if (nr >= 0 && nr < 2 ** 32) expect(ask(nr)).toBe(want(nr));
        },
      ),
      { numRuns: runs(60, 300) },
    );
  });

  test('tells even from odd numbers by one test of a bit', () => {
    const { node } = build(
      Array.from({ length: 60 }, (_, i) => i + 1),
      [1, 2],
      0.1,
    );
    // One JSET for the window of 60, and what keeps the rest apart.
    expect(graphSize(node)).toBeLessThanOrEqual(3);
  });

  test('stays right beyond the size where it halves first', () => {
    const cuts = Array.from({ length: 2500 }, (_, i) => 3 * i + 1);
    const { ask, want, starts } = build(cuts, [1, 2, 3], 0.1);
    for (const start of starts) for (const nr of [start, start + 2]) expect(ask(nr)).toBe(want(nr));
  });

  test('is the same for the same input', () => {
    const cuts = Array.from({ length: 200 }, (_, i) => (i * 7919) % 1000);
    expect(build(cuts, [1, 2], 0.1).cost).toBe(build(cuts, [1, 2], 0.1).cost);
  });

  const cutsNearby = fc.array(fc.oneof(fc.nat(40), fc.nat(400)), { minLength: 1, maxLength: 24 });
  const someLeaves = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 9 });
  const somePrices = fc.record({
    test: fc.constantFrom(0.01, 0.15, 2),
    more: fc.constantFrom(0.01, 0.08, 2),
    longestChain: fc.constantFrom(3, 5, 8),
  });

  test('costs no more than the best tree of comparisons alone, and what it says', () => {
    fc.assert(
      fc.property(cutsNearby, someLeaves, somePrices, fc.nat(), (cuts, leaves, prices, seed) => {
        const graph = new Graph();
        const intervals = randomIntervals(graph, cuts, leaves, seed);
        const { node, cost } = select(graph, intervals, prices);
        expect(cost).toBeLessThan(costOfSplits(intervals, prices) * (1 + 1e-6) + 1e-6);
        expect(costOfTree(node, intervals, prices)).toBeLessThan(cost * (1 + 1e-6) + 1e-6);
      }),
      { numRuns: runs(60, 300) },
    );
  });

  test('goes on into a tree that is there anyway', () => {
    const graph = new Graph();
    const prices = { test: 100, more: 50, longestChain: 5 };
    const cuts = [424, 425, 434, 435, 436, 442, 444];
    const first = select(graph, randomIntervals(graph, [7, 90, ...cuts], [1, 2], 1), prices);
    const sharedTrees = new Map(first.parts.map((part) => [part.second, [part]]));
    const second = randomIntervals(graph, [30, 31, 70, 77, ...cuts], [1, 2], 2);
    const alone = select(graph, second, prices).node;
    const both = select(graph, second, prices, { sharedTrees }).node;
    expect(graphSize(first.node, both)).toBeLessThan(graphSize(first.node) + graphSize(alone));
    const program = assemble(graph.load(0, both));
    for (const { from, to, leaf } of second)
      for (const nr of [from, to])
        expect(run(program, { nr, arch: 0, ip: 0n, args }).value).toBe(leaf.kind === 'ret' && leaf.value);
  });
});

function randomIntervals(graph: Graph, cuts: readonly number[], leaves: readonly number[], seed: number) {
  const starts = [...new Set([0, ...cuts])].toSorted((a, b) => a - b);
  return starts.map((from, index) => ({
    from,
    to: (starts[index + 1] ?? 2 ** 32) - 1,
    leaf: graph.ret(leaves[index % leaves.length]!),
    weight: 1 + ((Math.imul(seed + index, 0x9e3779b1) >>> 16) % 100),
  }));
}

/** The cheapest tree of JGE alone, by trying all splits of all windows. */
function costOfSplits(intervals: readonly Interval[], { test: price, more }: Prices): number {
  const known = new Map<string, number>();
  const best = (i: number, j: number): number => {
    const window = intervals.slice(i, j + 1);
    if (window.every(({ leaf }) => leaf === window[0]!.leaf)) return 0;
    const key = `${i} ${j}`;
    const weight = window.reduce((sum, interval) => sum + interval.weight, 0);
    const splits = window.slice(1).map((_, at) => {
      const [low, high] = [best(i, i + at), best(i + at + 1, j)];
      return low + high + weight + price + (low === 0 && high === 0 ? more : 0);
    });
    const cost = known.get(key) ?? Math.min(...splits);
    known.set(key, cost);
    return cost;
  };
  return best(0, intervals.length - 1);
}

/** All tests on the way of each value, and all instructions, counted one by one. */
function costOfTree(root: Node, intervals: readonly Interval[], { test: price, more }: Prices): number {
  let cost = 0;
  for (const { from, to, weight } of intervals) {
    // Wider ones go one way: a JSET has a window of 256 values, a JEQ values of its own.
    const values = to - from < 512 ? Array.from({ length: to - from + 1 }, (_, i) => from + i) : [to];
    for (const value of values) cost += (weight / values.length) * testsFor(root, value);
  }
  for (const node of reachable(root)) {
    if (node.kind !== 'test') continue;
    const falls = node.no.kind !== 'ret' || (node.operation !== BPF_JSET && node.yes.kind !== 'ret');
    cost += price + (falls ? 0 : more) + (node.k >= 2 ** 31 ? more : 0);
  }
  return cost;
}

function testsFor(root: Node, value: number): number {
  let count = 0;
  for (let node = root; node.kind === 'test'; count++) {
    const { operation, k, yes, no } = node;
    const holds =
      operation === BPF_JSET ? (value & k) !== 0 : operation === BPF_JGE ? value >= k : value === k;
    node = holds ? yes : no;
  }
  return count;
}
