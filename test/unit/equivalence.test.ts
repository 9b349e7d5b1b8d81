import { describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import {
  compare,
  compile,
  describeCall,
  encode,
  fingerprint,
  makeTarget,
  proveProfile,
} from '../../src/index.ts';
import type { FilterSide, ProveOptions, SockFilter } from '../../src/index.ts';

const ALLOW = 0x7fff0000;
const EPERM = 0x00050001;

function profileOf(action: string, ...names: string[]): string {
  return JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names, action }] });
}
const READ = profileOf('SCMP_ACT_ALLOW', 'read');
const READ_AND_WRITE = profileOf('SCMP_ACT_ALLOW', 'read', 'write');

/**
 * What READ asks for on x86_64, written by hand: read is 0, bit 30 means x32, all ones is a
 * tracer's way to skip.
 */
function programFor(allowed: number): SockFilter[] {
  return [
    { code: 0x20, jt: 0, jf: 0, k: 4 },
    { code: 0x15, jt: 0, jf: 6, k: 0xc000003e },
    { code: 0x20, jt: 0, jf: 0, k: 0 },
    { code: 0x15, jt: 3, jf: 0, k: allowed },
    { code: 0x15, jt: 1, jf: 0, k: 0xffffffff },
    { code: 0x35, jt: 2, jf: 0, k: 0x40000000 },
    { code: 0x06, jt: 0, jf: 0, k: EPERM },
    { code: 0x06, jt: 0, jf: 0, k: ALLOW },
    { code: 0x06, jt: 0, jf: 0, k: 0 },
  ];
}

async function codes(work: Promise<unknown>): Promise<string[]> {
  const outcome = await work.catch((error: unknown) => error);
  if (!(outcome instanceof SeccompcError)) throw new Error('accepted', { cause: outcome });
  return outcome.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code);
}

describe('proveProfile', () => {
  it('proves a filter of any origin, as bytes and as instructions', async () => {
    const program = programFor(0);
    for (const filter of [program, encode(program, 'little')])
      expect(await proveProfile(filter, READ, { arch: 'x86_64' })).toMatchObject({
        verdict: 'equal',
        diagnostics: [],
      });
    const { bytes } = await compile(READ, { arch: 's390x' });
    expect((await proveProfile(bytes, Buffer.from(READ), { arch: 's390x' })).verdict).toBe('equal');
  });

  it('shows calls that a filter answers wrongly', async () => {
    const result = await proveProfile(programFor(1), READ, { target: makeTarget({ arch: 'x86_64' }) });
    if (result.verdict !== 'different') throw new Error(result.verdict);
    const shown = result.witnesses.map(({ data, expected, actual }) => [data.nr, expected, actual]);
    expect(shown).toEqual(expect.arrayContaining([[0, ALLOW, EPERM], [1, EPERM, ALLOW]])); // prettier-ignore
    expect(shown).toHaveLength(2);
    expect(await describeCall(result.witnesses[0]!.data, result.witnesses[0]!.abi)).toBe('read() on X86_64');
    const first = await proveProfile(programFor(1), READ, { arch: 'x86_64', limit: 1 });
    expect(first).toMatchObject({ verdict: 'different', witnesses: [{}] });
  });

  it('judges for the target: its capabilities, runtime and architectures', async () => {
    const admin = JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } }],
    });
    const verdict = async (options: ProveOptions) =>
      (await proveProfile(programFor(0), admin, options)).verdict;
    expect(await verdict({ arch: 'amd64', capabilities: ['SYS_ADMIN'] })).toBe('equal');
    expect(await verdict({ arch: 'amd64' })).toBe('different');
    expect(
      await verdict({ arch: 'amd64', capabilities: ['SYS_ADMIN'], architectures: ['x86_64', 'x86'] }),
    ).toBe('different');
  });

  it('calls a program malformed that the kernel would refuse', async () => {
    const wrongOrder = encode(programFor(0), 'big');
    const cut = programFor(0).slice(0, -1);
    const unknownAction = [{ code: 0x06, jt: 0, jf: 0, k: 0x12340000 }];
    for (const filter of [wrongOrder, cut, unknownAction, new Uint8Array()])
      expect((await proveProfile(filter, READ, { arch: 'x86_64' })).verdict).toBe('malformed');
  });

  it('is undecided within too small a budget', async () => {
    const result = await proveProfile(programFor(0), READ, { arch: 'x86_64', nodeBudget: 1 });
    expect(result.verdict).toBe('undecided');
  });

  it('has the warnings about the profile', async () => {
    const { diagnostics } = await proveProfile(programFor(0), profileOf('SCMP_ACT_ALLOW', 'read', 'raed'), {
      arch: 'x86_64',
      file: 'p.json',
    });
    expect(diagnostics).toMatchObject([{ code: 'UNKNOWN_SYSCALL', file: 'p.json', line: 1 }]);
  });

  it('refuses what cannot be judged', async () => {
    const program = programFor(0);
    expect(await codes(proveProfile(program, '{"defaultAction":1}', { arch: 'x86_64' }))).toEqual([
      'WRONG_TYPE',
    ]);
    expect(await codes(proveProfile(program, READ, { arch: 'vax' }))).toEqual(['TARGET_INVALID']);
    const unconfined = '{"ociVersion":"1.0.2","process":{},"root":{},"linux":{}}';
    expect(await codes(proveProfile(program, unconfined, { arch: 'x86_64' }))).toEqual(['NOT_CONFINED']);
    expect(await codes(proveProfile(new Uint8Array(12), READ, { arch: 'x86_64' }))).toEqual(['NOT_A_FILTER']);
    const unfit = [{ code: 0x06, jt: 0, jf: 0, k: -1 }];
    expect(await codes(proveProfile(unfit, READ, { arch: 'x86_64' }))).toEqual(['NOT_A_FILTER']);
  });
});

describe('compare', () => {
  const filter = (allowed: number): FilterSide => ({ filter: programFor(allowed), arch: 'x86_64' });

  it('takes profiles and filters on either side', async () => {
    const profile = { profile: READ, arch: 'amd64' };
    expect((await compare(profile, filter(0))).verdict).toBe('holds');
    expect((await compare(filter(0), { profile: READ, target: makeTarget({ arch: 'amd64' }) })).verdict).toBe(
      'holds',
    );
    expect((await compare(filter(0), filter(0))).verdict).toBe('holds');
    expect((await compare(profile, { profile: `${READ} `, arch: 'amd64' })).verdict).toBe('holds');
  });

  it('reports every named call that differs', async () => {
    const result = await compare(filter(0), filter(1));
    if (result.verdict !== 'broken') throw new Error(result.verdict);
    expect(result.differences.map(({ data, first, second }) => [data.nr, first, second])).toEqual(
      expect.arrayContaining([[0, ALLOW, EPERM], [1, EPERM, ALLOW]]),
    ); // prettier-ignore
  });

  it('asks whether one is stricter', async () => {
    const narrow = { profile: READ, arch: 'x86_64' };
    const wide = { profile: READ_AND_WRITE, arch: 'x86_64' };
    expect((await compare(wide, narrow, { relation: 'tightens' })).verdict).toBe('holds');
    expect((await compare(wide, narrow, { relation: 'loosens' })).verdict).toBe('broken');
    expect((await compare(narrow, wide, { relation: 'loosens' })).verdict).toBe('holds');
  });

  it('says which side the kernel would refuse', async () => {
    const malformed = { filter: new Uint8Array(), arch: 'x86_64' };
    expect(await compare(filter(0), malformed)).toMatchObject({ verdict: 'malformed', side: 'second' });
    expect(await compare(malformed, filter(0))).toMatchObject({ verdict: 'malformed', side: 'first' });
    expect(await codes(compare(filter(0), { filter: programFor(0), arch: 'vax' }))).toEqual([
      'TARGET_INVALID',
    ]);
  });
});

describe('fingerprint', () => {
  const of = async (side: Parameters<typeof fingerprint>[0]) => {
    const made = await fingerprint(side);
    return made.verdict === 'made' ? Buffer.from(made.fingerprint).toString('hex') : made.verdict;
  };

  it('is equal exactly if the answers are', async () => {
    const one = await of({ profile: READ, arch: 'x86_64' });
    expect(one.length).toBeGreaterThan(100);
    expect(await of({ filter: programFor(0), arch: 'amd64' })).toBe(one);
    expect(await of({ filter: programFor(1), arch: 'amd64' })).not.toBe(one);
    expect(await of({ profile: READ_AND_WRITE, arch: 'amd64' })).not.toBe(one);
    expect(await of({ filter: new Uint8Array(), arch: 'amd64' })).toBe('malformed');
  });
});
