import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const assert = (file: string, ...more: string[]) =>
  runIn(folder, ['assert', file, '--arch', 'x86_64', ...more]);
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return name;
};

const profile = (family: object) =>
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: [
      { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
      { names: ['ptrace'], action: 'SCMP_ACT_KILL_PROCESS' },
      { names: ['socketcall'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
      { names: ['socket'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, ...family }] },
    ],
  });
const EQUAL = file('equal.json', profile({ value: 38, op: 'SCMP_CMP_EQ' }));
const MASKED = file('masked.json', profile({ value: 0xffffffff, valueTwo: 38, op: 'SCMP_CMP_MASKED_EQ' }));

describe('assert', () => {
  it('is 0 if everything holds, and 1 with a call on standard output if not', async () => {
    const holds = await assert(
      MASKED,
      'deny mount, ptrace',
      'kill ptrace',
      'errno ENOSYS mount',
      'allow read',
    );
    expect(holds.code).toBe(0);
    expect(holds.stdout.toString().split('\n').slice(0, -1)).toHaveLength(4);
    const fails = await assert(MASKED, 'kill mount', 'allow read');
    expect(fails.code).toBe(1);
    expect(fails.stdout.toString()).toBe(
      'FAILS: kill mount: mount() on X86_64 gets ERRNO ENOSYS (38)\nok: allow read\n',
    );
  });

  it('finds values that the kernel takes for the one that is denied', async () => {
    expect((await assert(MASKED, 'deny socket(AF_ALG)')).code).toBe(0);
    const document = documentOf(await assert(EQUAL, 'deny socket(AF_ALG)', '--json'));
    const [{ verdict, call }] = document['assertions'] as [{ verdict: string; call: { args: string[] } }];
    expect(verdict).toBe('fails');
    // Two values: the lower half is AF_ALG, the upper one is not read.
    expect(BigInt(call.args[0]!) & 0xffffffffn).toBe(38n);
    expect(BigInt(call.args[0]!)).not.toBe(38n);
    expect((await assert(EQUAL, 'deny socket(AF_ALG) on x86')).code).toBe(0);
  });

  it('compares with files beside the file of assertions', async () => {
    mkdirSync(join(folder, 'below'), { recursive: true });
    file(
      'below/changes.assert',
      '# stricter, and only there\nat-most ../equal.json\nsame-as ../equal.json except socket\n',
    );
    expect((await assert(MASKED, '--file', 'below/changes.assert')).code).toBe(0);
    const { code, stdout } = await assert(EQUAL, 'same-as masked.json');
    expect(code).toBe(1);
    expect(stdout.toString()).toMatch(/socket\(.*\) on X86_64 gets ALLOW, the other ERRNO EPERM \(1\)/);
  });

  it('refuses what has no meaning with the place in the file', async () => {
    file('wrong.assert', 'allow read\ndeny moutn\n');
    const { code, stderr, stdout } = await assert(MASKED, '--file', 'wrong.assert');
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: '' });
    expect(stderr).toMatch(
      /wrong\.assert:2:1: error: .*"moutn"; did you mean "mount"\? \[ASSERTION_INVALID\]/,
    );
    for (const text of [
      'deny socket(AF_BOGUS)',
      'permit read',
      'errno EWRONG read',
      'deny read(no_such_arg == 1)',
    ])
      expect(codesOf(await assert(MASKED, text, '--json'))).toEqual(['ASSERTION_INVALID']);
    expect((await assert(MASKED)).code).toBe(64);
  });

  it('notes that a call is on no architecture of the filter', async () => {
    const { code, stderr } = await assert(MASKED, 'deny cacheflush');
    expect(code).toBe(0);
    expect(stderr).toContain('[ASSERTION_VACUOUS]');
  });

  it('writes reports for TAP and JUnit', async () => {
    const texts = ['allow read', 'deny read(fd < 3)'];
    const tap = (await assert(MASKED, ...texts, '--format', 'tap')).stdout.toString().split('\n');
    expect(tap.slice(0, 4)).toEqual([
      'TAP version 14',
      '1..2',
      'ok 1 - allow read',
      'not ok 2 - deny read(fd < 3)',
    ]);
    const junit = (await assert(MASKED, ...texts, '--format', 'junit')).stdout.toString();
    expect(junit).toContain('<testsuites tests="2" failures="1" errors="0">');
    expect(junit).toContain('name="deny read(fd &lt; 3)"');
    expect(junit).toMatch(/<failure message="read\(.*gets ALLOW"\/>/);
  });

  it('is 2 if the decision diagram may have too few nodes', async () => {
    const { code, stdout } = await assert(MASKED, 'allow read', '--node-budget', '100');
    expect(code).toBe(2);
    expect(stdout.toString()).toMatch(/^UNDECIDED: allow read: /);
  });
});
