/*
 * What whole processes cost.
 *
 *   processes ROUNDS -- COMMAND [ARG...] [-- COMMAND [ARG...]]...
 *
 * Every round runs each command once, in an order of its own, with its streams closed to /dev/null. A line for each
 * run: the command's position, microseconds of processor time (user and system, all threads), of wall time.
 */
#include <fcntl.h>
#include <sys/resource.h>
#include "filter.h"

enum { MOST_COMMANDS = 32 };

static int64_t microseconds(struct timeval t)
{
	return t.tv_sec * INT64_C(1000000) + t.tv_usec;
}

static void execute(char **command)
{
	int null = open("/dev/null", O_RDWR);

	for (int stream = 0; stream < 3; stream++)
		dup2(null, stream);
	execvp(command[0], command);
	_exit(127);
}

int main(int argc, char **argv)
{
	char **commands[MOST_COMMANDS];
	int count = 0;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "--") != 0)
			continue;
		argv[i] = NULL;
		if (count == MOST_COMMANDS || i + 1 == argc)
			fail("too many commands, or an empty one");
		commands[count++] = &argv[i + 1];
	}
	if (count == 0)
		fail("usage: processes ROUNDS -- COMMAND [ARG...]...");
	int *order = first_order(count);

	for (int round = 0, rounds = atoi(argv[1]); round < rounds; round++) {
		shuffle(order, count);
		for (int i = 0; i < count; i++) {
			struct rusage usage;
			int status;
			int64_t begin = now();
			pid_t child = fork();

			if (child == 0)
				execute(commands[order[i]]);
			if (child < 0 || wait4(child, &status, 0, &usage) != child)
				fail("fork");
			int64_t wall = (now() - begin) / 1000;
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
				fail(commands[order[i]][0]);
			printf("%d %" PRId64 " %" PRId64 "\n", order[i],
			       microseconds(usage.ru_utime) + microseconds(usage.ru_stime), wall);
		}
	}
	return 0;
}
