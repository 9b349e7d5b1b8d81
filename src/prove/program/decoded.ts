/**
 * A program's instructions as the prover executes them: decoded once, with their targets, and
 * refused here if the kernel would refuse them for what they are.
 *
 * Source: bpf_check_classic in net/core/filter.c, seccomp_check_filter in kernel/seccomp.c.
 */
import {
  BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_DIV, BPF_IMM, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP,
  BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET,
  BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X, BPF_XOR, MAX_INSTRUCTIONS,
  SCRATCH_WORDS, SECCOMP_DATA_BYTES,
} from '../../bpf/instruction.ts'; // prettier-ignore
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import { wordAt } from '../bdd/input-words.ts';
import type { Arithmetic } from '../bdd/vector.ts';

export const REGISTER_A = 0;
export const REGISTER_X = 1;
/** The scratch words are registers too: 2..17. */
export const REGISTER_M = 2;
export const REGISTERS = REGISTER_M + SCRATCH_WORDS;

/** A constant, or the register it is read from. */
export type Operand = { readonly constant: number } | { readonly register: number };

export type Comparison = 'equal' | 'greater' | 'atLeast' | 'intersects';

export type Step =
  | { readonly kind: 'loadWord'; readonly word: number }
  | { readonly kind: 'move'; readonly to: number; readonly from: Operand }
  | { readonly kind: 'compute'; readonly operation: Arithmetic | 'div'; readonly operand: Operand }
  | { readonly kind: 'negate' }
  | { readonly kind: 'jump'; readonly target: number }
  | {
      readonly kind: 'branch';
      readonly comparison: Comparison;
      readonly operand: Operand;
      readonly onTrue: number;
      readonly onFalse: number;
    }
  | { readonly kind: 'return'; readonly value: Operand };

/** The program is not one: the kernel would refuse it, or it has no meaning. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
  /** Index of the instruction at fault. */
  readonly at: number | undefined;

  constructor(message: string, at?: number) {
    super(at === undefined ? message : `instruction ${at}: ${message}`);
    this.at = at;
  }
}

const A: Operand = { register: REGISTER_A };
const X: Operand = { register: REGISTER_X };

const MOVES = new Map<number, (k: number) => { to: number; from: Operand }>([
  [BPF_LD | BPF_IMM, (k) => ({ to: REGISTER_A, from: { constant: k } })],
  [BPF_LDX | BPF_IMM, (k) => ({ to: REGISTER_X, from: { constant: k } })],
  [BPF_LD | BPF_W | BPF_LEN, () => ({ to: REGISTER_A, from: { constant: SECCOMP_DATA_BYTES } })],
  [BPF_LDX | BPF_W | BPF_LEN, () => ({ to: REGISTER_X, from: { constant: SECCOMP_DATA_BYTES } })],
  [BPF_LD | BPF_MEM, (k) => ({ to: REGISTER_A, from: { register: REGISTER_M + k } })],
  [BPF_LDX | BPF_MEM, (k) => ({ to: REGISTER_X, from: { register: REGISTER_M + k } })],
  [BPF_ST, (k) => ({ to: REGISTER_M + k, from: A })],
  [BPF_STX, (k) => ({ to: REGISTER_M + k, from: X })],
  [BPF_MISC | BPF_TAX, () => ({ to: REGISTER_X, from: A })],
  [BPF_MISC | BPF_TXA, () => ({ to: REGISTER_A, from: X })],
]);

const USES_SCRATCH = new Set<number>([BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX]);

const COMPARISONS = new Map<number, Comparison>([
  [BPF_JEQ, 'equal'],
  [BPF_JGT, 'greater'],
  [BPF_JGE, 'atLeast'],
  [BPF_JSET, 'intersects'],
]);

const OPERATIONS = new Map<number, Arithmetic | 'div'>([
  [BPF_ADD, 'add'],
  [BPF_SUB, 'sub'],
  [BPF_MUL, 'mul'],
  [BPF_DIV, 'div'],
  [BPF_OR, 'or'],
  [BPF_AND, 'and'],
  [BPF_XOR, 'xor'],
  [BPF_LSH, 'lsh'],
  [BPF_RSH, 'rsh'],
]);

/** @throws Malformed */
export function decodeProgram(program: readonly SockFilter[], endian: Endian): Step[] {
  if (program.length === 0) throw new Malformed('the program is empty');
  if (program.length > MAX_INSTRUCTIONS)
    throw new Malformed(
      `the program has ${program.length} instructions, the kernel takes ${MAX_INSTRUCTIONS}`,
    );
  return program.map((instruction, at) => decodeStep(instruction, at, program.length, endian));
}

function decodeStep({ code, jt, jf, k }: SockFilter, at: number, length: number, endian: Endian): Step {
  const target = (skip: number) => {
    if (at + 1 + skip >= length) throw new Malformed('goes past the end of the program', at);
    return at + 1 + skip;
  };
  const move = MOVES.get(code);
  if (move) {
    if (USES_SCRATCH.has(code) && k >= SCRATCH_WORDS) throw new Malformed(`no scratch word ${k}`, at);
    target(0);
    return { kind: 'move', ...move(k) };
  }
  switch (code) {
    case BPF_RET | BPF_K:
      return { kind: 'return', value: { constant: k } };
    case BPF_RET | BPF_A:
      return { kind: 'return', value: A };
    case BPF_JMP | BPF_JA:
      return { kind: 'jump', target: target(k) };
    case BPF_LD | BPF_W | BPF_ABS:
      if (k % 4 !== 0 || k >= SECCOMP_DATA_BYTES) throw new Malformed(`no word at offset ${k}`, at);
      target(0);
      return { kind: 'loadWord', word: wordAt(k, endian) };
    case BPF_ALU | BPF_NEG:
      target(0);
      return { kind: 'negate' };
  }
  const source = code & BPF_X;
  const operand = source === BPF_X ? X : { constant: k };
  const comparison = COMPARISONS.get(code & 0xf0);
  if (comparison && code === (BPF_JMP | (code & 0xf0) | source))
    return { kind: 'branch', comparison, operand, onTrue: target(jt), onFalse: target(jf) };
  const operation = OPERATIONS.get(code & 0xf0);
  if (operation && code === (BPF_ALU | (code & 0xf0) | source)) {
    if (source === BPF_K) {
      if (operation === 'div' && k === 0) throw new Malformed('divides by zero', at);
      if ((operation === 'lsh' || operation === 'rsh') && k >= WORD_SHIFT_LIMIT)
        throw new Malformed(`shifts by ${k}`, at);
    }
    target(0);
    return { kind: 'compute', operation, operand };
  }
  throw new Malformed(`opcode 0x${code.toString(16)} is not one that seccomp allows`, at);
}

const WORD_SHIFT_LIMIT = 32;
