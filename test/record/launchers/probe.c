/* Says whether it runs under a filter that answers mkdirat with an errno, and switches the machine off. */
#include "../../../src/launcher/source/system.h"

#if defined(__aarch64__) || defined(__riscv)
enum { NR_mkdirat = 34, NR_reboot = 142 };
#elif defined(__x86_64__)
enum { NR_mkdirat = 258, NR_reboot = 169 };
#elif defined(__arm__)
enum { NR_mkdirat = 323, NR_reboot = 88 };
#elif defined(__s390x__)
enum { NR_mkdirat = 289, NR_reboot = 88 };
#else
enum { NR_mkdirat = 287, NR_reboot = 88 };
#endif
enum { AT_FDCWD = -100, PR_GET_SECCOMP = 21, PR_GET_NO_NEW_PRIVS = 39 };

_Noreturn void begin(long *stack)
{
    char **words = (char **)(stack + 1);
    long denied = sys3(NR_mkdirat, AT_FDCWD, (long)"/made", 0700) == -28;
    long mode = sys(NR_prctl, PR_GET_SECCOMP, 0, 0, 0);
    long privileges = sys(NR_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0);
    say(1, "PROBE");
    for (; *words; words++) {
        say(1, " ");
        say(1, *words);
    }
    say(1, denied && mode == 2 && privileges == 1 ? ": under the filter\n" : ": NOT under the filter\n");
    /* LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF */
    sys(NR_reboot, (long)0xfee1dead, 672274793, 0x4321fedc, 0);
    quit(0);
}
