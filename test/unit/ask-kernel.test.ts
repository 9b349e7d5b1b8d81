import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { askKernel } from '../../src/oci/process/ask-kernel.ts';
import { programFile } from '../../src/oci/process/program-file.ts';

const ret = (k: number): SockFilter => ({ code: 0x06, jt: 0, jf: 0, k });
const load = (k: number): SockFilter => ({ code: 0x20, jt: 0, jf: 0, k });
const equal = (k: number, jt: number, jf: number): SockFilter => ({ code: 0x15, jt, jf, k });
const ask = (program: SockFilter[], nr: number, args: bigint[] = []) =>
  askKernel(program, 'little', { nr, args: Array.from({ length: 6 }, (_, at) => args[at] ?? 0n) }, 'X86_64');

describe.runIf(process.platform === 'linux' && process.arch === 'x64')(
  'the kernel, asked about one call',
  () => {
    it('gives each answer that a filter has, without carrying it out', () => {
      for (const answer of [
        0x7fff0000, 0x80000000, 0, 0x00030000, 0x00050001, 0x0005ffff, 0x7ff00003, 0x7ffc0000,
      ])
        expect(ask([equal(0, 0, 0), ret(answer)], 39)).toBe(answer);
    });

    it('sees all of all six arguments', () => {
    const args = [0x1_0000_0002n, 0x3_0000_0004n, 0x5_0000_0006n, 0x7_0000_0008n, 0x9_0000_000an, 0xffff_ffff_ffff_fffen];
    args.forEach((arg, index) => {
      for (const [half, value] of [[0, arg & 0xffffffffn], [4, arg >> 32n]] as const) {
        const program = [load(16 + 8 * index + half), equal(Number(value), 0, 1), ret(0x00050007), ret(0x7fff0000)];
        expect({ index, half, answer: ask(program, 39, args) }).toEqual({ index, half, answer: 0x00050007 });
        expect(ask(program, 39)).toBe(0x7fff0000);
      }
    });
  }); // prettier-ignore

    it('is asked about calls that the program which asks makes itself', () => {
    const number = (name: string) => {
      const [, found] = new RegExp(String.raw`\b${name} = (\d+)`).exec(readFileSync(new URL('../../src/launcher/source/system.h', import.meta.url), 'utf8'))!;
      return Number(found);
    };
    for (const name of ['NR_seccomp', 'NR_prctl', 'NR_execve', 'NR_read', 'NR_write', 'NR_wait4'])
      expect(ask([ret(0x80000000)], number(name))).toBe(0x80000000);
    // Nothing else could end it.
    expect(ask([ret(0x80000000)], number('NR_exit_group'))).toBeUndefined();
  }); // prettier-ignore

    it('cannot be asked about too many answers, or computed ones', () => {
      const many = (count: number) => Array.from({ length: count }, (_, index) => ret(0x00050001 + index));
      expect(ask(many(63), 39)).toBe(0x00050001);
      expect(ask(many(64), 39)).toBeUndefined();
      expect(ask([{ code: 0x16, jt: 0, jf: 0, k: 0 }], 39)).toBeUndefined();
      expect(ask([...Array.from({ length: 4092 }, () => equal(0, 0, 0)), ret(0)], 39)).toBeUndefined();
    });
  },
);

it('there is no program for another architecture', () => {
  expect(() => programFile('ask', 'MIPS')).toThrow(/MIPS has none/);
});
