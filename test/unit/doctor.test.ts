import { describe, expect, it } from 'vitest';
import { lowerProfile } from '../../src/compile.ts';
import { diagnose } from '../../src/doctor/diagnose.ts';
import type { Diagnosis } from '../../src/doctor/diagnose.ts';
import { allFacts, LIBCS, nearestRelease, releasesOf, RUNTIMES } from '../../src/doctor/facts.ts';
import type { Fact } from '../../src/doctor/facts.ts';
import { makeTarget } from '../../src/target.ts';
import type { Target } from '../../src/target.ts';

const ALLOW = 'SCMP_ACT_ALLOW';
const EPERM = { action: 'SCMP_ACT_ERRNO', errnoRet: 1 };
const KILL = { action: 'SCMP_ACT_KILL_PROCESS' };

type Wanted = (fact: Fact) => boolean;

async function ask(profile: object, wanted: Wanted, target: Partial<Target> = {}): Promise<Diagnosis> {
  const made = makeTarget({ arch: 'X86_64', ...target });
  const lowered = await lowerProfile(JSON.stringify(profile), { target: made, file: 'p.json' });
  if (!lowered.confined) throw new Error('no filter');
  return diagnose(lowered, made, wanted);
}

/** The facts of one runtime; as long as no program is asked about, a program has no needs. */
const of =
  (part: Fact['part'], release: string, setting: Fact['setting'] = '-'): Wanted =>
  (fact) =>
    fact.part === part && fact.release === release && fact.setting === setting;
const runc = of('runc', '1.1.5', 'no_new_privs');
const privileged = of('runc', '1.1.5', 'privileges');

const allBut = (...entries: object[]) => ({ defaultAction: ALLOW, syscalls: entries });
const only = (entry: object, answer: object = EPERM) => {
  const { action, errnoRet } = answer as typeof EPERM;
  return {
    defaultAction: action,
    ...(errnoRet === undefined ? {} : { defaultErrnoRet: errnoRet }),
    syscalls: [entry],
  };
};

describe('the recorded starts', () => {
  it('know several releases of each runtime, and both C libraries', () => {
    for (const runtime of ['crun', 'runc'] as const) expect(releasesOf(runtime).length).toBeGreaterThan(1);
    for (const libc of LIBCS) expect(releasesOf(libc)).not.toEqual([]);
    expect(
      allFacts()
        .filter(({ call }) => call === 'execve')
        .map(({ part }) => part),
    ).toEqual(expect.arrayContaining([...RUNTIMES]));
  });

  it('answer for a release by the one before it, compared by numbers', () => {
    expect(releasesOf('crun').slice(0, 2)).toEqual(['1.8.1', '1.21']);
    expect(nearestRelease('crun', '1.9')).toBe('1.8.1');
    expect(nearestRelease('crun', '1.21')).toBe('1.21');
    expect(nearestRelease('crun', '0.1')).toBe('1.8.1');
    expect(nearestRelease('crun', '99')).toBe(nearestRelease('crun'));
  });
});

describe('a diagnosis', () => {
  it('names a refused call with the stage and the last words', async () => {
    const { verdict, missing, patch } = await ask(allBut({ names: ['fstatfs', 'mount'], ...EPERM }), runc);
    expect({ verdict, patch }).toEqual({ verdict: 'fails', patch: ['fstatfs'] });
    expect(missing).toMatchObject([
      {
        fact: { call: 'fstatfs', stage: 'runtime' },
        symptom: 'ensure /proc/self/fd is on procfs: operation not permitted',
      },
    ]);
  });

  it('tells an errno that a start survives from a kill, which it does not', async () => {
    expect((await ask(allBut({ names: ['getpid'], ...EPERM }), runc)).verdict).toBe('starts');
    const killed = await ask(allBut({ names: ['getpid'], ...KILL }), runc);
    expect(killed).toMatchObject({ verdict: 'fails', missing: [{ symptom: 'exit code 159' }] });
    expect((await ask(allBut({ names: ['getpid'], action: 'SCMP_ACT_LOG' }), runc)).verdict).toBe('starts');
  });

  it('says ENOSYS where that is the errno, and takes another errno for both where they end alike', async () => {
    const refused = (errnoRet: number) => ask(allBut({ names: ['fstatfs'], ...EPERM, errnoRet }), runc);
    expect((await refused(38)).missing[0]?.symptom).toMatch(/function not implemented$/);
    expect((await refused(13)).verdict).toBe('fails');
    const reset = { names: ['prctl'], ...EPERM, args: [{ index: 0, value: 47, op: 'SCMP_CMP_EQ' }] };
    const crun = of('crun', '1.8.1', 'privileges');
    const verdicts = [1, 38, 13].map(
      async (errnoRet) => (await ask(allBut({ ...reset, errnoRet }), crun)).verdict,
    );
    expect(await Promise.all(verdicts)).toEqual(['starts', 'fails', 'unknown']);
  });

  it('compares arguments that are the same in every start, and does not guess others', async () => {
    const prctl = (value: number) => ({
      names: ['prctl'],
      action: ALLOW,
      args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }],
    });
    const crun = of('crun', '1.8.1', 'privileges');
    const rest = {
      names: allFacts()
        .filter(crun)
        .map(({ call }) => call)
        .filter((call) => call !== 'prctl'),
      action: ALLOW,
    };
    const profile = (...values: number[]) => ({ ...only(rest), syscalls: [rest, ...values.map(prctl)] });
    expect((await ask(profile(8, 24, 47), crun)).verdict).toBe('starts');
    expect((await ask(profile(8, 47), crun)).missing.map(({ fact }) => fact.args.get(0))).toEqual([24n]);
    const path = { names: ['fstatfs'], ...EPERM, args: [{ index: 0, value: 7, op: 'SCMP_CMP_EQ' }] };
    expect(await ask(allBut(path), runc)).toMatchObject({
      verdict: 'unknown',
      missing: [],
      patch: ['fstatfs'],
    });
  });

  it('asks for what stands in for a refused call only where that is refused', async () => {
    expect((await ask(allBut({ names: ['faccessat2'], ...EPERM }), privileged)).verdict).toBe('starts');
    expect((await ask(allBut({ names: ['faccessat'], ...EPERM }), privileged)).verdict).toBe('starts');
    const both = await ask(allBut({ names: ['faccessat', 'faccessat2'], ...EPERM }), privileged);
    expect(both).toMatchObject({ verdict: 'fails', patch: ['faccessat2'] });
    const killed = await ask(allBut({ names: ['faccessat', 'faccessat2'], ...KILL }), privileged);
    expect(killed.missing.map(({ fact }) => fact.call)).toEqual(['faccessat2']);
  });

  it('does not promise what depends on a listener, on time, or on another architecture', async () => {
    const notify = { names: ['fstatfs'], action: 'SCMP_ACT_NOTIFY' };
    const listening = { ...allBut(notify), listenerPath: '/run/agent' };
    expect(await ask(listening, runc, { semantics: 'runc' })).toMatchObject({
      verdict: 'unknown',
      missing: [],
    });
    expect((await ask(allBut(notify), runc)).verdict).toBe('fails');
    const racy = allFacts().find(({ effects }) => effects.EPERM === 'sometimes')!;
    const wanted = of(racy.part, racy.release, racy.setting);
    expect((await ask(allBut({ names: [racy.call], ...EPERM }), wanted)).verdict).toBe('unknown');
    expect((await ask(allBut(), runc)).verdict).toBe('starts');
    expect((await ask(allBut(), runc, { arch: 'AARCH64' })).verdict).toBe('unknown');
    const refused = await ask(allBut({ names: ['fstatfs'], ...EPERM }), runc, { arch: 'AARCH64' });
    expect(refused.verdict).toBe('fails');
  });

  it('proposes a patch that suffices, whoever starts whatever', async () => {
    const settings = new Set(allFacts().map(({ part, release, setting }) => `${part} ${release} ${setting}`));
    for (const setting of settings) {
      const [part, release, when] = setting.split(' ') as [Fact['part'], string, Fact['setting']];
      const wanted = of(part, release, when);
      for (const answer of [EPERM, KILL]) {
        const { verdict, patch } = await ask(only({ names: ['acct'], action: ALLOW }, answer), wanted);
        expect([setting, verdict]).toEqual([setting, 'fails']);
        const patched = await ask(only({ names: patch, action: ALLOW }, answer), wanted);
        expect([setting, patched.verdict, patched.unclear]).toEqual([setting, 'starts', []]);
      }
    }
  });

  it('proposes no name without which the start would be sure', async () => {
    for (const wanted of [privileged, of('glibc', '2.36')]) {
      const { patch } = await ask(only({ names: ['acct'], action: ALLOW }), wanted);
      expect(patch.length).toBeGreaterThan(5);
      for (const name of patch) {
        const names = [...patch.filter((other) => other !== name), 'acct'];
        expect((await ask(only({ names, action: ALLOW }), wanted)).verdict).not.toBe('starts');
      }
    }
  });
});
