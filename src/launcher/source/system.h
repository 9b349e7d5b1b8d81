/*
 * What the programs of this folder use instead of a C library: system calls and the first instructions, for six machines.
 * The numbers are here, so that the bytes depend on the compiler alone (asm/unistd.h of each architecture).
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define NOINLINE __attribute__((noinline))

/*
 * `sys` takes the number of a call and four arguments; the fifth is 0. It gives -errno. There is one instruction for all
 * calls, so that a filter of the caller cannot tell them apart by it. A call with fewer arguments leaves the others as they
 * are. `_start` gives `begin` the stack: argc, the words, the environment.
 */
#if defined(__x86_64__)
enum { NR_read = 0, NR_write = 1, NR_close = 3, NR_brk = 12, NR_clone = 56, NR_execve = 59, NR_wait4 = 61, NR_fcntl = 72,
       NR_ptrace = 101, NR_prctl = 157, NR_getdents64 = 217, NR_exit_group = 231, NR_openat = 257, NR_seccomp = 317 };
__asm__(".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call begin\n"
        "sys: mov %edi, %eax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n mov %r8, %r10\n xor %r8d, %r8d\n"
        "syscall\n ret");
#elif defined(__aarch64__) || defined(__riscv)
enum { NR_fcntl = 25, NR_openat = 56, NR_close = 57, NR_getdents64 = 61, NR_read = 63, NR_write = 64, NR_exit_group = 94,
       NR_ptrace = 117, NR_prctl = 167, NR_brk = 214, NR_clone = 220, NR_execve = 221, NR_wait4 = 260,
       NR_seccomp = 277 };
#if defined(__riscv)
__asm__(".globl _start\n_start: mv a0, sp\n jal begin\n"
        "sys: mv a7, a0\n mv a0, a1\n mv a1, a2\n mv a2, a3\n mv a3, a4\n li a4, 0\n ecall\n ret");
#else
__asm__(".globl _start\n_start: mov x0, sp\n bl begin\n"
        "sys: mov x8, x0\n mov x0, x1\n mov x1, x2\n mov x2, x3\n mov x3, x4\n mov x4, 0\n svc 0\n ret");
#endif
#elif defined(__arm__)
enum { NR_read = 3, NR_write = 4, NR_close = 6, NR_execve = 11, NR_ptrace = 26, NR_brk = 45, NR_fcntl = 55, NR_wait4 = 114,
       NR_clone = 120, NR_prctl = 172, NR_getdents64 = 217, NR_exit_group = 248, NR_openat = 322, NR_seccomp = 383 };
__asm__(".globl _start\n_start: mov r0, sp\n bic sp, sp, #7\n bl begin\n"
        "sys: push {r4, r7}\n mov r7, r0\n mov r0, r1\n mov r1, r2\n mov r2, r3\n ldr r3, [sp, #8]\n mov r4, #0\n"
        "svc 0\n pop {r4, r7}\n bx lr");
#elif defined(__s390x__)
/* clone(2): the flags come second. */
#define CLONE(flags) 0, flags
enum { NR_read = 3, NR_write = 4, NR_close = 6, NR_execve = 11, NR_ptrace = 26, NR_brk = 45, NR_fcntl = 55, NR_wait4 = 114,
       NR_clone = 120, NR_prctl = 172, NR_getdents64 = 220, NR_exit_group = 248, NR_openat = 288, NR_seccomp = 348 };
__asm__(".globl _start\n_start: lgr %r2, %r15\n aghi %r15, -160\n brasl %r14, begin\n"
        "sys: lgr %r0, %r6\n lgr %r1, %r2\n lgr %r2, %r3\n lgr %r3, %r4\n lgr %r4, %r5\n lgr %r5, %r6\n lghi %r6, 0\n"
        "svc 0\n lgr %r6, %r0\n br %r14");
#elif defined(__powerpc64__)
enum { NR_read = 3, NR_write = 4, NR_close = 6, NR_execve = 11, NR_ptrace = 26, NR_brk = 45, NR_fcntl = 55, NR_wait4 = 114,
       NR_clone = 120, NR_prctl = 171, NR_getdents64 = 202, NR_exit_group = 234, NR_openat = 286, NR_seccomp = 358 };
__asm__(".globl _start\n_start: lis 2, .TOC.@ha\n addi 2, 2, .TOC.@l\n mr 3, 1\n stdu 1, -32(1)\n bl begin\n"
        "sys: mr 0, 3\n mr 3, 4\n mr 4, 5\n mr 5, 6\n mr 6, 7\n li 7, 0\n sc\n bnslr+\n neg 3, 3\n blr");
#endif
enum { NR_close_range = 436 };
#ifndef CLONE
#define CLONE(flags) flags, 0
#endif

long sys(long nr, long a, long b, long c, long d);
long sys1(long nr, long a) __asm__("sys");
long sys2(long nr, long a, long b) __asm__("sys");
long sys3(long nr, long a, long b, long c) __asm__("sys");

static void NOINLINE say(long fd, const char *text)
{
    long length = 0;
    while (text[length])
        length++;
    sys3(NR_write, fd, (long)text, length);
}

static _Noreturn void quit(long code)
{
    for (;;)
        sys1(NR_exit_group, code);
}

/* A number without a sign that fits an int; -1 for another text. */
static long number_in(const char *text)
{
    long number = 0;
    do {
        long digit = *text - '0';
        if (digit < 0 || digit > 9 || number > 99999999)
            return -1;
        number = number * 10 + digit;
    } while (*++text);
    return number;
}

/* What follows a prefix; 0 for a text without it. */
static NOINLINE const char *after(const char *prefix, const char *text)
{
    while (*prefix)
        if (*prefix++ != *text++)
            return 0;
    return text;
}
