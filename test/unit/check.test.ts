import { describe, expect, test } from 'vitest';
import { checkProgram, convertedLength } from '../../src/bpf/check.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';

const ins = (code: number, k = 0, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });
const ALLOW = ins(0x06, 0x7fff0000);
const codes = (program: SockFilter[]) => checkProgram(program).map((d) => d.code);

// Opcodes in plain numbers here, from linux/bpf_common.h: the check has its own names for them.
const LD = 0x20, LDX_MEM = 0x61, LD_MEM = 0x60, ST = 0x02, JA = 0x05, JEQ = 0x15, RET_A = 0x16; // prettier-ignore

describe("the kernel's acceptance rules", () => {
  test('take a good program', () => {
    expect(checkProgram([ins(LD, 4), ins(JEQ, 1, 0, 1), ALLOW, ALLOW])).toEqual([]);
    expect(checkProgram([ins(LD, 60), ins(RET_A)])).toEqual([]);
  });

  test('take 4096 instructions and refuse 0 and 4097', () => {
    const long = (n: number) => [...Array.from({ length: n - 1 }, () => ins(LD, 0)), ALLOW];
    expect(codes(long(4096))).toEqual([]);
    expect(codes(long(4097))).toEqual(['FILTER_TOO_LONG']);
    expect(codes([])).toEqual(['FILTER_EMPTY']);
  });

  test.each([
    ['a load outside seccomp_data', [ins(LD, 64), ALLOW]],
    ['an unaligned load', [ins(LD, 2), ALLOW]],
    ['a byte load', [ins(0x30, 0), ALLOW]],
    ['a modulo', [ins(0x94, 3), ALLOW]],
    ['a packet-relative load', [ins(0x40, 0), ALLOW]],
    ['a branch past the end', [ins(JEQ, 0, 1, 0), ALLOW]],
    ['a false branch past the end', [ins(JEQ, 0, 0, 1), ALLOW]],
    ['a jump past the end', [ins(JA, 1), ALLOW]],
    ['an end that is no RET', [ALLOW, ins(LD, 0)]],
    ['an unknown action', [ins(0x06, 0x12340000)]],
    ['a scratch word out of range', [ins(ST, 16), ALLOW]],
    ['a scratch word never written', [ins(LD_MEM, 3), ALLOW]],
    ['a scratch word written on one path only', [ins(JEQ, 0, 0, 1), ins(ST, 2), ins(LDX_MEM, 2), ALLOW]],
    ['a division by zero', [ins(0x34, 0), ALLOW]],
    ['a shift by 32', [ins(0x64, 32), ALLOW]],
  ])('refuse %s', (_, program) => {
    expect(codes(program)).toEqual(['FILTER_INVALID']);
  });

  test('take a scratch word written on both paths', () => {
    const program = [ins(JEQ, 0, 0, 2), ins(ST, 2), ins(JA, 1), ins(ST, 2), ins(LD_MEM, 2), ALLOW];
    expect(checkProgram(program)).toEqual([]);
  });
});

test('the converted length counts what the kernel makes of each instruction', () => {
  expect(convertedLength([ALLOW])).toBe(5);
  const tail = [ALLOW, ALLOW];
  expect(convertedLength([ins(JEQ, 1, 0, 1), ...tail]) - convertedLength(tail)).toBe(1);
  expect(convertedLength([ins(JEQ, 1, 1, 0), ...tail]) - convertedLength(tail)).toBe(1);
  expect(convertedLength([ins(JEQ, 1, 1, 1), ALLOW, ...tail]) - convertedLength([ALLOW, ...tail])).toBe(2);
  expect(convertedLength([ins(0x45, 1, 0, 1), ...tail]) - convertedLength(tail)).toBe(2);
  expect(convertedLength([ins(JEQ, 0x80000000, 0, 1), ...tail]) - convertedLength(tail)).toBe(2);
});
