/**
 * The judges judged: the naive evaluator and libseccomp know nothing of each other, so where
 * libseccomp is known to be right they must agree, on random profiles of all its architectures and
 * in both of its program shapes.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainSample } from '../oracle/arbitrary.ts';
import type { Sample } from '../oracle/arbitrary.ts';
import { runProgram } from '../oracle/bpf.ts';
import { available, firstDifference, skipWithout } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { mayRefuse, openLibseccomp, unsoundness } from '../oracle/libseccomp.ts';
import type { Libseccomp } from '../oracle/libseccomp.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import { runs } from '../runs.ts';

const RUNS = runs(250, 250);

/** 'compared', 'refused' (by both), or why the sample does not count. A disagreement throws. */
function compare(library: Libseccomp, { profile, native }: Sample, optimize: 1 | 2): string {
  const meaning = evaluateProfile(profile, { native });
  if ('absent' in meaning) return 'no filter';
  if ('refused' in meaning) {
    const answer = library.compile(profile, native, optimize);
    return 'refused' in answer ? 'refused' : 'refused by the evaluator only';
  }
  if (!meaning.abis.every((abi) => library.supports(abi))) return 'an architecture it does not know';
  const why = unsoundness(profile, meaning, library, optimize);
  if (why !== undefined) return 'outside the sound subset';
  const answer = library.compile(profile, native, optimize);
  if ('refused' in answer && mayRefuse(profile, meaning)) return 'refused for a call that is not there';
  if (!('program' in answer)) throw new Error(`${JSON.stringify(answer)} for ${native} ${toJson(profile)}`);
  const common = [...denseCalls(profile, meaning)].filter((call) =>
    meaning.abis.every((abi) => abi.audit !== call.arch || library.agreesOn(abi, call.nr)),
  );
  const difference = firstDifference(
    common,
    ['evaluator', (call) => meaning.evaluate(call.arch, call.nr, call.args)],
    ['libseccomp', (call) => runProgram(answer.program, call)],
  );
  if (difference !== undefined) throw new Error(`${difference}\n${native} ${toJson(profile)}`);
  return 'compared';
}

describe.each(['newest', 'system'] as const)('%s libseccomp', (which) => {
  const library = openLibseccomp(which);

  it.skipIf(skipWithout(library)).each([1, 2] as const)(
    'agrees with the naive evaluator, optimisation %d',
    (optimize) => {
      const outcomes = new Map<string, number>();
      fc.assert(
        fc.property(plainSample(), (sample) => {
          const outcome = compare(available(library), sample, optimize);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }),
        { seed: 20, numRuns: RUNS },
      );
      const shown = [...outcomes].map(([outcome, n]) => `${n} ${outcome}`);
      console.info(`libseccomp ${available(library).version}: ${shown.join(', ')}`);
      expect(outcomes.get('compared')).toBeGreaterThan(RUNS / 2);
    },
  );
});
