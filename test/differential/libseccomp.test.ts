/**
 * Compiled programs against libseccomp's, and against the naive evaluator: the profiles of this project, real
 * ones where SECCOMPC_CORPUS names a folder of them, and random ones. libseccomp counts where it is known to be
 * right (docs/semantics.md section 14); the evaluator counts everywhere.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveProfile } from '../../src/profile/docker.ts';
import { parseProfile } from '../../src/profile/read.ts';
import type { Seccomp } from '../../src/profile/types.ts';
import { anySample, plainSample } from '../oracle/arbitrary.ts';
import type { Sample } from '../oracle/arbitrary.ts';
import { runProgram } from '../oracle/bpf.ts';
import type { RawProgram } from '../oracle/bpf.ts';
import { available, firstDifference, skipWithout } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { openLibseccomp, unsoundness } from '../oracle/libseccomp.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { isDialect, seccompOf, toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { compileText, targetOf } from '../oracle/subject.ts';

const RUNS = Number(process.env['SECCOMPC_RUNS'] ?? 200);
const opened = openLibseccomp('newest');
const library = () => available(opened);

/** What libseccomp was good for: `equal`, or why it was not asked. A difference of any two is an error. */
function judge(profile: OciProfile, native: string, program: RawProgram, optimize: 1 | 2): string {
  const meaning = evaluateProfile(profile, { native });
  if (!('evaluate' in meaning)) throw new Error(`the evaluator: ${JSON.stringify(meaning)}`);
  const ours = ['compiled', (call) => runProgram(program, call)] as const satisfies Parameters<
    typeof firstDifference
  >[1];
  const calls = [...denseCalls(profile, meaning)];
  const wrong = firstDifference(calls, ours, ['evaluator', (c) => meaning.evaluate(c.arch, c.nr, c.args)]);
  if (wrong !== undefined) throw new Error(`${wrong}\n${native} ${toJson(profile)}`);

  if (!meaning.abis.every((abi) => library().supports(abi))) return 'not an architecture of its own';
  if (unsoundness(profile, meaning, library(), optimize) !== undefined) return 'not in its sound subset';
  const answer = library().compile(profile, native, optimize);
  if (!('program' in answer))
    throw new Error(`libseccomp: ${JSON.stringify(answer)}\n${native} ${toJson(profile)}`);
  const theirs = answer.program;
  const common = calls.filter(({ arch, nr }) =>
    meaning.abis.every((abi) => abi.audit !== arch || library().agreesOn(abi, nr)),
  );
  const different = firstDifference(common, ours, ['libseccomp', (call) => runProgram(theirs, call)]);
  if (different !== undefined) throw new Error(`${different}\n${native} ${toJson(profile)}`);
  return 'equal';
}

const NATIVES = ['X86_64', 'AARCH64', 'ARM', 'RISCV64', 'PPC64LE', 'S390X', 'MIPS64', 'LOONGARCH64'];

/** The plain object that a text means for a target: read here when it is plain, resolved when it is a dialect. */
function plainObject(text: string, native: string): OciProfile | undefined {
  if (!isDialect(text)) return seccompOf(text);
  const { profile } = parseProfile(text, { file: 'profile.json' });
  if (profile === undefined) throw new Error('the reader refused it');
  const { seccomp } = resolveProfile(profile, targetOf({ native }));
  return seccomp === null ? undefined : written(seccomp);
}

/** A resolved profile as the plain object that a runtime would be given. */
function written(seccomp: Seccomp): OciProfile {
  const { defaultAction, defaultErrnoRet, architectures, syscalls } = seccomp;
  return {
    ...(defaultAction === undefined ? {} : { defaultAction }),
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet: BigInt(defaultErrnoRet) }),
    architectures: architectures.map(({ name }) => name),
    syscalls: syscalls.map(({ names, action, errnoRet, args }) => ({
      ...(names === undefined ? {} : { names }),
      action,
      ...(errnoRet === undefined ? {} : { errnoRet: BigInt(errnoRet) }),
      args: args.map((arg) => ({ ...arg, index: BigInt(arg.index) })),
    })),
  };
}

function jsonFiles(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => file.endsWith('.json')).toSorted().map((file) => join(folder, file)); // prettier-ignore
}

const own = jsonFiles(fileURLToPath(new URL('../../profiles/', import.meta.url)));
const corpus = process.env['SECCOMPC_CORPUS'] ? jsonFiles(process.env['SECCOMPC_CORPUS']) : [];

describe.skipIf(skipWithout(opened))('compiled, evaluated and by libseccomp', () => {
  it.each([...own, ...corpus])('%s', async (file) => {
    const text = readFileSync(file, 'utf8');
    const outcomes: string[] = [];
    for (const native of NATIVES) {
      const compiled = await compileText(text, targetOf({ native }));
      if ('program' in compiled) {
        const profile = plainObject(text, native);
        if (profile === undefined) throw new Error('a filter of nothing');
        for (const optimize of [1, 2] as const)
          outcomes.push(judge(profile, native, compiled.program, optimize));
      } else if ('refused' in compiled) {
        outcomes.push('refused');
        // A plain object that we refuse must be one that the evaluator refuses. (The reader has cases of its own.)
        const profile = file.includes('foreign-') || file.includes('bad-') ? undefined : safely(text, native);
        const meaning = profile && evaluateProfile(profile, { native });
        if (meaning && 'evaluate' in meaning)
          throw new Error(`${native}: only we refuse it: ${compiled.refused.join()}`);
      }
    }
    console.info(`${file}: ${[...new Set(outcomes)].join(', ')}`);
    expect(outcomes.length > 0 || seccompOf(text) === undefined).toBe(true);
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
        count(judge(profile, native, compiled.program, optimize));
      }),
      { seed: 7, numRuns: RUNS },
    );
    console.info([...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(', '));
    expect(outcomes.get('equal')).toBeGreaterThan(RUNS / 8);
  });
});

/** The plain object, or undefined where the text cannot be read at all. */
function safely(text: string, native: string): OciProfile | undefined {
  try {
    return plainObject(text, native);
  } catch {
    return undefined;
  }
}
