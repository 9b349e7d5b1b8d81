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
 * The filter binds one thread of a child only, so it may forbid everything: that thread makes the calls under test and no
 * other, leaves its answers in memory that this process shares, and spins until its process ends. The calls after one
 * that did not come back get a new child. Calls that are really done must leave nothing behind that changes later ones.
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
#include <sys/mman.h>
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

enum outcome { RUNNING, LOADED, RETURNED, TRAPPED, NOT_LOADED };

static struct sock_fprog program, guard;
static struct call *calls, call;
static size_t count;
static pid_t thread_id;

/* What the child tells its parent. Of each pair, the atomic member is written last and read first. */
static struct shared {
	/* Of the call at `done`. */
	int trap_nr, trap_data, error;
	unsigned trap_arch;
	_Atomic enum outcome outcome;
	/* Before the first call of this child. The kernel never takes a filter away again. */
	int mode;
	_Atomic int go;
	/* Calls that have come back, and with what. */
	_Atomic size_t done;
	long results[];
} *shared;

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
	shared->trap_nr = info->si_syscall;
	shared->trap_arch = info->si_arch;
	shared->trap_data = info->si_errno;
	shared->outcome = TRAPPED;
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
			shared->error = errno;
			shared->outcome = NOT_LOADED;
			spin();
		}
	}
	shared->outcome = LOADED;
	while (!shared->go)
		__builtin_ia32_pause();
	for (size_t at = shared->done; at < count; at = ++shared->done) {
		call = calls[at];
		shared->results[at] = call.int80 ? enter_int80() : enter_syscall();
	}
	shared->outcome = RETURNED;
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

/* Waits until the bound thread is through with `outcome`, or killed. */
static void wait_while(pthread_t thread, enum outcome outcome)
{
	struct timespec nap = {0, 20000};

	while (shared->outcome == outcome && pthread_tryjoin_np(thread, NULL) == EBUSY)
		nanosleep(&nap, NULL);
}

/* In the child: has the bound thread make the calls from `done` on. Does not come back. */
static void watch(void)
{
	struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
	struct rlimit no_core = {0, 0};
	pthread_t thread;

	setrlimit(RLIMIT_CORE, &no_core);
	sigaction(SIGSYS, &action, NULL);
	if (pthread_create(&thread, NULL, bound_thread, NULL) != 0)
		_exit(70);
	wait_while(thread, RUNNING);
	if (shared->outcome == LOADED) {
		shared->mode = seccomp_mode(thread_id);
		shared->go = 1;
		wait_while(thread, LOADED);
	}
	_exit(0);
}

/* What became of the call that did not come back. */
static void print_end(int status)
{
	if (WIFSIGNALED(status))
		printf("killed-process %d\n", WTERMSIG(status));
	else if (shared->outcome == NOT_LOADED)
		printf("load %d\n", shared->error);
	else if (shared->outcome == TRAPPED)
		printf("trap %u %u %d\n", (unsigned)shared->trap_nr, shared->trap_arch, shared->trap_data);
	else
		puts("killed-thread");
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
		call.int80 = strcmp(how, "int80") == 0;
		calls = realloc(calls, (count + 1) * sizeof(*calls));
		if (calls == NULL)
			return 70;
		calls[count++] = call;
	}
	shared = mmap(NULL, sizeof(*shared) + count * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 70;
	for (size_t at = 0; at < count; at = ++shared->done) {
		int status;

		shared->outcome = RUNNING;
		shared->go = 0;
		pid_t child = fork();
		if (child == 0)
			watch();
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 70;
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			return WEXITSTATUS(status);
		for (; at < shared->done; at++)
			if (shared->results[at] < 0 && shared->results[at] >= -4095)
				printf("errno %ld %d\n", -shared->results[at], shared->mode);
			else
				printf("value %ld %d\n", shared->results[at], shared->mode);
		if (at == count)
			break;
		print_end(status);
	}
	return 0;
}
