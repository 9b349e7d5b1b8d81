import { describe, expect, it } from 'vitest';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { compare } from '../../src/prove/compare.ts';
import { insn } from './prove-programs.ts';

const ALLOW = 0x7fff0000;
const ERRNO = 0x50001;
const [NR, ARCH, ARG0, ARG1] = [0, 4, 16, 24];

/** Programs of others, compared with programs that say the same plainly. */
function relate(first: SockFilter[], second: SockFilter[], nodeBudget?: number) {
  return compare(
    { program: first, endian: 'little' },
    { program: second, endian: 'little' },
    nodeBudget === undefined ? {} : { nodeBudget },
  );
}

const verdict = (yes: number, no: number) => [insn('ret', yes), insn('ret', no)];
/** `ld [at]; jeq #value, allow, errno` */
const allowIf = (at: number, value: number) => [
  insn('ld abs', at),
  insn('jeq', value, 0, 1),
  ...verdict(ALLOW, ERRNO),
];

/** Tests the product of two arguments, taken in either order. */
function product(swap: boolean): SockFilter[] {
  return [
    insn('ld abs', swap ? ARG1 : ARG0), insn('tax'), insn('ld abs', swap ? ARG0 : ARG1), insn('mul x'),
    insn('jeq', 12345, 0, 1), ...verdict(ALLOW, ERRNO),
  ]; // prettier-ignore
}

describe('programs with registers and arithmetic', () => {
  const same: Record<string, [SockFilter[], SockFilter[]]> = {
    'a value kept in scratch memory while A is used': [
      [
        insn('ld abs', NR), insn('st M', 3), insn('ld abs', ARCH), insn('jeq', 62, 0, 3),
        insn('ld M', 3), insn('jeq', 39, 0, 1), ...verdict(ALLOW, ERRNO),
      ],
      [
        insn('ld abs', ARCH), insn('jeq', 62, 0, 3), insn('ld abs', NR), insn('jeq', 39, 0, 1),
        ...verdict(ALLOW, ERRNO),
      ],
    ],
    'X as a copy of A': [
      [insn('ld abs', NR), insn('tax'), insn('ld #', 39), insn('jeq x', 0, 0, 1), ...verdict(ALLOW, ERRNO)],
      allowIf(NR, 39),
    ],
    'X through memory': [
      [
        insn('ld abs', NR), insn('tax'), insn('stx M', 15), insn('ldx #', 0), insn('ldx M', 15), insn('txa'),
        insn('jeq', 39, 0, 1), ...verdict(ALLOW, ERRNO),
      ],
      allowIf(NR, 39),
    ],
    'an offset added': [
      [insn('ld abs', NR), insn('add', 0xfffffff0), insn('jeq', 0xfffffff5, 0, 1), ...verdict(ALLOW, ERRNO)],
      allowIf(NR, 5),
    ],
    'an offset subtracted': [
      [insn('ld abs', NR), insn('sub', 40), insn('jeq', 0xffffffff, 0, 1), ...verdict(ALLOW, ERRNO)],
      allowIf(NR, 39),
    ],
    'a negated number': [
      [insn('ld abs', NR), insn('neg'), insn('jeq', 0xffffffd9, 0, 1), ...verdict(ALLOW, ERRNO)],
      allowIf(NR, 39),
    ],
    'a bit flipped': [
      [insn('ld abs', NR), insn('xor', 0x40000000), insn('jeq', 0x40000027, 0, 1), ...verdict(ALLOW, ERRNO)],
      allowIf(NR, 39),
    ],
    'shifts and a mask': [
      [
        insn('ld abs', NR), insn('rsh', 4), insn('lsh', 4), insn('jeq', 0x20, 0, 1), ...verdict(ALLOW, ERRNO),
      ],
      [insn('ld abs', NR), insn('and', 0xfffffff0), insn('jeq', 0x20, 0, 1), ...verdict(ALLOW, ERRNO)],
    ],
    'a quotient': [
      [insn('ld abs', NR), insn('div', 10), insn('jeq', 3, 0, 1), ...verdict(ALLOW, ERRNO)],
      [insn('ld abs', NR), insn('jge', 30, 0, 2), insn('jge', 40, 1, 0), ...verdict(ALLOW, ERRNO)],
    ],
    'a multiple': [
      [
        insn('ld abs', NR), insn('and', 0xffff), insn('mul', 7), insn('jeq', 273, 0, 1),
        ...verdict(ALLOW, ERRNO),
      ],
      [insn('ld abs', NR), insn('and', 0xffff), insn('jeq', 39, 0, 1), ...verdict(ALLOW, ERRNO)],
    ],
    'the length of the data': [
      [insn('ld len'), insn('tax'), insn('ld abs', NR), insn('jge x', 0, 0, 1), ...verdict(ALLOW, ERRNO)],
      [insn('ld abs', NR), insn('jge', 64, 0, 1), ...verdict(ALLOW, ERRNO)],
    ],
    'a return value that was computed': [
      [insn('ld abs', NR), insn('and', 3), insn('or', 0x50000), insn('ret a')],
      [
        insn('ld abs', NR), insn('and', 3), insn('jeq', 0, 3, 0), insn('jeq', 1, 3, 0), insn('jeq', 2, 3, 0),
        insn('ret', 0x50003), insn('ret', 0x50000), insn('ret', 0x50001), insn('ret', 0x50002),
      ],
    ],
    'division by an X that may be 0 ends the filter with 0': [
      [insn('ld abs', NR), insn('and', 1), insn('tax'), insn('ld #', 5), insn('div x'), insn('ret', ALLOW)],
      [insn('ld abs', NR), insn('jset', 1, 0, 1), insn('ret', ALLOW), insn('ret', 0)],
    ],
    'a shift by X counts modulo 32': [
      [insn('ldx #', 33), insn('ld abs', NR), insn('lsh x'), insn('jset', 2, 0, 1), ...verdict(ALLOW, ERRNO)],
      [insn('ld abs', NR), insn('jset', 1, 0, 1), ...verdict(ALLOW, ERRNO)],
    ],
  }; // prettier-ignore

  it.each(Object.entries(same))('%s', (_, [first, second]) => {
    expect(relate(first, second)).toMatchObject({ verdict: 'holds' });
  });

  it('bitmaps of 32 numbers, as a tracer uses them', () => {
    const allowed = [0, 1, 3, 5, 9, 12, 39, 60, 61, 62, 95];
    const bitmap = (word: number) =>
      allowed.filter((nr) => nr >>> 5 === word).reduce((bits, nr) => (bits | (1 << (nr & 31))) >>> 0, 0);
    // For each word of the bitmap: shift 1 by the number's low bits, test the bitmap.
    const tail = (word: number) => [
      insn('ld abs', NR), insn('and', 31), insn('tax'), insn('ld #', 1), insn('lsh x'),
      insn('jset', bitmap(word), 0, 1), ...verdict(ALLOW, ERRNO),
    ]; // prettier-ignore
    const bitmaps = [
      insn('ld abs', NR), insn('jge', 96, 27, 0), insn('rsh', 5),
      insn('jeq', 0, 2, 0), insn('jeq', 1, 9, 0), insn('jeq', 2, 16, 16),
      ...tail(0), ...tail(1), ...tail(2), insn('ret', ERRNO),
    ]; // prettier-ignore
    const plain = [
      insn('ld abs', NR),
      ...allowed.map((nr, index) => insn('jeq', nr, allowed.length - index, 0)),
      insn('ret', ERRNO),
      insn('ret', ALLOW),
    ];
    expect(relate(bitmaps, plain)).toMatchObject({ verdict: 'holds' });
    const wrong = bitmaps.map((step) =>
      step.code === 0x45 && step.k === bitmap(2) ? { ...step, k: step.k + 1 } : step,
    );
    const result = relate(wrong, plain);
    expect(result).toMatchObject({ verdict: 'broken', differences: [{ data: { nr: 64 } }] });
  });

  it('two words compared with each other, after a first attempt that is too large', () => {
    const viaX = [
      insn('ld abs', ARG0), insn('tax'), insn('ld abs', ARG1), insn('jeq x', 0, 0, 1), ...verdict(ALLOW, ERRNO),
    ]; // prettier-ignore
    const viaXor = [
      insn('ld abs', ARG1), insn('tax'), insn('ld abs', ARG0), insn('xor x'), insn('jeq', 0, 0, 1),
      ...verdict(ALLOW, ERRNO),
    ]; // prettier-ignore
    expect(relate(viaX, viaXor)).toMatchObject({ verdict: 'holds' });
    expect(relate(viaX, allowIf(ARG0, 0))).toMatchObject({ verdict: 'broken' });
  });

  it('says that it cannot decide a product of two arguments', () => {
    const result = relate(product(false), product(true), 1 << 14);
    expect(result).toMatchObject({ verdict: 'undecided', reason: expect.stringContaining('nodes') });
  });

  it('says that it cannot decide what returns too many values', () => {
    const program = [insn('ld abs', ARCH), insn('ret a')];
    expect(relate(program, program)).toEqual({
      verdict: 'undecided',
      reason: 'the program returns too many values',
      isBudget: false,
    });
  });
});

describe('programs that are none', () => {
  const allow = insn('ret', ALLOW);
  const malformed: Record<string, [SockFilter[], string]> = {
    'an empty one': [[], 'the program is empty'],
    'one too long': [Array.from({ length: 4097 }, () => allow), '4097 instructions'],
    'one that ends without a return': [[insn('ld abs', NR)], 'instruction 0: goes past the end'],
    'a branch past the end': [[insn('jeq', 0, 1, 0), allow], 'instruction 0: goes past the end'],
    'a jump past the end': [[insn('ja', 0xffffffff), allow], 'instruction 0: goes past the end'],
    'an unaligned load': [[insn('ld abs', 2), allow], 'no word at offset 2'],
    'a load behind the data': [[insn('ld abs', 64), allow], 'no word at offset 64'],
    'a byte load': [[{ ...insn('ld abs'), code: 0x30 }, allow], 'opcode 0x30'],
    'a modulo': [[{ ...insn('div', 3), code: 0x94 }, allow], 'opcode 0x94'],
    'a 64-bit opcode': [[{ ...insn('div', 3), code: 0x120 }, allow], 'opcode 0x120'],
    'a division by the constant 0': [[insn('div', 0), allow], 'divides by zero'],
    'a shift by 32': [[insn('lsh', 32), allow], 'shifts by 32'],
    'a scratch word that does not exist': [[insn('st M', 16), allow], 'no scratch word 16'],
    'a scratch word that was not written': [[insn('ld M', 1), allow], 'before it is written'],
  };

  it.each(Object.entries(malformed))('%s', (_, [program, reason]) => {
    const result = relate([allow], program);
    expect(result).toMatchObject({
      verdict: 'malformed',
      side: 'second',
      reason: expect.stringContaining(reason),
    });
  });
});
