/*
 * Builds a filter with libseccomp, again and again, and says how much processor time each took.
 *
 *   libseccomp OPTIMIZE ROUNDS FILTER <RULES     OPTIMIZE is 1 (linear) or 2 (binary tree)
 *
 * RULES, names being libseccomp's own:
 *
 *   default ACTION                         u32, hexadecimal; first
 *   arch NAME                              the native one first
 *   rule ACTION NAME COUNT [INDEX OP A B]  COUNT times the bracket; OP is a number of enum scmp_compare
 *   end
 *
 * What is timed is what a container runtime does with a profile it has already parsed: initialise, name the
 * architectures, resolve the name of each rule and add it, export. The program of the last round goes to the file
 * FILTER. A line for each round: nanoseconds.
 *
 * Exit 3: libseccomp refused.
 */
#include <fcntl.h>
#include <seccomp.h>
#include "filter.h"

enum { MOST_RULES = 8192, MOST_ARCHES = 8 };

struct rule {
	uint32_t action;
	char name[64];
	unsigned count;
	struct scmp_arg_cmp args[6];
};

static struct rule rules[MOST_RULES];
static uint32_t default_action, arches[MOST_ARCHES];
static unsigned rule_count, arch_count;

static void must(int rc)
{
	if (rc < 0 && rc != -EEXIST) {
		fprintf(stderr, "libseccomp refused: %s\n", strerror(-rc));
		exit(3);
	}
}

static void read_rule(void)
{
	struct rule *rule = &rules[rule_count++];

	if (rule_count == MOST_RULES || scanf("%" SCNx32 " %63s %u", &rule->action, rule->name, &rule->count) != 3 ||
	    rule->count > 6)
		fail("unreadable rule");
	for (unsigned i = 0; i < rule->count; i++) {
		unsigned index;
		int op;
		uint64_t a, b;

		if (scanf("%u %d %" SCNu64 " %" SCNu64, &index, &op, &a, &b) != 4)
			fail("unreadable condition");
		rule->args[i] = (struct scmp_arg_cmp){index, (enum scmp_compare)op, a, b};
	}
}

static void read_rules(void)
{
	char word[64];

	while (scanf("%63s", word) == 1 && strcmp(word, "end") != 0) {
		if (strcmp(word, "default") == 0 && scanf("%" SCNx32, &default_action) == 1)
			continue;
		if (strcmp(word, "rule") == 0) {
			read_rule();
		} else if (strcmp(word, "arch") == 0 && arch_count < MOST_ARCHES && scanf("%63s", word) == 1) {
			if ((arches[arch_count++] = seccomp_arch_resolve_name(word)) == 0)
				fail("an architecture that libseccomp does not know");
		} else {
			fail("unreadable rules");
		}
	}
}

static int64_t build(uint32_t optimize, int file)
{
	if (ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0)
		fail("cannot empty the file");
	int64_t begin = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	scmp_filter_ctx ctx = seccomp_init(default_action);

	if (ctx == NULL)
		fail("seccomp_init");
	if (arches[0] != seccomp_arch_native())
		must(seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE));
	for (unsigned i = 0; i < arch_count; i++)
		must(seccomp_arch_add(ctx, arches[i]));
	must(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, optimize));
	for (unsigned i = 0; i < rule_count; i++) {
		int nr = seccomp_syscall_resolve_name(rules[i].name);

		if (nr != __NR_SCMP_ERROR)
			must(seccomp_rule_add_array(ctx, rules[i].action, nr, rules[i].count, rules[i].args));
	}
	must(seccomp_export_bpf(ctx, file));
	seccomp_release(ctx);
	return read_clock(CLOCK_PROCESS_CPUTIME_ID) - begin;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		fail("usage: libseccomp OPTIMIZE ROUNDS FILTER <RULES");
	read_rules();
	int file = open(argv[3], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (file < 0)
		fail(argv[3]);
	for (int round = 0, rounds = atoi(argv[2]); round < rounds; round++)
		printf("%" PRId64 "\n", build((uint32_t)atoi(argv[1]), file));
	return 0;
}
