import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkProgram } from '../../src/bpf/check.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { Effort as Search } from '../../src/codegen/effort.ts';
import { generate } from '../../src/codegen/generate.ts';
import { weightsFor } from '../../src/codegen/numbers/weights.ts';
import { lowerProfile } from '../../src/compile.ts';
import { answerOf } from '../../src/prove/profile/reference-answer.ts';
import { CaseProof } from '../../src/prove/cases/cases.ts';
import { statesOf } from '../../src/prove/cases/machine.ts';
import type { State } from '../../src/prove/cases/machine.ts';
import { ALL_INPUTS } from '../../src/prove/cases/region.ts';
import type { Region, WordTest } from '../../src/prove/cases/region.ts';
import { referenceBdd } from '../../src/prove/profile/profile-bdd.ts';
import { Effort, Undecided } from '../../src/prove/bdd/bdd.ts';
import { dataOf } from '../../src/prove/bdd/input-words.ts';
import { programBdd } from '../../src/prove/program/program-bdd.ts';
import { resolveReference } from '../../src/prove/profile/reference.ts';
import { canonicalSpace } from '../../src/prove/bdd/space.ts';
import { FAMILIES, growthProfile } from '../growth.ts';
import { mutantsOf } from '../mutants.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import type { Call } from '../oracle/bpf.ts';
import { edgeArguments } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { fromJson, toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';

const constant = fc.oneof(
  fc.constantFrom(0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  fc.integer({ min: 0, max: 9 }),
  fc.integer({ min: 0, max: 31 }).map((bit) => 2 ** bit),
  fc.integer({ min: 0, max: 0xffffffff }),
);

/** In the plainest words. */
function holds({ word, mask, comparison, constant: k }: WordTest, words: readonly number[]): boolean {
  const value = (words[word]! & mask) >>> 0;
  if (comparison === 'equal') return value === k;
  if (comparison === 'intersects') return (value & k) !== 0;
  return comparison === 'greater' ? value > k : value >= k;
}

describe('a region of inputs', () => {
  const test: fc.Arbitrary<WordTest> = fc.record({
    // Both words of two arguments, the number, and a word that nothing is known of.
    word: fc.constantFrom(1, 2, 3, 4, 5, 14),
    mask: fc.oneof(fc.constant(0xffffffff), constant),
    comparison: fc.constantFrom('equal', 'greater', 'atLeast', 'intersects'),
    constant,
  });
  const input = fc.array(constant, { minLength: 16, maxLength: 16 });

  /** The region of all inputs for which these tests come out as for this one. */
  function around(words: readonly number[], tests: readonly WordTest[]): Region {
    let region = ALL_INPUTS;
    for (const each of tests) {
      const next = region.when(each, holds(each, words));
      if (next === undefined) throw new Error('an input is in no region');
      region = next;
    }
    return region;
  }

  it('never loses an input, and never says of a test what is wrong for one of its inputs', () => {
    let decided = 0;
    fc.assert(
      fc.property(
        input,
        input,
        fc.array(test, { maxLength: 8 }),
        fc.array(test, { maxLength: 8 }),
        (a, b, tests, others) => {
          const mine = around(a, tests);
          const joined = mine.join(around(b, others));
          for (const each of [...tests, ...others]) {
            for (const [region, words] of [
              [mine, a],
              [joined, a],
              [joined, b],
            ] as const) {
              const outcome = region.outcome(each);
              if (outcome === undefined) continue;
              decided++;
              expect(outcome).toBe(holds(each, words));
            }
          }
        },
      ),
      { numRuns: 3000 },
    );
    expect(decided).toBeGreaterThan(3000);
  });
});

describe('the tests of a program', () => {
  const bits = fc.integer({ min: 0, max: 0xffffffff });
  const shift = fc.integer({ min: 0, max: 31 });
  const steps = fc.array(
    fc.oneof(
      fc.constantFrom(16, 20, 24, 28, 32).map((k) => ({ code: 0x20, k })),
      fc.constantFrom(0x07, 0x87, 0x4c).map((code) => ({ code, k: 0 })),
      fc.record({ code: fc.constantFrom(0x54, 0xa4), k: bits }),
      fc.record({ code: fc.constantFrom(0x64, 0x74), k: shift }),
      // Two words share no bits often enough if each keeps few.
      fc.tuple(fc.constantFrom(16, 20), fc.constantFrom(24, 28), shift).map(([first, second, by]) => [
        { code: 0x20, k: first },
        { code: 0x54, k: 0xff00ff },
        { code: 0x07, k: 0 },
        { code: 0x20, k: second },
        { code: by % 2 === 0 ? 0x64 : 0x74, k: by },
        { code: 0x54, k: 0xff00ff00 },
        { code: 0x4c, k: 0 },
      ]),
    ),
    { minLength: 1, maxLength: 8 },
  );
  const input = fc.array(constant, { minLength: 16, maxLength: 16 });

  it('say of gathered bits what the instructions do', () => {
    let followed = 0;
    fc.assert(
      fc.property(steps, bits, fc.array(input, { minLength: 4, maxLength: 4 }), (before, k, inputs) => {
        const program = [
          ...before.flat().map((step) => ({ ...step, jt: 0, jf: 0 })),
          { code: 0x45, jt: 0, jf: 1, k },
          { code: 0x06, jt: 0, jf: 0, k: 1 },
          { code: 0x06, jt: 0, jf: 0, k: 2 },
        ];
        let start: State;
        try {
          ({ start } = statesOf(program, 'little'));
        } catch (error) {
          if (error instanceof Undecided) return;
          throw error;
        }
        followed++;
        for (const words of inputs) {
          let state = start;
          while (state.kind === 'test') state = holds(state.test, words) ? state.yes : state.no;
          expect(state.value).toBe(run(program, dataOf(Uint32Array.from(words)), 'little').value);
        }
      }),
      { numRuns: 2000 },
    );
    expect(followed).toBeGreaterThan(800);
  });
});

const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'];
const wide = fc.oneof(
  constant.map(BigInt),
  fc.tuple(fc.constantFrom(0n, 1n, 0xffffffffn), constant).map(([high, low]) => (high << 32n) | BigInt(low)),
);
const rule = fc.record({
  args: fc.subarray([0, 1, 2], { minLength: 1 }).chain((args) =>
    fc.tuple(
      ...args.map((index) =>
        fc.record({
          index: fc.constant(index),
          op: fc.constantFrom(...OPERATORS),
          value: wide,
          valueTwo: wide,
        }),
      ),
    ),
  ),
  errno: fc.constantFrom(0, 0, 0, 2, 3),
});
type Rules = { args: { index: number; op: string; value: bigint; valueTwo: bigint }[]; errno: number }[];

/** Rules on one call, on 64 and on 32 bits. Undefined where the profile is refused. */
async function filterOf(rules: Rules, architectures: readonly string[]) {
  const syscalls = rules.map(({ args, errno }) => ({
    names: ['ioctl'],
    ...(errno === 0 ? { action: 'SCMP_ACT_ALLOW' } : { action: 'SCMP_ACT_ERRNO', errnoRet: errno }),
    args: args.map((arg) => ({ ...arg, op: `SCMP_CMP_${arg.op}` })),
  }));
  const text = toJson({ defaultAction: 'SCMP_ACT_ERRNO', architectures, syscalls });
  return madeFrom(text, new Search(50_000));
}

async function madeFrom(text: string, search?: Search) {
  const target = targetOf({ native: 'X86_64' });
  const lowered = await lowerProfile(text, { target }).catch(() => undefined);
  if (lowered === undefined || !lowered.confined) return undefined;
  const { policy, reference } = lowered;
  const program = generate(policy, weightsFor('attach', reference.tables), search);
  return { program, arches: resolveReference(reference) };
}

type Made = NonNullable<Awaited<ReturnType<typeof filterOf>>>;

function isProvedByCases(program: readonly SockFilter[], { arches }: Made): boolean {
  try {
    return new CaseProof(program, 'little', arches, new Effort(1e6)).run() === undefined;
  } catch (error) {
    if (error instanceof Undecided) return false;
    throw error;
  }
}

/** By diagrams of both sides, which share nothing with the cases. */
function isEqual(program: readonly SockFilter[], { arches }: Made): boolean {
  const space = canonicalSpace(1 << 15);
  return programBdd(space, program, 'little') === referenceBdd(space, arches);
}

describe('the proof by cases', () => {
  const architectures = fc.constantFrom(
    ['SCMP_ARCH_X86_64'],
    ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  );

  it('proves what the compiler makes, nearly always', async () => {
    let [tried, proved] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        fc.array(rule, { minLength: 1, maxLength: 12 }),
        architectures,
        async (rules, listed) => {
          const made = await filterOf(rules, listed);
          if (made === undefined) return;
          tried++;
          if (isProvedByCases(made.program, made)) proved++;
        },
      ),
      { seed: 3, numRuns: runs(25, 150) },
    );
    expect(tried).toBeGreaterThan(0.6 * runs(25, 150));
    expect(proved).toBeGreaterThan(0.95 * tried);
  });

  it('never proves a program with a changed instruction that answers some call otherwise', async () => {
    let caught = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(rule, { minLength: 1, maxLength: 6 }),
        architectures,
        fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
        async (rules, listed, chosen) => {
          const made = await filterOf(rules, listed);
          if (made === undefined) return;
          const mutants = [...mutantsOf(made.program)];
          for (const at of chosen) {
            const changed = mutants[at % mutants.length]!;
            let isSame: boolean;
            try {
              isSame = isEqual(changed, made);
            } catch {
              // The kernel would refuse it, or it is too much for diagrams.
              continue;
            }
            if (isSame) continue;
            caught++;
            expect(isProvedByCases(changed, made)).toBe(false);
          }
        },
      ),
      { numRuns: runs(30, 150) },
    );
    expect(caught).toBeGreaterThan(2 * runs(30, 150));
  });

  it('doubts an input near one that a wrong return value answers otherwise', async () => {
    const made = (await filterOf(
      [{ args: [{ index: 0, op: 'EQ', value: 5n, valueTwo: 0n }], errno: 0 }],
      [],
    ))!;
    const at = made.program.findLastIndex(({ code, k }) => code === 0x06 && k === 0x50001);
    const wrong = made.program.with(at, { ...made.program[at]!, k: 0x7fff0000 });
    const doubt = new CaseProof(wrong, 'little', made.arches, new Effort(1e6)).run();
    const data = dataOf(doubt!);
    expect(run(wrong, data, 'little').value).not.toBe(answerOf(made.arches, data));
  });
});

const THREE = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];

describe.each(Object.keys(FAMILIES))('the program of many rules with the conditions %s', (family) => {
  it.each([40, 3, 10, 100, 200].slice(0, runs(1, 5)))('is proved by cases: %i rules', async (rules) => {
    for (const architectures of [THREE.slice(0, 1), THREE]) {
      const made = (await madeFrom(growthProfile(family, rules, { architectures })))!;
      expect(isProvedByCases(made.program, made)).toBe(true);
    }
  });

  it('is not proved with an instruction changed so that another machine sees a difference', async () => {
    const text = growthProfile(family, 5, { architectures: THREE });
    const made = (await madeFrom(text))!;
    const calls = callsOf(fromJson(text) as OciProfile);
    let caught = 0;
    let at = 0;
    for (const mutant of mutantsOf(made.program)) {
      if (at++ % runs(13, 1) !== 0 || checkProgram(mutant).length > 0 || isSameFor(calls, mutant)) continue;
      caught++;
      expect(isProvedByCases(mutant, made)).toBe(false);
    }
    expect(caught).toBeGreaterThan(0.3 * (at / runs(13, 1)));
  });
});

/**
 * Calls at the edges of the rules and what a naive evaluator answers, for the ABIs of the profile
 * and some others.
 */
function callsOf(profile: OciProfile): [Call, number][] {
  const meaning = evaluateProfile(profile, { native: 'X86_64' });
  if (!('abis' in meaning)) throw new Error('the oracle refuses this profile');
  const calls = meaning.abis.flatMap((abi) =>
    [0, 15, 16, 17, 53, 54, 55, 0x40000000 + 514, 0xffffffff].flatMap((nr) =>
      [[0n, 0n, 0n, 0n, 0n, 0n], ...edgeArguments(profile, meaning.rules(abi, nr))].map((args) => ({
        arch: abi.audit,
        nr,
        args,
      })),
    ),
  );
  calls.push({ arch: 0xc00000b7, nr: 16, args: [0n, 0n, 0n, 0n, 0n, 0n] });
  return calls.map((call) => [call, meaning.evaluate(call.arch, call.nr, call.args)]);
}

/** Whether a program answers all calls as it should. */
function isSameFor(calls: readonly [Call, number][], program: readonly SockFilter[]): boolean {
  const raw = readProgram(encode(program, 'little'), false);
  return calls.every(([call, answer]) => runProgram(raw, call) === answer);
}
