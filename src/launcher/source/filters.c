/*
 * `filters PID` writes the filters of a thread, oldest first: each as a u32 of this machine, how many instructions it has,
 * and the instructions. If it cannot, descriptor 2 gets the call that failed, and the exit code is its errno.
 *
 * It attaches without a signal, stops the thread, copies its filters, and lets it go on. So does the kernel when this
 * program ends. Constants: linux/ptrace.h, linux/prctl.h, linux/wait.h, asm-generic/errno-base.h.
 */
#include "system.h"

enum { PTRACE_DETACH = 17, PTRACE_SEIZE = 0x4206, PTRACE_INTERRUPT = 0x4207, PTRACE_SECCOMP_GET_FILTER = 0x420c };
enum { ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, EAGAIN = 11, ENOMEM = 12, EINVAL = 22 };
enum { PR_SET_PDEATHSIG = 1, SIGKILL = 9, WALL = 0x40000000, STOPPED = 0x7f };

static _Noreturn NOINLINE void fail(const char *call, long result)
{
    say(2, call);
    quit(-result);
}

_Noreturn void begin(long *stack)
{
    long pid = stack[0] == 2 ? number_in(((char **)(stack + 1))[1]) : -1;
    (void)after;
    if (pid <= 0)
        fail("usage: filters PID", -EINVAL);
    sys(NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
    long result = sys(NR_ptrace, PTRACE_SEIZE, pid, 0, 0);
    if (result)
        fail("PTRACE_SEIZE", result);
    result = sys(NR_ptrace, PTRACE_INTERRUPT, pid, 0, 0);
    if (result)
        fail("PTRACE_INTERRUPT", result);
    int status = 0;
    do
        result = sys(NR_wait4, pid, (long)&status, WALL, 0);
    while (result == -EINTR);
    if (result < 0)
        fail("wait4", result);
    if ((status & 0xff) != STOPPED)
        fail("wait4", -ESRCH);

    char *start = (char *)((sys1(NR_brk, 0) + 7) & -8), *end = start;
    long fault = 0;
    for (long n = 0; !fault; n++) {
        long length = sys(NR_ptrace, PTRACE_SECCOMP_GET_FILTER, pid, n, 0);
        if (length == -ENOENT && n)
            break;
        if (length < 0) {
            fault = length;
            break;
        }
        long next = (long)end + sizeof(u32) + length * 8;
        if (sys1(NR_brk, next) < next) {
            fault = -ENOMEM;
            break;
        }
        *(u32 *)end = length;
        result = sys(NR_ptrace, PTRACE_SECCOMP_GET_FILTER, pid, n, (long)end + sizeof(u32));
        if (result != length)
            fault = result < 0 ? result : -EAGAIN;
        end = (char *)next;
    }
    /* A signal that stopped the thread before our request did is not lost; other stops need none. */
    long signal = status >> 16 ? 0 : (status >> 8) & 0xff;
    result = sys(NR_ptrace, PTRACE_DETACH, pid, 0, signal);
    if (result)
        fail("PTRACE_DETACH", result);
    if (fault)
        fail("PTRACE_SECCOMP_GET_FILTER", fault);
    while (start < end) {
        result = sys3(NR_write, 1, (long)start, end - start);
        if (result <= 0 && result != -EINTR)
            fail("write", result ? result : -EIO);
        start += result > 0 ? result : 0;
    }
    quit(0);
}
