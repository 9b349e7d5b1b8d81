/** What several filters mean together, call by call. */
import { compareSeverity, isKnownAction, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_LOG } from '../action.ts'; // prettier-ignore
import { strictest, UNREFUSED } from '../bpf/stack.ts';
import type { Joined } from '../prove/compare.ts';

export type Operation = 'intersect' | 'union' | 'subtract' | 'extend';

/** What a patch answers where none of its entries matches: an action that no profile can name. */
export const UNMATCHED = 0x7ffe0000;

/**
 * How the answers (u32) of the inputs are joined, from the first input to the last. Among equal
 * actions the data of the first input counts. `intersect` is what the kernel makes of the filters
 * if the last input is loaded first. Of `extend`, all inputs but the first are patches.
 */
export const OPERATIONS: Record<Operation, Omit<Joined, 'sides'>> = {
  intersect: { start: UNREFUSED, join: strictest },
  union: {
    start: undefined,
    join: (before, next) => (compareSeverity(effective(next), effective(before)) > 0 ? next : before),
  },
  subtract: {
    start: undefined,
    join: (before, next) => (refuses(next) && !refuses(before) ? next : before),
  },
  extend: { start: undefined, join: (before, next) => (next === UNMATCHED ? before : next) },
};

/** The kernel ends the process for an action that it does not know (linux/seccomp.h). */
function effective(answer: number): number {
  return isKnownAction(answer) ? answer : SECCOMP_RET_KILL_PROCESS;
}

/** Whether the filter alone does not let the call run. */
export function refuses(answer: number): boolean {
  return [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG].every((lets) => compareSeverity(effective(answer), lets) !== 0);
}
