import { describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import {
  CAPABILITY_NAMES,
  capabilitySet,
  makeTarget,
  parseKernelVersion,
  validateTarget,
} from '../../src/target.ts';
import type { Target } from '../../src/target.ts';

describe('a capability set', () => {
  it('is the default of its engine', () => {
    const podman = [
      'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_NET_BIND_SERVICE',
      'CAP_SETFCAP', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID', 'CAP_SYS_CHROOT',
    ]; // prettier-ignore
    expect(capabilitySet('podman', 'default')).toEqual(podman);
    const moby = [...podman, 'CAP_AUDIT_WRITE', 'CAP_MKNOD', 'CAP_NET_RAW'].toSorted();
    expect(capabilitySet('moby', 'default')).toEqual(moby);
  });

  it('has 41 members when it is all, the last by number CAP_CHECKPOINT_RESTORE', () => {
    expect(new Set(capabilitySet('moby', 'all')).size).toBe(41);
    expect([CAPABILITY_NAMES[0], CAPABILITY_NAMES[21], CAPABILITY_NAMES[40]]).toEqual([
      'CAP_CHOWN',
      'CAP_SYS_ADMIN',
      'CAP_CHECKPOINT_RESTORE',
    ]);
  });

  it('takes more and less, in any spelling, and less wins', () => {
    expect(capabilitySet('moby', 'none', ['sys_admin', 'CAP_BPF', 'cap_kill'], ['BPF'])).toEqual([
      'CAP_KILL',
      'CAP_SYS_ADMIN',
    ]);
    expect(capabilitySet('podman', 'default', ['ALL'], ['all'])).toEqual([]);
    expect(capabilitySet('podman', 'default', ['CHOWN'])).toHaveLength(11);
  });

  it('refuses what the kernel does not have', () => {
    for (const name of ['SYS_ADMN', '', 'CAP_'])
      expect(() => capabilitySet('moby', 'none', [name])).toThrow(/no capability/);
    expect(() => capabilitySet('moby', 'none', [], ['X'])).toThrow(SeccompcError);
  });
});

describe('a kernel version', () => {
  it.each([
    ['5.15', 5, 15],
    ['6.1.0-13-amd64', 6, 1],
    ['3.12-rc5', 3, 12],
    ['4.19+', 4, 19],
    ['0.0', 0, 0],
  ])('%s', (text, major, minor) => {
    expect(parseKernelVersion(text)).toEqual({ major, minor });
  });

  it.each(['', '5', '5.', '.5', 'v5.1', '5.1x', ' 5.1', '-5.1', '5,1', '1e1.0'])('is not %j', (text) => {
    expect(parseKernelVersion(text)).toBeUndefined();
  });
});

describe('a target', () => {
  it('has defaults for everything but the architecture', async () => {
    expect(makeTarget({ arch: 'AARCH64' })).toEqual({
      arch: 'AARCH64',
      capabilities: capabilitySet('moby', 'default'),
      kernel: (await loadTables([])).release,
      engine: 'moby',
      semantics: 'crun',
      enosysStub: false,
      overlap: 'warn',
      failUnknown: false,
      force: false,
    });
  });

  it('has the stub on with runc, unless it is said otherwise', () => {
    expect(makeTarget({ arch: 'X86_64', semantics: 'runc' }).enosysStub).toBe(true);
    expect(makeTarget({ arch: 'X86_64', semantics: 'runc', enosysStub: false }).enosysStub).toBe(false);
    expect(makeTarget({ arch: 'X86_64', enosysStub: true }).enosysStub).toBe(true);
  });

  it('is the same whatever the order of the capabilities', () => {
    const capabilities = ['CAP_KILL', 'CAP_BPF', 'CAP_KILL'];
    expect(makeTarget({ arch: 'X86_64', capabilities }).capabilities).toEqual(['CAP_BPF', 'CAP_KILL']);
    expect(makeTarget({ arch: 'X86_64', engine: 'podman' }).capabilities).toEqual(
      capabilitySet('podman', 'default'),
    );
  });

  it('keeps what it is given', () => {
    const given: Target = {
      arch: 'S390X',
      architectures: ['S390X', 'S390'],
      capabilities: ['CAP_BPF'],
      kernel: { major: 4, minor: 19 },
      engine: 'podman',
      semantics: 'runc',
      enosysStub: false,
      enosysAfter: { major: 5, minor: 10 },
      overlap: 'error',
      failUnknown: true,
      force: true,
    };
    expect(makeTarget(given)).toEqual(given);
    expect(validateTarget(given)).toEqual([]);
  });

  it('reports all that is wrong with it, as wrong usage', () => {
    const wrong = JSON.parse(
      '{"arch": "amd64", "architectures": ["X86", "x32"], "capabilities": ["BPF"], "kernel": {"major": 5.5, "minor": -1}, "engine": "docker", "semantics": "youki", "overlap": "ignore", "enosysAfter": {"major": 5}}',
    );
    expect(validateTarget(wrong).map(({ code }) => code)).toEqual(Array(8).fill('TARGET_INVALID'));
    expect(() => makeTarget(wrong)).toThrow(/"amd64" is none of/);
    try {
      makeTarget(wrong);
    } catch (error) {
      expect(error).toMatchObject({ exitCode: 64 });
    }
    expect.assertions(3);
  });
});
