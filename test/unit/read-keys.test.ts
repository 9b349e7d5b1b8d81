import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../../src/errors.ts';
import { resolveProfile } from '../../src/profile/docker.ts';
import { ociSeccompMembers } from '../../src/profile/generated/members.ts';
import { parseJson } from '../../src/profile/json.ts';
import { otherCaseKeys } from '../../src/profile/schema-members.ts';
import { foldKey } from '../../src/profile/pointer.ts';
import { parseProfile } from '../../src/profile/read.ts';
import type { Profile } from '../../src/profile/types.ts';
import { makeTarget } from '../../src/target.ts';
import { marked } from '../fixtures/profile/marked.ts';

const HEAD = '"defaultAction": "SCMP_ACT_ERRNO"';
const IN_ENTRY = '"names": ["a"], "action": "SCMP_ACT_ALLOW"';

/** The one diagnostic of a text, which must stand at the mark. */
function only(text: string): Diagnostic {
  const { source, position } = marked(text);
  const { diagnostics } = parseProfile(source, { file: 'p.json' });
  expect(diagnostics).toHaveLength(1);
  expect(diagnostics[0]).toMatchObject(position);
  return diagnostics[0]!;
}

describe('a key that no runtime reads', () => {
  it('is a warning, with what was likely meant', () => {
    expect(only(`{${HEAD}, ‸"syscals": []}`)).toMatchObject({
      code: 'UNKNOWN_KEY',
      severity: 'warning',
      pointer: '/syscals',
      hint: 'did you mean "syscalls"?',
    });
    expect(only(`{${HEAD}, "syscalls": [{${IN_ENTRY}, ‸"errno_ret": 1}]}`).hint).toContain('"errnoRet"');
    expect(only(`{${HEAD}, ‸"default_errno_ret": 1}`).hint).toContain('"defaultErrnoRet"');
    expect(only(`{${HEAD}, ‸"targetWorkload": "x"}`).hint).toBe('remove it, or correct its spelling');
  });

  it('is said once for each kind of place, with the count', () => {
    const entries = `{${IN_ENTRY}, "case": 2}, {${IN_ENTRY}, "case": 3}`;
    const found = only(`{${HEAD}, "syscalls": [{${IN_ENTRY}, ‸"case": 1}, ${entries}]}`);
    expect(found).toMatchObject({ code: 'UNKNOWN_KEY', pointer: '/syscalls/0/case' });
    expect(found.message).toContain('(and 2 more times)');
  });

  it('is a loud warning when it holds rules', () => {
    const rules = '[{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]';
    for (const key of ['syscallLists', 'extra', 'denyList']) {
      const found = only(`{${HEAD}, ‸"${key}": ${rules}}`);
      expect(found).toMatchObject({ code: 'RULES_IGNORED', severity: 'warning', pointer: `/${key}` });
    }
    expect(only(`{${HEAD}, ‸"blockedSyscalls": ["mount"]}`).code).toBe('RULES_IGNORED');
    expect(only(`{${HEAD}, ‸"extra": ["mount"]}`).code).toBe('UNKNOWN_KEY');
    expect(only(`{${HEAD}, ‸"denyList": []}`).code).toBe('UNKNOWN_KEY');
  });

  it.each(['comment', '_comment', '_blocked_rules', '$schema', '//', '#', 'description', 'Notes', 'title'])(
    'is nothing to speak of when it is a comment: %s',
    (key) => {
      const text = `{${HEAD}, "${key}": "x", "syscalls": [{${IN_ENTRY}, "_${key}": ["y"]}]}`;
      expect(parseProfile(text, { file: 'p.json' }).diagnostics).toEqual([]);
    },
  );
});

describe('a key in another case', () => {
  it('counts in the Docker dialect, as in the engines', () => {
    const text = `{${HEAD}, "archMap": [{"architecture": "SCMP_ARCH_X86_64", ‸"subarchitectures": ["SCMP_ARCH_X86"]}]}`;
    expect(only(text)).toMatchObject({
      code: 'KEY_CASE',
      severity: 'warning',
      pointer: '/archMap/0/subarchitectures',
      hint: 'write "subArchitectures"',
    });
    const { profile } = parseProfile(marked(text).source, { file: 'p.json' });
    expect(profile).toMatchObject({ docker: { archMap: [{ subArchitectures: ['SCMP_ARCH_X86'] }] } });
  });

  it('counts at the top and in entries and conditions, with faults found at the key that is there', () => {
    const text = `{"defaultaction": "SCMP_ACT_ERRNO",
      "Syscalls": [{"Names": ["a"], "ACTION": "SCMP_ACT_ALLOW", "args": [{"Index": 7, "value": 0, "op": "SCMP_CMP_EQ"}]}]}`;
    const { diagnostics } = parseProfile(text, { file: 'p.json' });
    expect(diagnostics.map(({ code, pointer }) => `${code} ${pointer}`)).toEqual([
      'KEY_CASE /defaultaction',
      'KEY_CASE /Syscalls',
      'KEY_CASE /Syscalls/0/Names',
      'KEY_CASE /Syscalls/0/ACTION',
      'KEY_CASE /Syscalls/0/args/0/Index',
      'ARG_INDEX_RANGE /Syscalls/0/args/0/Index',
    ]);
  });

  it('is a duplicate key if the exact key is there too', () => {
    const text = `{${HEAD}, "syscalls": [{"names": ["a"], "Names": ["b"], "action": "SCMP_ACT_ALLOW"}]}`;
    const { diagnostics } = parseProfile(text, { file: 'p.json' });
    expect(diagnostics).toMatchObject([
      { code: 'KEY_CASE', severity: 'warning' },
      { code: 'JSON_DUPLICATE_KEY', severity: 'error', pointer: '/syscalls/0/Names' },
    ]);
  });

  it('does not count in a config.json, and that is said', () => {
    const found = only(`{"linux": {"seccomp": {${HEAD}, "syscalls": [{${IN_ENTRY}, ‸"Args": []}]}}}`);
    expect(found).toMatchObject({ code: 'KEY_CASE_IGNORED', severity: 'warning' });
    const { profile } = parseProfile(
      `{"linux": {"seccomp": {${HEAD}, "syscalls": [{${IN_ENTRY}, "Args": [1]}]}}}`,
      {
        file: 'p.json',
      },
    );
    expect(profile).toMatchObject({ form: 'config', seccomp: { syscalls: [{ args: [] }] } });
  });

  it('is one that Go folds, and no other that looks like it', () => {
    const known = (key: string) => otherCaseKeys(parseJson(`{"${key}": 1}`).root!, ociSeccompMembers).length;
    expect(['FLAGS', 'defaultaction', '\u017fyscalls', 'flag\u017f', 'sySCALLs'].map(known)).toEqual([
      1, 1, 1, 1, 1,
    ]);
    expect(
      ['\ufb02ags', 'li\ufb06enerPath', 'defaultAct\u0131on', '\uff53yscalls', 'flags ', 'flag'].map(known),
    ).toEqual([0, 0, 0, 0, 0, 0]);
    // No name of a profile has a k.
    expect([
      foldKey('\u212aey'),
      foldKey('K'),
      foldKey('\u017f'),
      foldKey('\u0130'),
      foldKey('\u00df'),
    ]).toEqual(['key', 'k', 's', 'i\u0307', '\u00df']);
  });
});

describe('a config.json in runc mode', () => {
  const read = (text: string, semantics: 'crun' | 'runc' = 'runc') =>
    parseProfile(text, { file: 'p.json', semantics });
  const ENTRY = { names: ['a'], action: 'SCMP_ACT_LOG' };

  it('has keys in any case, at every level', () => {
    const text = `{"OCIVersion": "1", "LINUX": {"\u017feccomp": {"DEFAULTACTION": "SCMP_ACT_ERRNO",
      "Syscalls": [{"NAMES": ["a"], "Action": "SCMP_ACT_LOG", "ARGS": [{"Index": 1, "VALUE": 2, "Op": "SCMP_CMP_EQ"}]}]}}}`;
    const { profile, diagnostics } = read(text);
    expect(diagnostics.map(({ code, severity, pointer }) => `${code} ${severity} ${pointer}`)).toEqual([
      'KEY_CASE_RUNC warning /LINUX',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/DEFAULTACTION',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls/0/NAMES',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls/0/Action',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls/0/ARGS',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls/0/ARGS/0/Index',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls/0/ARGS/0/VALUE',
      'KEY_CASE_RUNC warning /LINUX/\u017feccomp/Syscalls/0/ARGS/0/Op',
    ]);
    const args = [{ index: 1, value: 2n, valueTwo: 0n, op: 'SCMP_CMP_EQ' }];
    expect(profile).toMatchObject({
      form: 'config',
      reader: 'runc',
      seccomp: { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ ...ENTRY, args }] },
    });
    expect(profile!.locate('/linux/seccomp/syscalls/0/args/0/value')).toMatchObject({ line: 2 });
    expect(read(text, 'crun').profile).toBeUndefined();
  });

  it('has none after a null', () => {
    const seccomp = `{${HEAD}}`;
    const none = { form: 'config', seccomp: null };
    expect(read(`{"linux": {"seccomp": ${seccomp}, "Seccomp": null}}`).profile).toMatchObject(none);
    expect(
      read(`{"linux": {"seccomp": ${seccomp}}, "Linux": null, "ociVersion": "1"}`).profile,
    ).toMatchObject(none);
    expect(read(`{"linux": {"Seccomp": null, "seccomp": ${seccomp}}}`).profile).toMatchObject({
      seccomp: {},
    });
    expect(read(`{"Linux": null, "linux": {"seccomp": ${seccomp}}}`).profile).toMatchObject({ seccomp: {} });
    expect(read(`{"linux": {"seccomp": ${seccomp}, "Seccomp": null}}`, 'crun').profile).toMatchObject({
      seccomp: {},
    });
  });

  it('is refused for a value of the wrong kind, also for one that is replaced', () => {
    const codes = (members: string) =>
      read(`{"linux": {"seccomp": {${HEAD}, ${members}}}}`)
        .diagnostics.filter(({ severity }) => severity === 'error')
        .map(({ code }) => code);
    expect(codes('"syscalls": 5, "Syscalls": []')).toEqual(['WRONG_TYPE']);
    expect(codes('"Syscalls": [], "syscalls": {}')).toEqual(['WRONG_TYPE']);
    expect(codes(`"syscalls": [7], "Syscalls": [${JSON.stringify(ENTRY)}]`)).toEqual(['WRONG_TYPE']);
    expect(codes('"syscalls": [null], "Syscalls": []')).toEqual([]);
  });

  it('has its own name for another reader, which the other target does not take', () => {
    const text = `{"linux": {"seccomp": {${HEAD}, "Flags": []}}}`;
    const target = makeTarget({ arch: 'X86_64', semantics: 'runc' });
    const codes = (profile: Profile) => resolveProfile(profile, target).diagnostics.map(({ code }) => code);
    expect(codes(read(text, 'crun').profile!)).toEqual(['READ_OTHERWISE']);
    expect(codes(read(text, 'runc').profile!)).toEqual([]);
    // Nothing in it that they read differently.
    expect(codes(read(`{"linux": {"seccomp": {${HEAD}}}}`, 'crun').profile!)).toEqual([]);
  });

  it('changes nothing for a profile alone, which an engine reads', () => {
    const text = `{${HEAD}, "Syscalls": [{${IN_ENTRY}}]}`;
    const [crun, runc] = (['crun', 'runc'] as const).map((semantics) => {
      const { profile } = read(text, semantics);
      return { ...profile, locate: undefined };
    });
    expect(runc).toEqual(crun);
    expect(crun).toMatchObject({ form: 'docker', docker: { syscalls: [{ names: ['a'] }] } });
  });
});

describe('a config.json', () => {
  it('has no use for what only engines read', () => {
    const text = readFileSync(
      join(import.meta.dirname, '../fixtures/profile/config-pasted-dialect.json'),
      'utf8',
    );
    const { profile, diagnostics } = parseProfile(text, { file: 'p.json' });
    expect(diagnostics.map(({ code, severity, pointer }) => [code, severity, pointer])).toEqual([
      ['ENGINE_KEY_IGNORED', 'warning', '/linux/seccomp/archMap'],
      ['ENGINE_KEY_IGNORED', 'warning', '/linux/seccomp/syscalls/1/includes'],
    ]);
    expect(diagnostics[0]!.message).toContain('its architectures are not in the filter');
    expect(diagnostics[1]!.message).toContain('the entry always applies (and once more)');
    expect(profile).toMatchObject({
      dialect: 'oci',
      seccomp: {
        architectures: [],
        syscalls: [{ names: ['read'] }, { names: ['bpf'] }, { names: ['kexec_load'] }],
      },
    });
  });

  it('has its profile in one place only', () => {
    expect(only(`{"ociVersion": "1", "seccomp": ‸{${HEAD}}}`)).toMatchObject({
      code: 'RULES_IGNORED',
      pointer: '/seccomp',
      hint: 'it belongs into linux.seccomp',
    });
    expect(only(`{"ociVersion": "1", "linux": {"Seccomp": ‸{${HEAD}}}}`)).toMatchObject({
      code: 'KEY_CASE_IGNORED',
      pointer: '/linux/Seccomp',
    });
    expect(only(`{"ociVersion": "1", "Linux": ‸{}}`)).toMatchObject({ code: 'KEY_CASE_IGNORED' });
    expect(only(`{"linux": {"seccomp": {${HEAD}}}, "syscalls": ‸[]}`)).toMatchObject({
      code: 'RULES_IGNORED',
    });
  });
});
