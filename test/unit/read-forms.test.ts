import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseProfile, readProfile } from '../../src/profile/read.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/profile');
const FILE = { file: 'p.json' };

function fixture(name: string): Uint8Array {
  return readFileSync(join(FIXTURES, name));
}

describe('a profile is recognised by its shape', () => {
  it('an OCI object, exactly', () => {
    const profile = readProfile(fixture('oci.json'), FILE);
    expect(profile.diagnostics).toEqual([]);
    expect(profile).toMatchObject({ file: 'p.json', dialect: 'oci', form: 'seccomp' });
    expect(profile).toHaveProperty('seccomp', {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      architectures: [
        { name: 'SCMP_ARCH_X86_64', pointer: '/architectures/0' },
        { name: 'SCMP_ARCH_X86', pointer: '/architectures/1' },
      ],
      flags: ['SECCOMP_FILTER_FLAG_LOG'],
      listenerPath: '/run/listener.sock',
      listenerMetadata: 'blue',
      syscalls: [
        { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW', args: [], pointer: '/syscalls/0' },
        {
          names: ['ioctl'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 0,
          args: [
            { index: 1, value: 2n ** 64n - 1n, valueTwo: 0n, op: 'SCMP_CMP_NE' },
            { index: 5, value: 2n ** 53n + 1n, valueTwo: 1n, op: 'SCMP_CMP_MASKED_EQ' },
          ],
          pointer: '/syscalls/1',
        },
        { names: [], action: 'SCMP_ACT_TRAP', args: [], pointer: '/syscalls/2' },
      ],
      pointer: '',
    });
  });

  it('a config.json, with pointers from its top', () => {
    const profile = readProfile(fixture('config.json'), FILE);
    expect(profile).toMatchObject({
      dialect: 'oci',
      form: 'config',
      seccomp: { pointer: '/linux/seccomp', syscalls: [{ pointer: '/linux/seccomp/syscalls/0' }] },
    });
    expect(profile.locate('/linux/seccomp/syscalls/0/names/0')).toEqual({ line: 9, column: 32 });
  });

  it.each(['{"ociVersion": "1.2.0"}', '{"linux": {}}', '{"ociVersion": "1", "linux": {"seccomp": null}}'])(
    'a config.json without a filter: %s',
    (text) => {
      expect(readProfile(text, FILE)).toMatchObject({ form: 'config', seccomp: null });
    },
  );

  it('a profile, although it says ociVersion, when it has no linux', () => {
    const text = '{"ociVersion": "1.2.0", "defaultAction": "SCMP_ACT_LOG"}';
    expect(readProfile(text, FILE)).toMatchObject({
      form: 'seccomp',
      seccomp: { defaultAction: 'SCMP_ACT_LOG' },
    });
  });

  it('a config.json without a filter, from a file', () => {
    expect(readProfile(fixture('config-unconfined.json'), FILE)).toMatchObject({
      seccomp: null,
      diagnostics: [],
    });
  });

  it.each([
    ['archMap', '"archMap": []'],
    ['defaultErrno', '"defaultErrno": "EPERM"'],
    ['name', '"syscalls": [{"name": "a", "action": "SCMP_ACT_LOG"}]'],
    ['comment', '"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "comment": ""}]'],
    ['includes', '"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "includes": {}}]'],
    ['excludes', '"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "excludes": null}]'],
    ['errno', '"syscalls": [{"names": ["a"], "action": "SCMP_ACT_LOG", "errno": ""}]'],
    ['a key in another case', '"Architectures": []'],
    ['a key in another case in an entry', '"syscalls": [{"Names": ["a"], "action": "SCMP_ACT_LOG"}]'],
  ])('the Docker dialect, by %s', (_, members) => {
    const { profile } = parseProfile(`{"defaultAction": "SCMP_ACT_ERRNO", ${members}}`, FILE);
    expect(profile).toMatchObject({ dialect: 'docker', form: 'docker' });
  });

  it('the Docker dialect, exactly', () => {
    const profile = readProfile(fixture('docker.json'), FILE);
    expect(profile.diagnostics).toEqual([]);
    expect(profile).toMatchObject({
      dialect: 'docker',
      docker: {
        defaultErrnoRet: 1,
        flags: [],
        archMap: [
          { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'], pointer: '/archMap/0' },
          { subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
          { subArchitectures: ['SCMP_ARCH_S390'] },
          { architecture: 'SCMP_ARCH_S390X', subArchitectures: [] },
        ],
      },
    });
    const { syscalls } = profile.dialect === 'docker' ? profile.docker : { syscalls: [] };
    const none = { caps: [], arches: [] };
    expect(syscalls[0]).toEqual({
      names: ['always'],
      action: 'SCMP_ACT_ALLOW',
      args: [],
      includes: none,
      excludes: none,
      pointer: '/syscalls/0',
    });
    expect(syscalls[1]).toMatchObject({ name: 'single', names: [] });
    expect(syscalls[7]).toMatchObject({ includes: none, excludes: { ...none, minKernel: '4.8' } });
    expect(syscalls[8]).toMatchObject({
      includes: { caps: ['CAP_BPF'] },
      excludes: { caps: ['CAP_PERFMON'] },
    });
  });

  it('as the same from bytes and from text', () => {
    const bytes = fixture('oci.json');
    const without = (input: string | Uint8Array) => ({ ...readProfile(input, FILE), locate: undefined });
    expect(without(bytes)).toEqual(without(new TextDecoder().decode(bytes)));
  });
});

describe('what is no profile is refused by name', () => {
  const NAMES: Record<string, string> = {
    'array.json': 'a set of rules without a profile around them',
    'blank.txt': 'an empty file',
    'cri-container.json': 'a container or pod of the Kubernetes CRI',
    'empty-object.json': 'an empty object',
    'features-linux-only.json': 'an OCI features document, which lists what a runtime can do',
    'features-without-seccomp.json': 'an OCI features document, which lists what a runtime can do',
    'features-without-versions.json': 'an OCI features document, which lists what a runtime can do',
    'features.json': 'an OCI features document, which lists what a runtime can do',
    'filter-be.b64': 'a compiled filter in base64',
    'filter-le.b64': 'a compiled filter in base64',
    'filter.asm': 'a disassembled filter',
    'filter.pfc': "libseccomp's pseudo filter code",
    'firecracker.json': 'a filter of seccompiler (Firecracker)',
    'go-seccomp-bpf.json': 'a policy of go-seccomp-bpf',
    'go-seccomp-bpf.yaml': 'a policy of go-seccomp-bpf',
    'image-config.json': 'an image configuration',
    'image-manifest.json': 'an image manifest',
    'json-schema-definitions.json': 'a JSON Schema',
    'json-schema-linux.json': 'a JSON Schema',
    'json-schema-reference.json': 'a JSON Schema',
    'json-schema-seccomp.json': 'a JSON Schema',
    'json-schema.json': 'a JSON Schema',
    'kafel.policy': 'a Kafel policy',
    'lfs.txt': 'a Git LFS pointer',
    'lxc.conf': 'an LXC seccomp profile',
    'minijail.policy': 'a minijail policy',
    'not-found.txt': 'an error page',
    'own-dialect.json': 'a profile in a dialect of its own, with "default_action" instead of "defaultAction"',
    'package.json': 'a JSON object without any member of a profile',
    'page.html': 'an HTML or XML page',
    'pod.json': 'a Kubernetes resource',
    'pod.yaml': 'a Kubernetes resource in YAML',
    'profile.yaml': 'a YAML file',
    'seccompiler.json': 'a filter of seccompiler (Firecracker)',
    'seccompprofile.json': 'a Kubernetes SeccompProfile resource',
    'seccompprofile.yaml': 'a Kubernetes SeccompProfile resource',
    'state-without-bundle.json': 'the state of a container',
    'state.json': 'the state of a container',
    'string.json': 'a JSON string',
  };

  it('and every fixture is among them', () => {
    expect(readdirSync(join(FIXTURES, 'foreign')).toSorted()).toEqual(Object.keys(NAMES).toSorted());
  });

  it.each(Object.entries(NAMES))('%s', (file, what) => {
    const { profile, diagnostics } = parseProfile(fixture(`foreign/${file}`), FILE);
    expect(profile).toBeUndefined();
    expect(diagnostics).toHaveLength(1);
    const [found] = diagnostics;
    expect(found).toMatchObject({ code: 'NOT_A_PROFILE', severity: 'error', file: 'p.json', line: 1 });
    expect(found!.message).toBe(`this is ${what}, not an OCI or Docker seccomp profile`);
    expect(found!.hint).toMatch(/\w/);
  });

  const TEXTS: [what: string, text: string, hint: RegExp][] = [
    ['a file with conflict markers of Git', '{\n<<<<<<< HEAD\n"a": 1\n=======\n>>>>>>> x\n}\n', /conflict/],
    ['a template', '{"defaultAction": {{ .Values.action }}}\n', /render/],
    ['an error page', 'Not Found', /again/],
    ['an error message in JSON', '{"message": "Not Found", "status": "404"}', /again/],
    ['a message of a command', 'Error: no such container\n', /run it alone/],
    ['a log of strace', '4242 execve("/bin/true", ["true"], 0x7ffd /* 20 vars */) = 0\n', /--from strace/],
    ['a log of strace', '[pid   7] 12:00:01.5 read(3, "", 1) = 0\n', /--from strace/],
    ['a log of strace', '7 [  59] execve("/bin/true", ["true"], 0x7ffd) = 0\n', /--from strace/],
    ['a log of strace', 'wait4(-1,  <unfinished ...>\n', /--from strace/],
    ['a systemd unit', '# ours\n\n[Service]\nSystemCallFilter=@mount\n', /--from systemd/],
    ['a part of a systemd unit', 'SystemCallFilter=~ptrace\n', /--from systemd/],
    [
      'a log of the kernel with audit records',
      'type=SECCOMP msg=audit(1.2:3): arch=c000003e\n',
      /audit FILE/,
    ],
    [
      'a log of the kernel with audit records',
      '[  1.2] audit: type=1326 audit(1.2:3): pid=7\n',
      /audit FILE/,
    ],
    ['a list of names', '# ours\nread\nwrite, open\nexit\n', /--from names/],
    ['a seccomp template of snapd', '# ours\nread\nsocket AF_NETLINK - NETLINK_GENERIC\n', /names/],
    ['a firejail profile', '# ours\ncaps.drop all\nseccomp.drop mount,ptrace\n', /--deny NAMES/],
    ['a script', '#!/bin/sh\nexit 1\n', /\w/],
    ['a C source file', '/* ours */\n#include <linux/filter.h>\n', /\w/],
    ['a data: URL', 'data:;base64,e30=', /seccompc resolve/],
    ['JSON in base64', 'ewogImRlZmF1bHRBY3Rpb24iOiAiU0NNUF9BQ1RfTE9HIgp9Cg==', /seccompc resolve/],
    ['the output of a command that shows a container', '[{"Id": "a", "HostConfig": {}}]', /seccompc resolve/],
    ['a compiled filter in hex', '2000000004000000\n0600000000000000\n', /seccompc disasm/],
    ['a disassembled filter', '   0: ld [4]            ; arch\n', /\w/],
    ['a disassembled filter', ' line  OP JT JF    K\n=====\n 0000: 20 00 00 00000004\n', /\w/],
    ['a YAML file', '# ours\ndefaultAction: SCMP_ACT_LOG\n', /"yq \. FILE"/],
    [
      'a set of rules without a profile around them',
      '{"names": ["a"], "action": "SCMP_ACT_LOG"}',
      /"syscalls"/,
    ],
    ['a set of rules without a profile around them', '[{"names": [], "action": "x"}]', /"defaultAction"/],
  ];

  it.each(TEXTS)('%s: %j', (what, text, hint) => {
    const { profile, diagnostics } = parseProfile(text, FILE);
    expect(profile).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code: 'NOT_A_PROFILE', line: 1, column: 1 }]);
    expect(diagnostics[0]!.message).toBe(`this is ${what}, not an OCI or Docker seccomp profile`);
    expect(diagnostics[0]!.hint).toMatch(hint);
  });

  it.each(['true', 'null', 'some text', 'exit', '404', '{ "a": exit }'])(
    'and nothing of that is claimed of %j',
    (text) => {
      const { diagnostics } = parseProfile(text, FILE);
      expect(diagnostics[0]!.message).not.toMatch(/strace|systemd|snapd|firejail|base64|YAML/);
    },
  );

  it('names a no-break space, which nobody sees, and curly quotes, with their place', () => {
    const space = parseProfile('{\u00a0"defaultAction": "SCMP_ACT_ALLOW"}', FILE).diagnostics;
    expect(space).toMatchObject([{ code: 'JSON_SYNTAX', line: 1, column: 2 }]);
    expect(space[0]!.message).toContain('U+00A0 (a no-break space)');
    const curly = parseProfile('{\n \u201cdefaultAction\u201d: 1}', FILE).diagnostics;
    expect(curly).toMatchObject([{ line: 2, column: 2, hint: expect.stringMatching(/quote/) as string }]);
    expect(curly[0]!.message).toContain('U+201C (a curly quote)');
  });

  it('gives the place of a slip in the middle of a profile', () => {
    const { diagnostics } = parseProfile('{\n  "syscalls": [\n    { "args": n"ull }\n  ]\n}', FILE);
    expect(diagnostics).toMatchObject([{ code: 'JSON_SYNTAX', line: 3, column: 15 }]);
  });

  it.each([
    ['a UTF-16 file', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
    ['a UTF-16 file', [0xfe, 0xff, 0x00, 0x7b]],
    ['an ELF binary', [0x7f, 0x45, 0x4c, 0x46, 0x02, 0x01]],
    ['a gzip file', [0x1f, 0x8b, 0x08]],
    ['an xz file', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
    ['a zip archive', [0x50, 0x4b, 0x03, 0x04, 0x14]],
    ['a compiled filter', [0x20, 0, 0, 0, 4, 0, 0, 0, 0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]],
    ['a compiled filter', [0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0x06, 0, 0, 0x7f, 0xff, 0, 0]],
    ['a binary file', [0x7b, 0x00, 0x7d]],
    ['a file in another encoding than UTF-8', [0x7b, 0x22, 0xe9, 0x22, 0x3a, 0x31, 0x7d]],
  ])('%s', (what, bytes) => {
    const { profile, diagnostics } = parseProfile(Uint8Array.from(bytes), FILE);
    expect(profile).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code: 'NOT_A_PROFILE', line: 1, column: 1 }]);
    expect(diagnostics[0]!.message).toContain(`this is ${what},`);
  });

  it.each(['a: {{ b }}', '<<<<<<< HEAD', 'Error: none'])(
    'reads a profile that has %s in a text',
    (comment) => {
      const source = JSON.stringify({ defaultAction: 'SCMP_ACT_LOG', comment }, null, 1);
      expect(parseProfile(source, FILE).profile).toBeDefined();
    },
  );

  it('recognises a profile with any other members beside it', () => {
    const profile = '{"defaultAction": "SCMP_ACT_LOG", "type": "object", "properties": {}}';
    for (const input of [
      `{"linux": {"seccomp": ${profile}}}`,
      '{"linux": {"properties": {}, "namespaces": ["a"], "seccomp": {"defaultAction": "SCMP_ACT_LOG"}}}',
      '{"ociVersion": "1", "id": "x", "linux": {"type": "x", "seccomp": {"defaultAction": "SCMP_ACT_LOG"}}}',
    ])
      expect(readProfile(input, FILE)).toMatchObject({
        form: 'config',
        seccomp: { defaultAction: 'SCMP_ACT_LOG' },
      });
  });

  it('points at what gave it away', () => {
    const { diagnostics } = parseProfile(fixture('foreign/own-dialect.json'), FILE);
    expect(diagnostics).toMatchObject([{ pointer: '/default_action', line: 1, column: 21 }]);
  });

  it('names the position of a wrapped profile', () => {
    const { diagnostics } = parseProfile('{"profile": {"defaultAction": "SCMP_ACT_LOG"}}', FILE);
    expect(diagnostics[0]!.hint).toContain('"profile"');
  });

  it('warns of a byte order mark, and reads on', () => {
    for (const input of [
      '\uFEFF{"defaultAction": "SCMP_ACT_LOG"}',
      new TextEncoder().encode('\uFEFF{"syscalls": 1}'),
    ]) {
      const { diagnostics } = parseProfile(input, FILE);
      expect(diagnostics[0]).toMatchObject({
        code: 'BYTE_ORDER_MARK',
        severity: 'warning',
        line: 1,
        column: 1,
      });
    }
    expect(readProfile('\uFEFF{"defaultAction": "SCMP_ACT_LOG"}', FILE)).toMatchObject({ form: 'seccomp' });
  });
});
