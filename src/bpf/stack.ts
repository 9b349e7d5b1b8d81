/**
 * All filters of a thread as the kernel runs them: each one at every call, the newest first. The
 * strictest action counts; among equal actions the data of the newest filter.
 *
 * Source: seccomp_run_filters in kernel/seccomp.c; seccomp(2), "the first-seen action value of
 * highest precedence".
 */
import { compareSeverity, SECCOMP_RET_ALLOW } from '../action.ts';
import type { Endian, SeccompData, SockFilter } from './instruction.ts';
import { run } from './interpreter.ts';
import type { Run } from './interpreter.ts';

/** The filters of a thread, oldest first. */
export interface Stack {
  stack: readonly (readonly SockFilter[])[];
  endian: Endian;
}

/** One program or all of a thread, with the byte order of the machine. */
export type Programs = { program: readonly SockFilter[]; endian: Endian } | Stack;

/** Oldest first. */
export function programsOf(programs: Programs): Stack['stack'] {
  return 'program' in programs ? [programs.program] : programs.stack;
}

/** What a call gets that no filter refuses: not the data of a filter that allows it. */
export const UNREFUSED = SECCOMP_RET_ALLOW;

/** The answer (u32), from that of newer filters and that of the next older one. */
export function strictest(newer: number, older: number): number {
  return compareSeverity(older, newer) < 0 ? older : newer;
}

export interface StackRun extends Run {
  /**
   * Place of the filter that decides; undefined if all allow the call. `path` is that of this
   * filter, or the oldest.
   */
  by?: number | undefined;
}

/**
 * `steps` are those of all programs: the kernel runs each to its end.
 * @throws RangeError as {@link run}
 */
export function runPrograms(programs: Programs, data: SeccompData): StackRun {
  if ('program' in programs) return run(programs.program, data, programs.endian);
  const runs = programs.stack.map((program) => run(program, data, programs.endian));
  let value = UNREFUSED;
  let by: number | undefined;
  for (let at = runs.length - 1; at >= 0; at--) {
    const next = strictest(value, runs[at]!.value);
    if (next !== value) [value, by] = [next, at];
  }
  const steps = runs.reduce((sum, each) => sum + each.steps, 0);
  return { value, by, steps, path: runs[by ?? 0]!.path };
}
