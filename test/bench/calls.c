/*
 * How long system calls take under each of several filters.
 *
 *   calls ROUNDS FILTER|-... <CALLS        - is no filter
 *
 * Each line of CALLS is `NR A0 A1 A2 A3 A4 A5`, unsigned numbers. Every round makes each call under each filter, the
 * filters in an order of their own, each in a fresh child, in batches so short that most of them are not interrupted.
 * A line for each batch: positions of filter and call, nanoseconds a call, what the last call returned.
 */
#include "filter.h"

enum { MOST_CALLS = 64, BATCHES = 40, CALLS_IN_A_BATCH = 500 };

struct call {
	unsigned long nr, args[6];
};

struct answer {
	int64_t ns[BATCHES];
	long value;
};

static long make(const struct call *c)
{
	long value = syscall((long)c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4], c->args[5]);

	return value == -1 ? -errno : value;
}

/* The first batch is for nothing. */
static void measure(const struct call *call, struct answer *answer)
{
	for (int batch = -1; batch < BATCHES; batch++) {
		int64_t begin = now();

		for (int i = 0; i < CALLS_IN_A_BATCH; i++)
			answer->value = make(call);
		if (batch >= 0)
			answer->ns[batch] = now() - begin;
	}
}

int main(int argc, char **argv)
{
	static struct call calls[MOST_CALLS];
	int many = 0;

	if (argc < 3)
		fail("usage: calls ROUNDS FILTER|-...");
	int rounds = atoi(argv[1]), count = argc - 2;
	struct sock_fprog *programs = read_programs(count, argv + 2);
	int *order = first_order(count);

	for (struct call *c = calls; many < MOST_CALLS && scanf("%lu %lu %lu %lu %lu %lu %lu", &c->nr, &c->args[0],
								&c->args[1], &c->args[2], &c->args[3], &c->args[4],
								&c->args[5]) == 7; c++)
		many++;
	struct answer *answers = shared_memory(MOST_CALLS * sizeof(*answers));

	for (int round = 0; round < rounds; round++) {
		shuffle(order, count);
		for (int i = 0; i < count; i++) {
			struct sock_fprog *program = &programs[order[i]];

			memset(answers, 0, MOST_CALLS * sizeof(*answers));
			pid_t child = fork();
			if (child == 0) {
				allow_loading();
				if (program->len == 0 || !load(program))
					for (int c = 0; c < many; c++)
						measure(&calls[c], &answers[c]);
				_exit(0);
			}
			await(child);
			for (int c = 0; c < many; c++) {
				if (answers[c].ns[BATCHES - 1] == 0)
					fail("a call was not measured");
				for (int batch = 0; batch < BATCHES; batch++)
					printf("%d %d %.1f %ld\n", order[i], c,
					       (double)answers[c].ns[batch] / CALLS_IN_A_BATCH, answers[c].value);
			}
		}
	}
	return 0;
}
