/*
 * `exec IN OUT`: runs a command under a filter; both are read from descriptor IN, which `seccompc exec` writes:
 *
 *   u32 of this machine: bytes that follow; instructions; flags; words; variables; descriptors to keep
 *   the filter; the descriptors, u32; the path, the words and the variables, each with a zero byte at its end
 *
 * Writes "+" to OUT just before it loads the filter, or why it cannot. OUT closes when the command starts.
 */
#include "start.h"

enum { PR_SET_PDEATHSIG = 1, SIGKILL = 9, F_SETFD = 2, FD_CLOEXEC = 1 };

struct packet {
    u32 size, instructions, flags, words, variables, kept;
    struct sock_filter filter[];
};


/* Takes the texts that follow each other. */
static const char *take(char **list, u32 count, const char *text)
{
    for (; count; count--) {
        *list++ = (char *)text;
        while (*text++)
            ;
    }
    *list = 0;
    return text;
}

_Noreturn void begin(long *stack)
{
    char **arguments = (char **)(stack + 1);
    struct start s;
    s.fd = 2;
    s.prefix = "";
    if (stack[0] != 3)
        give_up(&s, "this program is for seccompc exec\n", 0, EX_USAGE);
    long in = number_in(arguments[1]);
    s.fd = number_in(arguments[2]);
    sys3(NR_fcntl, s.fd, F_SETFD, FD_CLOEXEC);
    /* The command ends when we are killed. */
    sys(NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);

    u32 size;
    read_all(&s, in, &size, sizeof size);
    struct packet *packet = (struct packet *)((sys1(NR_brk, 0) + 15) & -16);
    /* Each text has a byte at least, and each descriptor has four: room for a pointer or a long for each. */
    char *end = (char *)packet + sizeof size + size;
    long *lists = (long *)(((long)end + 15) & -16);
    long limit = (long)(lists + size + 8);
    if (sys1(NR_brk, limit) < limit)
        give_up(&s, "there is no memory\n", 0, EX_UNAVAILABLE);
    packet->size = size;
    read_all(&s, in, &packet->instructions, size);

    s.program.length = packet->instructions;
    s.program.filter = packet->filter;
    s.flags = packet->flags;
    const u32 *descriptors = (const u32 *)(packet->filter + packet->instructions);
    s.keep = lists;
    s.kept = packet->kept;
    for (long i = 0; i < s.kept; i++)
        *lists++ = descriptors[i];
    char *path[2];
    const char *text = take(path, 1, (const char *)(descriptors + s.kept));
    /* `execute` needs the slot before. */
    s.words = (char **)lists + 1;
    text = take(s.words, packet->words, text);
    s.environment = s.words + packet->words + 1;
    take(s.environment, packet->variables, text);
    close_others(&s);
    load_filter(&s);
    become(&s, *path);
}
