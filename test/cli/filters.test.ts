import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input?: Uint8Array | string) =>
  runIn(folder, args, input === undefined ? {} : { input });

const insn = (code: number, k: number, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });

/** x86_64 only: read is allowed; socket if its first argument is not 40; all else ERRNO 38. */
const PROGRAM = [
  insn(0x20, 4),
  insn(0x15, 0xc000003e, 0, 8),
  insn(0x20, 0),
  insn(0x15, 0, 4, 0),
  insn(0x15, 41, 0, 4),
  insn(0x20, 16),
  insn(0x15, 40, 2, 0),
  insn(0x15, 41, 1, 0),
  insn(0x06, 0x7fff0000),
  insn(0x06, 0x00050026),
  insn(0x06, 0),
];
const BYTES = encode(PROGRAM, 'little');

/** s390x, big-endian: everything is ERRNO 1. */
const BIG = encode(
  [insn(0x20, 4), insn(0x15, 0x80000016, 0, 1), insn(0x06, 0x00050001), insn(0x06, 0)],
  'big',
);

beforeAll(() => {
  writeFileSync(join(folder, 'filter.bpf'), BYTES);
  writeFileSync(join(folder, 'filter.b64'), `${Buffer.from(BYTES).toString('base64')}\n`);
  writeFileSync(join(folder, 'big.bpf'), BIG);
});

describe('disasm', () => {
  it('reads raw and base64, from a file and from standard input, in both byte orders', async () => {
    const raw = await run(['disasm', 'filter.bpf']);
    expect(raw).toMatchObject({ code: 0, stderr: '' });
    expect(raw.stdout.toString()).toContain('nr == 41 socket');
    expect((await run(['disasm', 'filter.b64'])).stdout).toEqual(raw.stdout);
    expect((await run(['disasm', '-'], BYTES)).stdout).toEqual(raw.stdout);
    expect((await run(['disasm', 'big.bpf'])).stdout.toString()).toContain('arch == S390X; yes: ERRNO EPERM');
  });

  it('shows a program that the kernel would refuse, and says why', async () => {
    const broken = encode([insn(0x28, 12), ...PROGRAM.slice(0, 9)], 'little');
    const { code, stdout, stderr } = await run(['disasm', '-'], broken);
    expect(code).toBe(0);
    expect(stdout.toString()).toContain('.insn 0x0028, 0, 0, 0xc');
    expect(stderr).toMatch(/^<stdin>: warning: .*instruction 0.*\[FILTER_INVALID\]$/m);
    expect(await run(['disasm', '-', '-q'], broken)).toMatchObject({ code: 0, stderr: '' });
  });

  it('refuses what is no filter with 65', async () => {
    const wrong = [
      '',
      '{"defaultAction": "SCMP_ACT_ALLOW"}',
      'some text',
      BYTES.subarray(0, 12),
      '#'.repeat(64),
    ];
    const results = await Promise.all(wrong.map((input) => run(['disasm', '-'], input)));
    for (const { code, stdout, stderr } of results) {
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: '' });
      expect(stderr).toMatch(/^<stdin>: error: .*\[NOT_A_FILTER\]\n {4}\S/);
    }
  });

  it('prints JSON', async () => {
    const document = documentOf(await run(['disasm', 'filter.bpf', '--json']));
    expect(document).toMatchObject({ endian: 'little', diagnostics: [] });
    expect(document['instructions']).toHaveLength(PROGRAM.length);
  });
});

const simulate = (...args: string[]) => run(['simulate', 'filter.bpf', '--arch', 'x86_64', ...args]);

const answer = async (...args: string[]) => documentOf(await simulate(...args, '--json'));

describe('simulate with a filter', () => {
  it('says action, errno, steps, path and whether the kernel remembers it', async () => {
    const { code, stdout, stderr } = await simulate('socket', '40');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toBe(
      'ERRNO ENOSYS (38)\nsteps: 8\npath: 0 1 2 3 4 5 6 9\nbitmap: no\ncall: socket(AF_VSOCK, 0, 0) on X86_64\n',
    );
    expect((await simulate('read')).stdout.toString()).toBe(
      'ALLOW\nsteps: 5\npath: 0 1 2 3 8\nbitmap: yes\ncall: read() on X86_64\n',
    );
  });

  it('gives the same as one JSON document', async () => {
    expect(await answer('socket', '40')).toMatchObject({
      action: 'ERRNO',
      errno: 38,
      value: 0x00050026,
      steps: 8,
      bitmap: false,
    });
    expect(await answer('0')).toMatchObject({
      action: 'ALLOW',
      errno: null,
      value: 0x7fff0000,
      bitmap: true,
    });
  });

  it('takes numbers and arguments in every spelling', async () => {
    const spellings = [
      ['41', '40'],
      ['0x29', '0x28'],
      ['socket', '0x0000000000000028'],
      ['socket', '40', '-1'],
      ['socket', 'AF_VSOCK', 'SOCK_STREAM|SOCK_CLOEXEC'],
    ];
    const answers = await Promise.all(spellings.map((args) => answer(...args)));
    expect(answers.map(({ action }) => action)).toEqual(Array.from(spellings, () => 'ERRNO'));
    const negative = await answer(
      'socket',
      '-1',
      '-0x10',
      '18446744073709551615',
      '--ip',
      '0xffffffffff600000',
    );
    expect(negative).toMatchObject({
      action: 'ALLOW',
      call: {
        nr: 41,
        name: 'socket',
        args: ['18446744073709551615', '18446744073709551600', '18446744073709551615', '0', '0', '0'],
      },
    });
    expect(await answer('-1')).toMatchObject({ call: { nr: 0xffffffff, name: null } });
  });

  it('takes the call in the architecture that is asked for', async () => {
    expect(await answer('read', '--call-arch', 'x86')).toMatchObject({ action: 'KILL_THREAD' });
    const big = documentOf(await run(['simulate', 'big.bpf', 'read', '--json']));
    expect(big).toMatchObject({ action: 'ERRNO', errno: 1, call: { arch: 'S390X' } });
  });

  it('says why the kernel would refuse a filter, as explain does', async () => {
    const broken = encode(PROGRAM.slice(0, 9), 'little');
    for (const command of ['simulate', 'explain']) {
      const { code, stderr } = await run([command, '-', 'read'], broken);
      expect(code).toBe(65);
      expect(stderr).toMatch(/^<stdin>: error: .*\[FILTER_INVALID\]$/m);
    }
  });

  it('refuses an invalid call or argument with exit code 64', async () => {
    const wrong = [
      ['raed'],
      ['read', 'x'],
      ['read', '18446744073709551616'],
      ['read', '1', '2', '3', '4', '5', '6', '7'],
      ['4294967296'],
      ['socket', 'AF_VSOK'],
      ['read', 'AF_VSOCK'],
    ];
    const results = await Promise.all(wrong.map((args) => simulate(...args)));
    expect(results.map(({ code }) => code)).toEqual(Array.from(wrong, () => 64));
    expect(results[0]!.stderr).toContain('did you mean read');
    expect(results[5]!.stderr).toContain('did you mean AF_VSOCK?');
  });

  it('says on which architectures else a call exists', async () => {
    const { code, stderr } = await simulate('socketcall', '1');
    expect(code).toBe(64);
    expect(stderr).toContain('no system call "socketcall" on X86_64, but on X86, MIPS, MIPSEL and 8 more');
    expect(stderr).not.toContain('did you mean');
  });
});
