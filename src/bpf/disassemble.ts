/**
 * A program as text: index, mnemonic and operands, and a comment that says what the numbers mean.
 *
 * The mnemonics are those of the kernel's bpf_asm (Documentation/networking/filter.rst), except that a branch
 * names the instructions it goes to. Nothing is lost: an instruction that its mnemonic would not describe
 * completely (an unknown opcode, or a field set that the kernel ignores) is written as `.insn` with all four
 * fields, so a listing always determines the program.
 */
import { annotate } from './annotate.ts';
import type { DisassembleOptions } from './annotate.ts';
import {
  BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_DIV, BPF_IMM, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP,
  BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET,
  BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X, BPF_XOR,
} from './instruction.ts'; // prettier-ignore
import type { SockFilter } from './instruction.ts';

export type { DisassembleOptions };

/** Column at which comments begin; longer instructions push theirs to the right. */
const COMMENT_COLUMN = 36;

/** One line an instruction, each ended by a newline; empty for an empty program. */
export function disassemble(program: readonly SockFilter[], options: DisassembleOptions = {}): string {
  const comments = annotate(program, options);
  const width = Math.max(4, String(program.length - 1).length);
  return program
    .map((instruction, index) => {
      const text = `${String(index).padStart(width)}: ${formatInstruction(instruction, index)}`;
      const comment = comments[index];
      return comment === undefined ? `${text}\n` : `${text.padEnd(COMMENT_COLUMN)}; ${comment}\n`;
    })
    .join('');
}

const ALU_MNEMONICS = new Map([
  [BPF_ADD, 'add'],
  [BPF_SUB, 'sub'],
  [BPF_MUL, 'mul'],
  [BPF_DIV, 'div'],
  [BPF_OR, 'or'],
  [BPF_AND, 'and'],
  [BPF_LSH, 'lsh'],
  [BPF_RSH, 'rsh'],
  [BPF_XOR, 'xor'],
]);

const BRANCH_MNEMONICS = new Map([
  [BPF_JEQ, 'jeq'],
  [BPF_JGT, 'jgt'],
  [BPF_JGE, 'jge'],
  [BPF_JSET, 'jset'],
]);

/** `ld [4]`, `jeq #0xc000003e, 2, 40`, `.insn 0x0012, 1, 0, 0x5`; `index` makes branch targets absolute. */
export function formatInstruction(instruction: SockFilter, index: number): string {
  return mnemonic(instruction, index) ?? verbatim(instruction);
}

function verbatim({ code, jt, jf, k }: SockFilter): string {
  return `.insn 0x${code.toString(16).padStart(4, '0')}, ${jt}, ${jf}, 0x${k.toString(16)}`;
}

/** Undefined where a mnemonic would leave out a field that is not zero. */
function mnemonic({ code, jt, jf, k }: SockFilter, index: number): string | undefined {
  const kind = code & 0x07;
  if (kind === BPF_JMP && code !== (BPF_JMP | BPF_JA)) {
    const name = BRANCH_MNEMONICS.get(code & 0xf0);
    const operand = sourceOperand(code, k);
    if (name === undefined || operand === undefined || code > 0xff) return undefined;
    return `${name} ${operand}, ${index + 1 + jt}, ${index + 1 + jf}`;
  }
  if (jt !== 0 || jf !== 0) return undefined;
  if (kind === BPF_ALU && code !== (BPF_ALU | BPF_NEG)) {
    const name = ALU_MNEMONICS.get(code & 0xf0);
    const operand = sourceOperand(code, k);
    return name === undefined || operand === undefined || code > 0xff ? undefined : `${name} ${operand}`;
  }
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return `ld [${k}]`;
    case BPF_LD | BPF_IMM:
      return `ld #${hex(k)}`;
    case BPF_LDX | BPF_IMM:
      return `ldx #${hex(k)}`;
    case BPF_LD | BPF_MEM:
      return `ld M[${k}]`;
    case BPF_LDX | BPF_MEM:
      return `ldx M[${k}]`;
    case BPF_ST:
      return `st M[${k}]`;
    case BPF_STX:
      return `stx M[${k}]`;
    case BPF_JMP | BPF_JA:
      return `ja ${index + 1 + k}`;
    case BPF_RET | BPF_K:
      return `ret #0x${k.toString(16).padStart(8, '0')}`;
  }
  if (k !== 0) return undefined;
  switch (code) {
    case BPF_LD | BPF_W | BPF_LEN:
      return 'ld len';
    case BPF_LDX | BPF_W | BPF_LEN:
      return 'ldx len';
    case BPF_ALU | BPF_NEG:
      return 'neg';
    case BPF_RET | BPF_A:
      return 'ret a';
    case BPF_MISC | BPF_TAX:
      return 'tax';
    case BPF_MISC | BPF_TXA:
      return 'txa';
    default:
      return undefined;
  }
}

/** The second operand of a branch or an operation: a constant, or X, whose unused `k` must then be zero. */
function sourceOperand(code: number, k: number): string | undefined {
  if ((code & BPF_X) === 0) return `#${hex(k)}`;
  return k === 0 ? 'x' : undefined;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
