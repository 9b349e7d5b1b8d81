// Exchanges two paths by renameat2(2), again and again, until standard input ends; then prints how often.
//
//   exchange A B
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc != 3) return 64;
  struct pollfd input = {.fd = 0, .events = POLLIN};
  unsigned long count = 0;
  while (poll(&input, 1, 0) == 0) {
    if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) != 0) {
      perror("renameat2");
      return 1;
    }
    count++;
    usleep(20);
  }
  printf("%lu\n", count);
  return 0;
}
