import type { Arch } from '../arch.ts';

/**
 * What a filter must answer, without names or order of the profile: one decision for each audit
 * arch and each number from 0 to 2^32-1. The policy stage makes it, the code generator reads it.
 */
export interface Policy {
  endian: 'little' | 'big';
  /** Return value for an audit arch that is not listed, u32. */
  badArchAction: number;
  /** Native first, then as the profile lists them; x32 is part of x86_64's entry. */
  arches: ArchPolicy[];
}

/** The decisions under one value of `seccomp_data.arch`. */
export interface ArchPolicy {
  auditArch: number;
  /** The ABIs that share this audit arch: one, or X86_64 with X32. */
  abis: Arch[];
  /** Ascending, without gaps or overlaps, from 0 to 0xffffffff; neighbours differ. */
  ranges: DecisionRange[];
}

/** Numbers `from`..`to`, both included, u32. */
export interface DecisionRange {
  from: number;
  to: number;
  decision: Decision;
}

/**
 * The first rule whose conditions all hold gives the answer, else `otherwise`. Every rule has
 * conditions. Equal decisions are one object within a policy.
 */
export interface Decision {
  rules: DecisionRule[];
  /** u32 return value. */
  otherwise: number;
}

export interface DecisionRule {
  /** At least one, argument indexes ascending, each at most once. */
  conditions: Condition[];
  /** u32 return value. */
  action: number;
}

/** How an argument is compared with a constant; `masked_eq` compares only the bits of a mask. */
export type Comparator = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'masked_eq';

/**
 * A normalised comparison of an argument: unsigned, `value` fits `bits`, neither always true nor
 * always false. masked_eq is `(x & mask) == value` with `value` inside `mask`; for the others
 * `mask` is all ones.
 */
export interface Condition {
  /** 0..5 */
  arg: number;
  comparator: Comparator;
  value: bigint;
  mask: bigint;
  /** With 32 only the low word of the argument is compared; the high word must never be read. */
  bits: 32 | 64;
}
