/* `launcher [--keep-fd N]... [--] COMMAND [ARG...]`: runs a command under the filter that follows the program. */
#include "start.h"

/* The linker script says where it is. */
extern const struct {
    u32 flags, length;
    struct sock_filter filter[];
} embedded;

_Noreturn void begin(long *stack)
{
    struct start s;
    char **words = (char **)(stack + 1);
    s.fd = 2;
    s.prefix = "seccompc: ";
    s.environment = words + stack[0] + 1;
    s.program.length = embedded.length;
    s.program.filter = embedded.filter;
    s.flags = embedded.flags;
    /* The numbers of --keep-fd take the place of words that were read. */
    s.keep = stack;
    s.kept = 0;
    while (*words && *++words && **words == '-') {
        const char *rest = after("--", *words);
        if (rest && !*rest) {
            words++;
            break;
        }
        rest = after("--keep-fd", *words);
        long number = rest && !*rest && words[1] ? number_in(*++words) : -1;
        if (number < 0)
            *(words = words + 1) = 0;
        else
            stack[s.kept++] = number;
    }
    if (!*words)
        give_up(&s, "usage: [--keep-fd N]... [--] COMMAND [ARG...]\n", 0, EX_USAGE);
    s.words = words;
    close_others(&s);
    load_filter(&s);
    become(&s, *words);
}
