/**
 * Compiled programs against the naive evaluator: random profiles on all architectures, under every
 * reading and option that changes the meaning. What one refuses, the other must refuse.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anySample, crowdedSample } from '../oracle/arbitrary.ts';
import { runProgram } from '../oracle/bpf.ts';
import type { Call, RawProgram } from '../oracle/bpf.ts';
import { firstDifference } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import type { NaiveOptions } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { readSince } from '../oracle/since.ts';
import { compileText, targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';

const RUNS = runs(150, 150);

/** `compared` or `refused`; the sentence of a disagreement otherwise. */
async function judge(profile: OciProfile, options: NaiveOptions): Promise<string> {
  const meaning = evaluateProfile(profile, options);
  const compiled = await compileText(toJson(profile), targetOf(options));
  if ('refused' in meaning || 'refused' in compiled) {
    if ('refused' in meaning && 'refused' in compiled) return 'refused';
    return `the evaluator: ${describeOutcome(meaning)}; the compiler: ${describeOutcome(compiled)}`;
  }
  if ('absent' in meaning || 'absent' in compiled)
    return 'absent' in meaning && 'absent' in compiled ? 'no filter' : 'only one sees a filter';
  return (
    firstDifference(
      denseCalls(profile, meaning),
      ['evaluator', (call) => meaning.evaluate(call.arch, call.nr, call.args)],
      ['program', (call) => runProgram(compiled.program, call)],
    ) ?? 'compared'
  );
}

const describeOutcome = (outcome: object): string =>
  'refused' in outcome ? `refused: ${String(outcome.refused)}` : 'accepted';

const FINE = ['compared', 'refused', 'no filter'];

const since = readSince();
const READINGS: [name: string, options: Omit<NaiveOptions, 'native'>, crowded?: boolean][] = [
  ['the default reading', {}],
  ['the default reading, many conditions', {}, true],
  ["runc's reading", { semantics: 'runc' }],
  ["runc's reading, many conditions", { semantics: 'runc' }, true],
  ["runc's reading without the stub", { semantics: 'runc', enosysStub: false }],
  ['the stub alone', { enosysStub: true }],
  ['overlap refused', { overlap: 'error' }],
  ['unknown names refused', { failUnknown: true }],
  ['ENOSYS after 4.2', { enosysAfter: { release: { major: 4, minor: 2 }, since } }],
  [
    'ENOSYS after 6.9, with the stub',
    { enosysStub: true, enosysAfter: { release: { major: 6, minor: 9 }, since } },
  ],
];

/** Of runc, drawn for each profile. */
const RELEASES = [undefined, '1.1', '1.1.8', '1.1.15', '1.3'];

describe('random profiles on 23 architectures', () => {
  it.each(READINGS)('%s', async (_, options, crowded = false) => {
    const outcomes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        crowded ? crowdedSample() : anySample(),
        fc.constantFrom(...(options.semantics === 'runc' ? RELEASES : [undefined])),
        async ({ profile, native }, release) => {
          const outcome = await judge(profile, { native, ...options, ...(release && { release }) });
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          if (!FINE.includes(outcome)) throw new Error(`${outcome}\n${native} ${release} ${toJson(profile)}`);
        },
      ),
      { seed: 23, numRuns: RUNS },
    );
    console.info([...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(', '));
    expect(outcomes.get('compared')).toBeGreaterThan(RUNS / 4);
  });
});

const allow: OciProfile = { defaultAction: 'SCMP_ACT_ALLOW' };
const deny: OciProfile = { defaultAction: 'SCMP_ACT_ERRNO' };
const kill = { names: ['getpid'], action: 'SCMP_ACT_KILL' };
const arg = { index: 0n, value: 1n, op: 'SCMP_CMP_EQ' };

/** Small changes to one instruction, as a wrong compiler would make them. */
function mutants(
  { code, k, jt, jf }: RawProgram,
  pc: number,
): Partial<Record<'code' | 'k' | 'jt' | 'jf', number>>[] {
  const [op = 0, constant = 0] = [code[pc], k[pc]];
  if (op === 0x06) return [{ k: constant ^ 0x10000 }];
  if (op === 0x20) return [{ k: constant ^ 4 }];
  if (op === 0x05) return [{ k: constant + 1 }];
  const swapped = { jt: jf[pc] ?? 0, jf: jt[pc] ?? 0 };
  return [swapped, { k: constant + 1 }, { k: constant - 1 }, ...(op === 0x35 ? [{ code: 0x25 }] : [])];
}

describe('the calls that are compared', () => {
  it('tell nearly every changed instruction', async () => {
    let [made, seen] = [0, 0];
    for (const { profile, native } of fc.sample(anySample(), { seed: 99, numRuns: 20 })) {
      const meaning = evaluateProfile(profile, { native });
      const compiled = await compileText(toJson(profile), targetOf({ native }));
      if (!('evaluate' in meaning) || !('program' in compiled)) continue;
      const { program } = compiled;
      const calls = [...denseCalls(profile, meaning)];
      const answers = calls.map((call) => meaning.evaluate(call.arch, call.nr, call.args));
      for (let pc = 0; pc < program.length; pc++) {
        for (const change of mutants(program, pc)) {
          const mutant: RawProgram = { ...program, code: program.code.slice(), k: program.k.slice(), jt: program.jt.slice(), jf: program.jf.slice() }; // prettier-ignore
          for (const field of ['code', 'k', 'jt', 'jf'] as const)
            mutant[field][pc] = change[field] ?? mutant[field][pc]!;
          made++;
          if (calls.some((call, i) => outcomeOf(mutant, call) !== answers[i])) seen++;
        }
      }
    }
    console.info(`${seen} of ${made} changes seen`);
    expect(made).toBeGreaterThan(300);
    expect(seen / made).toBeGreaterThan(0.95);
  });
});

/** What a program answers; undefined where it runs off its end. */
function outcomeOf(program: RawProgram, call: Call): number | undefined {
  try {
    return runProgram(program, call);
  } catch {
    return undefined;
  }
}

describe('profiles that must be refused', () => {
  const bad: [why: string, profile: OciProfile, semantics: NaiveOptions['semantics']][] = [
    ['no default action', { syscalls: [kill] }, 'crun'],
    ['unknown default action', { defaultAction: 'SCMP_ACT_DENY' }, 'crun'],
    ['unknown action in a dropped place', { ...allow, syscalls: [{ names: [], action: 'SCMP_ACT_DENY' }] }, 'crun'],
    ['errno with ALLOW', { ...allow, defaultErrnoRet: 1n }, 'crun'],
    ['errno 4095', { ...deny, defaultErrnoRet: 4095n }, 'crun'],
    ['errno 4095 after the cut to 16 bits', { ...deny, defaultErrnoRet: 0x10fffn }, 'crun'],
    ['errno beyond 32 bits', { ...deny, defaultErrnoRet: 1n << 32n }, 'crun'],
    ['errno with KILL', { ...allow, syscalls: [{ ...kill, errnoRet: 1n }] }, 'crun'],
    ['no names', { ...allow, syscalls: [{ action: 'SCMP_ACT_KILL' }] }, 'crun'],
    ['empty name', { ...allow, syscalls: [{ names: [''], action: 'SCMP_ACT_KILL' }] }, 'crun'],
    ['empty name, runc', { ...allow, syscalls: [{ names: [''], action: 'SCMP_ACT_KILL' }] }, 'runc'],
    ['index 6', { ...allow, syscalls: [{ ...kill, args: [{ ...arg, index: 6n }] }] }, 'crun'],
    ['index 6 of an unknown name', { ...allow, syscalls: [{ ...kill, names: ['nothing'], args: [{ ...arg, index: 6n }] }] }, 'crun'],
    ['unknown operator', { ...allow, syscalls: [{ ...kill, args: [{ ...arg, op: 'SCMP_CMP_EQUAL' }] }] }, 'crun'],
    ['value of 65 bits', { ...allow, syscalls: [{ ...kill, args: [{ ...arg, value: 1n << 64n }] }] }, 'crun'],
    ['negative value', { ...allow, syscalls: [{ ...kill, args: [{ ...arg, value: -1n }] }] }, 'crun'],
    ['unknown architecture', { ...allow, architectures: ['SCMP_ARCH_VAX'] }, 'crun'],
    ['native by name', { ...allow, architectures: ['SCMP_ARCH_NATIVE'] }, 'crun'],
    ['both byte orders', { ...allow, architectures: ['SCMP_ARCH_S390X'] }, 'crun'],
    ['NOTIFY without a listener', { ...allow, syscalls: [{ names: ['read'], action: 'SCMP_ACT_NOTIFY' }] }, 'runc'],
    ['NOTIFY as default', { defaultAction: 'SCMP_ACT_NOTIFY' }, 'crun'],
    ['NOTIFY for write', { ...allow, syscalls: [{ names: ['write'], action: 'SCMP_ACT_NOTIFY' }] }, 'crun'],
    [
      'one condition, two actions',
      { ...allow, syscalls: [{ ...kill, args: [arg] }, { names: ['getpid'], action: 'SCMP_ACT_TRAP', args: [arg] }] },
      'crun',
    ],
    [
      'one condition, two actions, on a 32-bit architecture only',
      {
        ...allow,
        architectures: ['SCMP_ARCH_X86'],
        syscalls: [
          { ...kill, args: [arg] },
          { names: ['getpid'], action: 'SCMP_ACT_TRAP', args: [{ ...arg, value: 0x100000001n }] },
        ],
      },
      'crun',
    ],
    [
      'two actions behind socketcall',
      {
        ...allow,
        architectures: ['SCMP_ARCH_X86'],
        syscalls: [
          { names: ['socket'], action: 'SCMP_ACT_KILL', args: [arg] },
          { names: ['socket'], action: 'SCMP_ACT_TRAP', args: [{ ...arg, value: 2n }] },
        ],
      },
      'crun',
    ],
  ]; // prettier-ignore
  it.each([
    ['a flag', '1.1', 'refused', ['LOG']],
    ['an empty list of flags', '1.1', 'compared', []],
    ['a flag', '1.2', 'compared', ['LOG']],
    ['WAIT_KILLABLE_RECV', '1.4.3', 'refused', ['LOG', 'WAIT_KILLABLE_RECV']],
    ['WAIT_KILLABLE_RECV', '1.5', 'compared', ['LOG', 'WAIT_KILLABLE_RECV']],
    ['WAIT_KILLABLE_RECV', undefined, 'compared', ['WAIT_KILLABLE_RECV']],
  ] as const)('%s, by runc %s: %s', async (_, release, expected, names) => {
    const flags = names.map((name) => `SECCOMP_FILTER_FLAG_${name}`);
    const options = { native: 'X86_64', semantics: 'runc', ...(release && { release }) } as const;
    expect(await judge({ ...deny, flags }, options)).toBe(expected);
  });
  it.each(bad)('%s', async (_, profile, semantics = 'crun') => {
    expect(await judge(profile, { native: 'X86_64', semantics })).toBe('refused');
  });
});

describe('profiles that one runtime refuses and the other takes', () => {
  const split: [why: string, profile: OciProfile, crun: string, runc: string][] = [
    ['nothing but an empty list', { syscalls: [] }, 'refused', 'no filter'],
    ['no names', { ...allow, syscalls: [{ action: 'SCMP_ACT_KILL' }] }, 'refused', 'compared'],
    ['errno with ALLOW', { ...allow, defaultErrnoRet: 1n }, 'refused', 'compared'],
  ];
  it.each(split)('%s', async (_, profile, crun, runc) => {
    expect(await judge(profile, { native: 'X86_64', semantics: 'crun' })).toBe(crun);
    expect(await judge(profile, { native: 'X86_64', semantics: 'runc' })).toBe(runc);
  });
});
