/*
 * Loads a filter and becomes a command. Constants: linux/prctl.h, linux/seccomp.h, linux/filter.h, linux/wait.h,
 * asm-generic/errno-base.h.
 */
#include "system.h"

enum { EX_USAGE = 64, EX_UNAVAILABLE = 69, EX_CANNOT = 126, EX_NOT_FOUND = 127 };
enum { ENOENT = 2, ENOEXEC = 8, EACCES = 13, ENOTDIR = 20 };
enum { PR_SET_NO_NEW_PRIVS = 38, PR_GET_NO_NEW_PRIVS = 39, SECCOMP_SET_MODE_FILTER = 1 };
/* OPEN_MAX: as many descriptors as /proc/sys/fs/nr_open allows, unless root has changed that. */
enum { SIGCHLD = 17, WALL = 0x40000000, PATH_MAX = 4096, OPEN_MAX = 1 << 20 };

struct sock_filter {
    u16 code;
    u8 jt, jf;
    u32 k;
};

struct sock_fprog {
    u16 length;
    const struct sock_filter *filter;
};

struct start {
    struct sock_fprog program;
    u32 flags;
    /* The slot before the first word is ours too. */
    char **words, **environment;
    /* Descriptors from 3 on that stay open. */
    const long *keep;
    long kept;
    /* Where messages go, and how they begin. */
    long fd;
    const char *prefix;
};

static _Noreturn NOINLINE void give_up(const struct start *s, const char *what, long result, long code)
{
    char digits[3];
    digits[0] = digits[1] = '0';
    digits[2] = '\n';
    say(s->fd, s->prefix);
    say(s->fd, what);
    if (result) {
        /* Not every machine divides; none of our calls gives a number above 99. */
        for (; result <= -10; result += 10)
            digits[0]++;
        digits[1] -= result;
        sys3(NR_write, s->fd, (long)digits, sizeof digits);
    }
    quit(code);
}

/* All of a packet, or of a part of it. */
static inline void read_all(const struct start *s, long fd, void *buffer, long size)
{
    for (char *at = buffer; size;) {
        long got = sys3(NR_read, fd, (long)at, size);
        if (got <= 0)
            give_up(s, "the packet is not complete: errno ", got ? got : -5, EX_UNAVAILABLE);
        at += got;
        size -= got;
    }
}

/* Closes the descriptors from 3 on. */
static void close_others(const struct start *s)
{
    u32 next;
    for (u32 low = 3; low; low = next + 1) {
        next = ~0u;
        for (long i = 0; i < s->kept; i++)
            if ((u32)s->keep[i] >= low && (u32)s->keep[i] < next)
                next = s->keep[i];
        /* New in Linux 5.9, and some filters refuse it. */
        if (low < next && sys3(NR_close_range, low, next - 1, 0))
            while (low < next && low < OPEN_MAX)
                sys1(NR_close, low++);
    }
}

/* The errno of no call. */
enum { MARK = 3210 };
static const struct sock_filter PROBE[] = {
    { 0x20, 0, 0, 0 }, /* the number of the call */
    { 0x15, 0, 1, NR_prctl },
    { 0x06, 0, 0, 0x00050000 | MARK },
    { 0x06, 0, 0, 0x7fff0000 },
};

/* How the child below ends that has seen the probe at work. Where fork(2) only seems to work, we do. */
enum { PROBE_WORKS = EX_UNAVAILABLE, PROBE_FAILS };

/*
 * A filter that is on already can answer seccomp(2) with success. It sees the arguments, but not what they point to: a child
 * makes the same call with a probe in the same place, and looks whether the kernel has it.
 */
static void load_filter(struct start *s)
{
    int status = 0;
    sys(NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
    if (sys(NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0) != 1)
        give_up(s, "no_new_privs cannot be set\n", 0, EX_UNAVAILABLE);
    /* No signal at its end: who ignores SIGCHLD could not wait for it. Emulators know no child without. */
    long child = sys(NR_clone, 0, 0, 0, 0);
    if (child < 0)
        child = sys(NR_clone, CLONE(SIGCHLD), 0, 0);
    if (child < 0)
        give_up(s, "no child can be started: errno ", child, EX_UNAVAILABLE);
    if (child) {
        if (sys(NR_wait4, child, (long)&status, WALL, 0) != child || status != PROBE_WORKS << 8) {
            if (status != PROBE_FAILS << 8)
                give_up(s, "a child cannot try seccomp(2)\n", 0, EX_UNAVAILABLE);
            quit(EX_UNAVAILABLE);
        }
        if (s->fd != 2)
            say(s->fd, "+");
    } else {
        s->program.length = sizeof PROBE / sizeof *PROBE;
        s->program.filter = PROBE;
    }
    long result = sys3(NR_seccomp, SECCOMP_SET_MODE_FILTER, s->flags, (long)&s->program);
    if (result)
        give_up(s, "the kernel loads no filter: errno ", result, child ? EX_UNAVAILABLE : PROBE_FAILS);
    if (child)
        return;
    if (sys(NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0) != -MARK)
        give_up(s, "seccomp(2) succeeds without a filter\n", 0, PROBE_FAILS);
    quit(PROBE_WORKS);
}

/* execve(2), and a shell for what has no format of its own, as execvp(3). */
static NOINLINE long execute(const struct start *s, char *path)
{
    char **words = s->words;
    char *first = words[0];
    long result = sys3(NR_execve, (long)path, (long)words, (long)s->environment);
    if (result == -ENOEXEC) {
        words[0] = path;
        *--words = "/bin/sh";
        result = sys3(NR_execve, (long)*words, (long)words, (long)s->environment);
        words[1] = first;
    }
    return result;
}

/* Looks for the command as execvp(3) does, and becomes it. */
static _Noreturn void become(struct start *s, char *command)
{
    long result = -ENOENT, denied = 0;
    const char *folder = "/bin:/usr/bin";
    char path[PATH_MAX];
    const char *slash = command;
    while (*slash && *slash != '/')
        slash++;
    if (*slash) {
        result = execute(s, command);
    } else if (slash != command) {
        for (char **variable = s->environment; *variable; variable++) {
            const char *value = after("PATH=", *variable);
            if (value) {
                folder = value;
                break;
            }
        }
        do {
            char *end = path;
            const char *name = command;
            while (*folder && *folder != ':' && end < path + PATH_MAX - 2)
                *end++ = *folder++;
            if (end == path)
                *end++ = '.';
            *end++ = '/';
            while (*name && end < path + PATH_MAX - 1)
                *end++ = *name++;
            *end = 0;
            /* A path that is too long is no path. */
            if (!*name && (!*folder || *folder == ':'))
                result = execute(s, path);
            if (result == -EACCES)
                denied = result;
            else if (result != -ENOENT && result != -ENOTDIR)
                break;
            while (*folder && *folder != ':')
                folder++;
        } while (*folder++);
        if (denied && (result == -ENOENT || result == -ENOTDIR))
            result = denied;
    }
    say(s->fd, s->prefix);
    s->prefix = command;
    if (result == -ENOENT || result == -ENOTDIR)
        give_up(s, ": not found\n", 0, EX_NOT_FOUND);
    if (result == -EACCES)
        give_up(s, ": permission denied\n", 0, EX_CANNOT);
    give_up(s, ": cannot be executed: errno ", result, EX_CANNOT);
}
