/** Entries that have no effect, and what multiplexed calls do to conditions. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import type { Diagnostic } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';

interface Entry {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; op: string }[];
}

async function said(
  defaultAction: string,
  architectures: string[],
  syscalls: Entry[],
  arch = 'x86_64',
): Promise<Diagnostic[]> {
  const profile = {
    defaultAction,
    architectures: architectures.map((name) => `SCMP_ARCH_${name}`),
    syscalls,
  };
  return (await compile(JSON.stringify(profile, null, 1), { target: makeTarget({ arch }) })).diagnostics;
}

const codes = (found: readonly Diagnostic[]) => found.map(({ code, severity }) => `${severity} ${code}`);
const deny = (...names: string[]): Entry => ({ names, action: 'SCMP_ACT_ERRNO' });
const allow = (...names: string[]): Entry => ({ names, action: 'SCMP_ACT_ALLOW' });

describe('an entry that an unconditional one decides instead', () => {
  const tiocsti = { ...deny('ioctl'), args: [{ index: 1, value: 0x5412, op: 'SCMP_CMP_EQ' }] };

  it('is warned of with the line of that entry, wherever it is', async () => {
    const after = await said('SCMP_ACT_KILL_PROCESS', [], [allow('read', 'ioctl'), tiocsti]);
    expect(codes(after)).toEqual(['warning ENTRY_WITHOUT_EFFECT']);
    expect(after[0]).toMatchObject({ pointer: '/syscalls/1' });
    expect(after[0]!.message).toContain('the entry at line 5 gives "ioctl" ALLOW without conditions');
    const before = await said('SCMP_ACT_KILL_PROCESS', [], [tiocsti, allow('ioctl')]);
    expect(before[0]).toMatchObject({ code: 'ENTRY_WITHOUT_EFFECT', pointer: '/syscalls/0' });
  });

  it('is not, if one of its rules can decide or it says the same', async () => {
    const kill = 'SCMP_ACT_KILL_PROCESS';
    expect(await said(kill, [], [allow('ioctl'), { ...tiocsti, names: ['ioctl', 'read'] }])).toEqual([]);
    expect(await said(kill, [], [allow('ioctl', 'read'), allow('read')])).toEqual([]);
    // Behind socketcall its condition counts.
    const socket = { ...deny('socket'), args: [{ index: 1, value: 3, op: 'SCMP_CMP_EQ' }] };
    expect(codes(await said(kill, ['X86'], [allow('socket'), socket]))).not.toContain(
      'warning ENTRY_WITHOUT_EFFECT',
    );
  });
});

describe('calls that the native architecture does not have', () => {
  it('make a refusing entry a warning, or a note if it refuses on another architecture', async () => {
    const entries = [deny('mkdir', 'chmod'), deny('mount')];
    const [found, ...others] = await said('SCMP_ACT_ALLOW', [], entries, 'arm64');
    expect(found).toMatchObject({ code: 'ENTRY_WITHOUT_CALL', severity: 'warning', pointer: '/syscalls/0' });
    expect(found!.message).toContain('"mkdir", "chmod" are no system calls there');
    expect(others).toEqual([]);
    expect(codes(await said('SCMP_ACT_ALLOW', ['ARM'], entries, 'arm64'))).toEqual([
      'note ENTRY_WITHOUT_CALL',
    ]);
    expect(await said('SCMP_ACT_ALLOW', [], entries)).toEqual([]);
    expect(await said('SCMP_ACT_ERRNO', [], [allow('mkdir'), allow('read')], 'arm64')).toEqual([]);
  });

  it('make a profile without any rule one warning', async () => {
    const found = await said('SCMP_ACT_ALLOW', [], [deny('mkdir'), deny('chmod')], 'arm64');
    expect(codes(found)).toEqual(['warning NO_RULE_FOR_NATIVE']);
    expect(found[0]!.message).toContain(
      'no entry names a system call of AARCH64, so all its calls get ALLOW',
    );
  });
});

describe('socketcall beside conditions on socket', () => {
  const socket = { ...allow('socket'), args: [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }] };
  const outright = (action: string, errnoRet?: number): Entry => ({
    names: ['socketcall'],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
  });

  it('is warned of only if it gets a laxer answer than the conditions give', async () => {
    const [x86, errno] = [['X86'], 'SCMP_ACT_ERRNO'] as const;
    expect(codes(await said(errno, [...x86], [socket, outright('SCMP_ACT_ERRNO', 38)]))).toEqual([]);
    expect(codes(await said(errno, [...x86], [socket, outright('SCMP_ACT_KILL_PROCESS')]))).toEqual([]);
    for (const lax of [outright('SCMP_ACT_ALLOW'), outright('SCMP_ACT_LOG'), outright('SCMP_ACT_ERRNO', 0)])
      expect(codes(await said(errno, [...x86], [socket, lax]))).toContain('warning MULTIPLEXED_BYPASS');
  });

  it('is named as the cure where the conditions are lost', async () => {
    const found = await said('SCMP_ACT_ERRNO', ['X86'], [socket]);
    expect(codes(found)).toEqual(['warning MULTIPLEXED_ARGS']);
    expect(found[0]!.hint).toContain('add an entry that refuses socketcall');
  });
});

describe('SCMP_ACT_KILL', () => {
  it('is noted once, because it ends the thread only', async () => {
    const kill = (name: string): Entry => ({ names: [name], action: 'SCMP_ACT_KILL' });
    expect(codes(await said('SCMP_ACT_ALLOW', [], [kill('mount'), kill('bpf')]))).toEqual([
      'note KILL_IS_THREAD',
    ]);
    expect(await said('SCMP_ACT_ALLOW', [], [{ names: ['bpf'], action: 'SCMP_ACT_KILL_THREAD' }])).toEqual(
      [],
    );
  });
});

describe('the flag WAIT_KILLABLE_RECV', () => {
  it('is warned of where the runtime refuses it, or loses all flags with it', async () => {
    const flag = 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV';
    const profile = (more: object) =>
      JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', flags: [flag], syscalls: [], ...more });
    const found = async (semantics: 'crun' | 'runc', more = {}) => {
      const { diagnostics } = await compile(profile(more), {
        target: makeTarget({ arch: 'x86_64', semantics }),
      });
      return diagnostics.map(({ code, message }) => `${code}: ${message}`);
    };
    expect(await found('crun')).toEqual([expect.stringMatching(/^FLAG_NEEDS_LISTENER: .*drops all flags/)]);
    expect(await found('crun', { listenerPath: '/run/a.sock' })).toEqual([]);
    expect(await found('runc')).toEqual([expect.stringMatching(/^FLAG_NEEDS_RELEASE: runc before 1\.5 /)]);
  });
});

describe('SCMP_ACT_NOTIFY without a listener', () => {
  it('is an error in runc mode, unless that is forced', async () => {
    const entries = [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }];
    const profile = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: entries });
    const of = (semantics: 'crun' | 'runc', force = false) =>
      compile(profile, { target: makeTarget({ arch: 'x86_64', semantics, force }) });
    await expect(of('runc')).rejects.toThrow('runc refuses to start the container');
    expect(codes((await of('runc', true)).diagnostics)).toEqual(['warning NOTIFY_WITHOUT_LISTENER']);
    const [warning] = (await of('crun')).diagnostics;
    expect(warning!.message).toContain('calls get ENOSYS');
    expect(warning!.hint).not.toContain('--force');
  });
});
