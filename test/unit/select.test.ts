import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { run } from '../../src/bpf/interpreter.ts';
import { assemble } from '../../src/codegen/assembler.ts';
import { Graph, graphSize } from '../../src/codegen/graph.ts';
import { select } from '../../src/codegen/select.ts';

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
  const { node, cost } = select(graph, intervals, price);
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
      { numRuns: 300 },
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
});
