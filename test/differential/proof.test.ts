/**
 * Everything that this compiler makes can be proved: profiles of this project, real ones where
 * SECCOMPC_CORPUS names a folder of them, and random ones, on all 23 architectures and for every
 * goal of the optimiser.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import type { ArchName } from '../../src/arch.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import type { Filter } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';
import type { Target } from '../../src/target.ts';
import { anySample } from '../oracle/arbitrary.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { bitmapLosses } from './bitmap-losses.ts';
import { isRefusedByOracle, ownProfiles, realProfiles } from './profiles.ts';

const GOALS = ['attach', 'frequency', 'size'] as const;
type Goal = (typeof GOALS)[number];
const NATIVES = allArches().map(({ name }) => name);
const RUNS = Number(process.env['SECCOMPC_PROOFS'] ?? 10_000);

/** The filter; or the codes of the errors for which the profile was refused. */
async function compileProved(text: string, target: Target, optimize: Goal): Promise<Filter | string[]> {
  try {
    return await compile(text, { target, optimize, prove: 'require' });
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return error.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
  }
}

/** `proved`, `no filter` or `refused`; what is wrong, otherwise. */
async function judge(text: string, arch: ArchName, goal: Goal): Promise<string> {
  const verdict = await judgeFor(text, makeTarget({ arch }), goal);
  // The profile lists architectures of the other byte order: then for the native one alone.
  return verdict === 'mixed' ? judgeFor(text, makeTarget({ arch, architectures: [arch] }), goal) : verdict;
}

async function judgeFor(text: string, target: Target, goal: Goal): Promise<string> {
  const { arch, architectures } = target;
  const about = (fault: string) => `${arch}, ${goal}: ${fault}`;
  const filter = await compileProved(text, target, goal);
  if (Array.isArray(filter)) {
    if (filter.every((code) => code === 'MIXED_BYTE_ORDER')) return 'mixed';
    const isSound = isRefusedByOracle(text, arch, architectures !== undefined);
    return isSound && !filter.some((code) => OURS.has(code)) ? 'refused' : about(filter.join());
  }
  if (!filter.confined) return 'no filter';
  if (!filter.proved) return about('not proved');
  const lost = await lossesOf(filter, text, target);
  return lost.length === 0 ? 'proved' : about(`the kernel's bitmap lacks ${lost.join()}`);
}

/** Errors that are no fault of a profile. */
const OURS = new Set(['NOT_PROVED', 'PROOF_CONTRADICTS']);

/** Calls that the profile always allows, and for which the kernel would still run the filter. */
async function lossesOf(filter: Filter, text: string, target: Target): Promise<string[]> {
  const lowered = await lowerProfile(text, { target });
  if (!lowered.confined) throw new Error('a filter for a profile that asks for none');
  const losses = bitmapLosses(filter.instructions, lowered.reference);
  if (losses === undefined) throw new Error('the bitmap is undecided');
  return losses.map(({ abi, nr }) => `${abi} ${nr}`);
}

describe('a profile', () => {
  it.each(ownProfiles)('of this project, %s, is proved for every goal', async (_, text) => {
    const wrong: string[] = [];
    let proved = 0;
    for (const arch of NATIVES)
      for (const goal of GOALS) {
        const verdict = await judge(text, arch, goal);
        if (verdict === 'proved') proved++;
        else if (verdict !== 'refused') wrong.push(verdict);
      }
    expect(wrong).toEqual([]);
    // Conditions on calls that go through socketcall contradict each other on some architectures.
    expect(proved).toBeGreaterThanOrEqual((NATIVES.length * GOALS.length) / 2);
  });

  it.each(realProfiles)('of others, %s, is proved where it is accepted', async (name, text) => {
    const verdicts = new Set<string>();
    for (const [index, arch] of NATIVES.entries())
      verdicts.add(await judge(text, arch, GOALS[(index + name.length) % GOALS.length]!));
    console.info(`${name}: ${[...verdicts].join(', ')}`);
    for (const fine of ['proved', 'no filter', 'refused']) verdicts.delete(fine);
    expect([...verdicts]).toEqual([]);
  });
});

describe('a random profile', () => {
  it(`is proved, ${RUNS} times`, async () => {
    let lost = 0;
    const seen = { proved: 0, refused: 0, arches: new Map<ArchName, number>(), goals: new Set<Goal>() };
    await fc.assert(
      fc.asyncProperty(anySample(), fc.constantFrom(...GOALS), async ({ profile, native }, goal) => {
        const text = toJson(profile);
        const filter = await compileProved(text, targetOf({ native }), goal);
        if (Array.isArray(filter)) {
          // Not a way out: what is refused must be refused by the plain reading too.
          const meaning = evaluateProfile(profile, { native });
          if (!('refused' in meaning)) throw new Error(`only we refuse it: ${filter.join()}`);
          seen.refused++;
          return fc.pre(false);
        }
        expect(filter.proved).toBe(true);
        lost += (await lossesOf(filter, text, targetOf({ native }))).length;
        seen.proved++;
        seen.goals.add(goal);
        for (const arch of filter.arches) seen.arches.set(arch, (seen.arches.get(arch) ?? 0) + 1);
      }),
      { seed: 2017, numRuns: RUNS },
    );
    console.info(`${seen.proved} proved, ${seen.refused} refused by all, ${lost} lost for the bitmap`);
    expect(lost).toBe(0);
    expect(seen.proved).toBe(RUNS);
    expect([...seen.goals].toSorted()).toEqual([...GOALS].toSorted());
    expect([...seen.arches.keys()].toSorted()).toEqual(NATIVES.toSorted());
    expect(Math.min(...seen.arches.values())).toBeGreaterThan(RUNS / 100);
  });
});
