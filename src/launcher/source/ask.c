/*
 * `ask`: makes one call under a filter, and exits with what its error number is above BASE. Reads from descriptor 0:
 *
 *   u64 of this machine: the number of the call, its six arguments, how many instructions follow; then the filter
 */
#include "start.h"

enum { BASE = 4000, MOST_INSTRUCTIONS = 4096 };

struct question {
    u64 number, arguments[6], instructions;
    struct sock_filter filter[MOST_INSTRUCTIONS];
};

/* With all registers that a filter sees. */
long make_call(long number, const long *arguments);
#if defined(__x86_64__)
__asm__("make_call: mov %rdi, %rax\n mov %rsi, %rcx\n mov (%rcx), %rdi\n mov 8(%rcx), %rsi\n mov 16(%rcx), %rdx\n"
        "mov 24(%rcx), %r10\n mov 32(%rcx), %r8\n mov 40(%rcx), %r9\n syscall\n ret");
#elif defined(__aarch64__)
__asm__("make_call: mov x8, x0\n mov x9, x1\n ldp x0, x1, [x9]\n ldp x2, x3, [x9, 16]\n ldp x4, x5, [x9, 32]\n svc 0\n ret");
#elif defined(__riscv)
__asm__("make_call: mv a7, a0\n mv t0, a1\n ld a0, 0(t0)\n ld a1, 8(t0)\n ld a2, 16(t0)\n ld a3, 24(t0)\n ld a4, 32(t0)\n"
        "ld a5, 40(t0)\n ecall\n ret");
#elif defined(__arm__)
__asm__("make_call: push {r4, r5, r7, lr}\n mov r7, r0\n mov r12, r1\n ldm r12, {r0, r1, r2, r3, r4, r5}\n svc 0\n"
        "pop {r4, r5, r7, pc}");
#elif defined(__s390x__)
__asm__("make_call: lgr %r1, %r2\n stmg %r6, %r7, 48(%r15)\n lmg %r2, %r7, 0(%r3)\n svc 0\n lmg %r6, %r7, 48(%r15)\n br %r14");
#elif defined(__powerpc64__)
__asm__("make_call: mr 0, 3\n mr 9, 4\n ld 3, 0(9)\n ld 4, 8(9)\n ld 5, 16(9)\n ld 6, 24(9)\n ld 7, 32(9)\n ld 8, 40(9)\n"
        "sc\n bnslr+\n neg 3, 3\n blr");
#endif

_Noreturn void begin(long *stack)
{
    struct start s;
    struct question question;
    long arguments[6];
    (void)stack;
    s.fd = 2;
    s.prefix = "";
    read_all(&s, 0, &question, __builtin_offsetof(struct question, filter));
    /* Nothing else can end us. */
    if (question.instructions > MOST_INSTRUCTIONS || question.number == NR_exit_group)
        give_up(&s, "this cannot be asked\n", 0, EX_USAGE);
    read_all(&s, 0, question.filter, question.instructions * sizeof *question.filter);
    for (long i = 0; i < 6; i++)
        arguments[i] = question.arguments[i];
    s.program.length = question.instructions;
    s.program.filter = question.filter;
    s.flags = 0;
    load_filter(&s);
    long result = make_call(question.number, arguments);
    quit(result < -BASE ? -result - BASE : 0);
}
