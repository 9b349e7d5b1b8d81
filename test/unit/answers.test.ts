import { describe, expect, it } from 'vitest';
import { possibleAnswers } from '../../src/bpf/answers.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';

const insn = (code: number, k: number, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });
const ALLOW = insn(0x06, 0x7fff0000);
const ERRNO = insn(0x06, 0x00050001);
const KILL = insn(0x06, 0);
const ARCH = 0xc000003e;

const answersOf = (program: readonly SockFilter[], nr: number, arch = ARCH) =>
  possibleAnswers(program, arch, [nr])[0]!;

describe('the possible answers to a call', () => {
  const program = [
    insn(0x20, 4),
    insn(0x15, ARCH, 0, 7), // another arch: KILL
    insn(0x20, 0),
    insn(0x15, 1, 3, 0), // 1: ALLOW
    insn(0x15, 2, 0, 3), // 2: by its argument; others: ERRNO
    insn(0x20, 16),
    insn(0x15, 7, 0, 1),
    ALLOW,
    ERRNO,
    KILL,
  ];
  const answers = (nr: number, arch = ARCH) => answersOf(program, nr, arch);

  it('is one where only number and arch decide', () => {
    expect(answers(1)).toEqual(new Set([ALLOW.k]));
    expect(answers(3)).toEqual(new Set([ERRNO.k]));
    expect(answers(1, 0x40000003)).toEqual(new Set([KILL.k]));
  });

  it('is all of them where an argument decides', () => {
    expect(answers(2)).toEqual(new Set([ALLOW.k, ERRNO.k]));
  });

  it('follows masks, sets of bits, long jumps and register copies', () => {
    const masked = [
      insn(0x20, 0),
      insn(0x54, 0xff), // A &= 0xff
      insn(0x45, 0x10, 0, 2), // A & 0x10?
      insn(0x05, 0), // ja to the next one
      ALLOW,
      ERRNO,
    ];
    expect([...answersOf(masked, 0x110)]).toEqual([ALLOW.k]);
    expect([...answersOf(masked, 0x101)]).toEqual([ERRNO.k]);
  });

  it('is the same for numbers that go together', () => {
    const together = [1, 2, 3, 4, 0x101, 0x110, 0x40000001];
    for (const arch of [ARCH, 0x40000003])
      expect(possibleAnswers(program, arch, together)).toEqual(together.map((nr) => answers(nr, arch)));
  });

  it('does not follow the ways of numbers that meet again more than once', () => {
    // A test of an argument and one of the number, forty times over: 2 ** 40 ways, were each
    // followed.
    const step = (nr: number) => [insn(0x20, 16), insn(0x15, 7), insn(0x20, 0), insn(0x15, nr, 0, 0)];
    const ladder = [...Array.from({ length: 40 }, (_, nr) => step(nr)).flat(), ALLOW];
    const numbers = Array.from({ length: 50 }, (_, nr) => nr);
    expect(possibleAnswers(ladder, ARCH, numbers)).toEqual(numbers.map(() => new Set([ALLOW.k])));
  });

  it('leaves open what comes from a register or a computation', () => {
    const computed = [insn(0x20, 0), insn(0x04, 1), insn(0x15, 5, 0, 1), ALLOW, ERRNO];
    expect(answersOf(computed, 4).size).toBe(2);
    const returned = [insn(0x20, 16), insn(0x16, 0)];
    expect([...answersOf(returned, 4)]).toEqual([undefined]);
  });
});
