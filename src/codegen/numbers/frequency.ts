/**
 * How often programs make each system call, in parts of ten thousand: the mean of eight small
 * workloads counted with `strace -f -c` on x86_64 (a C compile, Python with SQLite, a Node HTTP
 * server, a shell pipeline, git, tar, apt-cache, jq), each workload weighing the same. Calls that
 * stand for the same work on other architectures are beside the x86_64 ones with the same share.
 */
export const FREQUENCY: ReadonlyMap<string, number> = new Map(
  Object.entries({
    newfstatat: 1903, fstatat64: 1903, read: 1450, openat: 1162, mmap: 957, mmap2: 957, close: 908, lseek: 354,
    _llseek: 354, write: 302, brk: 262, mprotect: 252, epoll_pwait: 225, readlink: 223, rt_sigaction: 199,
    futex: 146, munmap: 138, getsockname: 112, writev: 111, fcntl: 106, fcntl64: 106, access: 102, faccessat: 102,
    socketcall: 120, getdents64: 89, rt_sigprocmask: 89, pread64: 81, ioctl: 74, execve: 63, set_robust_list: 55,
    getrandom: 54, prlimit64: 53, rseq: 41, arch_prctl: 37, set_thread_area: 37, set_tls: 37, set_tid_address: 37,
    pwrite64: 36, getpid: 29, getcwd: 28, wait4: 27, geteuid: 26, geteuid32: 26, dup2: 24, dup3: 24, madvise: 22,
    getgid: 17, getgid32: 17, getuid: 17, getuid32: 17, getegid: 16, getegid32: 16, rt_sigreturn: 15,
    fdatasync: 15, clone: 15, pipe2: 14, sysinfo: 8, statfs: 8, statfs64: 8, epoll_ctl: 7, unlink: 7,
    getppid: 7, mremap: 6, setsockopt: 5, fstat: 5, fstat64: 5, clone3: 4, socket: 4, statx: 4, vfork: 4,
    fadvise64: 4, fchown: 4, capget: 4, prctl: 3, uname: 3, connect: 3, chdir: 3, sched_getaffinity: 3,
  }),
); // prettier-ignore

/** Share of a call that is not in the table. */
export const SELDOM = 1;
