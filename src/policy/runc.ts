import { compareReleases } from '../target.ts';
import type { Target } from '../target.ts';

/** The first release of runc with each of them. docs/semantics.md sections 2.4, 9 and 10.1. */
export const RUNC_SINCE = {
  /** The stub for a native architecture that the profile does not list. */
  nativeStub: '1.1.15',
  flags: '1.2',
  WAIT_KILLABLE_RECV: '1.5',
  RISCV64: '1.1.8',
  /** Debian's build; others from 1.4.1 on. */
  LOONGARCH64: '1.1.15',
} as const;

/** Undefined if the target names no release of runc. */
export function runcHas(
  { semantics, runcRelease }: Target,
  feature: keyof typeof RUNC_SINCE,
): boolean | undefined {
  if (semantics !== 'runc' || runcRelease === undefined) return undefined;
  return compareReleases(runcRelease, RUNC_SINCE[feature]) >= 0;
}
