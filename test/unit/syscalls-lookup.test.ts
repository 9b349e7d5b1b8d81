import { describe, expect, it } from 'vitest';
import { allArches, type ArchName } from '../../src/arch.ts';
import { auditArchHex, lookup, nearestNames } from '../../src/syscalls/lookup.ts';
import { ALL_NAMES, TABLES } from './syscalls-tsv.ts';

describe('lookup by name', () => {
  it('gives number, audit arch and first release of each architecture asked, in that order', async () => {
    expect(await lookup('read', ['MIPSEL', 'X86_64', 'X32'])).toEqual({
      kind: 'found',
      query: { name: 'read' },
      calls: [
        { arch: 'MIPSEL', auditArch: 0x40000008, name: 'read', nr: 4003, since: '1.0' },
        { arch: 'X86_64', auditArch: 0xc000003e, name: 'read', nr: 0, since: '1.0' },
        { arch: 'X32', auditArch: 0xc000003e, name: 'read', nr: 0x40000000, since: '3.4' },
      ],
      absent: [],
    });
  });

  it('says on which of the architectures there is no such call', async () => {
    const result = await lookup('accept', ['X86', 'ARM']);
    expect(result).toMatchObject({ kind: 'found', calls: [{ arch: 'ARM', nr: 285 }], absent: ['X86'] });
  });

  it('tells "not on this architecture" from "unknown"', async () => {
    const elsewhere = await lookup('cacheflush', ['X86_64', 'AARCH64']);
    expect(elsewhere).toMatchObject({ kind: 'elsewhere', query: { name: 'cacheflush' } });
    const arches = elsewhere.kind === 'elsewhere' ? elsewhere.calls.map((call) => call.arch) : [];
    expect(arches).toEqual(
      allArches()
        .filter((arch) => TABLES.get(arch.table)!.has('cacheflush'))
        .map((arch) => arch.name),
    );
    expect(arches).toContain('ARM');
    expect(await lookup('cachefluhs', ['X86_64'])).toEqual({
      kind: 'unknown',
      query: { name: 'cachefluhs' },
      nearest: ['cacheflush'],
    });
  });

  it('answers for all architectures', async () => {
    const result = await lookup('exit', 'all');
    expect(result).toMatchObject({ kind: 'found', absent: [] });
    expect(result.kind === 'found' ? result.calls.map((call) => call.arch) : []).toEqual(
      allArches().map((arch) => arch.name),
    );
  });

  it('does not claim a release that is only known to be older', async () => {
    expect(await lookup('tuxcall', ['X86_64'])).toMatchObject({ calls: [{ nr: 184, since: '<=3.0' }] });
    expect(await lookup('accept4', ['X86_64'])).toMatchObject({ calls: [{ since: '2.6.28' }] });
  });
});

describe('lookup by number', () => {
  it.each<[string, ArchName, string]>([
    ['0', 'X86_64', 'read'],
    ['4003', 'MIPS', 'read'],
    ['5000', 'MIPS64', 'read'],
    ['1073742338', 'X32', 'ioctl'],
    ['0x40000202', 'X32', 'ioctl'],
    ['0XF0002', 'ARM', 'cacheflush'],
  ])('%s on %s is %s', async (text, arch, name) => {
    const calls = [{ arch, name, nr: Number(text) }];
    expect(await lookup(text, [arch])).toMatchObject({ kind: 'found', query: { nr: Number(text) }, calls });
  });

  it('answers for all architectures, and names those that have other bases', async () => {
    const result = await lookup('471', 'all');
    expect(result.kind === 'found' && result.absent).toEqual([
      'X32', 'MIPS', 'MIPSEL', 'MIPS64', 'MIPSEL64', 'MIPS64N32', 'MIPSEL64N32', 'S390',
    ]); // prettier-ignore
  });

  it('says where a number that is not assigned here means something', async () => {
    expect(await lookup('4003', ['X86_64'])).toMatchObject({
      kind: 'elsewhere',
      calls: [{ arch: 'MIPS' }, { arch: 'MIPSEL' }],
    });
    expect(await lookup('4294967295', 'all')).toEqual({
      kind: 'unknown',
      query: { nr: 0xffffffff },
      nearest: [],
    });
  });

  it.each(['4294967296', '0x100000000', '-1', '1e2', '0x', ' 0', '1.0', '99999999999999999999'])(
    'takes %j as a name',
    async (text) => {
      expect(await lookup(text, ['X86_64'])).toMatchObject({ kind: 'unknown', query: { name: text } });
    },
  );
});

describe('nearestNames', () => {
  it.each([
    ['opne', 'open'],
    ['fstatat', 'fstatat64'],
    ['llseek', '_llseek'],
    ['pread', 'pread64'],
    ['sys_debug_setcontex', 'sys_debug_setcontext'],
    ['__x64_sys_mmap', 'mmap'],
    ['getrandon', 'getrandom'],
    ['__NR_openat2', 'openat2'],
    ['SYS_CLONE3', 'clone3'],
    ['Execve', 'execve'],
    ['epoll_wiat', 'epoll_wait'],
    ['ofrk', 'fork'],
    ['getpdi', 'getpid'],
  ])('%s: %s', (wrong, right) => {
    expect(nearestNames(wrong, 1)).toEqual([right]);
  });

  it('orders by distance, then by code unit, and keeps to the limit', () => {
    expect(nearestNames('dup', 5)).toEqual(['dup', 'dup2', 'dup3']);
    expect(nearestNames('dup', 2)).toEqual(['dup', 'dup2']);
    expect(nearestNames('dup', 0)).toEqual([]);
  });

  it('has no suggestion for what resembles nothing, or is far too long', () => {
    expect(nearestNames('', 3)).toEqual([]);
    expect(nearestNames('completely_different', 3)).toEqual([]);
    expect(nearestNames('read'.repeat(5_000_000), 3)).toEqual([]);
  });

  it('gives every known name back first', () => {
    expect([...ALL_NAMES].filter((name) => nearestNames(name, 1)[0] !== name)).toEqual([]);
  });
});

describe('auditArchHex', () => {
  it('has eight digits', () => {
    expect(auditArchHex(0xc000003e)).toBe('0xc000003e');
    expect(auditArchHex(8)).toBe('0x00000008');
  });
});
