import type { Optimize } from '../goal.ts';
import { X32_SYSCALL_BIT } from '../../arch.ts';
import type { ArchPolicy } from '../../policy/types.ts';
import type { SyscallTables } from '../../syscalls/tables.ts';
import { FREQUENCY, SELDOM } from './frequency.ts';
import type { Prices } from './interval.ts';

/**
 * How much a test on the way to a number costs. The weights of one architecture add up to about 1.
 */
export interface Weights {
  /** Weight of the numbers `from`..`to` together; always positive. */
  of(arch: ArchPolicy, from: number, to: number): number;
  /** In the same unit. */
  readonly prices: Prices;
  readonly arguments: ArgumentGoal;
}

/**
 * What the tests of arguments are made for. The kernel emulates none of them, so there size counts,
 * and then depth.
 */
export interface ArgumentGoal {
  readonly prices: Prices;
  /** Whether a program may be longer for shorter paths. */
  readonly shortPaths: boolean;
}

/**
 * Attach on Linux 6.18 takes about 92 ns for each converted instruction and 2 ns for each emulated
 * step, and a test on all of some 470 numbers is 470 steps: an instruction weighs a tenth of such a
 * test. Of two that one test becomes the second weighs less, and the first, which is copied and
 * checked before it is converted, the more for it.
 */
const ATTACH_PRICES: Prices = { test: 0.15, more: 0.08, longestChain: 5 };
/**
 * A call takes no part in the cost of the program's size: enough to keep the tree from growing
 * without gain.
 */
const FREQUENCY_PRICES: Prices = { test: 0.02, more: 0.02, longestChain: 8 };
const SIZE_PRICES: Prices = { test: 100, more: 100, longestChain: 8 };
/**
 * Of arguments there may be thousands of values: a chain of eight takes an eighth more than one
 * test for each.
 */
const LONGEST_ARGUMENT_CHAIN = 8;

/**
 * Numbers of each architecture that the kernel emulates, `NR_syscalls`: those of the newest table.
 */
const EMULATED = 472;
/** Numbers outside still count a little, or their part of the tree would degenerate. */
const RARE = 0.01;

export function weightsFor(optimize: Optimize, tables: SyscallTables): Weights {
  const prices = { attach: ATTACH_PRICES, frequency: FREQUENCY_PRICES, size: SIZE_PRICES }[optimize];
  return {
    of: optimize === 'frequency' ? frequencyWeights(tables) : evenWeights,
    prices,
    arguments: {
      prices: { ...prices, longestChain: LONGEST_ARGUMENT_CHAIN },
      shortPaths: optimize !== 'size',
    },
  };
}

/** All emulated numbers weigh the same, whether assigned or not. */
function evenWeights(arch: ArchPolicy, from: number, to: number): number {
  const first = firstNumber(arch);
  const counted = overlap(from, to, first, first + EMULATED - 1);
  const others = Math.min(EMULATED, to - from + 1 - counted);
  return (counted / EMULATED) * (1 - RARE) + (others / EMULATED) * RARE + Number.EPSILON;
}

/** A number weighs what its call does, an unassigned one next to nothing. */
function frequencyWeights(tables: SyscallTables): Weights['of'] {
  /**
   * For each audit arch the assigned numbers, ascending, each with the share of all up to and
   * including it.
   */
  const shares = new Map<ArchPolicy, { numbers: number[]; sums: number[] }>();
  const sharesOf = (arch: ArchPolicy) => {
    const known = shares.get(arch);
    if (known) return known;
    const entries = arch.abis.flatMap((abi) => [...tables.of(abi.name).entries()]);
    const numbers: number[] = [];
    const sums: number[] = [];
    let sum = 0;
    for (const [nr, name] of entries.toSorted(([a], [b]) => a - b)) {
      sum += FREQUENCY.get(name) ?? SELDOM;
      numbers.push(nr);
      sums.push(sum);
    }
    const made = { numbers, sums: sums.map((share) => share / sum) };
    shares.set(arch, made);
    return made;
  };
  return (arch, from, to) => {
    const { numbers, sums } = sharesOf(arch);
    const upTo = (nr: number) => sums[numbers.findLastIndex((n) => n <= nr)] ?? 0;
    return upTo(to) - upTo(from - 1) + Number.EPSILON;
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
