import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lowerProfile } from '../../src/compile.ts';
import { applyFixes } from '../../src/lint/fix.ts';
import { lint } from '../../src/lint/lint.ts';
import type { Level } from '../../src/lint/rule.ts';
import { RULES } from '../../src/lint/rules.ts';
import { FAMILIES } from '../../src/lint/rules/missing-sibling.ts';
import { DANGERS } from '../../src/lint/rules/dangerous-call.ts';
import { answerOf } from '../../src/prove/profile/reference-answer.ts';
import { resolveReference } from '../../src/prove/profile/reference.ts';
import { nameId } from '../../src/syscalls/load.ts';
import { makeTarget } from '../../src/target.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/lint');
const textOf = (name: string) => readFileSync(join(FIXTURES, name), 'utf8');

async function linted(text: string, arch: string, level?: Level) {
  return (await lint(Buffer.from(text), { file: '-', target: makeTarget({ arch }), level })).findings;
}

/** `line severity`, of one code. */
async function found(text: string, arch: string, code: string, level?: Level): Promise<string[]> {
  const findings = await linted(text, arch, level);
  return findings
    .filter(({ diagnostic }) => diagnostic.code === code)
    .map(({ diagnostic: { line, severity } }) => `${line} ${severity}`);
}

interface Case {
  file: string;
  code: string;
  found: string[];
  arch?: string;
  level?: Level;
}

const CASES: Case[] = [
  {
    file: 'entry-without-effect.json',
    code: 'ENTRY_WITHOUT_EFFECT',
    found: ['6 warning', '12 warning', '14 note', '15 note', '16 warning', '17 warning'],
  },
  {
    file: 'argument-width.json',
    code: 'ARGUMENT_WIDTH',
    found: ['8 warning', '18 note', '23 warning', '33 warning', '38 warning'],
  },
  { file: 'argument-width-allowed.json', code: 'ARGUMENT_WIDTH', found: ['8 warning', '13 note'] },
  {
    file: 'condition-without-effect.json',
    code: 'CONDITION_WITHOUT_EFFECT',
    found: ['8', '13', '18', '23', '28', '33'].map((line) => `${line} warning`),
  },
  { file: 'condition-on-s390.json', code: 'CONDITION_WITHOUT_EFFECT', arch: 's390x', found: ['8 warning'] },
  { file: 'missing-sibling.json', code: 'MISSING_SIBLING', found: ['5 warning', '6 warning'] },
  { file: 'clone3-beside-clone.json', code: 'MISSING_SIBLING', found: ['5 warning'] },
  { file: 'enosys-expected.json', code: 'ENOSYS_EXPECTED', found: ['2 note'] },
  { file: 'false-success.json', code: 'FALSE_SUCCESS', found: ['5 warning'] },
  {
    file: 'dangerous-call.json',
    code: 'DANGEROUS_CALL',
    level: 'container',
    found: ['6 warning', '7 warning', '7 warning'],
  },
  {
    file: 'dangerous-call.json',
    code: 'DANGEROUS_CALL',
    level: 'sandbox',
    found: ['5 warning', '6 warning', '7 warning', '7 warning', '7 warning', '17 warning', '17 warning'],
  },
  { file: 'dangerous-call.json', code: 'DANGEROUS_CALL', found: [] },
];

describe('a rule of lint', () => {
  it.each(CASES)('finds in $file, for $level, exactly what it is for', async (each) => {
    const { file, code, level } = each;
    expect(await found(textOf(file), each.arch ?? 'x86_64', code, level)).toEqual(each.found);
  });

  it('has a profile made for it, a reason and its evidence', () => {
    expect(new Set(CASES.map(({ code }) => code))).toEqual(new Set(RULES.map(({ code }) => code)));
    for (const { reason, evidence } of RULES) expect(reason.length * evidence.length).toBeGreaterThan(400);
  });

  it('names calls that exist', () => {
    const names = FAMILIES.flatMap(({ refused, others }) => [...refused, ...others]);
    const dangers = DANGERS.flatMap(({ calls }) => calls.split(' '));
    expect([...names, ...dangers].filter((name) => nameId(name) < 0)).toEqual([]);
  });

  it('shows a call with the answer that a profile gives to it', async () => {
    for (const { file, arch = 'x86_64', level } of CASES) {
      const lowered = await lowerProfile(textOf(file), { target: makeTarget({ arch }) });
      if (!lowered.confined) throw new Error(file);
      const reference = resolveReference(lowered.reference);
      const calls = (await linted(textOf(file), arch, level)).flatMap(({ call }) => call ?? []);
      expect(calls.map(({ data }) => answerOf(reference, data))).toEqual(calls.map(({ answer }) => answer));
    }
  });
});

describe('lint', () => {
  it.each(['x86_64', 'x86', 'arm64', 's390x', 'mips64', 'ppc64le', 'riscv64'])(
    'finds nothing in the default profile of containers on %s',
    async (arch) => {
      const text = readFileSync(join(FIXTURES, '../../../profiles/container-default.json'), 'utf8');
      expect(await linted(text, arch)).toEqual([]);
    },
  );

  it('reports errors as findings', async () => {
    const [first] = await linted('{"defaultAction": "SCMP_ACT_DENY"}', 'x86_64');
    expect(first!.diagnostic).toMatchObject({ code: 'UNKNOWN_ACTION', severity: 'error', line: 1 });
  });

  it('is silenced by a comment with a code and a reason, for the object around it', async () => {
    const entry = (comment: string) =>
      `{"names": ["chown"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0, "comment": "${comment}"}`;
    const profile = (...comments: string[]) =>
      `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [\n${comments.map(entry).join(',\n')}]}`;
    const text = profile('seccompc:ignore FALSE_SUCCESS the build runs as one user', 'nothing');
    expect(await found(text, 'x86_64', 'FALSE_SUCCESS')).toEqual(['3 warning']);
    const wrong = profile(
      'seccompc:ignore FALSE_SUCCESS',
      'seccompc:ignore FALSE_SUCESS why not',
      'seccompc:ignore',
    );
    expect(await found(wrong, 'x86_64', 'IGNORE_INVALID')).toEqual(['2 warning', '3 warning', '4 warning']);
    expect(await found(wrong, 'x86_64', 'FALSE_SUCCESS')).toEqual(['2 warning', '3 warning', '4 warning']);
  });

  it('knows the calls of the mount API that make namespaces too', async () => {
    const refusing = (...names: string[]) =>
      JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names, action: 'SCMP_ACT_ERRNO' }] });
    const about = async (...names: string[]) =>
      (await linted(refusing(...names), 'x86_64')).find(
        ({ diagnostic: { code } }) => code === 'MISSING_SIBLING',
      )?.diagnostic.message;
    expect(await about('unshare', 'clone', 'clone3')).toMatch(/open_tree, open_tree_attr and fsmount /);
    expect(
      await about('unshare', 'clone', 'clone3', 'fork', 'vfork', 'open_tree', 'open_tree_attr', 'fsmount'),
    ).toBeUndefined();
  });

  it('takes an outright refusal of socketcall for a cure, and one that makes no rule for none', async () => {
    const profile = (errno: number) =>
      `{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [
        {"names": ["socketcall"], "action": "SCMP_ACT_ERRNO", "errnoRet": ${errno}},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW", "args": [
          {"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 4294967295, "valueTwo": 1}]}]}`;
    const warnings = async (errno: number) =>
      (await linted(profile(errno), 'x86_64'))
        .filter(({ diagnostic: { severity } }) => severity === 'warning')
        .map(({ diagnostic: { code } }) => code);
    expect(await warnings(38)).toEqual([]);
    expect(await warnings(1)).toEqual(['ENTRY_WITHOUT_EFFECT', 'MULTIPLEXED_ARGS']);
  });

  it('says once of a shadowed entry that it has no effect', async () => {
    const text = JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { names: ['read'], action: 'SCMP_ACT_ALLOW' },
        { names: ['read'], action: 'SCMP_ACT_KILL' },
      ],
    });
    expect(await found(text, 'x86_64', 'ENTRY_WITHOUT_EFFECT')).toEqual(['1 warning']);
  });

  it('never silences an error', async () => {
    const text =
      '{"comment": "seccompc:ignore UNKNOWN_ACTION really", "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_DENY"}]}';
    expect(await found(text, 'x86_64', 'UNKNOWN_ACTION')).toHaveLength(1);
  });
});

describe('a fix', () => {
  const options = { file: '-', target: makeTarget({ arch: 'x86_64' }) };
  const answers = async (text: string) => {
    const lowered = await lowerProfile(text, options);
    if (!lowered.confined) throw new Error('not confined');
    const reference = resolveReference(lowered.reference);
    return (nr: number, args: bigint[]) => answerOf(reference, { arch: 0xc000003e, nr, ip: 0n, args });
  };

  it('makes refusals stricter, and changes no answer for arguments that fit their width', async () => {
    const text = textOf('argument-width.json');
    const fixed = await applyFixes(text, options);
    expect(fixed).toMatchObject({ count: 3, refused: 0 });
    const [before, after] = await Promise.all([answers(text), answers(fixed.text)]);
    const low = [0n, 1n, 4n, 5n, 6n, 21521n, 21522n, 21532n, 0x7fffffffn, 0xffffffffn];
    // ioctl 16, kill 62, fchmod 91
    const refuses = (nr: number, args: bigint[]) => [before(nr, args), after(nr, args)];
    for (const value of low) {
      for (const high of [0n, 1n, 0x80000000n, 0xffffffffn]) {
        const [was, is] = refuses(16, [3n, (high << 32n) | value, 0n, 0n, 0n, 0n]);
        expect(is!).toBe(value === 21522n || value === 21532n ? 0x50001 : 0x7fff0000);
        if (high === 0n) expect(is).toBe(was);
      }
      const [wasMode, isMode] = refuses(91, [3n, value & 0xffffn, 0n, 0n, 0n, 0n]);
      expect(isMode).toBe(wasMode);
      const asPassed = value > 0x7fffffffn ? value | (0xffffffffn << 32n) : value;
      const [was, is] = refuses(62, [asPassed, 9n, 0n, 0n, 0n, 0n]);
      expect(is).toBe(was);
    }
    expect(refuses(91, [3n, 0x30800n, 0n, 0n, 0n, 0n])).toEqual([0x7fff0000, 0x50001]);
    expect(fixed.text.replaceAll(/"value.*?MASKED_EQ"(, "valueTwo": \d+)?/g, '')).toBe(
      text.replaceAll(/"value.*?(EQ|GT|LT)"/g, (all, op) =>
        op === 'EQ' && !all.includes(': 5,') ? '' : all,
      ),
    );
    expect((await applyFixes(fixed.text, options)).count).toBe(0);
  });

  it('removes entries that repeat each other one at a time, so the meaning stays', async () => {
    const entry = '{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}';
    const text = `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [${entry}, ${entry},\n  {"names": ["getpid"], "action": "SCMP_ACT_ALLOW"}]}`;
    const fixed = await applyFixes(text, options);
    expect(fixed).toMatchObject({ count: 2, refused: 0, changed: [] });
    expect(fixed.text).toBe(
      `{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [${entry}]}`,
    );
  });

  it('removes many entries together, the first ones too', async () => {
    const many = Array.from({ length: 300 }, () => '{"names": ["getpid"], "action": "SCMP_ACT_ALLOW"}');
    const entry = '{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}';
    const head = '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [';
    const fixed = await applyFixes(`${head}${[...many, entry, many[0], entry].join(', ')}]}`, options);
    expect(fixed).toMatchObject({ count: 302, refused: 0, text: `${head}${entry}]}` });
    const none = await applyFixes(`${head}${many.join(', ')}]}`, options);
    expect(none).toMatchObject({ count: 300, text: `${head}]}` });
  });

  it('leaves what warns, or may be needed on another machine', async () => {
    for (const name of ['missing-sibling.json', 'false-success.json', 'condition-on-s390.json']) {
      const text = textOf(name);
      const { arch = 'x86_64' } = CASES.find(({ file }) => file === name)!;
      expect((await applyFixes(text, { file: '-', target: makeTarget({ arch }) })).text).toBe(text);
    }
  });
});
