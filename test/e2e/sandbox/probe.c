/*
 * Makes calls of sockets without a C library, for x86_64 and i386, and prints the errno of each; 0 if it succeeds.
 * Descriptor 3 is a socket that it inherits, on which it says "hello". Numbers: asm/unistd_32.h, asm/unistd_64.h, linux/net.h.
 */
static long call(long nr, long a, long b, long c, long d, long e, long f)
{
    long result;
#ifdef __x86_64__
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
#else
    (void)e, (void)f;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
#endif
    return result;
}

#ifdef __x86_64__
enum { WRITE = 1, EXIT = 60, SOCKET = 41, SOCKETPAIR = 53 };
#else
enum { WRITE = 4, EXIT = 1, SOCKET = 359, SOCKETPAIR = 360, SOCKETCALL = 102 };
#endif
enum { AF_UNIX = 1, AF_INET = 2, STREAM = 1, DGRAM = 2 };

static void say(const char *name, long result)
{
    char line[40], *end = line;
    long error = result < 0 ? -result : 0;
    while (*name)
        *end++ = *name++;
    *end++ = ' ';
    if (error > 9)
        *end++ = '0' + error / 10;
    *end++ = '0' + error % 10;
    *end++ = '\n';
    call(WRITE, 1, (long)line, end - line, 0, 0, 0);
}

void _start(void)
{
    int pair[2];
    say("unix", call(SOCKET, AF_UNIX, STREAM, 0, 0, 0, 0));
#ifdef __x86_64__
    say("unix-high", call(SOCKET, 0x700000000 + AF_UNIX, STREAM, 0, 0, 0, 0));
#endif
    say("inet", call(SOCKET, AF_INET, STREAM, 0, 0, 0, 0));
    say("pair", call(SOCKETPAIR, AF_UNIX, STREAM, 0, (long)pair, 0, 0));
    say("datagram-pair", call(SOCKETPAIR, AF_UNIX, DGRAM, 0, (long)pair, 0, 0));
#ifdef __x86_64__
    say("inherited", call(WRITE, 3, (long)"hello", 5, 0, 0, 0));
#else
    long unix_socket[] = {AF_UNIX, STREAM, 0}, inet[] = {AF_INET, STREAM, 0};
    long hello[] = {3, (long)"hello", 5, 0};
    say("socketcall-unix", call(SOCKETCALL, 1, (long)unix_socket, 0, 0, 0, 0));
    say("socketcall-inet", call(SOCKETCALL, 1, (long)inet, 0, 0, 0, 0));
    say("inherited", call(SOCKETCALL, 9, (long)hello, 0, 0, 0, 0));
#endif
    call(EXIT, 0, 0, 0, 0, 0, 0);
}
