/* What the programs that time the kernel share: reading filters, loading them, forking, the clock. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif

static inline void fail(const char *what)
{
	fprintf(stderr, "%s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
	exit(70);
}

static inline int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static inline int64_t now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/* Raw programs, `-` for none at all. */
static inline struct sock_fprog *read_programs(int count, char **paths)
{
	struct sock_fprog *programs = calloc((size_t)count, sizeof(*programs));

	for (int i = 0; i < count; i++) {
		if (strcmp(paths[i], "-") == 0)
			continue;
		struct sock_filter *all = calloc(BPF_MAXINSNS, sizeof(*all));
		FILE *file = fopen(paths[i], "rb");
		if (file == NULL || all == NULL)
			fail(paths[i]);
		programs[i].len = (unsigned short)fread(all, sizeof(*all), BPF_MAXINSNS, file);
		programs[i].filter = all;
		fclose(file);
		if (programs[i].len == 0)
			fail("an empty filter");
	}
	return programs;
}

static inline void allow_loading(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* With the flag that runtimes set where a profile names none. */
static inline int load(struct sock_fprog *program)
{
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, program) != 0;
}

static inline void *shared_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	return memory;
}

static inline void await(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		fail("fork");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail("a child did not end well: its filter must let it exit");
}

static inline int *first_order(int count)
{
	int *order = calloc((size_t)count, sizeof(*order));

	for (int i = 0; i < count; i++)
		order[i] = i;
	return order;
}

/* So that no filter always follows the same one. The same sequence in every run. */
static inline void shuffle(int *order, int count)
{
	static uint32_t state = 2463534242u;

	for (int i = count - 1; i > 0; i--) {
		state ^= state << 13;
		state ^= state >> 17;
		state ^= state << 5;
		int j = (int)(state % (uint32_t)(i + 1)), moved = order[i];

		order[i] = order[j];
		order[j] = moved;
	}
}
