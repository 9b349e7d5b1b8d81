import type { FlagName } from '../profile/types.ts';

/** linux/seccomp.h. No flags that need a listener. */
const BITS: Partial<Record<FlagName, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

/** Whether the kernel wants a listener with a flag. */
export function needsListener(flag: FlagName): boolean {
  return !(flag in BITS);
}

/**
 * The flags for seccomp(2), without those that need a listener. As runtimes do: SPEC_ALLOW unless
 * the profile says otherwise.
 */
export function flagBits(flags: readonly FlagName[] = ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']): number {
  return flags.reduce((bits, flag) => bits | (BITS[flag] ?? 0), 0);
}
