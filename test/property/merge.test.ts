/**
 * Set operations on random profiles, against the naive evaluator on each input and another BPF
 * machine on the result.
 */
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { archOf, parseArch } from '../../src/arch.ts';
import { encode } from '../../src/bpf/instruction.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { joined, merge } from '../../src/merge/merge.ts';
import type { Operation } from '../../src/merge/operations.ts';
import { readPatch } from '../../src/merge/patch.ts';
import { mergedProfile, simplifiedProfile } from '../../src/merge/proved-profile.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import type { SyscallTables } from '../../src/syscalls/tables.ts';
import { plainSample } from '../oracle/arbitrary.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import type { Call } from '../oracle/bpf.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import type { Evaluator } from '../oracle/naive.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { toJson } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';

let tables: SyscallTables;
beforeAll(async () => {
  tables = await loadTables(allArches().map(({ table }) => table));
});

/** seccomp(2), in the order of precedence. */
const STRICTEST_FIRST = [
  0x80000000, 0, 0x00030000, 0x00050000, 0x7fc00000, 0x7ff00000, 0x7ffc0000, 0x7fff0000,
];
const X86 = 0xc000003e;
const place = (answer: number) => STRICTEST_FIRST.indexOf((answer & 0xffff0000) >>> 0);
const EXPECTED: Record<Exclude<Operation, 'extend'>, (answers: readonly number[]) => number> = {
  intersect: (answers) => answers.find((each) => place(each) === Math.min(...answers.map(place)))!,
  union: (answers) => answers.find((each) => place(each) === Math.max(...answers.map(place)))!,
  subtract: ([first, ...others]) =>
    place(first!) < 6 ? first! : (others.find((each) => place(each) < 6) ?? first!),
};

const pair = fc
  .constantFrom('X86_64', 'AARCH64', 'S390X')
  .chain((native) => fc.tuple(plainSample({ natives: [native] }), plainSample({ natives: [native] })));

/** Some of the calls at which a profile is looked at. */
function* callsOf(profile: OciProfile, meaning: Evaluator): Generator<Call> {
  let at = 0;
  for (const call of denseCalls(profile, meaning)) if (at++ % 61 === 0) yield call;
}

async function inputOf({ profile, native }: { profile: OciProfile; native: string }) {
  const target = targetOf({ native });
  const meaning = evaluateProfile(profile, { native });
  if (!('evaluate' in meaning)) return undefined;
  try {
    const lowered = await lowerProfile(toJson(profile), { target });
    return lowered.confined ? { profile, meaning, side: lowered.reference } : undefined;
  } catch (error) {
    if (error instanceof SeccompcError) return undefined;
    throw error;
  }
}

/** Undefined where the result has too many rules; nothing is made then. */
function within<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof SeccompcError && /\[(UNDECIDED|FILTER_TOO_LONG)\]/.test(error.message))
      return undefined;
    throw error;
  }
}

describe('random profiles', () => {
  it('are joined as filters and as profiles call by call, a profile never laxer', async () => {
    const done = { filter: 0, profile: 0 };
    await fc.assert(
      fc.asyncProperty(
        pair,
        fc.constantFrom('intersect', 'union', 'subtract'),
        async (samples, operation) => {
          const inputs = (await Promise.all(samples.map(inputOf))).filter((input) => input !== undefined);
          fc.pre(inputs.length === 2);
          const [{ native }] = samples;
          const target = targetOf({ native });
          const sides = inputs.map(({ side }) => side);
          const isBig = archOf(target.arch).endian === 'big';
          const read = (bytes: Uint8Array) => readProgram(bytes, isBig);
          const merged = within(() => merge(operation, sides, { native: archOf(target.arch), tables }));
          fc.pre(merged !== undefined);
          const { program, endian } = merged;
          const filter = read(encode(program, endian));
          const made = await mergedProfile(joined(operation, sides), { target, tables }).catch(
            (error: unknown) => {
              if (error instanceof SeccompcError) return undefined;
              throw error;
            },
          );
          const again = made && read((await compile(made.text, { target })).bytes);
          for (const { profile, meaning } of inputs)
            for (const call of callsOf(profile, meaning)) {
              const answers = inputs.map((input) => input.meaning.evaluate(call.arch, call.nr, call.args));
              const expected = EXPECTED[operation](answers);
              expect(runProgram(filter, call)).toBe(expected);
              if (again === undefined) continue;
              const answer = runProgram(again, call);
              if (made!.lost.length === 0) expect(answer).toBe(expected);
              else expect(place(answer)).toBeLessThanOrEqual(place(expected));
            }
          done.filter += 1;
          if (made?.lost.length === 0) done.profile += 1;
        },
      ),
      { numRuns: runs(15, 300) },
    );
    expect(done.filter).toBeGreaterThan(5);
    expect(done.profile).toBeGreaterThan(3);
  });

  it('are extended by a patch where it matches, and answer as the base elsewhere', async () => {
    let done = 0;
    let matched = 0;
    await fc.assert(
      fc.asyncProperty(pair, async ([{ profile, native }, other]) => {
        const base = await inputOf({ profile, native });
        fc.pre(base !== undefined);
        const { meaning, side } = base;
        const { syscalls = [], listenerPath } = other.profile;
        const arches = meaning.abis.map(({ oci }) => archOf(parseArch(oci)!));
        const text = toJson({ syscalls, listenerPath });
        const patch = await readPatch(new TextEncoder().encode(text), {
          file: 'patch.json',
          target: targetOf({ native }),
          arches,
        }).catch((error: unknown) => {
          if (error instanceof SeccompcError) return undefined;
          throw error;
        });
        fc.pre(patch !== undefined);
        const sides = [side, patch.side];
        const merged = within(() =>
          merge('extend', sides, { native: archOf(targetOf({ native }).arch), tables }),
        );
        fc.pre(merged !== undefined);
        const filter = readProgram(encode(merged.program, merged.endian), native === 'S390X');
        // An entry has matched if the default action does not show.
        const [one, two] = [60001n, 60002n].map((defaultErrnoRet) =>
          evaluateProfile(
            {
              syscalls,
              ...(listenerPath !== undefined && { listenerPath }),
              defaultAction: 'SCMP_ACT_TRACE',
              defaultErrnoRet,
              architectures: meaning.abis.map(({ oci }) => `SCMP_ARCH_${oci}`),
            },
            { native },
          ),
        );
        if (!('evaluate' in one!) || !('evaluate' in two!))
          throw new Error('the patch is taken, but not by the judge');
        const patched = { profile: other.profile, meaning: one };
        for (const { profile: looked, meaning: by } of [base, patched])
          for (const call of callsOf(looked, by)) {
            const { arch, nr, args } = call;
            const [first, second] = [one, two].map((each) => each.evaluate(arch, nr, args));
            // Numbers with bit 30 are those of x32.
            const isInside = meaning.abis.some(
              ({ oci, audit }) => audit === arch && (audit !== X86 || (oci === 'X32') === nr >= 1 << 30),
            );
            const matches = first === second && isInside;
            if (matches) matched += 1;
            expect(runProgram(filter, call)).toBe(matches ? first : meaning.evaluate(arch, nr, args));
          }
        done += 1;
      }),
      { numRuns: runs(15, 250) },
    );
    expect(done).toBeGreaterThan(5);
    expect(matched).toBeGreaterThan(0);
  });

  it('are simplified to equal ones with at most as many entries', async () => {
    const sample = fc.constantFrom('X86_64', 'S390X').chain((native) => plainSample({ natives: [native] }));
    await fc.assert(
      fc.asyncProperty(sample, async ({ profile, native }) => {
        const input = await inputOf({ profile, native });
        fc.pre(input !== undefined);
        const target = targetOf({ native });
        const { text, entries } = await simplifiedProfile(input.side, { target, tables });
        expect(entries).toBeLessThanOrEqual(profile.syscalls!.length);
        const program = readProgram((await compile(text, { target })).bytes, native === 'S390X');
        for (const call of callsOf(profile, input.meaning))
          expect(runProgram(program, call)).toBe(input.meaning.evaluate(call.arch, call.nr, call.args));
      }),
      { numRuns: runs(10, 200) },
    );
  });
});
