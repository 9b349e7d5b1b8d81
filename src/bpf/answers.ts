import {
  BPF_A, BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MISC, BPF_RET, BPF_ST, BPF_STX,
  BPF_TAX, BPF_W, BPF_X, branchTaken, OFFSET_ARCH, OFFSET_NR,
} from './instruction.ts'; // prettier-ignore
import type { SockFilter } from './instruction.ts';

/** A value that is computed rather than constant. */
type Unknown = undefined;
/** What the accumulator holds; `nr` is each call's own number. */
type Accumulator = number | 'nr' | Unknown;

/**
 * The possible answers to a call of each number with any arguments: each test of an argument goes
 * both ways. So a single answer is certain; several may need arguments that contradict each other.
 * Undefined is a value that is computed rather than constant. All numbers go through the program
 * together, and part where a test tells them apart.
 *
 * @param program one that the kernel accepts (check.ts)
 * @returns a set for each of the numbers, in their order
 */
export function possibleAnswers(
  program: readonly SockFilter[],
  arch: number,
  numbers: readonly number[],
): Set<number | Unknown>[] {
  const answers = new Map(numbers.map((nr) => [nr, new Set<number | Unknown>()]));
  // Where numbers or paths part, so that each is followed once.
  const partings = new Map<readonly number[], Set<string>>();
  const isNew = (group: readonly number[], index: number, a: Accumulator): boolean => {
    const met = partings.get(group) ?? new Set();
    partings.set(group, met);
    return met.size < met.add(`${index} ${a}`).size;
  };
  const open: { index: number; a: Accumulator; group: readonly number[] }[] = [
    { index: 0, a: 0, group: numbers },
  ];
  for (let state = open.pop(); state !== undefined; state = open.pop()) {
    let { index, a, group } = state;
    while (group.length > 0) {
      const { code, jt, jf, k } = program[index]!;
      const kind = code & 0x07;
      if (kind === BPF_RET) {
        const value = code === (BPF_RET | BPF_A) ? a : k;
        for (const nr of group) answers.get(nr)!.add(value === 'nr' ? nr : value);
        break;
      }
      if (kind !== BPF_JMP) {
        if (a === 'nr' && kind === BPF_ALU) {
          if (isNew(group, index, a)) for (const nr of group) open.push({ index, a: nr, group: [nr] });
          break;
        }
        a = accumulatorAfter(code, k, a, arch);
        index += 1;
      } else if (code === (BPF_JMP | BPF_JA)) index += 1 + k;
      else if (a === 'nr' && (code & BPF_X) === 0) {
        const taken: number[] = [];
        const left: number[] = [];
        // By index, which is faster before the code is optimised.
        for (let at = 0; at < group.length; at++) {
          const nr = group[at]!;
          (branchTaken(code & 0xf0, nr, k) === true ? taken : left).push(nr);
        }
        if (taken.length > 0 && left.length > 0) {
          if (!isNew(group, index, a)) break;
          open.push({ index: index + 1 + jt, a, group: taken });
          group = left;
          index += 1 + jf;
        } else index += 1 + (taken.length > 0 ? jt : jf);
      } else {
        const taken =
          typeof a === 'number' && (code & BPF_X) === 0 ? branchTaken(code & 0xf0, a, k) : undefined;
        if (taken === undefined) {
          if (!isNew(group, index, a)) break;
          open.push({ index: index + 1 + jt, a, group });
        }
        index += 1 + (taken === true ? jt : jf);
      }
    }
  }
  return numbers.map((nr) => answers.get(nr)!);
}

function accumulatorAfter(code: number, k: number, a: Accumulator, arch: number): Accumulator {
  const kind = code & 0x07;
  if (code === (BPF_LD | BPF_W | BPF_ABS))
    return k === OFFSET_NR ? 'nr' : k === OFFSET_ARCH ? arch : undefined;
  if (code === (BPF_ALU | BPF_AND | BPF_K)) return typeof a === 'number' ? (a & k) >>> 0 : undefined;
  if (kind === BPF_LDX || kind === BPF_ST || kind === BPF_STX || code === (BPF_MISC | BPF_TAX)) return a;
  return undefined;
}
