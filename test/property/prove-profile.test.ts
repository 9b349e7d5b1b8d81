import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allArches, parseArch } from '../../src/arch.ts';
import type { ArchName } from '../../src/arch.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { answerOf } from '../../src/prove/profile/reference-answer.ts';
import { compare } from '../../src/prove/compare.ts';
import type { Relation } from '../../src/prove/compare.ts';
import { referenceBdd } from '../../src/prove/profile/profile-bdd.ts';
import { wordsOf } from '../../src/prove/bdd/input-words.ts';
import { prove } from '../../src/prove/prove.ts';
import { resolveReference } from '../../src/prove/profile/reference.ts';
import { canonicalSpace } from '../../src/prove/bdd/space.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { anySample } from '../oracle/arbitrary.ts';
import type { Sample } from '../oracle/arbitrary.ts';
import type { Call } from '../oracle/bpf.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { firstDifference } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import type { Evaluator, NaiveOptions } from '../oracle/naive.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { linearProgram, seccompFrom, targetFor } from '../unit/prove-programs.ts';
import { runs } from '../runs.ts';

const tables = await loadTables(allArches().map((arch) => arch.table));

function archNamed(oci: string): ArchName {
  const arch = parseArch(oci);
  fc.pre(arch !== undefined);
  return arch;
}

/** What the oracle makes of a sample; samples that it refuses are not counted. */
function meaningOf(profile: OciProfile, options: NaiveOptions): Evaluator {
  const meaning = evaluateProfile(profile, { enosysStub: false, ...options });
  fc.pre('abis' in meaning);
  return meaning;
}

/** Every `step`-th of the oracle's calls: they are many. */
function* someCalls(meaning: Evaluator, profile: OciProfile, step: number): Generator<Call> {
  let index = 0;
  for (const call of denseCalls(profile, meaning)) if (index++ % step === 0) yield call;
}

/** The oracle as something to compare with. */
function oracle(meaning: Evaluator) {
  return ['the oracle', ({ arch, nr, args }: Call) => meaning.evaluate(arch, nr, args)] as const;
}

function sinceOf(table: string, name: string) {
  const arch = allArches().find((known) => known.table === table)!;
  return tables.of(arch.name).sinceOf(name);
}

describe('a profile', () => {
  const options: fc.Arbitrary<Omit<NaiveOptions, 'native'>> = fc.record(
    {
      semantics: fc.constantFrom('crun', 'runc'),
      release: fc.constantFrom('1.1', '1.1.14', '1.1.15', '1.2', '1.3.6', '1.5'),
      enosysStub: fc.boolean(),
      enosysAfter: fc
        .constantFrom({ major: 4, minor: 5 }, { major: 5, minor: 9 }, { major: 6, minor: 6 })
        .map((release) => ({ release, since: sinceOf })),
    },
    { requiredKeys: [] },
  );

  it('answers as the naive reading of the semantics does', () => {
    fc.assert(
      fc.property(anySample(), options, ({ profile, native }, more) => {
        const meaning = meaningOf(profile, { native, ...more });
        const target = targetFor(archNamed(native), {
          semantics: more.semantics ?? 'crun',
          ...(more.release && { runcRelease: more.release }),
          enosysStub: more.enosysStub ?? false,
          ...(more.enosysAfter && { enosysAfter: more.enosysAfter.release }),
        });
        const arches = resolveReference({ seccomp: seccompFrom(profile), target, tables });
        const { bdd, ...space } = canonicalSpace(undefined);
        const node = referenceBdd({ bdd, ...space }, arches);
        const calls = [...someCalls(meaning, profile, 17)];
        const plain = (call: Call) => answerOf(arches, { ...call, ip: 0n });
        const followed = (call: Call) => bdd.evaluate(node, wordsOf({ ...call, ip: 0n }));
        expect(firstDifference(calls, oracle(meaning), ['the rules', plain])).toBeUndefined();
        expect(firstDifference(calls, oracle(meaning), ['the bdd', followed])).toBeUndefined();
      }),
      { numRuns: runs(8, 50) },
    );
  });

  it('is what a program of its rules one after the other computes', () => {
    fc.assert(
      fc.property(anySample(), ({ profile, native }) => {
        const meaning = meaningOf(profile, { native });
        const program = linearProgram(meaning, profile);
        fc.pre(program.length <= 4096);
        const reference = { seccomp: seccompFrom(profile), target: targetFor(archNamed(native)), tables };
        expect(prove(program, reference)).toMatchObject({ verdict: 'equal' });
      }),
      { numRuns: runs(15, 100) },
    );
  });
});

type Change = readonly [at: number, kind: string, more: number];

/** A program with one instruction changed or missing. */
function mutate(program: readonly SockFilter[], [at, kind, more]: Change): SockFilter[] {
  const index = at % program.length;
  const old = program[index]!;
  const changed = {
    'k+1': { ...old, k: (old.k + 1) >>> 0 },
    'k-1': { ...old, k: (old.k - 1) >>> 0 },
    'k^': { ...old, k: (old.k ^ (1 << (more % 32))) >>> 0 },
    swap: { ...old, jt: old.jf, jf: old.jt },
    skip: { ...old, jt: (old.jt + 1) & 0xff },
    op: { ...old, code: (old.code & 7) === 5 ? 0x15 + 0x10 * (more % 4) : old.code },
  }[kind];
  return changed ? program.with(index, changed) : program.toSpliced(index, 1);
}

describe('a changed program', () => {
  const kinds = ['k+1', 'k-1', 'k^', 'swap', 'skip', 'drop', 'op'];
  const change = fc.tuple(fc.nat(), fc.constantFrom(...kinds), fc.nat());
  const seen = { different: 0, equal: 0, malformed: 0, undecided: 0 };

  /** What others have against the verdict on one mutant. */
  function objections({ profile, native }: Sample, meaning: Evaluator, mutant: SockFilter[]): unknown[] {
    const reference = { seccomp: seccompFrom(profile), target: targetFor(archNamed(native)), tables };
    const result = prove(mutant, reference);
    seen[result.verdict]++;
    const big = meaning.abis[0]!.big;
    const raw = readProgram(encode(mutant, big ? 'big' : 'little'), big);
    const actual = (call: Call) => runProgram(raw, call);
    if (result.verdict === 'different')
      return result.witnesses.filter(
        (witness) =>
          witness.expected === witness.actual ||
          oracle(meaning)[1](witness.data) !== witness.expected ||
          actual(witness.data) !== witness.actual,
      );
    if (result.verdict !== 'equal') return [];
    const calls = someCalls(meaning, profile, 61);
    return [firstDifference(calls, oracle(meaning), ['the mutant', actual]) ?? []].flat();
  }

  it('is caught with a witness that others reproduce, or means the same', () => {
    fc.assert(
      fc.property(anySample(), fc.array(change, { minLength: 6, maxLength: 6 }), (sample, changes) => {
        const meaning = meaningOf(sample.profile, { native: sample.native });
        const program = linearProgram(meaning, sample.profile);
        fc.pre(program.length <= 4096);
        for (const step of changes) expect(objections(sample, meaning, mutate(program, step))).toEqual([]);
      }),
      { seed: 31, numRuns: runs(12, 80) },
    );
    expect(seen.different).toBeGreaterThan(10);
    expect(seen.equal).toBeGreaterThan(10);
    expect(seen.undecided).toBe(0);
  });
});

/**
 * The kernel's order, the lower the stricter; ERRNO 0 (0x00050000) comes after all other ERRNOs.
 */
function strictness(value: number): number {
  const action = (value & 0xffff0000) | 0;
  return value === 0x00050000 ? action + 1 : action;
}

describe('two profiles', () => {
  const verdicts = { holds: 0, broken: 0, malformed: 0, undecided: 0 };
  const isBroken = { tightens: (x: number, y: number) => y > x, loosens: (x: number, y: number) => y < x };

  /** Calls that contradict what the comparison of two profiles says. */
  function objections(
    relation: Exclude<Relation, 'equal'>,
    profiles: readonly [OciProfile, OciProfile],
    native: string,
  ): unknown[] {
    const meanings = profiles.map((profile) => meaningOf(profile, { native }));
    const [first, second] = profiles.map((profile) => ({
      seccomp: seccompFrom(profile),
      target: targetFor(archNamed(native)),
      tables,
    }));
    const result = compare(first!, second!, { relation });
    verdicts[result.verdict]++;
    const answers = ({ arch, nr, args }: Call) =>
      meanings.map((meaning) => strictness(meaning.evaluate(arch, nr, args)));
    const breaks = (call: Call) => {
      const [x, y] = answers(call);
      return isBroken[relation](x!, y!);
    };
    if (result.verdict === 'broken') return result.differences.filter(({ data }) => !breaks(data));
    return [...someCalls(meanings[0]!, profiles[0], 61)].filter(breaks);
  }

  it('tighten and loosen as their answers on many calls say', () => {
    fc.assert(
      fc.property(anySample(), fc.nat(), ({ profile, native }, at) => {
        const entries = profile.syscalls ?? [];
        fc.pre(entries.length > 0);
        const other = { ...profile, syscalls: entries.toSpliced(at % entries.length, 1) };
        expect(objections('tightens', [profile, other], native)).toEqual([]);
        expect(objections('loosens', [profile, other], native)).toEqual([]);
      }),
      { seed: 32, numRuns: runs(15, 100) },
    );
    expect(verdicts.broken).toBeGreaterThan(0);
    expect(verdicts.holds).toBeGreaterThan(0);
    expect(verdicts.undecided).toBe(0);
  });
});
