/**
 * Profiles that are mostly arguments. Their shapes are ones that libseccomp compiles rightly (equality, or one
 * comparison for a call), as the proof of each of its programs confirms.
 */

interface Arg {
  index: number;
  value: number;
  valueTwo?: number;
  op: string;
}

/** Calls of a small program, allowed whatever their arguments. */
const PLAIN = [
  'read', 'write', 'close', 'fstat', 'mprotect', 'munmap', 'brk', 'rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn',
  'access', 'sched_yield', 'dup', 'nanosleep', 'getpid', 'getppid', 'exit', 'wait4', 'uname', 'getcwd', 'chdir',
  'getuid', 'geteuid', 'arch_prctl', 'gettid', 'futex', 'set_tid_address', 'clock_gettime', 'exit_group', 'openat',
  'set_robust_list',
]; // prettier-ignore

function profileOf(conditions: Record<string, Arg[][]>): string {
  const checked = Object.entries(conditions).flatMap(([name, rules]) =>
    rules.map((args) => ({ names: [name], action: 'SCMP_ACT_ALLOW', args })),
  );
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1,
    syscalls: [{ names: PLAIN, action: 'SCMP_ACT_ALLOW' }, ...checked],
  });
}

const equals = (index: number, value: number): Arg => ({ index, value, op: 'SCMP_CMP_EQ' });

/** A terminal's commands stand together, a socket's every other one, a driver's anywhere (`_IOC` of asm/ioctl.h). */
export const IOCTL_COMMANDS: readonly number[] = Array.from({ length: 40 }, (_, i) => [
  0x5401 + i,
  0x8901 + 2 * i,
  (1 + (i % 3)) * 2 ** 30 + 4 * (1 + (i % 8)) * 2 ** 16 + (0x41 + ((i * 7) % 26)) * 2 ** 8 + ((i * 37) % 128),
]).flat();

export function ioctlProfile(): string {
  return profileOf({ ioctl: IOCTL_COMMANDS.map((command) => [equals(1, command)]) });
}

/** fcntl(2): six commands, each with four values under a mask of its third argument. */
export const FCNTL_COMMANDS = [0, 1, 2, 3, 4, 1030];
const MASK = 0xffff_f3ff;
export const FCNTL_FLAGS = [0, 1, 2, 0x8000];

export function productProfile(): string {
  const rules = FCNTL_COMMANDS.flatMap((command) =>
    FCNTL_FLAGS.map((flags) => [
      equals(1, command),
      { index: 2, value: MASK, valueTwo: flags, op: 'SCMP_CMP_MASKED_EQ' },
    ]),
  );
  return profileOf({ fcntl: rules });
}

/** Lengths and offsets: one comparison of all 64 bits for each call. */
export function rangeProfile(): string {
  const bound = (index: number, op: string, value: number): Arg[][] => [
    [{ index, value, op: `SCMP_CMP_${op}` }],
  ];
  return profileOf({
    mmap: bound(1, 'LE', 2 ** 36),
    mremap: bound(2, 'LT', 2 ** 36 + 4096),
    madvise: bound(1, 'LE', 2 ** 34),
    lseek: bound(1, 'LT', 2 ** 40),
    pread64: bound(3, 'LT', 2 ** 40),
    pwrite64: bound(3, 'LT', 2 ** 40),
    ftruncate: bound(1, 'LE', 2 ** 33 + 1),
    fallocate: bound(3, 'LE', 2 ** 33),
    sendfile: bound(3, 'LE', 2 ** 32 + 2 ** 31),
    splice: bound(4, 'GT', 2 ** 32),
  });
}
