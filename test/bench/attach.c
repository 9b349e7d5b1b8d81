/*
 * How long seccomp(2) takes to load each of several filters.
 *
 *   attach ROUNDS FILTER...
 *
 * Every round loads each filter once, in an order of its own, each in a fresh child: a filter can never be taken off
 * again, and every load should meet the same memory. A line for each load: the filter's position, nanoseconds.
 */
#include "filter.h"

int main(int argc, char **argv)
{
	if (argc < 3)
		fail("usage: attach ROUNDS FILTER...");
	int rounds = atoi(argv[1]), count = argc - 2;
	struct sock_fprog *programs = read_programs(count, argv + 2);
	int64_t *answer = shared_memory(sizeof(*answer));
	int *order = first_order(count);

	for (int round = 0; round < rounds; round++) {
		shuffle(order, count);
		for (int i = 0; i < count; i++) {
			struct sock_fprog *program = &programs[order[i]];

			*answer = 0;
			pid_t child = fork();
			if (child == 0) {
				allow_loading();
				int64_t begin = now();
				int failed = load(program);
				int64_t end = now();

				*answer = failed ? 0 : end - begin;
				_exit(0);
			}
			await(child);
			if (*answer == 0)
				fail("the kernel did not take a filter");
			printf("%d %" PRId64 "\n", order[i], *answer);
		}
	}
	return 0;
}
