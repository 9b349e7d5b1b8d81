import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import type { SeccompData } from '../../src/bpf/instruction.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { answerOf } from '../../src/prove/profile/reference-answer.ts';
import { comparisonOverBits } from '../../src/prove/profile/comparison.ts';
import { spanBdd } from '../../src/prove/profile/profile-bdd.ts';
import { Undecided } from '../../src/prove/bdd/bdd.ts';
import { fingerprintBytes } from '../../src/prove/bdd/fingerprint.ts';
import { wordsOf } from '../../src/prove/bdd/input-words.ts';
import { Malformed } from '../../src/prove/program/decoded.ts';
import { programBdd } from '../../src/prove/program/program-bdd.ts';
import { canonicalSpace, interleavedSpace } from '../../src/prove/bdd/space.ts';
import { condition, holds } from '../oracle/conditions.ts';
import type { Mnemonic } from '../unit/prove-programs.ts';
import { insn } from '../unit/prove-programs.ts';
import { runs } from '../runs.ts';

const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  fc.integer({ min: 0, max: 40 }),
  fc.integer({ min: 0, max: 0xffffffff }),
);
const wide = fc.tuple(word, word).map(([high, low]) => (BigInt(high) << 32n) | BigInt(low));
const input: fc.Arbitrary<SeccompData> = fc.record({
  nr: word,
  arch: fc.oneof(word, fc.constantFrom(...allArches().map(({ auditArch }) => auditArch))),
  ip: wide,
  args: fc.array(wide, { minLength: 6, maxLength: 6 }),
});

describe('a comparison of an argument', () => {
  const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;
  const comparison = fc.record({
    op: fc.constantFrom(...OPERATORS),
    value: wide,
    valueTwo: wide,
    bits: fc.constantFrom(32 as const, 64 as const),
    arg: fc.integer({ min: 0, max: 5 }),
  });

  it('means over bits what plain integers say', () => {
    fc.assert(
      fc.property(comparison, fc.array(input, { minLength: 5, maxLength: 20 }), (shape, inputs) => {
        const { value, valueTwo, bits, arg } = shape;
        const op = `SCMP_CMP_${shape.op}` as const;
        const cut = {
          arg, op, bits, value: BigInt.asUintN(bits, value), valueTwo: BigInt.asUintN(bits, valueTwo),
        }; // prettier-ignore
        const { bdd } = canonicalSpace(undefined);
        const overBits = comparisonOverBits(bdd, cut);
        const expected = condition({ index: BigInt(arg), op, value, valueTwo }, BigInt(bits));
        const near = [value, value - 1n, value + 1n, value ^ (1n << 32n), valueTwo, ~value].map((x) => ({
          ...inputs[0]!,
          args: inputs[0]!.args.with(arg, BigInt.asUintN(64, x)),
        }));
        for (const data of [...inputs, ...near]) {
          const wanted = holds(expected, data.args) ? 1 : 0;
          expect(bdd.evaluate(overBits, wordsOf(data))).toBe(wanted);
        }
      }),
      { numRuns: runs(80, 400) },
    );
  });
});

describe('a list of rules', () => {
  const value = fc.oneof(wide, word.map(BigInt), fc.constantFrom(0n, 1n, 2n, 3n, (1n << 64n) - 1n));
  const lists = fc
    .tuple(fc.constantFrom(32 as const, 64 as const), fc.integer({ min: 0, max: 5 }))
    .chain(([bits, arg]) =>
      fc.array(
        fc.record({
          // One list in some has another kind of rule in it.
          op: fc.constantFrom(
            ...Array.from({ length: 15 }, () => 'SCMP_CMP_EQ' as const),
            'SCMP_CMP_LT' as const,
          ),
          value: value.map((x) => BigInt.asUintN(bits, x)),
          action: fc.constantFrom(0, 0x50001, 0x50002, 0x7fff0000),
          bits: fc.constant(bits),
          arg: fc.constant(arg),
        }),
        { minLength: 1, maxLength: 12 },
      ),
    );

  it('means what its first rule that holds says', () => {
    fc.assert(
      fc.property(lists, fc.array(input, { minLength: 3, maxLength: 10 }), (list, inputs) => {
        const rules = list.map(({ action, ...rest }) => ({
          action,
          comparisons: [{ ...rest, valueTwo: 0n }],
        }));
        const span = { from: 0, to: 0xffffffff, rules, otherwise: 0x50003 };
        const space = canonicalSpace(undefined);
        const node = spanBdd(space, span);
        const near = list.flatMap((rule) =>
          [rule.value, rule.value - 1n, rule.value + 1n, rule.value ^ (1n << 32n)].map((x) => ({
            ...inputs[0]!,
            args: inputs[0]!.args.with(rule.arg, BigInt.asUintN(64, x)),
          })),
        );
        for (const data of [...inputs, ...near])
          expect(space.bdd.evaluate(node, wordsOf(data))).toBe(
            answerOf([{ auditArch: data.arch, abis: [], spans: [span] }], data),
          );
        // Rule by rule, in a space where a list has no steps, it is the same function.
        const other = interleavedSpace(undefined, []);
        const same = spanBdd({ ...other, canonical: true }, span);
        expect(fingerprintBytes(other.bdd, same)).toEqual(fingerprintBytes(space.bdd, node));
      }),
      { numRuns: runs(80, 400) },
    );
  });
});

describe('the BDD of a program', () => {
  const cheap: Mnemonic[] = [
    'ld #', 'ldx #', 'ld len', 'ldx len', 'tax', 'txa', 'and', 'or', 'xor', 'lsh', 'rsh', 'add', 'sub', 'neg',
    'st M', 'stx M', 'jeq', 'jgt', 'jge', 'jset', 'and x', 'or x', 'xor x', 'jset x', 'div', 'mul', 'lsh x',
    'rsh x', 'jeq x', 'jge x', 'add x', 'div x',
  ]; // prettier-ignore
  const instruction = fc
    .tuple(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant<Mnemonic>('ld abs') },
        { weight: 2, arbitrary: fc.constantFrom<Mnemonic>('and', 'jeq', 'jge', 'ld M', 'ldx M') },
        { weight: 8, arbitrary: fc.constantFrom(...cheap) },
      ),
      word,
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
    )
    .map(([mnemonic, k, jt, jf]) => {
      if (mnemonic === 'ld abs') return insn(mnemonic, (k % 16) * 4);
      if (mnemonic.endsWith('M')) return insn(mnemonic, k % 3);
      if (mnemonic === 'lsh' || mnemonic === 'rsh') return insn(mnemonic, k % 32);
      if (mnemonic === 'div' || mnemonic === 'mul') return insn(mnemonic, (k % 9) + 1);
      return insn(mnemonic, k, jt, jf);
    });
  const program = fc
    .tuple(fc.array(instruction, { minLength: 1, maxLength: 14 }), fc.boolean())
    .map(([body, returnsA]) => [
      // Scratch words are written before they are read, as the kernel wants it.
      insn('st M', 0), insn('st M', 1), insn('st M', 2),
      ...body,
      insn('ret', 0x7fff0000), insn('ret', 0x50001), insn('ret', 0), insn(returnsA ? 'ret a' : 'ret', 0x50002),
    ]); // prettier-ignore

  it('answers as the interpreter does, whatever the opcodes', () => {
    let decided = 0;
    fc.assert(
      fc.property(
        program,
        fc.constantFrom('little' as const, 'big' as const),
        fc.array(input, { minLength: 10, maxLength: 30 }),
        (code, endian, inputs) => {
          const space = canonicalSpace(1 << 14);
          try {
            const node = programBdd(space, code, endian);
            for (const data of inputs)
              expect(space.bdd.evaluate(node, wordsOf(data))).toBe(run(code, data, endian).value);
            decided++;
          } catch (error) {
            if (!(error instanceof Undecided)) throw error;
          }
        },
      ),
      { numRuns: runs(300, 1500) },
    );
    expect(decided).toBeGreaterThan(runs(300, 1500) / 2);
  });

  it('is right about every value near the constants of branches on one word', () => {
    const constant = fc.oneof(
      fc.integer({ min: 0, max: 12 }),
      fc.constantFrom(0x80000000, 0x40000003, 0xffffffff),
    );
    const mask = fc.constantFrom(0xffffffff, 0xbfffffff, 0xfffffffe, 7, 0xd, 0x80000003);
    const step = fc.oneof(
      { weight: 1, arbitrary: mask.map((k) => insn('and', k)) },
      { weight: 1, arbitrary: fc.constant(insn('ld abs', 0)) },
      {
        weight: 6,
        arbitrary: fc
          .tuple(
            fc.constantFrom<Mnemonic>('jeq', 'jgt', 'jge', 'jset'),
            constant,
            fc.integer({ min: 0, max: 4 }),
            fc.integer({ min: 0, max: 4 }),
          )
          .map(([mnemonic, k, jt, jf]) => insn(mnemonic, k, jt, jf)),
      },
    );
    const returns = [0, 1, 2, 3, 4].map((data) => insn('ret', 0x50000 + data));
    const high = [0, 0x40000000, 0x80000000, 0xc0000000, 0xfffffff0];
    const numbers = high.flatMap((base) => Array.from({ length: 16 }, (_, low) => base + low));
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 16 }), (body) => {
        const code = [insn('ld abs', 0), ...body, ...returns];
        const { bdd, ...space } = canonicalSpace(undefined);
        const node = programBdd({ bdd, ...space }, code, 'little');
        const calls = numbers.map((nr) => ({ nr, arch: 0, ip: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] }));
        expect(calls.map((data) => bdd.evaluate(node, wordsOf(data)))).toEqual(
          calls.map((data) => run(code, data).value),
        );
      }),
      { numRuns: runs(100, 500) },
    );
  });

  it('has one form, whatever is tested above and below the number', () => {
    const step = fc.oneof(
      {
        weight: 1,
        arbitrary: fc.constantFrom(0xbfffffff, 0x7fffffff, 0xff, 6, 0).map((k) => insn('and', k)),
      },
      { weight: 2, arbitrary: fc.constantFrom(0, 0, 4, 16).map((k) => insn('ld abs', k)) },
      {
        weight: 6,
        arbitrary: fc
          .tuple(
            fc.constantFrom<Mnemonic>('jeq', 'jgt', 'jge', 'jset'),
            fc.oneof(fc.nat(9), fc.constantFrom(0x40000000, 0x40000003, 0x80000001)),
            fc.nat(5),
            fc.nat(5),
          )
          .map(([mnemonic, k, jt, jf]) => insn(mnemonic, k, jt, jf)),
      },
    );
    const returns = [0, 1, 2, 3, 4, 5].map((data) => insn('ret', 0x50000 + data));
    const values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xffffffff];
    const words = values.concat([0x40000000, 0x40000003, 0x40000005, 0x80000001, 0xc0000003]);
    fc.assert(
      fc.property(fc.array(step, { minLength: 3, maxLength: 20 }), fc.nat(99), (body, salt) => {
        const code = [insn('ld abs', 0), ...body, ...returns];
        const { bdd, ...space } = canonicalSpace(undefined);
        const node = programBdd({ bdd, ...space }, code, 'little');
        for (const nr of words)
          for (let turn = 0; turn < 3; turn++) {
            const [arch, low] = [
              words[(salt * 7 + turn) % words.length]!,
              words[(salt + turn * 5) % words.length]!,
            ];
            const data = { nr, arch, ip: 0n, args: [BigInt(low), 0n, 0n, 0n, 0n, 0n] };
            expect(bdd.evaluate(node, wordsOf(data))).toBe(run(code, data).value);
          }
        // Ordered and without idle tests: with that, equal functions are one node.
        const below = (child: number, above: number) => bdd.levelOf(child) > bdd.levelOf(above);
        const seen = new Set<number>();
        const visit = (at: number): void => {
          if (bdd.isTerminal(at) || seen.has(at)) return;
          seen.add(at);
          const [low, high] = [bdd.low(at), bdd.high(at)];
          expect(low !== high && below(low, at) && below(high, at)).toBe(true);
          visit(low);
          visit(high);
        };
        visit(node);
      }),
      { numRuns: runs(150, 800) },
    );
  });

  it('is right about chains of hundreds of tests', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(999), { minLength: 140, maxLength: 250 }), (numbers) => {
        const code = [
          insn('ld abs', 0),
          ...numbers.map((nr, index) => insn('jeq', nr, numbers.length - 1 - index + (nr % 3), 0)),
          insn('ret', 0x50001), insn('ret', 0x50002), insn('ret', 0x50003),
        ]; // prettier-ignore
        const { bdd, ...space } = canonicalSpace(undefined);
        const node = programBdd({ bdd, ...space }, code, 'little');
        for (let nr = 0; nr < 1001; nr++) {
          const data = { nr, arch: 0, ip: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] };
          expect(bdd.evaluate(node, wordsOf(data))).toBe(run(code, data).value);
        }
      }),
      { numRuns: runs(5, 20) },
    );
  });

  it('is the same function in any order of variables', () => {
    fc.assert(
      fc.property(
        program,
        fc.array(input, { minLength: 5, maxLength: 10 }),
        fc.array(fc.dictionary(fc.constantFrom('2', '5', '9', '14'), word, { maxKeys: 3 }), { maxLength: 5 }),
        (code, inputs, groups) => {
          const order = groups.map((group) => new Map(Object.entries(group).map(([k, v]) => [Number(k), v])));
          const space = interleavedSpace(1 << 14, order);
          try {
            const node = programBdd(space, code, 'little');
            for (const data of inputs)
              expect(space.bdd.evaluate(node, wordsOf(data))).toBe(run(code, data).value);
          } catch (error) {
            if (!(error instanceof Undecided)) throw error;
          }
        },
      ),
      { numRuns: runs(60, 300) },
    );
  });

  it('is refused, never wrong, for instructions at random', () => {
    const anything = fc.record({
      code: fc.integer({ min: 0, max: 0xff }),
      jt: fc.integer({ min: 0, max: 4 }),
      jf: fc.integer({ min: 0, max: 4 }),
      k: word,
    });
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 6 }), input, (body, data) => {
        const code = [...body, insn('ret', 0x7fff0000)];
        const space = canonicalSpace(1 << 12);
        try {
          const node = programBdd(space, code, 'little');
          expect(space.bdd.evaluate(node, wordsOf(data))).toBe(run(code, data).value);
        } catch (error) {
          if (!(error instanceof Undecided || error instanceof Malformed)) throw error;
        }
      }),
      { numRuns: runs(200, 1000) },
    );
  });
});
