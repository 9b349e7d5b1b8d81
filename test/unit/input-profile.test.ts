import { describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { openProfileText } from '../../src/input/profile-text.ts';
import { parseProfile } from '../../src/profile/read.ts';

const PROFILE = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
};
const CONFIG = { ociVersion: '1.1.0', process: { args: ['sh'] }, linux: { seccomp: PROFILE } };
const TEXT = JSON.stringify(PROFILE);
const base64 = (text: string) => Buffer.from(text).toString('base64');
const resource = (spec: object) => ({
  apiVersion: 'security-profiles-operator.x-k8s.io/v1beta1',
  kind: 'SeccompProfile',
  metadata: { name: 'ours' },
  spec,
});
const container = (...options: string[]) => ({ Id: 'a', HostConfig: { SecurityOpt: options } });

async function open(input: unknown, jsonc = false) {
  const text = typeof input === 'string' ? input : JSON.stringify(input, null, 1);
  const found = await openProfileText(new TextEncoder().encode(text), { file: 'in', jsonc });
  const { profile, diagnostics } = parseProfile(found.bytes, { file: found.file });
  return { ...found, profile, diagnostics, where: found.notes.map(({ message }) => message) };
}

const faults = async (input: unknown) =>
  open(input).then(
    ({ diagnostics }) => diagnostics,
    (error: unknown) => {
      if (error instanceof SeccompcError) return error.diagnostics;
      throw error;
    },
  );

describe('a profile inside another document is found, and its place is named', () => {
  it.each([
    ['/info/runtimeSpec/linux/seccomp', { status: { id: 'a' }, info: { pid: 4, runtimeSpec: CONFIG } }],
    ['/Spec/linux/seccomp', { ID: 'web', Labels: {}, Spec: CONFIG }],
    ['/0/Spec/linux/seccomp', [{ ID: 'web', Spec: CONFIG }]],
    ['/spec', resource(PROFILE)],
    ['/items/0/spec', { kind: 'List', apiVersion: 'v1', items: [resource(PROFILE)] }],
    ['/data/a~1b.json', { kind: 'ConfigMap', apiVersion: 'v1', data: { 'a/b.json': TEXT, notes: 'none' } }],
    [
      '/spec/config/storage/files/0/contents/source',
      {
        apiVersion: 'machineconfiguration.openshift.io/v1',
        kind: 'MachineConfig',
        spec: { config: { storage: { files: [{ contents: { source: `data:;base64,${base64(TEXT)}` } }] } } },
      },
    ],
    ['/0/HostConfig/SecurityOpt/1', [container('no-new-privileges', `seccomp=${TEXT}`)]],
    ['/HostConfig/SecurityOpt/0', container(`seccomp:${TEXT}`)],
  ])('at %s', async (pointer, document) => {
    const { profile, where, diagnostics } = await open(document);
    expect(where[0]).toContain(`the profile is at ${pointer}, in `);
    expect(diagnostics).toEqual([]);
    expect(profile).toMatchObject({ dialect: 'oci', seccomp: { syscalls: [{ names: ['mkdir'] }] } });
  });

  it.each([
    ['JSON in a JSON string', JSON.stringify(TEXT)],
    ['base64', base64(JSON.stringify(PROFILE, null, 2)).replaceAll(/.{60}/g, '$&\n')],
    ['base64 in a data: URL', `data:text/plain;charset=utf-8;base64,${base64(TEXT)}\n`],
    ['in a data: URL', `data:application/json,${encodeURIComponent(TEXT)}`],
  ])('%s', async (what, text) => {
    const { profile, where, file } = await open(text);
    expect(where).toEqual([`the profile is ${what}`]);
    expect(file).toBe('in (decoded)');
    expect(profile).toMatchObject({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } });
  });

  it('takes several layers off', async () => {
    const { where, profile } = await open(
      JSON.stringify(`data:;base64,${base64(JSON.stringify(resource(PROFILE)))}`),
    );
    expect(where).toHaveLength(3);
    expect(profile).toMatchObject({ seccomp: { defaultAction: 'SCMP_ACT_ALLOW' } });
  });

  it('keeps the positions of the document around it', async () => {
    const wrong = { ...PROFILE, syscalls: [{ names: ['a'], action: 'SCMP_ACT_ALOW' }] };
    const text = JSON.stringify({ info: { runtimeSpec: { ...CONFIG, linux: { seccomp: wrong } } } }, null, 2);
    const { diagnostics } = await open(text);
    const line = text.split('\n').findIndex((each) => each.includes('ALOW'));
    const column = text.split('\n')[line]!.indexOf('"SCMP_ACT_ALOW"') + 1;
    expect(diagnostics).toMatchObject([{ code: 'UNKNOWN_ACTION', line: line + 1, column }]);
  });

  it('leaves every byte of a plain profile and of a config.json as it is', async () => {
    for (const text of [
      TEXT,
      `\uFEFF${TEXT}`,
      JSON.stringify(CONFIG),
      JSON.stringify({ ...CONFIG, Spec: CONFIG }),
      JSON.stringify({ Linux: CONFIG.linux, Spec: CONFIG }),
    ]) {
      const bytes = new TextEncoder().encode(text);
      expect(await openProfileText(bytes, { file: 'in' })).toMatchObject({ bytes, file: 'in', notes: [] });
    }
  });
});

describe('a document whose profile is not clear is refused', () => {
  it('with the places of all that could be meant', async () => {
    const found = await faults([container(`seccomp=${TEXT}`), container(`seccomp=${TEXT}`)]);
    expect(found).toMatchObject([{ code: 'SEVERAL_PROFILES', severity: 'error' }]);
    expect(found[0]!.message).toContain('/0, /1');
    expect(await faults([container(`seccomp=${TEXT}`), container()])).toMatchObject([
      { code: 'SEVERAL_PROFILES' },
    ]);
  });

  it('also one option given twice, of which an engine would take the last', async () => {
    expect(await faults([container(`seccomp=${TEXT}`, 'seccomp=unconfined')])).toMatchObject([
      { code: 'SEVERAL_PROFILES' },
    ]);
  });

  it.each([
    ['a container without a filter', [container('seccomp=unconfined')], /unconfined/],
    ['the default of the engine', [container()], /default of the engine/],
    ['a path', [container('seccomp=/etc/p.json')], /in the file \/etc\/p\.json/],
    ['the file of a configuration', [{ ...container(), OCIConfigPath: '/run/c.json' }], /\/run\/c\.json/],
    [
      'a privileged container',
      [{ HostConfig: { Privileged: true, SecurityOpt: [`seccomp=${TEXT}`] } }],
      /release/,
    ],
    ['a resource on top of another', resource({ ...PROFILE, baseProfileName: 'b' }), /operator wrote/],
    ['a disabled resource', resource({ ...PROFILE, disabled: true }), /installs no/],
  ])('%s', async (_, document, hint) => {
    const found = await faults(document);
    expect(found).toMatchObject([{ code: 'NOT_A_PROFILE', severity: 'error' }]);
    expect(found[0]!.hint).toMatch(hint);
  });

  it('when the document around it has a key twice, of which readers take different ones', async () => {
    const config = JSON.stringify(CONFIG);
    expect(await faults(`{"Spec": ${config}, "Spec": {}}`)).toMatchObject([{ code: 'JSON_DUPLICATE_KEY' }]);
  });

  it.each([`data:text/plain;base64,${base64(TEXT).slice(0, -2)}`, 'data:,%zz', 'data:;charset=utf-16,{}'])(
    'a broken data: URL: %s',
    async (text) => {
      expect(await faults(text)).toMatchObject([{ code: 'NOT_A_PROFILE' }]);
    },
  );

  it('warns when the profile depends on capabilities that the document gives', async () => {
    const { notes } = await open([
      { HostConfig: { CapAdd: ['SYS_ADMIN'], SecurityOpt: [`seccomp=${TEXT}`] } },
    ]);
    expect(notes[0]!.hint).toContain('CapAdd');
  });
});

describe('YAML', () => {
  const YAML = `# ours
defaultAction: SCMP_ACT_ERRNO
syscalls:
  - names: [read, "write"]
    action: SCMP_ACT_ALLOW
  - names:
      - personality
    action: SCMP_ACT_ALLOW
    args:
      - {index: 0, value: 0xffffffffffffffff, op: SCMP_CMP_EQ}
`;

  it('is read exactly, also numbers of 64 bits', async () => {
    const { profile, diagnostics } = await open(YAML);
    expect(diagnostics).toEqual([]);
    expect(profile).toMatchObject({
      seccomp: {
        syscalls: [
          { names: ['read', 'write'] },
          { args: [{ index: 0, value: 2n ** 64n - 1n, op: 'SCMP_CMP_EQ' }] },
        ],
      },
    });
  });

  it('keeps its lines, and the columns of values', async () => {
    const { diagnostics } = await open(
      YAML.replace('- personality', '- 7').replace('SCMP_ACT_ERRNO', 'ERRNO'),
    );
    expect(diagnostics).toMatchObject([
      { code: 'UNKNOWN_ACTION', line: 2, column: 16 },
      { code: 'WRONG_TYPE', line: 7, column: 9 },
    ]);
  });

  it('of a resource is read like its JSON', async () => {
    const { where, diagnostics } = await open(
      `apiVersion: security-profiles-operator.x-k8s.io/v1beta1\nkind: SeccompProfile\nspec:\n  defaultAction: LOG\n`,
    );
    expect(where).toEqual(['the profile is YAML', 'the profile is at /spec, in a SeccompProfile resource']);
    expect(diagnostics).toMatchObject([{ code: 'UNKNOWN_ACTION', line: 4, column: 18 }]);
  });

  it.each([
    ['an octal number of YAML 1.1', 'defaultErrnoRet: 010'],
    ['a digit separator', 'defaultErrnoRet: 1_0'],
    ['a fraction', 'defaultErrnoRet: 1.5'],
    ['a word that YAML 1.1 takes for true', 'listenerPath: yes'],
    ['an anchor and an alias', 'syscalls: &a []\nflags: *a'],
    ['a tag', 'listenerPath: !!binary aGk='],
    ['a second document', '---\ndefaultAction: SCMP_ACT_LOG'],
    ['a key that is a number', '7: a'],
    ['a fault of the syntax', 'flags: [a'],
  ])('is refused for %s', async (_, line) => {
    const found = await faults(`defaultAction: SCMP_ACT_ERRNO\n${line}\n`);
    expect(found).toMatchObject([{ code: 'YAML_REFUSED', severity: 'error' }]);
    expect(found[0]!.line).toBeGreaterThan(1);
  });

  it('with a key twice is a duplicate key', async () => {
    expect(await faults('defaultAction: SCMP_ACT_LOG\ndefaultAction: SCMP_ACT_ALLOW\n')).toMatchObject([
      { code: 'JSON_DUPLICATE_KEY', line: expect.any(Number) as number },
    ]);
  });

  it('of many levels is refused and ends', async () => {
    expect(await faults(`a: ${'['.repeat(20_000)}`)).toMatchObject([{ code: 'YAML_REFUSED' }]);
  });
});

describe('JSON with comments', () => {
  const JSONC = `{
  // ours: "quoted" /* no */
  "defaultAction": "SCMP_ACT_ERRNO", /* EPERM
  */ "listenerPath": "/a//b/*c*/",
  "syscalls": [{ "names": ["read",], "action": "SCMP_ACT_ALOW" },],
}`;

  it('is read with --jsonc, at the same positions', async () => {
    const { diagnostics, bytes } = await open(JSONC, true);
    expect(diagnostics).toMatchObject([{ code: 'UNKNOWN_ACTION', line: 5, column: 48 }]);
    expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ listenerPath: '/a//b/*c*/' });
  });

  it('is refused without', async () => {
    expect(new Set((await open(JSONC)).diagnostics.map(({ code }) => code))).toEqual(
      new Set(['JSON_COMMENT', 'JSON_TRAILING_COMMA', 'UNKNOWN_ACTION']),
    );
  });

  it('does not take more away than comments and trailing commas', async () => {
    for (const text of ['{,}', '{"a": 1,,}', '{"a": 1} /* open', '# comment\n{}']) {
      const { diagnostics } = await open(text, true);
      expect(diagnostics[0]).toMatchObject({ severity: 'error' });
    }
  });
});
