import { describe, expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { isConstantAllow } from '../../src/prove/program/bitmap.ts';
import { compare, fingerprint } from '../../src/prove/compare.ts';
import { prove } from '../../src/prove/prove.ts';
import type { Seccomp, SyscallArg, SyscallEntry } from '../../src/profile/types.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import type { OciEntry, OciProfile } from '../oracle/oci.ts';
import { bitmapLosses, constantAllowed } from '../differential/bitmap-losses.ts';
import { insn, linearProgram, seccompFrom, targetFor } from './prove-programs.ts';

const tables = await loadTables(allArches().map((arch) => arch.table));
const [ALLOW, ERRNO, ERRNO38, KILL_THREAD] = [0x7fff0000, 0x50001, 0x50026, 0];
const X86_64 = 0xc000003e;

/** The program of a profile on x86_64, and what it is proved against. */
function compiled(profile: OciProfile) {
  const meaning = evaluateProfile(profile, { native: 'X86_64' });
  if (!('abis' in meaning)) throw new Error('the oracle refuses this profile');
  return { program: linearProgram(meaning, profile), reference: referenceOf(profile) };
}

function referenceOf(profile: OciProfile) {
  return { seccomp: seccompFrom(profile), target: targetFor('X86_64'), tables };
}

const deny = 'SCMP_ACT_ERRNO';
const allowing = (...names: string[]): OciEntry => ({ names, action: 'SCMP_ACT_ALLOW' });
const profileOf = (...syscalls: OciEntry[]): OciProfile => ({ defaultAction: deny, syscalls });

function replaced(program: readonly SockFilter[], from: SockFilter, to: SockFilter): SockFilter[] {
  return program.map((step) => (step.code === from.code && step.k === from.k ? { ...step, k: to.k } : step));
}

describe('prove', () => {
  it('proves a program equal, in few nodes', () => {
    const { program, reference } = compiled(
      profileOf(allowing('read', 'write', 'close'), {
        ...allowing('personality'),
        args: [{ index: 0n, op: 'SCMP_CMP_EQ', value: 0xffffffffn }],
      }),
    );
    expect(prove(program, reference)).toMatchObject({ verdict: 'equal', nodes: expect.any(Number) });
  });

  it('gives one witness for each call that differs, with the simplest arguments', () => {
    const profile = profileOf(allowing('read', 'write'), {
      ...allowing('personality', 'ioctl'),
      args: [{ index: 1n, op: 'SCMP_CMP_EQ', value: 0x500000000n }],
    });
    const { program, reference } = compiled(profile);
    const result = prove(replaced(program, insn('jeq', 5), insn('jeq', 6)), reference);
    expect(result).toEqual({
      verdict: 'different',
      witnesses: [16, 135].map((nr) => ({
        data: { arch: X86_64, nr, ip: 0n, args: [0n, 5n << 32n, 0n, 0n, 0n, 0n] },
        abi: 'X86_64',
        expected: ALLOW,
        actual: ERRNO,
      })),
    });
  });

  it('names every call of a changed range and one number of what has no name', () => {
    const { program, reference } = compiled(profileOf(allowing('read')));
    const open = replaced(program, insn('ret', ERRNO), insn('ret', ALLOW));
    const result = prove(open, reference, { limit: 1000 });
    const numbers = result.verdict === 'different' ? result.witnesses.map(({ data }) => data.nr) : [];
    const named = tables.of('X86_64').entries();
    expect(numbers).toEqual(expect.arrayContaining(named.map(([nr]) => nr).filter((nr) => nr !== 0)));
    expect(numbers).not.toContain(0);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(numbers.filter((nr) => nr >= 0x40000000)).toEqual([0xffffffff]);
    expect(prove(open, reference, { limit: 3 })).toMatchObject({
      verdict: 'different',
      witnesses: { length: 3 },
    });
  });

  it('finds a difference outside the architectures of the filter', () => {
    const { program, reference } = compiled(profileOf(allowing('read')));
    const result = prove([...program.slice(0, -1), insn('ret', ALLOW)], reference);
    expect(result).toMatchObject({
      verdict: 'different',
      witnesses: [{ abi: 'X86', expected: KILL_THREAD, actual: ALLOW, data: { nr: 0 } }],
    });
  });

  it('finds a program that looks at the instruction pointer', () => {
    const { program, reference } = compiled(profileOf(allowing('read')));
    const guarded = [insn('ld abs', 12), insn('jeq', 0x7fff, 0, 1), insn('ret', ALLOW), ...program];
    expect(prove(guarded, reference)).toMatchObject({
      verdict: 'different',
      witnesses: expect.arrayContaining([
        expect.objectContaining({ abi: 'X86_64', data: expect.objectContaining({ ip: 0x7fffn << 32n }) }),
      ]),
    });
  });

  it('calls a program that the kernel refuses malformed', () => {
    const { program, reference } = compiled(profileOf(allowing('read')));
    expect(prove(program.slice(0, -1), reference)).toMatchObject({ verdict: 'malformed' });
  });

  it.each([
    ['no default action', { defaultAction: undefined }, 'no default action'],
    ['an unknown architecture', { architectures: [{ name: 'SCMP_ARCH_VAX', pointer: '' }] }, 'SCMP_ARCH_VAX'],
    [
      'an argument that does not exist',
      { syscalls: [entryWith({ index: 6, op: 'SCMP_CMP_EQ', value: 1n, valueTwo: 0n })] },
      'index',
    ],
  ] satisfies [string, Partial<Seccomp>, string][])(
    'does not judge a profile with %s',
    (_, fault, reason) => {
      const { program, reference } = compiled(profileOf(allowing('read')));
      const seccomp = { ...reference.seccomp, ...fault };
      expect(prove(program, { ...reference, seccomp })).toMatchObject({
        verdict: 'undecided',
        reason: expect.stringContaining(reason),
      });
    },
  );

  it('names calls that a program answers wrongly, although it is too much for any proof', () => {
    const { reference } = compiled(profileOf(allowing('read')));
    const result = prove([insn('ld abs', 4), insn('ret a')], reference, { limit: 2 });
    expect(result).toMatchObject({
      verdict: 'different',
      witnesses: [
        { abi: 'X86_64', data: { nr: 0 }, expected: ALLOW, actual: X86_64 },
        { abi: 'X86_64', data: { nr: 1 }, expected: ERRNO, actual: X86_64 },
      ],
    });
  });

  it('proves a long linear program', () => {
    const names = tables.of('X86_64').entries().map(([, name]) => name); // prettier-ignore
    const profile = { ...profileOf(allowing(...names.slice(0, 330))), architectures: ['SCMP_ARCH_X86_64'] };
    const { program, reference } = compiled(profile);
    expect(program.length).toBeGreaterThan(1000);
    expect(prove(program, reference)).toMatchObject({ verdict: 'equal' });
  });
});

function entryWith(arg: SyscallArg): SyscallEntry {
  return { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [arg], pointer: '/syscalls/0' };
}

function masked(index: number, mask: bigint) {
  return { index: BigInt(index), op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo: mask };
}

/** A mask of about sixteen bits that look random. */
function scattered(seed: number): bigint {
  return ((BigInt(seed) + 1n) * 0x9e3779b97f4a7c15n) & 0xffffffffn;
}

describe('a profile whose bits are too many', () => {
  /**
   * Bit i of one argument together with bit i of another: exponential when words are tested one
   * after the other.
   */
  const paired = profileOf(
    ...Array.from({ length: 32 }, (_, bit) => ({
      ...allowing('ioctl'),
      args: [masked(0, 1n << BigInt(bit)), masked(1, 1n << BigInt(31 - bit))],
    })),
  );
  /** Masks with many bits each: no order of bits helps. */
  const tangled = profileOf(
    ...Array.from({ length: 40 }, (_, index) => ({
      ...allowing('ioctl'),
      args: [masked(0, scattered(2 * index)), masked(1, scattered(2 * index + 1))],
    })),
  );

  it.each([
    ['paired bits', paired],
    ['tangled bits', tangled],
  ])('is proved all the same: %s', (_, profile) => {
    const { program, reference } = compiled(profile);
    const result = prove(program, reference, { nodeBudget: 1 << 15 });
    expect(result).toMatchObject({ verdict: 'equal' });
    expect(result).not.toHaveProperty('fingerprint');
  });

  it.each([
    ['paired bits', paired],
    ['tangled bits', tangled],
  ])('is refuted with a witness that replays: %s', (_, profile) => {
    const { program, reference } = compiled(profile);
    const last = Number(profile === paired ? 1n << 20n : scattered(78));
    const wrong = replaced(program, insn('jeq', last), insn('jeq', last ^ (last & -last)));
    expect(prove(wrong, reference, { nodeBudget: 1 << 15 })).toMatchObject({
      verdict: 'different',
      witnesses: [{ abi: 'X86_64', data: { nr: 16 } }],
    });
  });

  it('is proved although tests contradict each other', () => {
    // The program asks `> 9` where the profile asks `== 5`, then `> 9` again: no value gets there.
    const profile = profileOf({
      ...allowing('ioctl'),
      args: [{ index: 0n, op: 'SCMP_CMP_EQ', value: 5n }],
    }, ...(tangled.syscalls ?? []).map((entry) => ({ ...entry, names: ['fcntl'] }))); // prettier-ignore
    const { program, reference } = compiled(profile);
    const detour = [
      insn('ld abs', 4), insn('jeq', X86_64, 0, 8), insn('ld abs', 0), insn('jeq', 16, 0, 6),
      insn('ld abs', 20), insn('jeq', 0, 0, 4), insn('ld abs', 16), insn('jgt', 9, 0, 2), insn('jeq', 5, 0, 1),
      insn('ret', ALLOW),
    ]; // prettier-ignore
    expect(prove([...detour, ...program], reference, { nodeBudget: 1 << 15 })).toMatchObject({
      verdict: 'equal',
    });
  });

  it('is undecided rather than wrong when nothing fits', () => {
    const { program, reference } = compiled(tangled);
    expect(prove(program, reference, { nodeBudget: 100 })).toEqual({
      verdict: 'undecided',
      reason: 'the decision diagram needs more than 100 nodes',
    });
  });

  it('is undecided for the reason of the attempt that had the whole budget, not of a smaller one', () => {
    const { program, reference } = compiled(tangled);
    // A proof by cases does not follow a word into the scratch memory.
    const moving = [insn('ld abs', 16), insn('st M', 0), ...program];
    const side = { program: moving, endian: 'little' as const };
    const result = compare(reference, side, { nodeBudget: 70_000 });
    expect(result).toMatchObject({ verdict: 'undecided', isBudget: true });
    expect('reason' in result && result.reason).toMatch(/than 70000 nodes|more steps/);
  });
});

describe('compare', () => {
  const narrow = referenceOf(profileOf(allowing('read')));
  const open = referenceOf(profileOf(allowing('read', 'write')));

  it('says which of two profiles is the stricter', () => {
    expect(compare(open, narrow, { relation: 'tightens' })).toMatchObject({ verdict: 'holds' });
    expect(compare(open, narrow, { relation: 'loosens' })).toMatchObject({
      verdict: 'broken',
      differences: [{ abi: 'X86_64', data: { nr: 1 }, first: ALLOW, second: ERRNO }],
    });
    expect(compare(narrow, open, { relation: 'tightens' })).toMatchObject({ verdict: 'broken' });
    expect(compare(narrow, open, { relation: 'loosens' })).toMatchObject({ verdict: 'holds' });
    expect(compare(narrow, open)).toMatchObject({ verdict: 'broken', differences: { length: 1 } });
  });

  it('takes an errno for equally strict, and for different', () => {
    const other = referenceOf({ ...profileOf(allowing('read')), defaultErrnoRet: 38n });
    expect(compare(narrow, other, { relation: 'tightens' })).toMatchObject({ verdict: 'holds' });
    expect(compare(narrow, other, { relation: 'loosens' })).toMatchObject({ verdict: 'holds' });
    expect(compare(narrow, other, { limit: 1 })).toMatchObject({
      verdict: 'broken',
      differences: [{ first: ERRNO, second: ERRNO38 }],
    });
  });

  it('compares a program with a program', () => {
    const { program } = compiled(profileOf(allowing('read')));
    const side = { program, endian: 'little' as const };
    const other = { program: replaced(program, insn('jeq', 0), insn('jeq', 2)), endian: 'little' as const };
    expect(compare(side, side)).toMatchObject({ verdict: 'holds' });
    const result = compare(side, other);
    const numbers = result.verdict === 'broken' ? result.differences.map(({ data }) => data.nr) : [];
    expect(numbers).toEqual([0, 2]);
  });
});

describe('fingerprint', () => {
  it('is the same for a profile, a program of it, and other words for it', () => {
    const profile = profileOf(allowing('read', 'write', 'close'));
    const { program, reference } = compiled(profile);
    const ofProfile = fingerprint(reference);
    expect(ofProfile).toMatchObject({ verdict: 'made' });
    const bytes = ofProfile.verdict === 'made' ? ofProfile.fingerprint : undefined;
    expect(fingerprint({ program, endian: 'little' })).toMatchObject({ fingerprint: bytes });
    const reordered = profileOf(allowing('close'), allowing('write', 'read'), allowing('read'));
    expect(fingerprint(referenceOf(reordered))).toMatchObject({ fingerprint: bytes });
    expect(prove(program, reference)).toMatchObject({ verdict: 'equal', fingerprint: bytes });
    const other = fingerprint(referenceOf(profileOf(allowing('read'))));
    expect(other).toMatchObject({ verdict: 'made' });
    expect(other).not.toMatchObject({ fingerprint: bytes });
  });
});

describe('the allow bitmap', () => {
  const profile = profileOf(
    allowing('read', 'close'),
    // Together always true, though neither is.
    { ...allowing('ioctl'), args: [{ index: 1n, op: 'SCMP_CMP_LT', value: 5n }] },
    { ...allowing('ioctl'), args: [{ index: 1n, op: 'SCMP_CMP_GE', value: 5n }] },
    { ...allowing('fcntl'), args: [{ index: 1n, op: 'SCMP_CMP_EQ', value: 5n }] },
  );

  it('has the numbers that the profile always allows', () => {
    expect(constantAllowed(referenceOf(profile))).toEqual([{ auditArch: X86_64, constant: [0, 3, 16] }]);
  });

  it('is lost where the program looks at an argument first', () => {
    const { program, reference } = compiled(profile);
    expect(bitmapLosses(program, reference)).toEqual([{ abi: 'X86_64', auditArch: X86_64, nr: 16 }]);
    const late = [insn('ld abs', 16), ...program];
    expect(bitmapLosses(late, reference)?.map(({ nr }) => nr)).toEqual([0, 3, 16]);
    expect(bitmapLosses(program, reference, { numbers: 16 })).toEqual([]);
  });

  it('knows the instructions that the kernel follows', () => {
    const constant = (...body: SockFilter[]) =>
      isConstantAllow([insn('ld abs', 0), ...body, insn('ret', ALLOW), insn('ret', ERRNO)], X86_64, 39);
    expect(constant()).toBe(true);
    expect(constant(insn('jeq', 39, 0, 1))).toBe(true);
    expect(constant(insn('jeq', 38, 0, 1))).toBe(false);
    expect(constant(insn('jgt', 38, 0, 1))).toBe(true);
    expect(constant(insn('jgt', 39, 0, 1))).toBe(false);
    expect(constant(insn('jge', 39, 0, 1))).toBe(true);
    expect(constant(insn('jset', 32, 0, 1))).toBe(true);
    expect(constant(insn('jset', 64, 0, 1))).toBe(false);
    expect(constant(insn('and', 0xf), insn('jeq', 7, 0, 1))).toBe(true);
    expect(constant(insn('ja', 1))).toBe(false);
    expect(constant(insn('ld abs', 4), insn('jeq', X86_64, 0, 1))).toBe(true);
    for (const step of [insn('ld abs', 16), insn('ld abs', 8), insn('tax'), insn('or', 0), insn('ld #', 0)])
      expect(constant(step)).toBe(false);
    expect(isConstantAllow([insn('ret', ALLOW + 1)], X86_64, 0)).toBe(false);
    expect(isConstantAllow([insn('ret', 0x7ffc0000)], X86_64, 0)).toBe(false);
  });
});
