/*
 * Asks libseccomp. Two ways to call it:
 *
 *   libseccomp filter   reads one filter from stdin, writes its raw program to stdout
 *       default ACTION                         u32, hexadecimal, first line
 *       arch NAME                              libseccomp's name; the first one replaces the host's own
 *       optimize LEVEL                         1 linear, 2 binary tree
 *       rule ACTION NAME COUNT [INDEX OP A B]  COUNT times the bracket; OP is NE LT LE EQ GE GT MASKED_EQ
 *       end
 *   libseccomp numbers  reads `ARCH NUMBER` lines, writes `ARCH NUMBER NAME` for those that have a name
 *   libseccomp version
 *
 * Names are resolved and rules added as container runtimes do it: for the host's architecture, in order,
 * without the exact calls, unknown names left out.
 *
 * Exit: 0 done; 3 libseccomp refused a rule or architecture ("refused ERRNO line" on stderr); 2 wrong input.
 */
#include <errno.h>
#include <inttypes.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned line_number;

static void refused(int rc)
{
	fprintf(stderr, "refused %s line %u\n", strerror(-rc), line_number);
	exit(3);
}

static void wrong(const char *what)
{
	fprintf(stderr, "line %u: %s\n", line_number, what);
	exit(2);
}

static enum scmp_compare operator_of(const char *name)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} all[] = {
		{"NE", SCMP_CMP_NE}, {"LT", SCMP_CMP_LT}, {"LE", SCMP_CMP_LE},
		{"EQ", SCMP_CMP_EQ}, {"GE", SCMP_CMP_GE}, {"GT", SCMP_CMP_GT},
		{"MASKED_EQ", SCMP_CMP_MASKED_EQ},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0)
			return all[i].op;
	wrong("unknown operator");
	return SCMP_CMP_EQ;
}

static void add_rule(scmp_filter_ctx ctx, char *rest)
{
	char name[128], op[16];
	uint32_t action;
	unsigned count, index;
	int used;
	struct scmp_arg_cmp args[6];

	if (sscanf(rest, "%" SCNx32 " %127s %u%n", &action, name, &count, &used) != 3 || count > 6)
		wrong("unreadable rule");
	for (unsigned i = 0; i < count; i++) {
		uint64_t a, b;

		rest += used;
		if (sscanf(rest, " %u %15s %" SCNu64 " %" SCNu64 "%n", &index, op, &a, &b, &used) != 4)
			wrong("unreadable condition");
		args[i] = (struct scmp_arg_cmp){index, operator_of(op), a, b};
	}
	int nr = seccomp_syscall_resolve_name(name);
	if (nr == __NR_SCMP_ERROR)
		return;
	int rc = seccomp_rule_add_array(ctx, action, nr, count, args);
	if (rc < 0)
		refused(rc);
}

static int filter(void)
{
	char line[1024], word[64];
	scmp_filter_ctx ctx = NULL;
	int replaced = 0, ended = 0, rc, used;

	while (!ended && fgets(line, sizeof(line), stdin)) {
		line_number++;
		if (sscanf(line, "%63s%n", word, &used) != 1)
			continue;
		char *rest = line + used;
		if (strcmp(word, "default") == 0) {
			ctx = seccomp_init((uint32_t)strtoul(rest, NULL, 16));
			if (ctx == NULL)
				refused(-EINVAL);
		} else if (ctx == NULL) {
			wrong("no default action yet");
		} else if (strcmp(word, "arch") == 0) {
			char name[32];
			uint32_t token;

			if (sscanf(rest, "%31s", name) != 1 || (token = seccomp_arch_resolve_name(name)) == 0)
				wrong("unknown architecture");
			if (!replaced && token != seccomp_arch_native()) {
				rc = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
				if (rc < 0)
					refused(rc);
			}
			replaced = 1;
			rc = seccomp_arch_add(ctx, token);
			if (rc < 0 && rc != -EEXIST)
				refused(rc);
		} else if (strcmp(word, "optimize") == 0) {
			rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, (uint32_t)atoi(rest));
			if (rc < 0)
				refused(rc);
		} else if (strcmp(word, "rule") == 0) {
			add_rule(ctx, rest);
		} else if (strcmp(word, "end") == 0) {
			ended = 1;
		} else {
			wrong("unknown word");
		}
	}
	if (!ended)
		wrong("no end");
	rc = seccomp_export_bpf(ctx, 1);
	if (rc < 0)
		refused(rc);
	seccomp_release(ctx);
	return 0;
}

static int numbers(void)
{
	char name[32];
	unsigned number;

	while (scanf("%31s %u", name, &number) == 2) {
		uint32_t token = seccomp_arch_resolve_name(name);
		char *call = token ? seccomp_syscall_resolve_num_arch(token, (int)number) : NULL;

		if (call != NULL)
			printf("%s\t%u\t%s\n", name, number, call);
		free(call);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc == 2 ? argv[1] : "";

	if (strcmp(verb, "filter") == 0)
		return filter();
	if (strcmp(verb, "numbers") == 0)
		return numbers();
	if (strcmp(verb, "version") == 0) {
		const struct scmp_version *v = seccomp_version();

		printf("%u.%u.%u\n", v->major, v->minor, v->micro);
		return 0;
	}
	fprintf(stderr, "usage: libseccomp filter|numbers|version\n");
	return 2;
}
