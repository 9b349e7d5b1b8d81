import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import type { ArchName } from '../../src/arch.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SeccompData, SockFilter } from '../../src/bpf/instruction.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { answerOf } from '../../src/prove/answer.ts';
import { compare } from '../../src/prove/compare.ts';
import { comparisonOverAtoms, comparisonOverBits, referenceDiagram } from '../../src/prove/conditions.ts';
import { Undecided } from '../../src/prove/diagram.ts';
import { wordsOf } from '../../src/prove/input.ts';
import { Malformed } from '../../src/prove/instruction.ts';
import { programDiagram } from '../../src/prove/program.ts';
import { prove } from '../../src/prove/prove.ts';
import { resolveReference } from '../../src/prove/reference.ts';
import { atomSpace, canonicalSpace, interleavedSpace } from '../../src/prove/space.ts';
import { atomOverBits } from '../../src/prove/atoms.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { anySample } from '../oracle/arbitrary.ts';
import type { Call } from '../oracle/bpf.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { condition, holds } from '../oracle/conditions.ts';
import { denseCalls } from '../oracle/inputs.ts';
import type { Evaluator, NaiveOptions } from '../oracle/naive.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import type { Mnemonic } from '../unit/prove-programs.ts';
import { insn, linearProgram, seccompFrom, targetFor } from '../unit/prove-programs.ts';

const tables = await loadTables(allArches().map((arch) => arch.table));

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

function inputOf({ arch, nr, args }: Call): SeccompData {
  return { arch, nr, args, ip: 0n };
}

/** Every `step`-th of the oracle's calls: they are many. */
function* someCalls(meaning: Evaluator, profile: Parameters<typeof denseCalls>[0], step: number) {
  let index = 0;
  for (const call of denseCalls(profile, meaning)) if (index++ % step === 0) yield call;
}

describe('a comparison of an argument', () => {
  const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;
  const comparison = fc.record({
    op: fc.constantFrom(...OPERATORS),
    value: wide,
    valueTwo: wide,
    bits: fc.constantFrom(32 as const, 64 as const),
    arg: fc.integer({ min: 0, max: 5 }),
  });

  it('means over bits and over atoms what plain integers say', () => {
    fc.assert(
      fc.property(comparison, fc.array(input, { minLength: 5, maxLength: 20 }), (shape, inputs) => {
        const { value, valueTwo, bits, arg } = shape;
        const op = `SCMP_CMP_${shape.op}` as const;
        const cut = {
          arg, op, bits, value: BigInt.asUintN(bits, value), valueTwo: BigInt.asUintN(bits, valueTwo),
        }; // prettier-ignore
        const { diagram } = canonicalSpace(undefined);
        const overBits = comparisonOverBits(diagram, cut);
        const { diagram: tests, atoms } = atomSpace(undefined);
        const overAtoms = comparisonOverAtoms(tests, atoms!, cut);
        /** Follows the diagram of atoms, answering each by its own bits. */
        const followAtoms = (words: Uint32Array) => {
          let node = overAtoms;
          while (!tests.isTerminal(node)) {
            const test = atomOverBits(diagram, atoms!.atomOf(tests.variableOf(node)));
            node = diagram.evaluate(test, words) === 1 ? tests.high(node) : tests.low(node);
          }
          return tests.valueOf(node);
        };
        const expected = condition({ index: BigInt(arg), op, value, valueTwo }, BigInt(bits));
        const near = [value, value - 1n, value + 1n, value ^ (1n << 32n), valueTwo, ~value].map((x) => ({
          ...inputs[0]!,
          args: inputs[0]!.args.with(arg, BigInt.asUintN(64, x)),
        }));
        for (const data of [...inputs, ...near]) {
          const wanted = holds(expected, data.args) ? 1 : 0;
          expect(diagram.evaluate(overBits, wordsOf(data))).toBe(wanted);
          expect(followAtoms(wordsOf(data))).toBe(wanted);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('the diagram of a program', () => {
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
            const node = programDiagram(space, code, endian);
            for (const data of inputs)
              expect(space.diagram.evaluate(node, wordsOf(data))).toBe(run(code, data, endian).value);
            decided++;
          } catch (error) {
            if (!(error instanceof Undecided)) throw error;
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(decided).toBeGreaterThan(1000);
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
            const node = programDiagram(space, code, 'little');
            for (const data of inputs)
              expect(space.diagram.evaluate(node, wordsOf(data))).toBe(run(code, data).value);
          } catch (error) {
            if (!(error instanceof Undecided)) throw error;
          }
        },
      ),
      { numRuns: 300 },
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
          const node = programDiagram(space, code, 'little');
          expect(space.diagram.evaluate(node, wordsOf(data))).toBe(run(code, data).value);
        } catch (error) {
          if (!(error instanceof Undecided || error instanceof Malformed)) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a profile', () => {
  const options: fc.Arbitrary<Partial<NaiveOptions>> = fc.record(
    {
      semantics: fc.constantFrom('crun' as const, 'runc' as const),
      enosysStub: fc.boolean(),
      enosysAfter: fc.constantFrom(
        { major: 4, minor: 5 }, { major: 5, minor: 9 }, { major: 6, minor: 6 },
      ).map((release) => ({
        release,
        since: (table: string, name: string) => tables.table(table as never).sinceOf(name),
      })),
    },
    { requiredKeys: [] },
  ); // prettier-ignore

  it('answers as the naive reading of the semantics does', () => {
    let compared = 0;
    fc.assert(
      fc.property(anySample(), options, ({ profile, native }, more) => {
        const meaning = evaluateProfile(profile, { native, enosysStub: false, ...more });
        if (!('abis' in meaning)) return;
        const target = targetFor(native as ArchName, {
          semantics: more.semantics ?? 'crun',
          enosysStub: more.enosysStub ?? false,
          ...(more.enosysAfter && { enosysAfter: more.enosysAfter.release }),
        });
        const arches = resolveReference({ seccomp: seccompFrom(profile), target, tables });
        const space = canonicalSpace(undefined);
        const node = referenceDiagram(space, arches);
        for (const call of someCalls(meaning, profile, 17)) {
          const expected = meaning.evaluate(call.arch, call.nr, call.args);
          const data = inputOf(call);
          const values = [answerOf(arches, data), space.diagram.evaluate(node, wordsOf(data))];
          if (values.some((value) => value !== expected))
            expect({ call, values }).toEqual({ call, values: [expected, expected] });
          compared++;
        }
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(10_000);
  });

  it('is what a program of its rules one after the other computes', () => {
    let proved = 0;
    fc.assert(
      fc.property(anySample(), ({ profile, native }) => {
        const meaning = evaluateProfile(profile, { native, enosysStub: false });
        if (!('abis' in meaning)) return;
        const program = linearProgram(meaning, profile);
        if (program.length > 4096) return;
        const reference = { seccomp: seccompFrom(profile), target: targetFor(native as ArchName), tables };
        expect(prove(program, reference)).toMatchObject({ verdict: 'equal' });
        proved++;
      }),
      { numRuns: 200 },
    );
    expect(proved).toBeGreaterThan(80);
  });
});

describe('a changed program', () => {
  const change = fc.tuple(
    fc.nat(),
    fc.constantFrom('k+1', 'k-1', 'k^', 'swap', 'skip', 'drop', 'op'),
    fc.nat(),
  );

  function mutate(program: readonly SockFilter[], [at, kind, more]: [number, string, number]): SockFilter[] {
    const index = at % program.length;
    const it = program[index]!;
    const changed = {
      'k+1': { ...it, k: (it.k + 1) >>> 0 },
      'k-1': { ...it, k: (it.k - 1) >>> 0 },
      'k^': { ...it, k: (it.k ^ (1 << (more % 32))) >>> 0 },
      swap: { ...it, jt: it.jf, jf: it.jt },
      skip: { ...it, jt: (it.jt + 1) & 0xff },
      op: { ...it, code: (it.code & 7) === 5 ? 0x15 + 0x10 * (more % 4) : it.code },
    }[kind];
    return changed ? program.with(index, changed) : program.toSpliced(index, 1);
  }

  it('is caught with a witness that others reproduce, or means the same', () => {
    const seen = { different: 0, equal: 0, malformed: 0, undecided: 0 };
    fc.assert(
      fc.property(
        anySample(),
        fc.array(change, { minLength: 6, maxLength: 6 }),
        ({ profile, native }, changes) => {
          const meaning = evaluateProfile(profile, { native, enosysStub: false });
          if (!('abis' in meaning)) return;
          const program = linearProgram(meaning, profile);
          if (program.length > 4096) return;
          const reference = { seccomp: seccompFrom(profile), target: targetFor(native as ArchName), tables };
          const big = meaning.abis[0]!.big;
          for (const step of changes) {
            const mutant = mutate(program, step);
            const result = prove(mutant, reference);
            seen[result.verdict]++;
            if (result.verdict === 'malformed' || result.verdict === 'undecided') continue;
            const raw = readProgram(encode(mutant, big ? 'big' : 'little'), big);
            const judge = ({ arch, nr, args }: Call) => [
              meaning.evaluate(arch, nr, args),
              runProgram(raw, { arch, nr, args }),
            ];
            if (result.verdict === 'different')
              for (const { data, expected, actual } of result.witnesses) {
                expect(judge(data)).toEqual([expected, actual]);
                expect(expected).not.toBe(actual);
              }
            else
              for (const call of someCalls(meaning, profile, 61)) {
                const [expected, actual] = judge(call);
                if (expected !== actual) expect({ call, actual }).toEqual({ call, actual: expected });
              }
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(seen.different).toBeGreaterThan(50);
    expect(seen.equal).toBeGreaterThan(0);
    expect(seen.undecided).toBe(0);
  });
});

describe('two profiles', () => {
  it('tighten and loosen as their answers on many calls say', () => {
    const broken = { tightens: 0, loosens: 0 };
    fc.assert(
      fc.property(anySample(), fc.nat(), ({ profile, native }, at) => {
        const entries = profile.syscalls ?? [];
        if (entries.length === 0) return;
        const other = { ...profile, syscalls: entries.toSpliced(at % entries.length, 1) };
        const sides = [profile, other] as const;
        const meanings = sides.map((side) => evaluateProfile(side, { native, enosysStub: false }));
        const [a, b] = meanings;
        if (!a || !b || !('abis' in a) || !('abis' in b)) return;
        const target = targetFor(native as ArchName);
        const [first, second] = sides.map((side) => ({ seccomp: seccompFrom(side), target, tables }));
        for (const relation of ['tightens', 'loosens'] as const) {
          const result = compare(first!, second!, { relation });
          if (result.verdict === 'broken') {
            broken[relation]++;
            for (const { data, first: x, second: y } of result.differences) {
              const stricter = (y | 0) < (x | 0);
              expect(stricter).toBe(relation === 'loosens');
              expect(a.evaluate(data.arch, data.nr, data.args)).toBe(x);
              expect(b.evaluate(data.arch, data.nr, data.args)).toBe(y);
            }
            continue;
          }
          expect(result.verdict).toBe('holds');
          for (const call of someCalls(a, profile, 61)) {
            const x = a.evaluate(call.arch, call.nr, call.args) & 0xffff0000;
            const y = b.evaluate(call.arch, call.nr, call.args) & 0xffff0000;
            if (relation === 'tightens' ? y > x : y < x) expect({ call, relation, x, y }).toBe('allowed');
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(broken.tightens).toBeGreaterThan(0);
    expect(broken.loosens).toBeGreaterThan(0);
  });
});
