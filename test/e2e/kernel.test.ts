/**
 * The running kernel as judge: it loads our programs and then does to real calls what the profile
 * says, on x86_64, on 32-bit x86 through a 32-bit process and through int 0x80, and for x32's
 * numbers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anySample } from '../oracle/arbitrary.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { abiOf, tableOf } from '../oracle/facts.ts';
import type { Abi } from '../oracle/facts.ts';
import { edgeArguments } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { seccompOf, toJson } from '../oracle/oci.ts';
import type { OciArg, OciEntry, OciProfile } from '../oracle/oci.ts';
import { compile } from '../../src/compile.ts';
import { resolveProfile } from '../../src/profile/docker.ts';
import { formatOci } from '../../src/profile/oci-text.ts';
import { readProfile } from '../../src/profile/read.ts';
import { capabilitySet, makeTarget } from '../../src/target.ts';
import { compileText, targetOf } from '../oracle/subject.ts';
import { expectedReport, GUARDED, openVictim, withoutValue } from '../oracle/victim.ts';
import type { Probe } from '../oracle/victim.ts';
import { runs } from '../runs.ts';

const DEFAULT_PROFILE = join(import.meta.dirname, '../../profiles/container-default.json');
const RUNS = runs(30, 30);
const opened = openVictim();
const victim = () => available(opened);

const X86_64 = abi('X86_64');
const X86 = abi('X86');
const X32 = abi('X32');

function abi(name: string): Abi {
  const found = abiOf(name);
  if (found === undefined) throw new Error(name);
  return found;
}

/** How to reach an ABI from which victim. */
const WAYS: { how: Probe['how']; bits: 32 | 64; abis: Abi[] }[] = [
  { how: 'syscall', bits: 64, abis: [X86_64, X32] },
  { how: 'int80', bits: 64, abis: [X86] },
  { how: 'syscall', bits: 32, abis: [X86] },
];

async function compiled(profile: OciProfile, native = 'X86_64'): Promise<Uint8Array> {
  const result = await compileText(toJson(profile), targetOf({ native }));
  if (!('bytes' in result)) throw new Error(`not compiled: ${JSON.stringify(result)}`);
  return result.bytes;
}

/**
 * Loads our program, makes the calls in every way, and compares with what the profile means.
 * Returns how many.
 */
async function judge(
  profile: OciProfile,
  calls: readonly { name: string; args: bigint[] }[],
): Promise<number> {
  const meaning = evaluateProfile(profile, { native: 'X86_64' });
  if (!('evaluate' in meaning)) throw new Error(JSON.stringify(meaning));
  const filter = await compiled(profile);
  let made = 0;
  for (const { how, bits, abis } of WAYS) {
    const probes = abis.flatMap((a) =>
      calls.flatMap(({ name, args }) => {
        const nr = tableOf(a.table).numbers.get(name);
        return nr === undefined ? [] : [{ abi: a, probe: { how, nr, args } }];
      }),
    );
    const list = probes.map(({ probe }) => probe);
    const bare = victim().run(undefined, list, bits);
    const reports = victim().run(filter, list, bits);
    const expected = probes.map(({ abi: { audit }, probe }, i) => {
      const args = probe.args.map((x) => (bits === 32 ? x & 0xffffffffn : x));
      return show(
        probe,
        expectedReport(meaning.evaluate(audit, probe.nr, args), probe, audit, bare[i] ?? ''),
      );
    });
    expect(reports.map((report, i) => show(list[i], withoutValue(report)))).toEqual(expected);
    made += list.length;
  }
  return made;
}

const show = (probe: Probe | undefined, report: string) =>
  `${probe?.how} ${probe?.nr}(${probe?.args.map((x) => x.toString(16)).join(' ')}): ${report}`;

const ALL_THREE = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
/** Calls that do nothing, whatever their arguments. */
const HARMLESS = ['getpid', 'getppid', 'getuid', 'geteuid', 'getgid', 'getegid', 'gettid'];
const MAX = 0xffffffffffffffffn;

/** personality(2) asked without changing it: always 0 here. */
const PERSONALITY: Probe = { how: 'syscall', nr: 135, args: [0xffffffffn] };

/** A program of `length` instructions that loads nr over and over and then allows. */
function allowAfter(length: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(8 * length));
  for (let at = 0; at < 8 * length; at += 8) bytes.setUint16(at, 0x20, true);
  bytes.setUint16(8 * length - 8, 0x06, true);
  bytes.setUint32(8 * length - 4, 0x7fff0000, true);
  return new Uint8Array(bytes.buffer);
}

/**
 * All that are filtered: the kernel lets uretprobe and uprobe pass whatever a filter says
 * (docs/semantics.md, 13).
 */
function numbersOf({ table }: Abi): number[] {
  const exempt = table === 'x86_64' ? ['uretprobe', 'uprobe'] : [];
  return [...tableOf(table).numbers].filter(([call]) => !exempt.includes(call)).map(([, nr]) => nr);
}

const without = (name: string) => ({ name, args: [] });

describe.skipIf(skipWithout(opened))('the kernel', () => {
  it.each(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_LOG'])(
    'does each action beside the default %s',
    async (defaultAction) => {
      const outcomes: [name: string, action: string, errnoRet?: bigint][] = [
        ['getppid', 'KILL_PROCESS'],
        ['getuid', 'KILL_THREAD'],
        ['geteuid', 'TRAP'],
        ['getgid', 'ERRNO', 0n],
        ['getegid', 'ERRNO', 4094n],
        ['gettid', 'ERRNO'],
        ['sched_yield', 'TRACE', 7n],
        ['getpgrp', 'NOTIFY'],
        ['personality', 'LOG'],
        ['umask', 'ALLOW'],
      ];
      const syscalls = outcomes.map(([name, action, errnoRet]) => ({
        names: [name],
        action: `SCMP_ACT_${action}`,
        ...(errnoRet === undefined ? {} : { errnoRet }),
      }));
      const calls = [...outcomes.map(([name]) => without(name)), without('getpid'), without('times')];
      const made = await judge({ defaultAction, architectures: ALL_THREE, syscalls }, calls);
      expect(made).toBe(4 * calls.length);
    },
  );

  it('reports filter mode in /proc', async () => {
    const filter = await compiled({ defaultAction: 'SCMP_ACT_ALLOW' });
    expect(victim().run(undefined, [PERSONALITY])).toEqual(['value 0 0']);
    expect(victim().run(filter, [PERSONALITY])).toEqual(['value 0 2']);
  });

  it.each(['EQ', 'NE', 'LT', 'LE', 'GT', 'GE', 'MASKED_EQ'])('compares arguments with %s', async (op) => {
    const constants = [0n, 1n, 0x80000000n, 0xffffffffn, 0x100000000n, 0x100000005n, 1n << 63n, MAX];
    const syscalls = constants.slice(0, HARMLESS.length).map((value, i): OciEntry => {
      const arg: OciArg = {
        index: BigInt(i % 6),
        op: `SCMP_CMP_${op}`,
        value,
        valueTwo: constants[i + 1] ?? 0n,
      };
      return { names: [HARMLESS[i] ?? ''], action: 'SCMP_ACT_ERRNO', errnoRet: 77n, args: [arg] };
    });
    const around = constants.flatMap((c) => [c, (c + 1n) & MAX, (c - 1n) & MAX]);
    const calls = HARMLESS.flatMap((name, i) =>
      around.map((x) => ({ name, args: Array.from({ length: 6 }, (_, k) => (k === i % 6 ? x : MAX - x)) })),
    );
    const made = await judge({ defaultAction: 'SCMP_ACT_ALLOW', architectures: ALL_THREE, syscalls }, calls);
    expect(made).toBe(4 * calls.length);
  });

  it('does not see the high halves of registers behind int 0x80', async () => {
    const args = [{ index: 0n, value: 5n, op: 'SCMP_CMP_EQ' }];
    const syscalls = [{ names: ['getpid'], action: 'SCMP_ACT_ERRNO', errnoRet: 77n, args }];
    const filter = await compiled({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86'],
      syscalls,
    });
    const reports = victim().run(filter, [
      { how: 'int80', nr: 20, args: [5n] },
      { how: 'int80', nr: 20, args: [0xffffffff00000005n] },
      { how: 'int80', nr: 20, args: [6n] },
      { how: 'syscall', nr: 39, args: [5n] },
      { how: 'syscall', nr: 39, args: [0xffffffff00000005n] },
    ]);
    const refused = 'errno 77 2';
    expect(reports.map(withoutValue)).toEqual([refused, refused, 'value 2', refused, 'value 2']);
  });

  it('kills callers of architectures and x32 numbers that are not listed', async () => {
    const filter = await compiled({ defaultAction: 'SCMP_ACT_ALLOW' });
    const probes: Probe[] = [
      { how: 'int80', nr: 20, args: [] },
      { how: 'syscall', nr: 0x40000000 + 39, args: [] },
      { how: 'syscall', nr: 39, args: [] },
    ];
    expect(victim().run(filter, probes).map(withoutValue)).toEqual([
      'killed-thread',
      'killed-thread',
      'value 2',
    ]);
  });

  it('does what random profiles say', async () => {
    const names = [...HARMLESS, 'sched_yield', 'socket'];
    const samples = fc.sample(anySample({ natives: ['X86_64', 'X86', 'X32'], names }), {
      seed: 41,
      numRuns: 3 * RUNS,
    });
    let judged = 0;
    for (const { profile, native } of samples) {
      const meaning = evaluateProfile(profile, { native: 'X86_64' });
      if (judged === RUNS || native !== 'X86_64' || !('evaluate' in meaning)) continue;
      const named = new Set((profile.syscalls ?? []).flatMap((entry) => entry.names ?? []));
      const calls = [...named, 'getpid'].flatMap((name) => {
        const nr = tableOf('x86_64').numbers.get(name) ?? -1;
        const edges = meaning.abis.flatMap((a) => edgeArguments(profile, meaning.rules(a, nr)));
        // socket runs for real: its first argument stays a family that does not exist.
        const safe = name === 'socket' ? edges.map((args) => args.with(0, 0x7777n)) : edges;
        return [[0x7777n], ...safe.slice(0, 8)].map((args) => ({ name, args }));
      });
      await judge(profile, calls);
      judged++;
    }
    expect(judged).toBeGreaterThan(RUNS / 3);
  });

  it.each([
    ['its default capabilities', 'default'],
    ['none', 'none'],
    ['all', 'all'],
  ] as const)('answers every call as the default profile of a container with %s says', async (_, set) => {
    const profile = readProfile(readFileSync(DEFAULT_PROFILE, 'utf8'), { file: 'container-default.json' });
    const target = makeTarget({ arch: 'X86_64', capabilities: capabilitySet('moby', set, [], []) });
    const { seccomp } = resolveProfile(profile, target);
    const plain = formatOci(seccomp!);
    const { bytes, proved } = await compile(plain, { target });
    expect(proved).toBe(true);
    const rules = seccompOf(plain)!;
    const meaning = evaluateProfile(rules, { native: 'X86_64' });
    if (!('evaluate' in meaning)) throw new Error(JSON.stringify(meaning));
    const answers = new Map<string, number>();
    for (const { how, bits, abis } of WAYS) {
      const probes = abis.flatMap((a) =>
        numbersOf(a).flatMap((nr) =>
          [[], ...edgeArguments(rules, meaning.rules(a, nr)).slice(0, 8)].map((args) => ({
            abi: a,
            probe: { how, nr, args },
          })),
        ),
      );
      const list = probes.map(({ probe }) => probe);
      const expected = probes.map(({ abi: { audit }, probe }, i) => {
        const args = probe.args.map((x) => (bits === 32 ? x & 0xffffffffn : x));
        const value = meaning.evaluate(audit, probe.nr, args);
        const allowed = value >= 0x7fc00000 && value < 0x80000000;
        const report = allowed ? `errno ${GUARDED} 2` : expectedReport(value, probe, audit, '');
        answers.set(report, (answers.get(report) ?? 0) + 1);
        return show(list[i], report);
      });
      const reports = victim().runGuarded(bytes, list, bits);
      expect(reports.map((report, i) => show(list[i], report))).toEqual(expected);
    }
    // Both answers, each to many calls.
    expect(Math.min(answers.get(`errno ${GUARDED} 2`) ?? 0, answers.get('errno 1 2') ?? 0)).toBeGreaterThan(
      100,
    );
  });

  it('takes 4096 instructions and no more', () => {
    expect(victim().run(allowAfter(4096), [PERSONALITY])).toEqual(['value 0 2']);
    expect(victim().run(allowAfter(4097), [PERSONALITY])).toEqual(['load 22']);
  });

  it('takes every program up to the limit, and longer ones are never made', async () => {
    const names = [...tableOf('x86_64').numbers.keys()];
    const outcomes: string[] = [];
    for (const constants of [2, 8, 30, 120]) {
      // Constants far apart: nothing that ranges or masks could shorten.
      const syscalls = names.slice(0, 40).flatMap((name, n) =>
        Array.from({ length: constants }, (_, i): OciEntry => {
          const value = BigInt((n * 7919 + i * i * 104729) % 0x7fffffff);
          const args = [{ index: 1n, value, op: 'SCMP_CMP_EQ' }];
          return { names: [name], action: 'SCMP_ACT_ERRNO', errnoRet: 5n, args };
        }),
      );
      const profile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
      const result = await compileText(toJson(profile), targetOf({ native: 'X86_64' }));
      outcomes.push(...('bytes' in result ? victim().run(result.bytes, [PERSONALITY]) : ['refused']));
    }
    expect(outcomes).toEqual(['value 0 2', 'value 0 2', 'value 0 2', 'refused']);
  });
});
