import { describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import type { Diagnostic } from '../../src/errors.ts';
import { CAPABILITY_FACTS } from '../oracle/capabilities.ts';
import type { Expected } from '../oracle/capabilities.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { CAPABILITY_NAMES, capabilitySet, makeTarget, parseKernelVersion } from '../../src/target.ts';
import type { Target, TargetOptions } from '../../src/target.ts';

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

  /** The sets of the facts, built without the code under test. */
  const expectedSet = ({ from, ...rest }: Expected, engine: Target['engine']): string[] => {
    const start = { none: [], all: CAPABILITY_NAMES, default: capabilitySet(engine, 'default') }[from];
    const kept = start.filter((name) => !rest.without?.includes(name));
    return [...new Set([...kept, ...(rest.with ?? [])])].toSorted();
  };

  it.each(
    CAPABILITY_FACTS.flatMap(({ add, drop, docker, podman }) => [
      ['moby', add, drop, docker] as const,
      ['podman', add, drop, podman] as const,
    ]),
  )('is what %s makes of adding %j and dropping %j', (engine, add, drop, fact) => {
    const set = () => capabilitySet(engine, 'default', add, drop);
    if (fact === 'refused') expect(set).toThrow(SeccompcError);
    else expect(set()).toEqual(expectedSet(fact, engine));
  });

  it('combines every base with what is added and dropped', () => {
    expect(capabilitySet('moby', 'none', ['sys_admin', 'CAP_BPF'], ['BPF', 'KILL'])).toEqual([
      'CAP_BPF',
      'CAP_SYS_ADMIN',
    ]);
    expect(capabilitySet('podman', 'none', ['KILL'], ['CHOWN'])).toEqual(['CAP_KILL']);
    expect(capabilitySet('podman', 'all', [], ['ALL'])).toEqual([]);
    expect(capabilitySet('moby', 'all', ['CHOWN'], ['KILL'])).toHaveLength(40);
  });

  it('names what podman would refuse, as wrong usage', () => {
    const refused = (add: string[], drop: string[]): SeccompcError | undefined => {
      try {
        capabilitySet('podman', 'default', add, drop);
        return undefined;
      } catch (error) {
        return error instanceof SeccompcError ? error : undefined;
      }
    };
    expect(refused(['KILL', 'cap_bpf'], ['kill', 'BPF', 'CHOWN'])).toMatchObject({
      exitCode: 64,
      message: expect.stringContaining('both add and drop CAP_BPF, CAP_KILL'),
    });
    expect(refused(['ALL'], ['ALL'])?.message).toContain('both add and drop ALL');
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
    ['3.12foobar', 3, 12],
    ['5.10.0_custom', 5, 10],
  ])('%s', (text, major, minor) => {
    expect(parseKernelVersion(text)).toEqual({ major, minor });
  });

  it.each(['', '5', '5.', '.5', 'v5.1', ' 5.1', '5.123456', '-5.1', '5,1', '1e1.0'])('is not %j', (text) => {
    expect(parseKernelVersion(text)).toBeUndefined();
  });
});

describe('a target', () => {
  it('takes docker for moby', () => {
    expect(makeTarget({ arch: 'x86_64', engine: 'docker' }).engine).toBe('moby');
  });

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

  it('has the release of Docker beside the engine, in the same form when it is read again', () => {
    for (const engine of ['docker@20.10', 'moby@20.10'] as const) {
      const target = makeTarget({ arch: 'X86_64', engine });
      expect(target).toMatchObject({ engine: 'moby', engineRelease: '20.10' });
      expect(makeTarget(target)).toEqual(target);
    }
    expect(makeTarget({ arch: 'X86_64' })).not.toHaveProperty('engineRelease');
  });

  it('has the release of runc beside the runtime, in the same form when it is read again', () => {
    const target = makeTarget({ arch: 'X86_64', semantics: 'runc@1.1.15' });
    expect(target).toMatchObject({ semantics: 'runc', runcRelease: '1.1.15', enosysStub: true });
    expect(makeTarget(target)).toEqual(target);
    expect(makeTarget({ arch: 'X86_64', semantics: 'runc' })).not.toHaveProperty('runcRelease');
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
  });

  it('takes the spellings of the command', () => {
    const spelled = makeTarget({
      arch: 'amd64',
      architectures: ['x86_64', 'SCMP_ARCH_X86', 'X32'],
      capabilities: ['net_admin', 'CAP_BPF', 'NET_ADMIN'],
      kernel: '6.1.0-13-amd64',
      enosysAfter: '5.10',
    });
    expect(spelled).toEqual(
      makeTarget({
        arch: 'X86_64',
        architectures: ['X86_64', 'X86', 'X32'],
        capabilities: ['CAP_BPF', 'CAP_NET_ADMIN'],
        kernel: { major: 6, minor: 1 },
        enosysAfter: { major: 5, minor: 10 },
      }),
    );
    expect(makeTarget({ arch: 'arm64', architectures: 'native' }).architectures).toEqual(['AARCH64']);
    expect(makeTarget({ arch: 'arm64', capabilities: ['all'] }).capabilities).toEqual(
      capabilitySet('moby', 'all'),
    );
  });

  it('shares nothing with the options it is made of', () => {
    const given = makeTarget({ arch: 'X86_64', architectures: ['X86'], kernel: '6.1', enosysAfter: '6.1' });
    const made = makeTarget(given);
    expect(made).toEqual(given);
    made.architectures!.push('X32');
    made.capabilities.length = 0;
    made.kernel.major = made.enosysAfter!.major = 0;
    expect(given).toEqual(
      makeTarget({ arch: 'X86_64', architectures: ['X86'], kernel: '6.1', enosysAfter: '6.1' }),
    );
    expect(makeTarget({ arch: 'X86_64' }).kernel.major).toBe(7);
  });

  it.each<[string, string]>([
    ['{}', 'there is no architecture undefined'],
    ['{"arch": "vax"}', 'there is no architecture "vax"'],
    ['{"arch": 64}', 'there is no architecture 64'],
    ['{"arch": "x86_64", "architectures": "x86_64"}', 'architectures is "native" or a list of architectures'],
    ['{"arch": "x86_64", "architectures": ["vax"]}', 'there is no architecture "vax"'],
    ['{"arch": "x86_64", "capabilities": "NET_ADMIN"}', 'capabilities is a list of names, not "NET_ADMIN"'],
    ['{"arch": "x86_64", "capabilities": ["CAP_FLY"]}', 'there is no capability "CAP_FLY"'],
    ['{"arch": "x86_64", "kernel": "six"}', 'a kernel release is two numbers such as "6.1", not "six"'],
    ['{"arch": "x86_64", "kernel": 6.1}', 'a kernel release is two numbers such as "6.1", not 6.1'],
    ['{"arch": "x86_64", "kernel": null}', 'a kernel release is two numbers such as "6.1", not null'],
    ['{"arch": "x86_64", "kernel": {"major": 5.5, "minor": -1}}', 'a kernel release is two numbers'],
    ['{"arch": "x86_64", "enosysAfter": {"major": 5}}', 'a kernel release is two numbers'],
    [
      '{"arch": "x86_64", "engine": "dockr"}',
      'engine is moby, docker, podman, or a release such as docker@24 or docker@20.10.5 (20.10 or newer), not "dockr"',
    ],
    ['{"arch": "x86_64", "engine": "docker@19.03"}', 'not "docker@19.03"'],
    ['{"arch": "x86_64", "engine": "docker@20"}', 'not "docker@20"'],
    ['{"arch": "x86_64", "engine": "podman@4.3"}', 'not "podman@4.3"'],
    ['{"arch": "x86_64", "engine": "podman", "engineRelease": "24.0"}', 'not "podman@24.0"'],
    [
      '{"arch": "x86_64", "semantics": "youki"}',
      'semantics is crun, runc, runc@X.Y or runc@X.Y.Z (1.1 or newer; ',
    ],
    ['{"arch": "x86_64", "semantics": "crun@1.8"}', 'all releases of crun read alike), not "crun@1.8"'],
    ['{"arch": "x86_64", "semantics": "runc@1"}', '1.1 or newer'],
    ['{"arch": "x86_64", "semantics": "runc@1.0.3"}', 'not "runc@1.0.3"'],
    ['{"arch": "x86_64", "semantics": "runc@1.03"}', 'not "runc@1.03"'],
    ['{"arch": "x86_64", "semantics": "runc@v1.3"}', 'not "runc@v1.3"'],
    ['{"arch": "x86_64", "semantics": "runc@1.5.0-rc.1"}', 'not "runc@1.5.0-rc.1"'],
    ['{"arch": "x86_64", "semantics": ["runc@1.3"]}', 'not ["runc@1.3"]'],
    ['{"arch": "x86_64", "semantics": "runc", "runcRelease": 1.3}', 'not 1.3'],
    ['{"arch": "x86_64", "semantics": ["runc"], "runcRelease": "1.3"}', 'not "1.3"'],
    ['{"arch": "x86_64", "runcRelease": null}', 'there is no option "runcRelease"'],
    ['{"arch": "x86_64", "runcRelease": "1.3"}', 'not "crun@1.3"'],
    ['{"arch": "x86_64", "semantics": "runc@1.3", "runcRelease": "1.1"}', 'not "runc@1.3@1.1"'],
    ['{"arch": "x86_64", "overlap": "ignore"}', 'overlap is warn or error, not "ignore"'],
    ['{"arch": "x86_64", "enosysStub": 1}', 'enosysStub is true or false, not 1'],
    ['{"arch": "x86_64", "failUnknown": "false"}', 'failUnknown is true or false, not "false"'],
    ['{"arch": "x86_64", "force": "no"}', 'force is true or false, not "no"'],
    ['{"arch": "x86_64", "failUnkown": true}', 'there is no option "failUnkown"'],
  ])('refuses %s', (json, message) => {
    const outcome = faultsOf(json);
    expect(outcome.map(({ code }) => code)).toEqual(['TARGET_INVALID']);
    expect(outcome[0]!.message).toContain(message);
  });

  it('reports all that is wrong with the options, as wrong usage', () => {
    const wrong =
      '{"arch": "vax", "architectures": ["X86", "pdp"], "capabilities": ["FLY"], "kernel": "x", "engine": "dockr", "semantics": "youki", "overlap": "ignore", "enosysAfter": {"major": 5}}';
    expect(faultsOf(wrong)).toHaveLength(8);
  });
});

function faultsOf(json: string): readonly Diagnostic[] {
  try {
    makeTarget(JSON.parse(json) as TargetOptions);
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    expect(error.exitCode).toBe(64);
    return error.diagnostics;
  }
  return [];
}
