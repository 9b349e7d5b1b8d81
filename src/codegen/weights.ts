import { X32_SYSCALL_BIT } from '../arch.ts';
import type { ArchPolicy, Policy } from '../policy/types.ts';

/**
 * What a filter is made fast for.
 *
 * - `attach`: the kernel's attach, which emulates the program once for each number of the native and the compat
 *   architecture. The default: on kernels since 5.11 allowed calls cost nothing afterwards.
 * - `size`: fewest instructions.
 */
export type Optimize = 'attach' | 'size';

/** How much a test on the way to a number costs. The weights of one architecture add up to about 1. */
export interface Weights {
  /** Weight of the numbers `from`..`to` together; always positive. */
  of(arch: ArchPolicy, from: number, to: number): number;
  /** Price of one converted instruction in the same unit. */
  readonly price: number;
}

/**
 * Attach on Linux 6.18 takes about 92 ns for each converted instruction and 2 ns for each emulated step, and every
 * test on all of some 470 numbers is 470 steps: an instruction weighs a tenth of such a test. docs/codegen.md.
 */
const ATTACH_PRICE = 0.1;
/** Numbers of each architecture that the kernel emulates, `NR_syscalls`, rounded; those of the newest table. */
const EMULATED = 472;
/** Numbers nobody emulates still count a little, or their part of the tree would degenerate. */
const RARE = 0.01;

export function weightsFor(_policy: Policy, optimize: Optimize): Weights {
  const scale = optimize === 'size' ? 0.001 : 1;
  return {
    price: ATTACH_PRICE,
    of(arch, from, to) {
      const first = firstNumber(arch);
      const counted = overlap(from, to, first, first + EMULATED - 1);
      const rest = to - from + 1 - counted;
      return (
        scale *
        ((counted / EMULATED) * (1 - RARE) + (rest > 0 ? RARE * Math.min(1, rest / EMULATED) : 0) + 1e-9)
      );
    },
  };
}

/** The base of an architecture's numbers: 4000, 5000 and 6000 on MIPS, bit 30 for x32 alone. */
function firstNumber({ abis }: ArchPolicy): number {
  const { name, table } = abis[0]!;
  if (table === 'mips') return 4000;
  if (table === 'mips64') return 5000;
  if (table === 'mips64n32') return 6000;
  return name === 'X32' ? X32_SYSCALL_BIT : 0;
}

function overlap(a: number, b: number, c: number, d: number): number {
  return Math.max(0, Math.min(b, d) - Math.max(a, c) + 1);
}
