import {
  BPF_A, BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD,
  BPF_LDX, BPF_MISC, BPF_RET, BPF_ST, BPF_STX, BPF_TAX, BPF_W, BPF_X, OFFSET_ARCH, OFFSET_NR,
} from './instruction.ts'; // prettier-ignore
import type { SockFilter } from './instruction.ts';

/**
 * Every value that a call of this number can be answered with when its arguments are left open: each test of an
 * argument counts as going both ways. So a single value is certain; of several, some may need arguments that
 * contradict each other. Undefined stands for a value that is computed rather than constant.
 *
 * The program must be one that the kernel accepts (check.ts).
 */
export function possibleAnswers(
  program: readonly SockFilter[],
  call: { nr: number; arch: number },
): Set<number | undefined> {
  const answers = new Set<number | undefined>();
  // Only where both ways are open can an instruction be met again.
  const forks = new Set<string>();
  const open: { index: number; a: number | undefined }[] = [{ index: 0, a: 0 }];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    let { index, a } = state;
    for (;;) {
      const { code, jt, jf, k } = program[index]!;
      const kind = code & 0x07;
      if (kind === BPF_RET) {
        answers.add(code === (BPF_RET | BPF_A) ? a : k);
        break;
      }
      if (kind !== BPF_JMP) {
        a = accumulatorAfter(code, k, a, call);
        index += 1;
      } else if (code === (BPF_JMP | BPF_JA)) index += 1 + k;
      else {
        const taken = outcome(code, a, k);
        if (taken === undefined) {
          const fork = `${index} ${a}`;
          if (forks.has(fork)) break;
          forks.add(fork);
          open.push({ index: index + 1 + jt, a });
        }
        index += 1 + (taken === true ? jt : jf);
      }
    }
  }
  return answers;
}

/** Undefined when it depends on what is not known. */
function outcome(code: number, a: number | undefined, k: number): boolean | undefined {
  if (a === undefined || (code & BPF_X) !== 0) return undefined;
  switch (code & 0xf0) {
    case BPF_JEQ:
      return a === k;
    case BPF_JGT:
      return a > k;
    case BPF_JGE:
      return a >= k;
    case BPF_JSET:
      return (a & k) !== 0;
    default:
      return undefined;
  }
}

function accumulatorAfter(
  code: number,
  k: number,
  a: number | undefined,
  { nr, arch }: { nr: number; arch: number },
): number | undefined {
  const kind = code & 0x07;
  if (code === (BPF_LD | BPF_W | BPF_ABS)) return k === OFFSET_NR ? nr : k === OFFSET_ARCH ? arch : undefined;
  if (code === (BPF_ALU | BPF_AND | BPF_K)) return a === undefined ? undefined : (a & k) >>> 0;
  if (kind === BPF_LDX || kind === BPF_ST || kind === BPF_STX || code === (BPF_MISC | BPF_TAX)) return a;
  return undefined;
}
