/**
 * The input of a filter as the BDDs see it: the sixteen 32-bit words of `struct seccomp_data`
 * (linux/seccomp.h), numbered in the order in which they are tested, whatever the byte order.
 */
import type { Endian, SeccompData } from '../../bpf/instruction.ts';
import { argOffset, OFFSET_ARCH, OFFSET_ARGS, OFFSET_IP, OFFSET_NR } from '../../bpf/instruction.ts';

export const WORD_ARCH = 0;
export const WORD_NR = 1;
/** The words of the six arguments are 2..13, high word first; then the instruction pointer. */
export const WORD_ARGS = 2;
export const WORD_IP = 14;
export const WORDS = 16;
export const WORD_BITS = 32;
export const INPUT_BITS = WORDS * WORD_BITS;

/** The word of one half of argument `index` (0..5). */
export function argWord(index: number, half: 'high' | 'low'): number {
  return WORD_ARGS + 2 * index + (half === 'high' ? 0 : 1);
}

/** The BDD variable of one bit of a word; `bit` 31 is the most significant and is tested first. */
export function variableOf(word: number, bit: number): number {
  return word * WORD_BITS + (WORD_BITS - 1 - bit);
}

/** The word loaded from a byte offset (0..60, a multiple of 4) of seccomp_data. */
export function wordAt(offset: number, endian: Endian): number {
  if (offset === OFFSET_NR) return WORD_NR;
  if (offset === OFFSET_ARCH) return WORD_ARCH;
  const base = offset < OFFSET_ARGS ? WORD_IP : WORD_ARGS + 2 * ((offset - OFFSET_ARGS) >> 3);
  const firstIsHigh = argOffset(0, 'high', endian) === OFFSET_ARGS;
  const first = (offset - OFFSET_IP) % 8 === 0;
  return base + (first === firstIsHigh ? 0 : 1);
}

/** The sixteen words of an input. */
export function wordsOf(data: SeccompData): Uint32Array {
  const words = new Uint32Array(WORDS);
  words[WORD_ARCH] = data.arch;
  words[WORD_NR] = data.nr;
  const wide = [...Array.from({ length: 6 }, (_, index) => data.args[index] ?? 0n), data.ip];
  wide.forEach((value, index) => {
    words[WORD_ARGS + 2 * index] = Number((value >> 32n) & 0xffffffffn);
    words[WORD_ARGS + 2 * index + 1] = Number(value & 0xffffffffn);
  });
  return words;
}

/** The input made of sixteen words. */
export function dataOf(words: Uint32Array): SeccompData {
  const wide = (word: number) => (BigInt(words[word]!) << 32n) | BigInt(words[word + 1]!);
  return {
    nr: words[WORD_NR]!,
    arch: words[WORD_ARCH]!,
    ip: wide(WORD_IP),
    args: [0, 1, 2, 3, 4, 5].map((index) => wide(WORD_ARGS + 2 * index)),
  };
}
