import { isKnownAction } from '../action.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import {
  BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_DIV, BPF_IMM, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP,
  BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET,
  BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X, BPF_XOR, MAX_INSTRUCTIONS,
  SCRATCH_WORDS, SECCOMP_DATA_BYTES,
} from './instruction.ts'; // prettier-ignore
import type { SockFilter } from './instruction.ts';

/**
 * The opcodes of seccomp_check_filter and bpf_check_classic (kernel/seccomp.c, net/core/filter.c).
 */
const ALLOWED = new Set<number>([
  BPF_LD | BPF_W | BPF_ABS,
  BPF_LD | BPF_W | BPF_LEN,
  BPF_LDX | BPF_W | BPF_LEN,
  BPF_LD | BPF_IMM,
  BPF_LDX | BPF_IMM,
  BPF_LD | BPF_MEM,
  BPF_LDX | BPF_MEM,
  BPF_ST,
  BPF_STX,
  BPF_MISC | BPF_TAX,
  BPF_MISC | BPF_TXA,
  BPF_RET | BPF_K,
  BPF_RET | BPF_A,
  BPF_ALU | BPF_NEG,
  BPF_JMP | BPF_JA,
  ...[BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH].flatMap((operation) => [
    BPF_ALU | operation | BPF_K,
    BPF_ALU | operation | BPF_X,
  ]),
  ...[BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET].flatMap((test) => [
    BPF_JMP | test | BPF_K,
    BPF_JMP | test | BPF_X,
  ]),
]);

export function isSeccompOpcode(code: number): boolean {
  return ALLOWED.has(code);
}

/**
 * The kernel's rules for a program that it does not refuse with EINVAL: length, opcodes, operands,
 * forward branches, a RET at the end, scratch words written before they are read. One rule is ours:
 * a RET K must name a known action, since the kernel takes any other as KILL_PROCESS.
 *
 * Empty if the program is acceptable. Source: bpf_check_classic, seccomp_check_filter;
 * docs/semantics.md 13.2.
 */
export function checkProgram(program: readonly SockFilter[]): Diagnostic[] {
  if (program.length === 0) return [diagnostic('FILTER_EMPTY')];
  if (program.length > MAX_INSTRUCTIONS)
    return [diagnostic('FILTER_TOO_LONG', { length: program.length, limit: MAX_INSTRUCTIONS })];

  const found: Diagnostic[] = [];
  const refuse = (index: number, reason: string) =>
    found.push(diagnostic('FILTER_INVALID', { index, reason }));
  program.forEach((instruction, index) => {
    const reason = instructionFault(instruction, index, program.length);
    if (reason !== undefined) refuse(index, reason);
  });
  const last = program.at(-1)!;
  if ((last.code & 0x07) !== BPF_RET) refuse(program.length - 1, 'the last instruction is not a RET');
  if (found.length === 0)
    for (const index of readsOfUnwrittenScratch(program))
      refuse(index, 'a scratch word is read before it is written');
  return found;
}

function instructionFault(
  { code, jt, jf, k }: SockFilter,
  index: number,
  length: number,
): string | undefined {
  if (!ALLOWED.has(code)) return `opcode 0x${code.toString(16)} is not allowed by seccomp`;
  switch (code) {
    case BPF_LD | BPF_W | BPF_ABS:
      return k % 4 === 0 && k < SECCOMP_DATA_BYTES
        ? undefined
        : `no aligned word of seccomp_data at offset ${k}`;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
      return k < SCRATCH_WORDS ? undefined : `there are only ${SCRATCH_WORDS} scratch words`;
    case BPF_ALU | BPF_DIV | BPF_K:
      return k === 0 ? 'division by zero' : undefined;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
      return k >= 32 ? 'shift by 32 bits or more' : undefined;
    case BPF_JMP | BPF_JA:
      return k < length - index - 1 ? undefined : 'jumps past the end of the program';
    case BPF_RET | BPF_K:
      return isKnownAction(k)
        ? undefined
        : `returns 0x${k.toString(16)}, which is no action the kernel knows`;
    default:
      if ((code & 0x07) !== BPF_JMP) return undefined;
      return Math.max(jt, jf) < length - index - 1 ? undefined : 'branches past the end of the program';
  }
}

/** Which scratch words are written on every path to an instruction (check_load_and_stores). */
function readsOfUnwrittenScratch(program: readonly SockFilter[]): number[] {
  const all = (1 << SCRATCH_WORDS) - 1;
  const written = new Array<number>(program.length + 1).fill(all);
  const faults: number[] = [];
  let now = 0;
  program.forEach(({ code, jt, jf, k }, index) => {
    now &= written[index]!;
    const flowTo = (target: number) => (written[target]! &= now);
    if (code === BPF_ST || code === BPF_STX) now |= 1 << k;
    else if (code === (BPF_LD | BPF_MEM) || code === (BPF_LDX | BPF_MEM)) {
      if ((now & (1 << k)) === 0) faults.push(index);
    } else if (code === (BPF_JMP | BPF_JA)) {
      flowTo(index + 1 + k);
      now = all;
    } else if ((code & 0x07) === BPF_JMP) {
      flowTo(index + 1 + jt);
      flowTo(index + 1 + jf);
      now = all;
    }
  });
  return faults;
}

/**
 * The length after the kernel's conversion to eBPF, which counts against the 32768 of a task. A
 * branch with two real targets becomes two instructions; a constant with bit 31 set costs one more.
 * docs/codegen.md.
 */
export function convertedLength(program: readonly SockFilter[]): number {
  return program.reduce((sum, instruction) => sum + convertedCost(instruction), 3);
}

function convertedCost({ code, jt, jf, k }: SockFilter): number {
  const kind = code & 0x07;
  if (kind === BPF_RET) return 2;
  if (kind !== BPF_JMP || code === (BPF_JMP | BPF_JA)) return 1;
  const isJset = (code & 0xf0) === BPF_JSET;
  const second = jf !== 0 && (jt !== 0 || isJset) ? 1 : 0;
  return 1 + second + (k >>> 31);
}
