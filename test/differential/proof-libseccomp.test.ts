/**
 * libseccomp's programs, proved: for a profile that it is known to compile rightly
 * (docs/semantics.md section 14), its program and the profile are equal for every input there is,
 * not only for those that a test thinks of.
 *
 * Where its tables and ours give a name different numbers on an architecture of the filter, the
 * name is left out.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { lowerProfile } from '../../src/compile.ts';
import { compare } from '../../src/prove/compare.ts';
import { plainSample } from '../oracle/arbitrary.ts';
import type { RawProgram } from '../oracle/bpf.ts';
import { available, showCall, skipWithout } from '../oracle/compare.ts';
import { mayRefuse, openLibseccomp, unsoundness } from '../oracle/libseccomp.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';
import { isRefusedByOracle, ownProfiles, plainObject, realProfiles } from './profiles.ts';

const RUNS = runs(300, 300);
const NATIVES = ['X86_64', 'AARCH64', 'ARM', 'RISCV64', 'PPC64LE', 'S390X', 'MIPS64', 'LOONGARCH64'];
const opened = openLibseccomp('newest');
const library = () => available(opened);

/** The profile without the names that are not the same call to both, and how many those were. */
function agreed(profile: OciProfile, native: string): { profile: OciProfile; left: number } {
  const meaning = evaluateProfile(profile, { native });
  if (!('abis' in meaning)) return { profile, left: 0 };
  const disputed = new Set(meaning.abis.flatMap((abi) => [...library().disputed(abi)]));
  const all = (profile.syscalls ?? []).flatMap(({ names = [] }) => names);
  const left = new Set(all.filter((name) => disputed.has(name)));
  const syscalls = (profile.syscalls ?? []).map(({ names = [], action, errnoRet, args = [] }) => ({
    names: names.filter((name) => !disputed.has(name)),
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    args,
  }));
  const { defaultAction, defaultErrnoRet, architectures = [] } = profile;
  // Written out, so that a member which runtimes ignore does not make another dialect of it.
  const plain = {
    ...(defaultAction === undefined ? {} : { defaultAction }),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    architectures,
    syscalls,
  };
  return { profile: plain, left: left.size };
}

const instructionsOf = ({ length, code, jt, jf, k }: RawProgram): SockFilter[] =>
  Array.from({ length }, (_, pc) => ({ code: code[pc]!, jt: jt[pc]!, jf: jf[pc]!, k: k[pc]! }));

/** `equal`, or why libseccomp was not asked; anything else is a fault. */
async function judge(whole: OciProfile, native: string, optimize: 1 | 2): Promise<string> {
  const { profile } = agreed(whole, native);
  const meaning = evaluateProfile(profile, { native });
  if (!('abis' in meaning)) return 'refused';
  if (!meaning.abis.every((abi) => library().supports(abi))) return 'not an architecture it knows';
  if (unsoundness(profile, meaning, library(), optimize) !== undefined) return 'not in its sound subset';
  const answer = library().compile(profile, native, optimize);
  if ('refused' in answer && mayRefuse(profile, meaning)) return 'refused for a call that is not there';
  const about = `${native} ${toJson(profile)}`;
  if (!('program' in answer)) return `${JSON.stringify(answer)}\n${about}`;
  const { program } = answer;
  // Longer than the kernel takes (section 14.6): nobody could load it.
  if (program.length > MAX_INSTRUCTIONS) return 'too long for the kernel';

  const read = await lowerProfile(toJson(profile), { target: targetOf({ native }) });
  if (!read.confined) return `no filter\n${about}`;
  const theirs = { program: instructionsOf(program), endian: program.big ? 'big' : 'little' } as const;
  const result = compare(read.reference, theirs);
  if (result.verdict === 'holds') return 'equal';
  if (result.verdict !== 'broken') return `${result.verdict}: ${result.reason}\n${about}`;
  const calls = result.differences.map(({ data, first, second }) => `${showCall(data)}: ${first} ${second}`);
  return `${calls.join('\n')}\n${about}`;
}

const MAX_INSTRUCTIONS = 4096;
const FINE = [
  'equal',
  'refused',
  'not an architecture it knows',
  'not in its sound subset',
  'refused for a call that is not there',
  'too long for the kernel',
];

function show(outcomes: ReadonlyMap<string, number>): string {
  return [...outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(', ');
}

describe.skipIf(skipWithout(opened))('the program that libseccomp makes', () => {
  const outcomes = new Map<string, number>();
  const count = (outcome: string) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);

  it.each([...ownProfiles, ...realProfiles])('of %s is proved where it is sound', async (_, text) => {
    const found: string[] = [];
    for (const native of NATIVES) {
      if (isRefusedByOracle(text, native)) continue;
      const profile = plainObject(text, native)!;
      for (const optimize of [1, 2] as const) found.push(await judge(profile, native, optimize));
    }
    found.forEach(count);
    expect(found.filter((outcome) => !FINE.includes(outcome))).toEqual([]);
  });

  it('is so for most profiles, most names of which both agree on', () => {
    console.info(`libseccomp ${library().version}: ${show(outcomes)}`);
    expect(outcomes.get('equal')).toBeGreaterThan(5 * NATIVES.length);
    const [, text] = ownProfiles.find(([name]) => name === 'container-default.json')!;
    for (const native of NATIVES) {
      const profile = plainObject(text, native)!;
      const names = new Set((profile.syscalls ?? []).flatMap((entry) => entry.names ?? []));
      expect(agreed(profile, native).left).toBeLessThan(names.size / 5);
    }
  });

  it.each([1, 2] as const)('of random profiles is proved, optimisation %d', async (optimize) => {
    const seen = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(plainSample(), async ({ profile, native }) => {
        const outcome = await judge(profile, native, optimize);
        expect(FINE).toContain(outcome);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }),
      { seed: 14, numRuns: RUNS },
    );
    console.info(show(seen));
    expect(seen.get('equal')).toBeGreaterThan(RUNS / 3);
  });
});
