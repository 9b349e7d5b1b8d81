/**
 * A second BPF machine, for the oracles: runs raw program bytes on one call.
 *
 * Only what libseccomp and a compiler of profiles emit; anything else throws. Sources:
 * linux/filter.h, kernel/seccomp.c. Shares nothing with src/bpf.
 */

export interface Call {
  /** seccomp_data.arch, u32. */
  arch: number;
  /** u32. */
  nr: number;
  /** Six, u64. */
  args: readonly bigint[];
  /** The instruction pointer, u64; 0 unless said. */
  ip?: bigint;
}

export interface RawProgram {
  big: boolean;
  length: number;
  code: Uint16Array;
  jt: Uint8Array;
  jf: Uint8Array;
  k: Uint32Array;
}

export function readProgram(bytes: Uint8Array, big: boolean): RawProgram {
  if (bytes.length === 0 || bytes.length % 8 !== 0) throw new Error(`${bytes.length} bytes are no program`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length / 8;
  const program: RawProgram = {
    big,
    length,
    code: new Uint16Array(length),
    jt: new Uint8Array(length),
    jf: new Uint8Array(length),
    k: new Uint32Array(length),
  };
  for (let pc = 0; pc < length; pc++) {
    program.code[pc] = view.getUint16(8 * pc, !big);
    program.jt[pc] = view.getUint8(8 * pc + 2);
    program.jf[pc] = view.getUint8(8 * pc + 3);
    program.k[pc] = view.getUint32(8 * pc + 4, !big);
  }
  return program;
}

const argumentWords = new WeakMap<readonly bigint[], { low: Uint32Array; high: Uint32Array }>();

function wordsOf(args: readonly bigint[]): { low: Uint32Array; high: Uint32Array } {
  let words = argumentWords.get(args);
  if (words === undefined) {
    words = {
      low: Uint32Array.from(args, (x) => Number(x & 0xffffffffn)),
      high: Uint32Array.from(args, (x) => Number(x >> 32n)),
    };
    argumentWords.set(args, words);
  }
  return words;
}

/** The 32-bit word at a byte offset of seccomp_data. */
function word(call: Call, offset: number, big: boolean): number {
  if (offset % 4 !== 0 || offset >= 64) throw new Error(`load at ${offset}`);
  if (offset === 0) return call.nr;
  if (offset === 4) return call.arch;
  const first = offset % 8 === 0;
  if (offset < 16) return Number(BigInt.asUintN(32, (call.ip ?? 0n) >> (first === big ? 32n : 0n)));
  const { low, high } = wordsOf(call.args);
  return (first === big ? high : low)[(offset - 16) >> 3] ?? 0;
}

/** The u32 the program returns. @throws Error where the kernel would have refused the program. */
export function runProgram(program: RawProgram, call: Call): number {
  const { code, jt, jf, k, length, big } = program;
  let a = 0;
  let x = 0;
  const memory = new Uint32Array(16);
  for (let pc = 0; pc < length;) {
    const constant = k[pc]!;
    const op = code[pc]!;
    const operand = (op & 0x08) === 0 ? constant : x;
    let taken: boolean | undefined;
    switch (op) {
      case 0x20: a = word(call, constant, big); break; // prettier-ignore
      case 0x00: a = constant; break; // prettier-ignore
      case 0x60: a = memory[constant]!; break; // prettier-ignore
      case 0x02: memory[constant] = a; break; // prettier-ignore
      case 0x07: x = a; break; // prettier-ignore
      case 0x87: a = x; break; // prettier-ignore
      case 0x54:
      case 0x5c: a = (a & operand) >>> 0; break; // prettier-ignore
      case 0x44:
      case 0x4c: a = (a | operand) >>> 0; break; // prettier-ignore
      case 0xa4:
      case 0xac: a = (a ^ operand) >>> 0; break; // prettier-ignore
      case 0x64: a = (a << constant) >>> 0; break; // prettier-ignore
      case 0x74: a >>>= constant; break; // prettier-ignore
      case 0x05: pc += constant; break; // prettier-ignore
      case 0x15:
      case 0x1d: taken = a === operand; break; // prettier-ignore
      case 0x25:
      case 0x2d: taken = a > operand; break; // prettier-ignore
      case 0x35:
      case 0x3d: taken = a >= operand; break; // prettier-ignore
      case 0x45:
      case 0x4d: taken = (a & operand) !== 0; break; // prettier-ignore
      case 0x06: return constant; // prettier-ignore
      default: throw new Error(`instruction ${pc}: code 0x${op.toString(16)}`); // prettier-ignore
    }
    pc += 1 + (taken === undefined ? 0 : taken ? jt[pc]! : jf[pc]!);
  }
  throw new Error('ran off the end');
}
