import {
  BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_ST, BPF_STX, BPF_W, BPF_X, branchTaken,
  OFFSET_ARCH, OFFSET_NR,
} from '../bpf/instruction.ts'; // prettier-ignore
import type { SockFilter } from '../bpf/instruction.ts';

/** A step from one instruction to another, in one number. */
export function stepBetween(from: number, to: number): number {
  return from * 0x10000 + to;
}

/** The instructions that calls of a number can run, and the steps between them. */
export interface Reached {
  instructions: Set<number>;
  /** As {@link stepBetween} writes them. */
  steps: Set<number>;
}

/** @param program one that the kernel accepts (check.ts); a test of an argument goes both ways */
export function reachedBy(program: readonly SockFilter[], arch: number, nr: number): Reached {
  const reached: Reached = { instructions: new Set(), steps: new Set() };
  const met = new Set<number>();
  const open: [at: number, a: number | undefined][] = [[0, 0]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [at, a] = next;
    const state = at * 2 ** 33 + (a ?? 2 ** 32);
    if (met.has(state)) continue;
    met.add(state);
    reached.instructions.add(at);
    const { code, jt, jf, k } = program[at]!;
    const go = (to: number, holds: number | undefined) => {
      reached.steps.add(stepBetween(at, to));
      open.push([to, holds]);
    };
    const kind = code & 0x07;
    if (kind === BPF_RET) continue;
    if (code === (BPF_JMP | BPF_JA)) go(at + 1 + k, a);
    else if (kind === BPF_JMP) {
      const taken = a === undefined || (code & BPF_X) !== 0 ? undefined : branchTaken(code & 0xf0, a, k);
      if (taken !== false) go(at + 1 + jt, a);
      if (taken !== true) go(at + 1 + jf, a);
    } else go(at + 1, afterwards(code, k, a, arch, nr));
  }
  return reached;
}

/**
 * What the accumulator holds after an instruction; undefined if that depends on more than the
 * number.
 */
function afterwards(
  code: number,
  k: number,
  a: number | undefined,
  arch: number,
  nr: number,
): number | undefined {
  if (code === (BPF_LD | BPF_W | BPF_ABS)) return k === OFFSET_NR ? nr : k === OFFSET_ARCH ? arch : undefined;
  if (code === (BPF_ALU | BPF_AND | BPF_K)) return a === undefined ? undefined : (a & k) >>> 0;
  return code === BPF_ST || code === BPF_STX ? a : undefined;
}

/**
 * The most instructions that one run can execute.
 * @param program one that the kernel accepts (check.ts)
 */
export function longestPath(program: readonly SockFilter[]): number {
  const from: number[] = [];
  for (const [at, { code, jt, jf, k }] of [...program.entries()].toReversed()) {
    const next = code === (BPF_JMP | BPF_JA) ? [k] : (code & 0x07) === BPF_JMP ? [jt, jf] : [0];
    from[at] = 1 + ((code & 0x07) === BPF_RET ? 0 : Math.max(...next.map((skip) => from[at + 1 + skip]!)));
  }
  return from[0]!;
}
