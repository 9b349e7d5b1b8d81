/*
 * Puts the kernel to work on a filter: loads it into a thread, makes one call there, says what became of it.
 *
 *   victim FILTER|- [GUARD] <calls        - is no filter: what the call does by itself
 *
 * GUARD is a filter that is loaded before the other one, which it has to allow. The kernel asks both, and takes the
 * stricter answer, of two errnos that of the one loaded last: so a guard that refuses everything else with an errno of its
 * own shows what the other filter allows without any call being done.
 *
 * Each line of stdin is `HOW NR A0 A1 A2 A3 A4 A5`, unsigned numbers, HOW being `syscall` (the instruction of this
 * build's own ABI) or `int80` (32-bit x86's entry, from a 64-bit process with its full registers). For each one line:
 *
 *   value N MODE | errno N MODE   the call came back; MODE is the Seccomp: field of the thread's status
 *   trap NR ARCH DATA             SIGSYS with these si_syscall, si_arch and si_errno
 *   killed-thread | killed-process SIGNAL
 *   load ERRNO                    the kernel refused the filter
 *
 * The filter binds one thread of a fresh child only, so it may forbid everything: that thread needs no call after
 * the one under test, it leaves its answer in memory and spins until its process ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct call {
	int int80;
	uint64_t nr, args[6];
};

enum outcome { RUNNING, RETURNED, TRAPPED, NOT_LOADED };

static struct sock_fprog program, guard;
static struct call call;
static long result;
static int trap_nr, trap_data;
static unsigned trap_arch;
static pid_t thread_id;
/* Written last by the bound thread and read first by its watcher: what stands above is then there. */
static _Atomic enum outcome outcome = RUNNING;

static void spin(void)
{
	for (;;)
		__builtin_ia32_pause();
}

/* The entry of 32-bit x86. Registers go in whole; the return value is 32 bits wide. */
static long enter_int80(void)
{
	int ret;
#ifdef __x86_64__
	uint64_t in[7] = {call.nr, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5]};

	__asm__ volatile("push %%rbp\n\t"
			 "push %%rbx\n\t"
			 "mov 8(%%rax), %%rbx\n\t"
			 "mov 16(%%rax), %%rcx\n\t"
			 "mov 24(%%rax), %%rdx\n\t"
			 "mov 32(%%rax), %%rsi\n\t"
			 "mov 40(%%rax), %%rdi\n\t"
			 "mov 48(%%rax), %%rbp\n\t"
			 "mov (%%rax), %%rax\n\t"
			 "int $0x80\n\t"
			 "pop %%rbx\n\t"
			 "pop %%rbp\n\t"
			 : "=a"(ret)
			 : "a"((uint64_t *)in)
			 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
#else
	uint32_t in[7] = {call.nr, call.args[0], call.args[1], call.args[2], call.args[3], call.args[4], call.args[5]};

	__asm__ volatile("push %%ebp\n\t"
			 "push %%ebx\n\t"
			 "mov 4(%%eax), %%ebx\n\t"
			 "mov 8(%%eax), %%ecx\n\t"
			 "mov 12(%%eax), %%edx\n\t"
			 "mov 16(%%eax), %%esi\n\t"
			 "mov 20(%%eax), %%edi\n\t"
			 "mov 24(%%eax), %%ebp\n\t"
			 "mov (%%eax), %%eax\n\t"
			 "int $0x80\n\t"
			 "pop %%ebx\n\t"
			 "pop %%ebp\n\t"
			 : "=a"(ret)
			 : "a"((uint32_t *)in)
			 : "ecx", "edx", "esi", "edi", "memory", "cc");
#endif
	return ret;
}

static long enter_syscall(void)
{
#ifdef __x86_64__
	long ret;
	register uint64_t r10 __asm__("r10") = call.args[3];
	register uint64_t r8 __asm__("r8") = call.args[4];
	register uint64_t r9 __asm__("r9") = call.args[5];

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(call.nr), "D"(call.args[0]), "S"(call.args[1]), "d"(call.args[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory", "cc");
	return ret;
#else
	return enter_int80();
#endif
}

static void trapped(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	trap_nr = info->si_syscall;
	trap_arch = info->si_arch;
	trap_data = info->si_errno;
	outcome = TRAPPED;
	spin();
}

static void *bound_thread(void *unused)
{
	(void)unused;
	thread_id = (pid_t)syscall(SYS_gettid);
	if (program.len != 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		    (guard.len != 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &guard) != 0) ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
			result = errno;
			outcome = NOT_LOADED;
			spin();
		}
	}
	result = call.int80 ? enter_int80() : enter_syscall();
	outcome = RETURNED;
	spin();
	return NULL;
}

/* The Seccomp: field of a thread: 0 none, 2 filter; -1 if it cannot be read. */
static int seccomp_mode(pid_t tid)
{
	char path[64], line[256];
	int mode = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	FILE *status = fopen(path, "r");
	while (status != NULL && fgets(line, sizeof(line), status))
		if (sscanf(line, "Seccomp: %d", &mode) == 1)
			break;
	if (status != NULL)
		fclose(status);
	return mode;
}

/* In the child: waits for the bound thread, prints what happened. Does not come back. */
static void watch(void)
{
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	struct timespec nap = {0, 20000};
	struct rlimit no_core = {0, 0};
	pthread_t thread;

	setrlimit(RLIMIT_CORE, &no_core);
	sigaction(SIGSYS, &action, NULL);
	if (pthread_create(&thread, NULL, bound_thread, NULL) != 0)
		exit(70);
	while (outcome == RUNNING && pthread_tryjoin_np(thread, NULL) == EBUSY)
		nanosleep(&nap, NULL);
	switch (outcome) {
	case RUNNING:
		puts("killed-thread");
		break;
	case NOT_LOADED:
		printf("load %ld\n", result);
		break;
	case TRAPPED:
		printf("trap %u %u %d\n", (unsigned)trap_nr, trap_arch, trap_data);
		break;
	case RETURNED:
		if (result < 0 && result >= -4095)
			printf("errno %ld %d\n", -result, seccomp_mode(thread_id));
		else
			printf("value %ld %d\n", result, seccomp_mode(thread_id));
		break;
	}
	fflush(stdout);
	_exit(0);
}

static struct sock_fprog load(const char *path)
{
	struct sock_filter *instructions = calloc(65536, sizeof(*instructions));
	FILE *file = fopen(path, "rb");
	struct sock_fprog loaded;

	if (file == NULL) {
		perror(path);
		exit(66);
	}
	loaded.len = (unsigned short)fread(instructions, sizeof(instructions[0]), 65535, file);
	loaded.filter = instructions;
	fclose(file);
	if (loaded.len == 0)
		exit(66);
	return loaded;
}

int main(int argc, char **argv)
{
	char how[16];

	if (argc != 2 && argc != 3)
		return 64;
	if (strcmp(argv[1], "-") != 0)
		program = load(argv[1]);
	if (argc == 3)
		guard = load(argv[2]);
	while (scanf("%15s %llu %llu %llu %llu %llu %llu %llu", how, (unsigned long long *)&call.nr,
		     (unsigned long long *)&call.args[0], (unsigned long long *)&call.args[1],
		     (unsigned long long *)&call.args[2], (unsigned long long *)&call.args[3],
		     (unsigned long long *)&call.args[4], (unsigned long long *)&call.args[5]) == 8) {
		int status;

		call.int80 = strcmp(how, "int80") == 0;
		fflush(stdout);
		pid_t child = fork();
		if (child == 0)
			watch();
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 70;
		if (WIFSIGNALED(status))
			printf("killed-process %d\n", WTERMSIG(status));
		else if (WEXITSTATUS(status) != 0)
			return WEXITSTATUS(status);
	}
	return 0;
}
