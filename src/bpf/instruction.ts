/**
 * The classic BPF machine as seccomp uses it: instructions, their encoding, and their input.
 *
 * One accumulator A, one index register X, sixteen scratch words M[]. A program is a list of
 * `struct sock_filter { u16 code; u8 jt; u8 jf; u32 k; }`; branches go forward only, jt and jf
 * count instructions to skip. Sources: linux/filter.h, linux/bpf_common.h, kernel/seccomp.c.
 */

/** One instruction. `code` u16, `jt` and `jf` u8, `k` u32. */
export interface SockFilter {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

// linux/bpf_common.h: class | size or operation | mode or source
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;

export const BPF_W = 0x00;
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;

export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
export const BPF_XOR = 0xa0;

export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;

export const BPF_K = 0x00;
export const BPF_X = 0x08;
/** Source of a RET: the accumulator. */
export const BPF_A = 0x10;

export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

/** `BPF_MAXINSNS`: the kernel refuses longer programs. */
export const MAX_INSTRUCTIONS = 4096;
export const SCRATCH_WORDS = 16;
/** Bytes of `struct sock_filter`. */
export const INSTRUCTION_BYTES = 8;
/** The largest jt or jf. */
export const MAX_BRANCH = 255;

/** Byte offsets in `struct seccomp_data` (linux/seccomp.h); 64 bytes in all. */
export const OFFSET_NR = 0;
export const OFFSET_ARCH = 4;
export const OFFSET_IP = 8;
export const OFFSET_ARGS = 16;
export const SECCOMP_DATA_BYTES = 64;

export type Endian = 'little' | 'big';

/** Byte offset of one half of argument `index` (0..5). */
export function argOffset(index: number, half: 'low' | 'high', endian: Endian): number {
  const highFirst = endian === 'big';
  return OFFSET_ARGS + 8 * index + ((half === 'high') === highFirst ? 0 : 4);
}

/** `seccomp_data` as values: `nr` and `arch` u32, `ip` and the six `args` u64. */
export interface SeccompData {
  nr: number;
  arch: number;
  ip: bigint;
  args: readonly bigint[];
}

/** The raw program: 8 bytes an instruction in the byte order of the target, nothing around it. */
export function encode(program: readonly SockFilter[], endian: Endian): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  const little = endian === 'little';
  program.forEach(({ code, jt, jf, k }, index) => {
    if (code >>> 16 !== 0 || jt >>> 8 !== 0 || jf >>> 8 !== 0 || k >>> 0 !== k)
      throw new RangeError(`instruction ${index} does not fit its fields: ${code} ${jt} ${jf} ${k}`);
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, little);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, little);
  });
  return bytes;
}

/** Reads a raw program. @throws RangeError when the length is not a multiple of 8. */
export function decode(bytes: Uint8Array, endian: Endian): SockFilter[] {
  if (bytes.length % INSTRUCTION_BYTES !== 0)
    throw new RangeError(`a program has ${INSTRUCTION_BYTES} bytes an instruction, this has ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = endian === 'little';
  return Array.from({ length: bytes.length / INSTRUCTION_BYTES }, (_, index) => {
    const at = index * INSTRUCTION_BYTES;
    return {
      code: view.getUint16(at, little),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, little),
    };
  });
}

/** Whether a branch is taken if A has this value; undefined for an unknown operation. */
export function branchTaken(operation: number, a: number, operand: number): boolean | undefined {
  switch (operation) {
    case BPF_JEQ:
      return a === operand;
    case BPF_JGT:
      return a > operand;
    case BPF_JGE:
      return a >= operand;
    case BPF_JSET:
      return (a & operand) !== 0;
    default:
      return undefined;
  }
}
