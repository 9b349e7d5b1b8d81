import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { getLanguageService, TextDocument } from 'vscode-json-languageservice';
import type { JSONSchema } from 'vscode-json-languageservice';
import docker from '../../src/profile/schema/generated/docker.json' with { type: 'json' };
import oci from '../../src/profile/schema/generated/oci.json' with { type: 'json' };

const ROOT = join(import.meta.dirname, '../..');
const ajv = new Ajv({ strict: false });
const validators = { oci: ajv.compile(oci), docker: ajv.compile(docker) };
type Dialect = keyof typeof validators;

/** The object that the OCI schema is about, also where it is inside a config.json. */
function seccompIn(file: string): object {
  const document = JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as { linux?: { seccomp: object } };
  return document.linux?.seccomp ?? document;
}

/**
 * Whether only Docker and Podman read it: members of the dialect are valid, but without effect, in
 * OCI.
 */
function hasDialect(profile: object): boolean {
  return /"(archMap|includes|excludes|errno|defaultErrno|name)":/.test(JSON.stringify(profile));
}

describe('the schemas for editors', () => {
  it('have a stable name, and need no other file', () => {
    expect([oci.$id, docker.$id]).toEqual(['urn:seccompc:schema:oci', 'urn:seccompc:schema:docker']);
    const references = JSON.stringify([oci, docker]).match(/"\$ref":"[^"]*"/g) ?? [];
    expect(references.length).toBeGreaterThan(20);
    for (const reference of references) expect(reference).toMatch(/^"\$ref":"#\/definitions\/\w+"$/);
  });

  it('accept every profile of the package, and nothing in them is underlined', async () => {
    const files = readdirSync(join(ROOT, 'profiles')).filter((file) => file.endsWith('.json'));
    expect(files.length).toBeGreaterThan(20);
    for (const file of files) {
      const profile = seccompIn(`profiles/${file}`);
      for (const dialect of hasDialect(profile) ? (['docker'] as const) : (['oci', 'docker'] as const)) {
        expect([file, dialect, validators[dialect](profile), validators[dialect].errors]).toEqual([
          file, dialect, true, null,
        ]); // prettier-ignore
        expect([file, await underlined(dialect, JSON.stringify(profile))]).toEqual([file, []]);
      }
    }
  });

  it('accept every golden profile of which a filter is made', () => {
    const golden = join(ROOT, 'test/golden');
    const made = readdirSync(golden).filter((name) => existsSync(join(golden, name, 'filter.txt')));
    const refused = made
      .filter((name) => existsSync(join(golden, name, 'profile.json')))
      .filter((name) => !validators.docker(seccompIn(`test/golden/${name}/profile.json`)));
    expect(made.length).toBeGreaterThan(80);
    // These two say that there is no filter.
    expect(refused).toEqual(['67-runc-no-filter', '68-config-without-seccomp']);
  });

  it('refuse what the compiler refuses because of its form', () => {
    const refused = readdirSync(join(ROOT, 'test/golden')).filter((name) =>
      /refused-(numbers|missing|words|architectures)$/.test(name),
    );
    expect(refused).toHaveLength(4);
    for (const name of refused)
      expect([name, validators.docker(seccompIn(`test/golden/${name}/profile.json`))]).toEqual([name, false]);
  });

  it.each<[what: string, members: object]>([
    ['an action that does not exist', { action: 'SCMP_ACT_DENY' }],
    ['an operator that does not exist', { args: [{ index: 0, value: 1, op: 'SCMP_CMP_IN' }] }],
    ['a seventh argument', { args: [{ index: 6, value: 1, op: 'SCMP_CMP_EQ' }] }],
    ['a number in quotes', { args: [{ index: 0, value: '1', op: 'SCMP_CMP_EQ' }] }],
    ['an errno name where a number belongs', { errnoRet: 'EPERM' }],
    ['an empty name', { names: [''] }],
    ['an errno name that Podman does not know', { errno: 'EWHATEVER' }],
    ['a kernel that is no release', { includes: { minKernel: 'new' } }],
  ])('refuse %s', (_, members) => {
    const profile = (more: object) => ({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW', ...more }],
    });
    expect(validators.docker(profile({}))).toBe(true);
    expect(validators.docker(profile(members))).toBe(false);
  });
});

/** What an editor does: VS Code and the jsonls of Neovim are made of this service. */
function serviceFor(dialect: Dialect) {
  const service = getLanguageService({});
  const schema = (dialect === 'oci' ? oci : docker) as JSONSchema;
  service.configure({ schemas: [{ fileMatch: ['*'], uri: schema.$id!, schema }] });
  return service;
}

function opened(text: string) {
  return TextDocument.create('file:///profile.json', 'json', 1, text);
}

/** Texts that are underlined, and why. */
async function underlined(dialect: Dialect, text: string): Promise<[text: string, message: unknown][]> {
  const service = serviceFor(dialect);
  const document = opened(text);
  const found = await service.doValidation(document, service.parseJSONDocument(document));
  return found.map(({ range, message }) => [document.getText(range), message]);
}

/** What is offered at the `|`. */
async function offered(dialect: Dialect, marked: string): Promise<string[]> {
  const service = serviceFor(dialect);
  const document = opened(marked.replace('|', ''));
  const position = document.positionAt(marked.indexOf('|'));
  const list = await service.doComplete(document, position, service.parseJSONDocument(document));
  return list?.items.map(({ label }) => label) ?? [];
}

it('The settings of the documentation give a profile its schema', async () => {
  const page = readFileSync(join(ROOT, 'docs/editors.md'), 'utf8');
  const [byMember, settings] = [...page.matchAll(/^```json\n(.*?)^```/gms)].map(([, text]) => text!);
  const { 'json.schemas': schemas } = JSON.parse(settings!) as {
    'json.schemas': { fileMatch: string[]; url: string }[];
  };
  const asked: string[] = [];
  const service = getLanguageService({
    workspaceContext: { resolveRelativePath: (path, base) => new URL(path, base).href },
    schemaRequestService: async (uri) => {
      asked.push(uri);
      return JSON.stringify(docker);
    },
  });
  const faults = async (uri: string, text: string) => {
    const document = TextDocument.create(uri, 'json', 1, text);
    return (await service.doValidation(document, service.parseJSONDocument(document))).length;
  };
  const faulty = byMember!.replace('SCMP_ACT_ERRNO', 'SCMP_ACT_DENY');
  expect(await faults('file:///project/web.json', byMember!)).toBe(0);
  expect(await faults('file:///project/web.json', faulty)).toBe(1);
  const other = '{ "defaultAction": "SCMP_ACT_DENY" }';
  expect(await faults('file:///project/seccomp/web.json', other)).toBe(0);
  service.configure({
    schemas: schemas.map(({ fileMatch, url }) => ({ fileMatch, uri: new URL(url, 'file:///project/').href })),
  });
  expect(await faults('file:///project/seccomp/web.json', other)).toBe(1);
  expect(await faults('file:///project/other/web.json', other)).toBe(0);
  expect(new Set(asked)).toEqual(new Set(['file:///project/seccomp.schema.json']));
});

describe.each<Dialect>(['oci', 'docker'])('an editor with the %s schema', (dialect) => {
  it('completes actions, calls, operators, flags and architectures', async () => {
    const entry = (members: string) => `{"syscalls":[{${members}}]}`;
    expect(await offered(dialect, '{"defaultAction": "|"}')).toContain('"SCMP_ACT_KILL_PROCESS"');
    expect(await offered(dialect, entry('"action": "|"'))).toContain('"SCMP_ACT_ERRNO"');
    expect(await offered(dialect, entry('"names": ["read", "|"]'))).toEqual(
      expect.arrayContaining(['"clone3"', '"socketcall"', '"breakpoint"']),
    );
    expect(await offered(dialect, entry('"args":[{"op": "|"}]'))).toContain('"SCMP_CMP_MASKED_EQ"');
    expect(await offered(dialect, '{"flags": ["|"]}')).toContain('"SECCOMP_FILTER_FLAG_TSYNC"');
    expect(await offered(dialect, '{"architectures": ["|"]}')).toContain('"SCMP_ARCH_RISCV64"');
    expect(await offered(dialect, '{"|"}')).toContain('syscalls');
  });

  it('says what a call is', async () => {
    const service = serviceFor(dialect);
    const document = opened('{"syscalls":[{"names":["clone3"]}]}');
    const position = document.positionAt(document.getText().indexOf('clone3'));
    const hover = await service.doHover(document, position, service.parseJSONDocument(document));
    expect(JSON.stringify(hover?.contents)).toMatch(/clone3.*size_?.*Linux 5.*not on SH, SHEB/);
  });

  it('underlines a fault alone', async () => {
    const text = (action: string, name: string) =>
      `{"defaultAction":"${action}","syscalls":[{"names":["read","${name}"],"action":"SCMP_ACT_ALLOW"}]}`;
    expect(await underlined(dialect, text('SCMP_ACT_ERRNO', 'write'))).toEqual([]);
    const [wrong, ...others] = await underlined(dialect, text('SCMP_ACT_DENY', 'write'));
    expect([wrong![0], others]).toEqual(['"SCMP_ACT_DENY"', []]);
  });

  it('says in one line that an architecture does not exist', async () => {
    const profile = { defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_VAX'] };
    expect(validators[dialect](profile)).toBe(false);
    expect(await underlined(dialect, JSON.stringify(profile))).toEqual([
      ['"SCMP_ARCH_VAX"', 'Not an architecture as every runtime reads it.'],
    ]);
  });

  it('warns where the compiler warns, and the profile is valid', async () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64', 'x86'],
      rules: [],
      comment: 'why',
      syscalls: [{ names: ['read', 'raed'], action: 'SCMP_ACT_ALLOW' }],
    };
    expect(validators[dialect](profile)).toBe(true);
    expect(await underlined(dialect, JSON.stringify(profile))).toEqual([
      ['"x86"', 'Not an architecture as every runtime reads it.'],
      ['"raed"', 'Not a system call: runtimes ignore it.'],
      ['"rules":[]', 'Runtimes ignore this member.'],
    ]);
  });
});
