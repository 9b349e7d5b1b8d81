/**
 * Compiled programs against libseccomp's, and against the naive evaluator: the profiles of this
 * project, real ones where SECCOMPC_CORPUS names a folder of them, and random ones. libseccomp
 * counts where it is known to be right (docs/semantics.md section 14); the evaluator counts
 * everywhere.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policy, PRESETS } from '../../src/sandbox/index.ts';
import { anySample, plainSample } from '../oracle/arbitrary.ts';
import type { Sample } from '../oracle/arbitrary.ts';
import { runProgram } from '../oracle/bpf.ts';
import type { Call, RawProgram } from '../oracle/bpf.ts';
import { available, firstDifference, skipWithout } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { mayRefuse, openLibseccomp, unsoundness } from '../oracle/libseccomp.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { compileText, targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';
import { isRefusedByOracle, ownProfiles, plainObject, realProfiles } from './profiles.ts';

const RUNS = runs(200, 200);
const opened = openLibseccomp('newest');
const library = () => available(opened);

/**
 * Compares a program with the evaluator and then with libseccomp's in the given shapes. Returns
 * what libseccomp was good for: `equal`, or why it was not asked. Any difference is an error.
 * `trusted`: it is right for this profile.
 */
function judge(
  profile: OciProfile,
  native: string,
  program: RawProgram,
  shapes: readonly (1 | 2)[],
  trusted = false,
): string[] {
  const about = `${native} ${toJson(profile)}`;
  const meaning = evaluateProfile(profile, { native });
  if (!('evaluate' in meaning)) throw new Error(`the evaluator: ${JSON.stringify(meaning)}\n${about}`);
  const ours: Named = ['compiled', (call) => runProgram(program, call)];
  const calls = [...denseCalls(profile, meaning)];
  const wrong = firstDifference(calls, ours, ['evaluator', (c) => meaning.evaluate(c.arch, c.nr, c.args)]);
  if (wrong !== undefined) throw new Error(`${wrong}\n${about}`);

  if (!meaning.abis.every((abi) => library().supports(abi))) return ['not an architecture it knows'];
  const common = calls.filter(({ arch, nr }) =>
    meaning.abis.every((abi) => abi.audit !== arch || library().agreesOn(abi, nr)),
  );
  return shapes.map((optimize) => {
    if (!trusted && unsoundness(profile, meaning, library(), optimize) !== undefined)
      return 'not in its sound subset';
    const answer = library().compile(profile, native, optimize);
    if ('refused' in answer && mayRefuse(profile, meaning)) return 'refused for a call that is not there';
    if (!('program' in answer)) throw new Error(`libseccomp: ${JSON.stringify(answer)}\n${about}`);
    const difference = firstDifference(common, ours, [
      'libseccomp',
      (call) => runProgram(answer.program, call),
    ]);
    if (difference !== undefined) throw new Error(`${difference}\n${about}`);
    return 'equal';
  });
}

type Named = readonly [name: string, answers: (call: Call) => number];

const NATIVES = ['X86_64', 'AARCH64', 'ARM', 'RISCV64', 'PPC64LE', 'S390X', 'MIPS64', 'LOONGARCH64'];

/** What a file's profile is for a native architecture, by our compiler and by the oracles. */
async function judgeFile(text: string, native: string): Promise<string[]> {
  const compiled = await compileText(text, targetOf({ native }));
  if ('absent' in compiled)
    return plainObject(text, native) === undefined ? ['no filter'] : ['only we see none'];
  if ('refused' in compiled) return [isRefusedByOracle(text, native) ? 'refused' : `only we refuse it: ${compiled.refused.join()}`]; // prettier-ignore
  const profile = plainObject(text, native);
  return profile === undefined ? ['only we see a filter'] : judge(profile, native, compiled.program, [1, 2]);
}

describe.skipIf(skipWithout(opened))('compiled, evaluated and by libseccomp', () => {
  it.each(PRESETS.map((preset) => [preset.name, preset] as const))('the preset %s', async (_, preset) => {
    // The second has another byte order, socketcall of 64 bits, and a compatible architecture.
    for (const native of ['X86_64', 'S390X']) {
      const text = policy({ default: 'allow' }).use(preset).toProfile({ arch: native });
      const compiled = await compileText(text, targetOf({ native }));
      if (!('program' in compiled)) throw new Error(JSON.stringify(compiled));
      expect(judge(plainObject(text, native)!, native, compiled.program, [1, 2], true)).toEqual([
        'equal',
        'equal',
      ]);
    }
  });

  it.each([...ownProfiles, ...realProfiles])('%s', async (name, text) => {
    const outcomes: string[] = [];
    for (const native of NATIVES) outcomes.push(...(await judgeFile(text, native)));
    console.info(`${name}: ${[...new Set(outcomes)].join(', ')}`);
    expect(outcomes.filter((outcome) => outcome.startsWith('only we'))).toEqual([]);
  });

  it.each([
    ['shapes it compiles rightly, linear', plainSample, 1],
    ['shapes it compiles rightly, binary tree', plainSample, 2],
    ['all shapes, where it is sound', anySample, 2],
  ] as const)('random profiles: %s', async (_, sample, optimize) => {
    const outcomes = new Map<string, number>();
    const count = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    await fc.assert(
      fc.asyncProperty(sample(), async ({ profile, native }: Sample) => {
        if ('refused' in evaluateProfile(profile, { native })) return;
        const compiled = await compileText(toJson(profile), targetOf({ native }));
        if (!('program' in compiled))
          throw new Error(`${JSON.stringify(compiled)}\n${native} ${toJson(profile)}`);
        judge(profile, native, compiled.program, [optimize]).forEach(count);
      }),
      { seed: 7, numRuns: RUNS },
    );
    console.info([...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(', '));
    expect(outcomes.get('equal')).toBeGreaterThan(RUNS / 8);
  });
});
