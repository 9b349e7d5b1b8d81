/**
 * intersect, union, subtract and simplify as commands. What they mean is tested in
 * test/unit/merge.test.ts.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runIn, scratch } from './run.ts';

const allow = (names: string[], architectures: string[]) =>
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    architectures,
    syscalls: names.map((name) => ({ names: [name], action: 'SCMP_ACT_ALLOW' })),
  });
const folder = scratch();
const run = (args: string[]) => runIn(folder, args);
const at = (name: string) => join(folder, name);
beforeAll(() => {
  writeFileSync(at('wide.json'), allow(['read', 'write'], ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']));
  writeFileSync(at('narrow.json'), allow(['read', 'lseek'], []));
});

describe('union', () => {
  it('writes a stricter profile with exit code 1, and names the calls that lost something', async () => {
    const { code, stdout, stderr } = await run([
      'union',
      at('wide.json'),
      at('narrow.json'),
      '--arch',
      'x86_64',
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout.toString())).toMatchObject({ syscalls: [{ names: ['read', 'write'] }] });
    expect(stderr).toMatch(/lseek on X86_64: ALLOW becomes ERRNO EPERM \(1\) \[MERGE_LOST\]/);
  });

  it('writes nothing with --exact, and a filter in any case', async () => {
    const args = ['union', at('wide.json'), at('narrow.json'), '--arch', 'x86_64', '-o', at('out')];
    expect((await run([...args, '--exact'])).code).toBe(1);
    expect(existsSync(at('out'))).toBe(false);
    expect((await run([...args, '--exact', '--format', 'raw'])).code).toBe(0);
    const asked = await run(['simulate', at('out'), 'lseek', '--arch', 'x86_64']);
    expect(asked.stdout.toString()).toMatch(/^ALLOW\n/);
  });
});

describe('intersect', () => {
  it('refuses --optimize where no program is made', async () => {
    const args = ['intersect', at('wide.json'), at('narrow.json'), '--arch', 'x86_64', '--optimize', 'size'];
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 64, stdout: '' });
    expect(stderr).toContain('--optimize is for filters: give --format raw');
    expect((await run([...args, '--format', 'asm'])).code).toBe(0);
  });

  it('refuses a filter of another machine, and two inputs from standard input', async () => {
    const made = ['compile', at('narrow.json'), '--arch', 's390x', '--no-cache', '-q', '-o', at('s390x.bpf')];
    expect((await run(made)).code).toBe(0);
    const { code, stderr } = await run(['intersect', at('wide.json'), at('s390x.bpf'), '--arch', 'x86_64']);
    expect(code).toBe(65);
    expect(stderr).toContain('FILTER_BYTE_ORDER');
    expect((await run(['intersect', '-', '-'])).code).toBe(64);
  });
});

describe('extend', () => {
  it('warns of a name without effect, and --explain names the place that decides', async () => {
    const patch = [
      { names: ['dup3', 'read'], action: 'SCMP_ACT_ALLOW' },
      { names: ['write'], action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 2, op: 'SCMP_CMP_EQ' }] },
    ];
    writeFileSync(at('patch.json'), JSON.stringify({ syscalls: patch }, null, 1));
    const args = ['extend', at('wide.json'), at('patch.json'), '--arch', 'x86_64'];
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(0);
    expect(stderr).toMatch(/patch\.json:3:3: warning: read in this entry changes nothing/);
    expect(stdout.toString()).toContain('"dup3"');
    const explained = async (call: string) =>
      (await run([...args, '-q', '--explain', call])).stdout.toString().replaceAll(`${folder}/`, '');
    expect(await explained('write(2)')).toBe(
      `ERRNO EPERM (1)
decided by: patch.json:10:3, the last patch with an entry that matches
wide.json:1:145: ALLOW
patch.json:10:3: ERRNO EPERM (1)
`,
    );
    expect(await explained('write(1)')).toMatch(
      /^ALLOW\ndecided by: wide.json:1:145, no entry of a patch matches/,
    );
  });
});

describe('--explain', () => {
  const explain = async (operation: string, call: string, ...more: string[]) =>
    run([operation, at('wide.json'), at('narrow.json'), '--arch', 'x86_64', '--explain', call, ...more]);

  it.each([
    ['intersect', 'lseek', 'ERRNO EPERM (1)', 'wide.json, the strictest answer'],
    ['intersect', 'read', 'ALLOW', 'wide.json:1:100, the first with the strictest answer'],
    ['union', 'lseek', 'ALLOW', 'narrow.json:1:111, the laxest answer'],
    ['subtract', 'write', 'ERRNO EPERM (1)', 'narrow.json, the first that refuses what A lets through'],
    ['subtract', 'lseek', 'ERRNO EPERM (1)', 'wide.json, A refuses it itself'],
    ['subtract', 'read', 'ALLOW', 'wide.json:1:100, no other input refuses it'],
  ])('of %s %s says that the answer is %s by %s', async (operation, call, answer, by) => {
    const { code, stdout } = await explain(operation, call);
    expect(code).toBe(0);
    const [first, second] = stdout.toString().replaceAll(`${folder}/`, '').split('\n');
    expect([first, second]).toEqual([answer, `decided by: ${by}`]);
  });

  it('writes the same as JSON, and says where an answer without an entry comes from', async () => {
    const { stdout } = await explain('union', 'write', '--json', '--call-arch', 'x86');
    expect(JSON.parse(stdout.toString())).toMatchObject({
      action: 'ALLOW',
      decidedBy: `${at('wide.json')}:1:145`,
      inputs: [
        { action: 'ALLOW' },
        { action: 'KILL_THREAD', source: 'X86 is not an architecture of the filter' },
      ],
    });
  });

  it('refuses what is no call, and a place for a result that is not made', async () => {
    expect((await explain('union', 'read(')).code).toBe(64);
    expect((await explain('union', 'read', '-o', at('none'))).code).toBe(64);
  });
});

describe('simplify', () => {
  it('joins the entries of a profile, and says how many there are', async () => {
    const { code, stdout, stderr } = await run(['simplify', at('wide.json'), '--arch', 'x86_64']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({ syscalls: [{ names: ['read', 'write'] }] });
    expect(stderr).toContain('1 instead of 2 entries; proved equal');
  });
});
