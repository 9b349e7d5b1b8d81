/**
 * A program as text: index, mnemonic and operands, and a comment that says what the numbers mean.
 *
 * The mnemonics are those of the kernel's bpf_asm (Documentation/networking/filter.rst), except
 * that a branch names its targets. If a mnemonic would lose information (an unknown opcode, a field
 * that the kernel ignores), the instruction is written as `.insn` with all four fields.
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

/** The mnemonics of the opcodes. `K` is the constant; `T` and `F` are the targets of a branch. */
const MNEMONICS = new Map<number, string>([
  [BPF_LD | BPF_W | BPF_ABS, 'ld [K]'],
  [BPF_LD | BPF_IMM, 'ld #0xK'],
  [BPF_LDX | BPF_IMM, 'ldx #0xK'],
  [BPF_LD | BPF_MEM, 'ld M[K]'],
  [BPF_LDX | BPF_MEM, 'ldx M[K]'],
  [BPF_ST, 'st M[K]'],
  [BPF_STX, 'stx M[K]'],
  [BPF_LD | BPF_W | BPF_LEN, 'ld len'],
  [BPF_LDX | BPF_W | BPF_LEN, 'ldx len'],
  [BPF_ALU | BPF_NEG, 'neg'],
  [BPF_RET | BPF_A, 'ret a'],
  [BPF_MISC | BPF_TAX, 'tax'],
  [BPF_MISC | BPF_TXA, 'txa'],
  ...withOperand(BPF_ALU | BPF_ADD, 'add'),
  ...withOperand(BPF_ALU | BPF_SUB, 'sub'),
  ...withOperand(BPF_ALU | BPF_MUL, 'mul'),
  ...withOperand(BPF_ALU | BPF_DIV, 'div'),
  ...withOperand(BPF_ALU | BPF_OR, 'or'),
  ...withOperand(BPF_ALU | BPF_AND, 'and'),
  ...withOperand(BPF_ALU | BPF_LSH, 'lsh'),
  ...withOperand(BPF_ALU | BPF_RSH, 'rsh'),
  ...withOperand(BPF_ALU | BPF_XOR, 'xor'),
  ...withOperand(BPF_JMP | BPF_JEQ, 'jeq', ', T, F'),
  ...withOperand(BPF_JMP | BPF_JGT, 'jgt', ', T, F'),
  ...withOperand(BPF_JMP | BPF_JGE, 'jge', ', T, F'),
  ...withOperand(BPF_JMP | BPF_JSET, 'jset', ', T, F'),
]);

/** The second operand is a constant or X. */
function withOperand(code: number, name: string, targets = ''): [number, string][] {
  return [
    [code | BPF_K, `${name} #0xK${targets}`],
    [code | BPF_X, `${name} x${targets}`],
  ];
}

const OPCODES = new Map([...MNEMONICS].map(([code, mnemonic]) => [mnemonic, code]));

/**
 * The instruction that {@link formatInstruction} writes in this way; undefined for any other text.
 * `#4` and labels such as `l7` are taken too.
 */
export function parseInstruction(text: string, index: number): SockFilter | undefined {
  const [, ...raw] = /^\.insn 0x([\da-f]+), (\d+), (\d+), 0x([\da-f]+)$/.exec(text) ?? [];
  if (raw.length > 0) {
    const [code, jt, jf, k] = raw.map((field, at) => Number.parseInt(field, at % 3 === 0 ? 16 : 10));
    return inRange({ code: code!, jt: jt!, jf: jf!, k: k! });
  }
  const jump = /^(?:ja|jmp) l?(\d+)$/.exec(text)?.[1];
  if (jump !== undefined)
    return inRange({ code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: Number(jump) - index - 1 });
  let [k, jt, jf] = [0, 0, 0];
  const mnemonic = text
    .replace(/, l?(\d+), l?(\d+)$/, (_, yes: string, no: string) => {
      [jt, jf] = [Number(yes) - index - 1, Number(no) - index - 1];
      return ', T, F';
    })
    .replace(/(#|\[)(0x[\da-f]+|\d+)/, (_, mark: string, digits: string) => {
      k = Number(digits);
      return mark === '#' ? '#0xK' : '[K';
    });
  const code = mnemonic === 'ret #0xK' ? BPF_RET | BPF_K : OPCODES.get(mnemonic);
  return code === undefined ? undefined : inRange({ code, jt, jf, k });
}

function inRange(found: SockFilter): SockFilter | undefined {
  const { code, jt, jf, k } = found;
  const fits = (value: number, bits: number) => value >= 0 && value < 2 ** bits;
  return fits(code, 16) && fits(jt, 8) && fits(jf, 8) && fits(k, 32) ? found : undefined;
}

/**
 * `ld [4]`, `jeq #0xc000003e, 2, 40`, `.insn 0x0012, 1, 0, 0x5`; `index` makes targets absolute.
 */
export function formatInstruction({ code, jt, jf, k }: SockFilter, index: number): string {
  const hex = k.toString(16);
  const hasTargets = jt !== 0 || jf !== 0;
  if (code === (BPF_JMP | BPF_JA) && !hasTargets) return `ja ${index + 1 + k}`;
  if (code === (BPF_RET | BPF_K) && !hasTargets) return `ret #0x${hex.padStart(8, '0')}`;
  const mnemonic = MNEMONICS.get(code);
  const isComplete = (k === 0 || mnemonic?.includes('K')) && (!hasTargets || mnemonic?.includes('T'));
  if (mnemonic === undefined || !isComplete)
    return `.insn 0x${code.toString(16).padStart(4, '0')}, ${jt}, ${jf}, 0x${hex}`;
  return mnemonic
    .replace('0xK', `0x${hex}`)
    .replace('K', String(k))
    .replace('T', String(index + 1 + jt))
    .replace('F', String(index + 1 + jf));
}
