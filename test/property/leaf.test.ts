import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/bpf/interpreter.ts';
import { assemble } from '../../src/codegen/assembler.ts';
import { Effort } from '../../src/codegen/effort.ts';
import { Graph } from '../../src/codegen/graph.ts';
import { Decisions } from '../../src/codegen/arguments/decision.ts';
import type { Comparator, Condition, Decision } from '../../src/policy/types.ts';
import { runs } from '../runs.ts';

const GOAL = { prices: { test: 0.1, more: 0.1, longestChain: 8 }, shortPaths: false };
const ALLOW = 0x7fff0000;

/** The meaning of a condition, once more and in the plainest words. */
function holds({ comparator, value, mask, bits }: Condition, argument: bigint): boolean {
  const x = bits === 32 ? argument % 2n ** 32n : argument;
  const meaning: Record<Comparator, boolean> = {
    eq: x === value,
    ne: x !== value,
    lt: x < value,
    le: x <= value,
    gt: x > value,
    ge: x >= value,
    masked_eq: (x & mask) === value,
  };
  return meaning[comparator];
}

function answer({ rules, otherwise }: Decision, args: readonly bigint[]): number {
  return rules.find(({ conditions }) => conditions.every((c) => holds(c, args[c.arg]!)))?.action ?? otherwise;
}

const WORD = 2n ** 32n;
const constant = fc.oneof(
  fc.bigInt({ min: 0n, max: 9n }),
  fc.constantFrom(1n, 255n, 256n, 0x7fffffffn, 0x80000000n, WORD - 1n, WORD, WORD + 1n, 3n * WORD, 2n ** 63n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);

function condition(arg: number, bits: 32 | 64): fc.Arbitrary<Condition> {
  const full = bits === 64 ? 2n ** 64n - 1n : WORD - 1n;
  const plain = fc
    .tuple(fc.constantFrom<Comparator>('eq', 'ne', 'lt', 'le', 'gt', 'ge'), constant)
    // Neither 0 nor the largest value, so that nothing is constant: the policy stage sees to that.
    .map(([comparator, value]) => ({ arg, comparator, value: (value & full & ~1n) | 2n, mask: full, bits }))
    .filter(({ value }) => value !== full);
  const masked = fc
    .tuple(constant, constant)
    .map(([mask, value]) => [mask & full || 1n, value] as const)
    .map(([mask, value]) => ({ arg, comparator: 'masked_eq' as const, value: value & mask, mask, bits }));
  return fc.oneof(plain, masked);
}

const decision: fc.Arbitrary<Decision> = fc.constantFrom<32 | 64>(32, 64).chain((bits) =>
  fc
    .array(
      fc.record({
        conditions: fc
          .subarray([0, 1, 2, 3], { minLength: 1, maxLength: 3 })
          .chain((args) => fc.tuple(...args.map((arg) => condition(arg, bits)))),
        action: fc.constantFrom(ALLOW, 0x00050001, 0x00050026),
      }),
      { minLength: 1, maxLength: 9 },
    )
    .map((rules) => ({ rules, otherwise: 0x00050002 })),
);

/** Arguments at the edges of every condition: its constant, both neighbours, each half changed. */
function* edges({ rules }: Decision): Generator<bigint[]> {
  const values = [0, 1, 2, 3].map((arg) => {
    const found = new Set([0n, 2n ** 64n - 1n]);
    for (const { conditions } of rules)
      for (const c of conditions)
        if (c.arg === arg)
          for (const near of [
            c.value - 1n,
            c.value,
            c.value + 1n,
            c.value ^ WORD,
            c.value | ~c.mask,
            c.value ^ c.mask,
          ])
            found.add(BigInt.asUintN(64, near));
    return [...found];
  });
  for (let i = 0; i < 200; i++)
    yield values.map((list, arg) => list[(i * (2 * arg + 1) + (i >> (arg + 1))) % list.length]!);
}

/** Instructions of the rules one after the other, nothing shared but the answers. */
function oneByOne({ rules, otherwise }: Decision): number {
  let length = new Set([otherwise, ...rules.map(({ action }) => action)]).size;
  for (const { conditions } of rules)
    for (const { comparator, bits } of conditions) {
      const ofWord = comparator === 'masked_eq' ? 3 : 2;
      const isOrdered = comparator !== 'masked_eq' && comparator !== 'eq' && comparator !== 'ne';
      length += bits === 32 ? ofWord : 2 * ofWord + (isOrdered ? 1 : 0);
    }
  return length;
}

describe('the tests of a decision', () => {
  test('give the answer of its rules, and are never longer than the rules one after the other', () => {
    fc.assert(
      fc.property(decision, fc.constantFrom<'little' | 'big'>('little', 'big'), (rules, endian) => {
        const nodeWith = (effort: number) =>
          new Decisions({ graph: new Graph(), endian, goal: GOAL, effort: new Effort(effort) }).nodeOf(rules);
        const best = assemble(nodeWith(1e6));
        const chain = assemble(nodeWith(0));
        expect(best.length).toBeLessThanOrEqual(chain.length);
        expect(chain.length).toBeLessThanOrEqual(oneByOne(rules));
        for (const some of edges(rules)) {
          const args = [...some, 0n, 0n];
          const data = { nr: 0, arch: 0, ip: 0n, args };
          expect(run(best, data, endian).value).toBe(answer(rules, args));
          expect(run(chain, data, endian).value).toBe(answer(rules, args));
        }
      }),
      { numRuns: runs(60, 400) },
    );
  });
});
