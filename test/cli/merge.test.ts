/** intersect, union, subtract and simplify as commands. What they mean is tested in test/unit/merge.test.ts. */
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

describe('simplify', () => {
  it('joins the entries of a profile, and says how many there are', async () => {
    const { code, stdout, stderr } = await run(['simplify', at('wide.json'), '--arch', 'x86_64']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toMatchObject({ syscalls: [{ names: ['read', 'write'] }] });
    expect(stderr).toContain('1 instead of 2 entries; proved equal');
  });
});
