/**
 * Seccomp actions: OCI names, kernel return values, and the kernel's order of precedence.
 *
 * Source: `SECCOMP_RET_*` in linux/seccomp.h; docs/semantics.md section 4.
 */

export const SECCOMP_RET_KILL_PROCESS = 0x80000000;
export const SECCOMP_RET_KILL_THREAD = 0x00000000;
export const SECCOMP_RET_TRAP = 0x00030000;
export const SECCOMP_RET_ERRNO = 0x00050000;
export const SECCOMP_RET_USER_NOTIF = 0x7fc00000;
export const SECCOMP_RET_TRACE = 0x7ff00000;
export const SECCOMP_RET_LOG = 0x7ffc0000;
export const SECCOMP_RET_ALLOW = 0x7fff0000;

/**
 * Upper half of a return value: which action. Lower half: its data (an errno, a tracer's message).
 */
export const SECCOMP_RET_ACTION_FULL = 0xffff0000;
export const SECCOMP_RET_DATA = 0x0000ffff;

export type ActionName =
  | 'SCMP_ACT_KILL' | 'SCMP_ACT_KILL_PROCESS' | 'SCMP_ACT_KILL_THREAD' | 'SCMP_ACT_TRAP' | 'SCMP_ACT_ERRNO'
  | 'SCMP_ACT_NOTIFY' | 'SCMP_ACT_TRACE' | 'SCMP_ACT_LOG' | 'SCMP_ACT_ALLOW'; // prettier-ignore

const VALUES: Record<ActionName, number> = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
};

export const ACTION_NAMES = Object.keys(VALUES) as ActionName[];

/** The u32 a filter returns for an action; `data` is the low half (0..0xffff). */
export function actionValue(name: ActionName, data = 0): number {
  return (VALUES[name] | (data & SECCOMP_RET_DATA)) >>> 0;
}

/** ERRNO and TRACE are the only actions whose low half means something. */
export function carriesErrno(name: ActionName): boolean {
  return name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE';
}

/** The kernel's names of the actions, by the upper half of the return value. */
const LABELS = new Map<number, string>([
  [SECCOMP_RET_KILL_PROCESS, 'KILL_PROCESS'],
  [SECCOMP_RET_KILL_THREAD, 'KILL_THREAD'],
  [SECCOMP_RET_TRAP, 'TRAP'],
  [SECCOMP_RET_ERRNO, 'ERRNO'],
  [SECCOMP_RET_USER_NOTIF, 'USER_NOTIF'],
  [SECCOMP_RET_TRACE, 'TRACE'],
  [SECCOMP_RET_LOG, 'LOG'],
  [SECCOMP_RET_ALLOW, 'ALLOW'],
]);

/**
 * `ERRNO`, `ALLOW` ...; undefined for a value the kernel does not know (it then kills the process).
 */
export function actionLabel(value: number): string | undefined {
  return LABELS.get((value & SECCOMP_RET_ACTION_FULL) >>> 0);
}

/** Whether a return value has a known action in its upper half. */
export function isKnownAction(value: number): boolean {
  return actionLabel(value) !== undefined;
}

/**
 * Sorts return values as the kernel does among several filters: the lower, the stricter (a signed
 * compare).
 */
export function compareSeverity(a: number, b: number): number {
  return ((a & SECCOMP_RET_ACTION_FULL) | 0) - ((b & SECCOMP_RET_ACTION_FULL) | 0);
}

/**
 * Sorts return values by what gets through, the strictest first: the kernel's order of actions, and
 * of the ERRNOs the one with errno 0 last. There the call does not run, but reports success; any
 * other errno is a refusal.
 */
export function compareStrictness(a: number, b: number): number {
  return compareSeverity(a, b) || Number(isFalseSuccess(a)) - Number(isFalseSuccess(b));
}

function isFalseSuccess(value: number): boolean {
  return (value & SECCOMP_RET_ACTION_FULL) === SECCOMP_RET_ERRNO && (value & SECCOMP_RET_DATA) === 0;
}
