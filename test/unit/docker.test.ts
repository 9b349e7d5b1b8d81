import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArchName } from '../../src/arch.ts';
import { resolveProfile } from '../../src/profile/docker.ts';
import { formatOci } from '../../src/profile/oci-text.ts';
import { readProfile } from '../../src/profile/read.ts';
import { makeTarget } from '../../src/target.ts';
import type { Target } from '../../src/target.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/profile');

function resolve(text: string, target: Partial<Target> = {}) {
  const profile = readProfile(text, { file: 'p.json' });
  const { seccomp, diagnostics } = resolveProfile(profile, makeTarget({ arch: 'X86_64', ...target }));
  return { seccomp: seccomp!, codes: diagnostics.map(({ code }) => code), diagnostics };
}

function fixture(name: string): string {
  return readFileSync(join(FIXTURES, name), 'utf8');
}

/** Names of the entries that are kept. */
function kept(text: string, target: Partial<Target> = {}): string {
  return resolve(text, target)
    .seccomp.syscalls.flatMap(({ names }) => names)
    .join(' ');
}

function architectureNames(target: Partial<Target>): string[] {
  return resolve(fixture('docker.json'), target).seccomp.architectures.map(({ name }) => name);
}

/** A profile of the dialect with these entries. */
function dialect(entries: string, head = ''): string {
  return `{"defaultAction": "SCMP_ACT_ERRNO", "archMap": [], ${head} "syscalls": [${entries}]}`;
}

describe('conditions', () => {
  const DOCKER = fixture('docker.json');
  const old = { major: 4, minor: 7 };

  it.each<[string, Partial<Target>, string]>([
    ['nothing held', { capabilities: [] }, 'always single inc-kernel exc-arch exc-caps'],
    ['an old kernel', { capabilities: [], kernel: old }, 'always single exc-arch exc-caps exc-kernel'],
    ['exactly that kernel', { capabilities: [], kernel: { major: 4, minor: 8 } }, 'always single inc-kernel exc-arch exc-caps'],
    ['a newer major release', { capabilities: [], kernel: { major: 5, minor: 0 } }, 'always single inc-kernel exc-arch exc-caps'],
    ['an older major release', { capabilities: [], kernel: { major: 3, minor: 19 } }, 'always single exc-arch exc-caps exc-kernel'],
    ['one capability of two', { capabilities: ['CAP_BPF'] }, 'always single inc-kernel exc-arch both'],
    ['both capabilities', { capabilities: ['CAP_BPF', 'CAP_PERFMON'] }, 'always single inc-caps inc-kernel exc-arch'],
    ['another architecture', { arch: 'AARCH64', capabilities: [] }, 'always single inc-arch inc-kernel exc-caps'],
    ['podman, an old kernel', { engine: 'podman', capabilities: [], kernel: old }, 'always single inc-kernel exc-arch exc-caps exc-kernel'],
  ])('with %s', (_, target, expected) => {
    expect(kept(DOCKER, target)).toBe(expected);
  }); // prettier-ignore

  it('reads an empty minKernel as 0.0, which every kernel reaches', () => {
    const entries = (member: string) =>
      dialect(`{"names": ["a"], "action": "SCMP_ACT_LOG", "${member}": {"minKernel": ""}}`);
    const kernel = { major: 0, minor: 0 };
    expect(kept(entries('includes'), { kernel })).toBe('a');
    expect(kept(entries('excludes'), { kernel })).toBe('');
  });

  it.each(['4', '4.8.0', '4.8-rc1', ' 4.8', '+4.8', '256.0', '4.256', '0.0', '00.000', 'v4.8', '4.', '.8'])(
    'moby refuses minKernel %j even in an entry that is dropped; podman does not look',
    (minKernel) => {
      const text = dialect(
        `{"names": ["a"], "action": "SCMP_ACT_LOG", "excludes": {"arches": ["amd64"]}, "includes": {"minKernel": "${minKernel}"}}`,
      );
      expect(resolve(text).diagnostics).toMatchObject([
        { code: 'MIN_KERNEL_INVALID', severity: 'error', pointer: '/syscalls/0/includes/minKernel' },
      ]);
      expect(resolve(text, { engine: 'podman' }).codes).toEqual(['MIN_KERNEL_IGNORED']);
    },
  );

  it.each(['0.1', '04.08', '255.255'])('moby takes minKernel %j', (minKernel) => {
    const text = dialect(
      `{"names": ["a"], "action": "SCMP_ACT_LOG", "includes": {"minKernel": "${minKernel}"}}`,
    );
    expect(resolve(text).codes).toEqual([]);
  });

  it('warns once of a minKernel that podman ignores', () => {
    const { diagnostics } = resolve(fixture('docker.json'), { engine: 'podman' });
    expect(diagnostics.map(({ code, pointer }) => `${code} ${pointer}`)).toEqual([
      'MIN_KERNEL_IGNORED /syscalls/4/includes/minKernel',
      'MIN_KERNEL_IGNORED /syscalls/7/excludes/minKernel',
    ]);
  });

  it.each<[string, Partial<Target>, string | undefined]>([
    ['SCMP_ARCH_X86_64', {}, 'amd64'],
    ['SCMP_ARCH_S390X', {}, 's390x'],
    ['aarch64', {}, 'arm64'],
    ['x86_64', { engine: 'podman' }, 'amd64'],
    ['AMD64', {}, 'amd64'],
    ['loong64', { arch: 'LOONGARCH64' }, 'loongarch64'],
    ['loongarch64', { arch: 'LOONGARCH64', engine: 'podman' }, 'loong64'],
    ['mips3l64n32', { arch: 'MIPSEL64N32', engine: 'podman' }, 'mipsel64n32'],
    ['itanium', {}, undefined],
    ['mips', { arch: 'MIPS' }, undefined],
  ])('warns of the arches value %s', (value, target, write) => {
    const text = dialect(`{"names": ["a"], "action": "SCMP_ACT_LOG", "includes": {"arches": ["${value}"]}}`);
    const { diagnostics } = resolve(text, target);
    expect(diagnostics).toMatchObject([{ code: 'ARCHES_NEVER_MATCH', severity: 'warning' }]);
    expect(diagnostics[0]!.hint).toBe(write ? `write "${write}"` : 'correct its spelling, or remove it');
    expect(kept(text, target)).toBe('');
  });

  it.each([
    'x86',
    'x32',
    'amd64',
    'arm64',
    's390x',
    'ppc64le',
    'riscv64',
    'mips3l64n32',
    'mipsel64n32',
    'loong64',
  ])('takes %s for the name of some other machine', (value) => {
    const text = dialect(`{"names": ["a"], "action": "SCMP_ACT_LOG", "excludes": {"arches": ["${value}"]}}`);
    for (const engine of ['moby', 'podman'] as const) expect(resolve(text, { engine }).codes).toEqual([]);
  });

  it.each([
    ['SYS_ADMIN', 'CAP_SYS_ADMIN'],
    ['cap_bpf', 'CAP_BPF'],
    ['CAP_SYSADMIN', 'CAP_SYS_ADMIN'],
  ])('warns of the capability %s', (cap, meant) => {
    const entry = `{"names": ["a"], "action": "SCMP_ACT_LOG", "includes": {"caps": ["${cap}"]}}`;
    const { diagnostics } = resolve(dialect(`${entry}, ${entry}`), {
      capabilities: ['CAP_BPF', 'CAP_SYS_ADMIN'],
    });
    expect(diagnostics).toMatchObject([
      {
        code: 'UNKNOWN_CAPABILITY',
        severity: 'warning',
        pointer: '/syscalls/0/includes/caps/0',
        hint: `did you mean "${meant}"?`,
      },
    ]);
    expect(diagnostics[0]!.message).toContain('(and once more)');
  });
});

describe('architectures', () => {
  it('come from the first archMap entry of the native one', () => {
    expect(architectureNames({})).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    expect(architectureNames({ arch: 'AARCH64' })).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    expect(architectureNames({ arch: 'S390X', engine: 'podman' })).toEqual(['SCMP_ARCH_S390X']);
    const { seccomp } = resolve(fixture('docker.json'));
    expect(seccomp.architectures.map(({ pointer }) => pointer)).toEqual([
      '/archMap/1/architecture',
      '/archMap/1/subArchitectures/0',
      '/archMap/1/subArchitectures/1',
    ]);
  });

  // docs/semantics.md section 11: the natives for which each engine applies archMap.
  const MOBY: ArchName[] = [
    'X86', 'X86_64', 'ARM', 'AARCH64', 'MIPS64', 'MIPSEL64', 'MIPS64N32', 'MIPSEL64N32', 'PPC', 'PPC64', 'PPC64LE',
    'RISCV64', 'S390', 'S390X',
  ]; // prettier-ignore
  const PODMAN: ArchName[] = ['X86_64', 'AARCH64', 'MIPS64', 'MIPSEL64', 'MIPS64N32', 'MIPSEL64N32', 'S390X'];
  const ALL: ArchName[] = [
    ...MOBY, 'X32', 'MIPS', 'MIPSEL', 'PARISC', 'PARISC64', 'LOONGARCH64', 'M68K', 'SH', 'SHEB',
  ]; // prettier-ignore

  it.each(ALL)('of %s: each engine has natives for which archMap does nothing', (arch) => {
    const text = dialect('').replace('"archMap": []', `"archMap": [{"architecture": "SCMP_ARCH_${arch}"}]`);
    for (const [engine, natives] of [['moby', MOBY], ['podman', PODMAN]] as const) {
      const { seccomp, codes } = resolve(text, { arch, engine });
      const applies = natives.includes(arch);
      expect(seccomp.architectures.map(({ name }) => name)).toEqual(applies ? [`SCMP_ARCH_${arch}`] : []);
      expect(codes).toEqual(applies ? [] : ['ARCHMAP_NOT_APPLIED']);
    }
  }); // prettier-ignore

  it('are only the native one when archMap does not have it, which is said', () => {
    const { seccomp, codes } = resolve(fixture('docker.json'), { arch: 'RISCV64' });
    expect(seccomp.architectures).toEqual([]);
    expect(codes).toEqual(['ARCHMAP_WITHOUT_NATIVE']);
  });

  it('are never both a list and a map', () => {
    const both = dialect('', '"architectures": ["SCMP_ARCH_X86"],').replace(
      '[]',
      '[{"architecture": "SCMP_ARCH_X86_64"}]',
    );
    for (const engine of ['moby', 'podman'] as const)
      expect(resolve(both, { engine }).diagnostics).toMatchObject([
        { code: 'ARCHITECTURES_AND_ARCHMAP', severity: 'error', pointer: '/archMap' },
      ]);
    const empty = dialect('', '"architectures": ["SCMP_ARCH_X86"],');
    expect(resolve(empty).seccomp.architectures).toEqual([
      { name: 'SCMP_ARCH_X86', pointer: '/architectures/0' },
    ]);
    expect(resolve(empty).codes).toEqual([]);
  });

  it('can be replaced by the target, in every form', () => {
    const architectures: ArchName[] = ['X86_64', 'X32'];
    for (const file of ['docker.json', 'oci.json', 'config.json']) {
      const { seccomp, codes } = resolve(fixture(file), { architectures });
      expect(seccomp.architectures.map(({ name }) => name)).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X32']);
      expect(codes).toEqual([]);
    }
    expect(resolve(fixture('docker.json'), { arch: 'RISCV64', architectures: [] }).codes).toEqual([]);
  });
});

describe('names', () => {
  const BOTH = '{"name": "a", "names": ["b"], "action": "SCMP_ACT_LOG"';

  it('stand in one member: moby looks before the conditions, podman after', () => {
    const dropped = dialect(`${BOTH}, "excludes": {"arches": ["amd64"]}}`);
    const fault = { code: 'NAME_AND_NAMES', severity: 'error', pointer: '/syscalls/0/name' };
    for (const engine of ['moby', 'podman'] as const)
      expect(resolve(dialect(`${BOTH}}`), { engine }).diagnostics).toMatchObject([fault]);
    expect(resolve(dropped).diagnostics).toMatchObject([fault]);
    expect(resolve(dropped, { engine: 'podman' }).diagnostics).toEqual([]);
  });

  it('may be empty beside the other', () => {
    expect(kept(dialect('{"name": "a", "names": [], "action": "SCMP_ACT_LOG"}'))).toBe('a');
    expect(kept(dialect('{"name": "", "names": ["b"], "action": "SCMP_ACT_LOG"}'))).toBe('b');
  });

  it('are wanting: moby keeps the entry, podman drops it', () => {
    for (const entry of [
      '{"action": "SCMP_ACT_LOG"}',
      '{"names": [], "name": "", "action": "SCMP_ACT_LOG"}',
    ]) {
      const moby = resolve(dialect(entry));
      expect(moby.seccomp.syscalls).toEqual([
        { names: [], action: 'SCMP_ACT_LOG', args: [], pointer: '/syscalls/0' },
      ]);
      const podman = resolve(dialect(entry), { engine: 'podman' });
      expect(podman.seccomp.syscalls).toEqual([]);
      expect([moby.codes, podman.codes]).toEqual([['ENTRY_WITHOUT_NAMES'], ['ENTRY_WITHOUT_NAMES']]);
    }
  });

  it('tell where they stood', () => {
    const { seccomp } = resolve(
      dialect('{"name": "a", "action": "SCMP_ACT_LOG"}, {"names": ["b"], "action": "SCMP_ACT_LOG"}'),
    );
    expect(seccomp.syscalls).toMatchObject([{ names: ['a'], singular: true }, { names: ['b'] }]);
    expect(seccomp.syscalls[1]).not.toHaveProperty('singular');
  });
});

describe('errno names', () => {
  function entryErrno(members: string, target: Partial<Target>) {
    const { seccomp, codes } = resolve(
      dialect(`{"names": ["a"], "action": "SCMP_ACT_ERRNO", ${members}}`),
      target,
    );
    return [seccomp.syscalls[0]!.errnoRet, ...codes];
  }

  it.each<[string, Partial<Target>, unknown[]]>([
    ['"errno": "ENOSYS"', { engine: 'podman' }, [38]],
    ['"errno": "ENOSYS"', { engine: 'podman', arch: 'MIPS64' }, [89]],
    ['"errno": "ENOSYS"', { engine: 'podman', arch: 'PARISC' }, [251]],
    ['"errno": "ENOSYS", "errnoRet": 1', { engine: 'podman' }, [38]],
    ['"errno": "13", "errnoRet": 1', { engine: 'podman' }, [13]],
    // Podman's list is shorter than the kernel's.
    ['"errno": "EINTR"', { engine: 'podman' }, [undefined, 'ERRNO_NAME_UNKNOWN']],
    ['"errno": "ENOTSUP"', { engine: 'podman' }, [95]],
    ['"errno": "EINTR", "errnoRet": 4', {}, [4]],
    ['"errno": "4294967295"', { engine: 'podman' }, [4294967295]],
    ['"errno": "0"', { engine: 'podman' }, [0]],
    ['"errno": "4294967296"', { engine: 'podman' }, [undefined, 'ERRNO_NAME_UNKNOWN']],
    ['"errno": "ENOSUCH", "errnoRet": 1', { engine: 'podman' }, [undefined, 'ERRNO_NAME_UNKNOWN']],
    ['"errno": "enosys"', { engine: 'podman' }, [undefined, 'ERRNO_NAME_UNKNOWN']],
    ['"errno": "", "errnoRet": 5', { engine: 'podman' }, [5]],
    ['"errno": "ENOSYS"', {}, [undefined, 'ERRNO_NAME_IGNORED']],
    ['"errno": "ENOSYS", "errnoRet": 13', {}, [13, 'ERRNO_NAME_IGNORED']],
    ['"errno": "ENOSYS", "errnoRet": 38', {}, [38]],
    ['"errno": "EPERM"', {}, [undefined]],
    ['"errno": "ENOSUCH"', {}, [undefined, 'ERRNO_NAME_IGNORED']],
  ])('%s for %j', (members, target, expected) => {
    expect(entryErrno(members, target)).toEqual(expected);
  }); // prettier-ignore

  it('of the default win and are ignored likewise', () => {
    const text = dialect('', '"defaultErrno": "ENOSYS", "defaultErrnoRet": 1,');
    expect(resolve(text, { engine: 'podman' }).seccomp.defaultErrnoRet).toBe(38);
    const moby = resolve(text);
    expect(moby.seccomp.defaultErrnoRet).toBe(1);
    expect(moby.diagnostics).toMatchObject([{ code: 'ERRNO_NAME_IGNORED', pointer: '/defaultErrno' }]);
    const unknown = resolve(dialect('', '"defaultErrno": "NO",'), { engine: 'podman' });
    expect(unknown.diagnostics).toMatchObject([{ code: 'ERRNO_NAME_UNKNOWN', pointer: '/defaultErrno' }]);
  });

  it('of an entry that is dropped are not looked at', () => {
    const text = dialect(
      `{"names": ["a"], "action": "SCMP_ACT_ERRNO", "errno": "NO", "includes": {"caps": ["CAP_BPF"]}}`,
    );
    expect(resolve(text, { engine: 'podman', capabilities: [] }).codes).toEqual([]);
  });
});

describe('an OCI object', () => {
  it('resolves to itself, whatever the engine', () => {
    const profile = readProfile(fixture('oci.json'), { file: 'p.json' });
    for (const engine of ['moby', 'podman'] as const) {
      const { seccomp, diagnostics } = resolveProfile(profile, makeTarget({ arch: 'S390X', engine }));
      expect(diagnostics).toEqual([]);
      expect(profile).toMatchObject({ seccomp });
    }
  });

  it('is null where a config.json has none', () => {
    const profile = readProfile(fixture('config-unconfined.json'), { file: 'p.json' });
    expect(resolveProfile(profile, makeTarget({ arch: 'X86_64', architectures: ['X86'] }))).toEqual({
      seccomp: null,
      diagnostics: [],
    });
  });

  it('is written as the JSON it was read from', () => {
    const { seccomp } = resolve(fixture('oci.json'));
    const text = formatOci(seccomp);
    expect(text).toContain('"value": 18446744073709551615,\n');
    expect(text).toContain('"value": 9007199254740993,\n');
    expect(text.endsWith('}\n')).toBe(true);
    const expected = JSON.parse(fixture('oci.json').replace(', "args": null', ''));
    expect(JSON.parse(text)).toEqual(expected);
    expect(Object.keys(JSON.parse(text))).toEqual(Object.keys(expected));
  });

  it('is written as JSON.stringify would, where there are no large numbers', () => {
    const { seccomp } = resolve(fixture('docker.json'), { capabilities: ['CAP_BPF', 'CAP_PERFMON'] });
    const text = formatOci(seccomp);
    expect(text).toBe(`${JSON.stringify(JSON.parse(text), null, 2)}\n`);
    expect(JSON.parse(text).flags).toEqual([]);
  });
});

describe('a release of Docker before 23.0', () => {
  const MEMBERS =
    '"defaultErrnoRet": 38, "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/s", "listenerMetadata": "m", ';
  const CODES = Array.from({ length: 4 }, () => 'DOCKER_MEMBER_IGNORED');

  it.each([
    ['the dialect', dialect('{"names": ["a"], "action": "SCMP_ACT_LOG", "comment": "c"}', MEMBERS)],
    ['an OCI object', `{"defaultAction": "SCMP_ACT_ERRNO", ${MEMBERS} "syscalls": []}`],
  ])('does not hand the runtime what it does not know of %s', (_, text) => {
    const old = resolve(text, { engineRelease: '20.10' });
    expect(old.codes).toEqual(CODES);
    for (const member of ['defaultErrnoRet', 'flags', 'listenerPath', 'listenerMetadata'] as const)
      expect(old.seccomp[member]).toBeUndefined();
    for (const target of [
      {},
      { engineRelease: '23.0' },
      { engineRelease: '24' },
      { engineRelease: '26.1.5' },
    ]) {
      const { seccomp, codes } = resolve(text, target);
      expect(codes).toEqual([]);
      expect(seccomp).toMatchObject({ defaultErrnoRet: 38, listenerPath: '/s', listenerMetadata: 'm' });
    }
  });

  it('changes nothing of a config.json, which no engine reads', () => {
    const text = `{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO", ${MEMBERS} "syscalls": []}}}`;
    const { seccomp, codes } = resolve(text, { engineRelease: '20.10' });
    expect(codes).toEqual([]);
    expect(seccomp).toMatchObject({ defaultErrnoRet: 38 });
  });
});
