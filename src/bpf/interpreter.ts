import {
  BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_DIV, BPF_IMM, BPF_JA, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_LEN,
  BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX,
  BPF_TXA, BPF_W, BPF_X, BPF_XOR, branchTaken, OFFSET_ARCH, OFFSET_IP, OFFSET_NR, SCRATCH_WORDS,
  SECCOMP_DATA_BYTES,
} from './instruction.ts'; // prettier-ignore
import type { Endian, SeccompData, SockFilter } from './instruction.ts';

export interface Run {
  /** u32 return value. */
  value: number;
  /** Instructions executed, the RET included. */
  steps: number;
  path: number[];
}

/**
 * Runs a program that the kernel would accept (see check.ts) on one call.
 *
 * @param endian the byte order of the machine that the program is for
 * @throws RangeError if the kernel would refuse it: it leaves its end, bad opcode, bad offset
 */
export function run(program: readonly SockFilter[], data: SeccompData, endian: Endian = 'little'): Run {
  const words = wordsOf(data, endian);
  const scratch = new Uint32Array(SCRATCH_WORDS);
  const path: number[] = [];
  let a = 0;
  let x = 0;
  let pc = 0;
  for (;;) {
    const instruction = program[pc];
    if (instruction === undefined) throw new RangeError(`the program runs past its end at ${pc}`);
    path.push(pc);
    const { code, jt, jf, k } = instruction;
    pc += 1;
    switch (code) {
      case BPF_LD | BPF_W | BPF_ABS: {
        const word = k % 4 === 0 ? words[k / 4] : undefined;
        if (word === undefined) throw new RangeError(`no word at offset ${k} of seccomp_data`);
        a = word;
        break;
      }
      case BPF_LD | BPF_W | BPF_LEN:
        a = SECCOMP_DATA_BYTES;
        break;
      case BPF_LDX | BPF_W | BPF_LEN:
        x = SECCOMP_DATA_BYTES;
        break;
      case BPF_LD | BPF_IMM:
        a = k;
        break;
      case BPF_LDX | BPF_IMM:
        x = k;
        break;
      case BPF_LD | BPF_MEM:
        a = scratch[k]!;
        break;
      case BPF_LDX | BPF_MEM:
        x = scratch[k]!;
        break;
      case BPF_ST:
        scratch[k] = a;
        break;
      case BPF_STX:
        scratch[k] = x;
        break;
      case BPF_MISC | BPF_TAX:
        x = a;
        break;
      case BPF_MISC | BPF_TXA:
        a = x;
        break;
      case BPF_RET | BPF_K:
        return { value: k, steps: path.length, path };
      case BPF_RET | BPF_A:
        return { value: a, steps: path.length, path };
      case BPF_JMP | BPF_JA:
        pc += k;
        break;
      default: {
        const operand = code & BPF_X ? x : k;
        const operation = code & 0xf0;
        if ((code & 0x07) === BPF_JMP) {
          const taken = branchTaken(operation, a, operand);
          if (taken === undefined) throw new RangeError(`no such branch: 0x${operation.toString(16)}`);
          pc += taken ? jt : jf;
        } else if ((code & 0x07) === BPF_ALU) {
          const result = arithmetic(operation, a, operand);
          // A division by zero ends the filter with 0 (Documentation/networking/filter.rst).
          if (result === undefined) return { value: 0, steps: path.length, path };
          a = result;
        } else {
          throw new RangeError(`opcode 0x${code.toString(16)} at ${pc - 1} is not one seccomp knows`);
        }
      }
    }
  }
}

function arithmetic(operation: number, a: number, operand: number): number | undefined {
  switch (operation) {
    case BPF_ADD:
      return (a + operand) >>> 0;
    case BPF_SUB:
      return (a - operand) >>> 0;
    case BPF_MUL:
      return Math.imul(a, operand) >>> 0;
    case BPF_DIV:
      return operand === 0 ? undefined : Math.trunc(a / operand);
    case BPF_OR:
      return (a | operand) >>> 0;
    case BPF_AND:
      return (a & operand) >>> 0;
    case BPF_XOR:
      return (a ^ operand) >>> 0;
    case BPF_LSH:
      return (a << (operand & 31)) >>> 0;
    case BPF_RSH:
      return a >>> (operand & 31);
    case BPF_NEG:
      return -a >>> 0;
    default:
      throw new RangeError(`no such operation: 0x${operation.toString(16)}`);
  }
}

/** The sixteen 32-bit words of `struct seccomp_data`. */
function wordsOf(data: SeccompData, endian: Endian): Uint32Array {
  const bytes = new DataView(new ArrayBuffer(SECCOMP_DATA_BYTES));
  const little = endian === 'little';
  bytes.setUint32(OFFSET_NR, data.nr, little);
  bytes.setUint32(OFFSET_ARCH, data.arch, little);
  bytes.setBigUint64(OFFSET_IP, data.ip, little);
  data.args.forEach((arg, index) => bytes.setBigUint64(16 + 8 * index, arg, little));
  return Uint32Array.from({ length: SECCOMP_DATA_BYTES / 4 }, (_, index) =>
    bytes.getUint32(4 * index, little),
  );
}
