/*
 * Tells which filter a process has, and ends the process.
 *
 *   loaded PID >PROGRAM
 *
 * Exit 0: it has one filter, whose program is on standard output as the kernel was given it; 1: it has none; 2: this
 * could not be found out, or there are several, and standard error says so; 3: the process has ended. Needs
 * CAP_SYS_ADMIN.
 */
#include <errno.h>
#include <linux/filter.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/wait.h>

#define MOST_INSTRUCTIONS 4096

static int failed(const char *what) {
  perror(what);
  return 2;
}

/* A process that has ended stays until its parent has asked for its status: state Z in proc_pid_stat(5). */
static int has_ended(pid_t pid) {
  char name[32], state = 'X';
  snprintf(name, sizeof name, "/proc/%d/stat", pid);
  FILE *stat = fopen(name, "r");
  if (stat == NULL) return 1;
  int fields = fscanf(stat, "%*d (%*[^)]) %c", &state);
  fclose(stat);
  return fields != 1 || state == 'Z' || state == 'X';
}

static int print_filter(pid_t pid) {
  struct sock_filter program[MOST_INSTRUCTIONS];
  int status;
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) return has_ended(pid) ? 3 : failed("PTRACE_SEIZE");
  if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) return failed("PTRACE_INTERRUPT");
  if (waitpid(pid, &status, __WALL) != pid) return failed("waitpid");
  if (!WIFSTOPPED(status)) return 3;
  long length = ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)0, program);
  /* EINVAL: the process is not in filter mode (kernel/seccomp.c, get_nth_filter). */
  if (length < 0) return errno == EINVAL ? 1 : failed("PTRACE_SECCOMP_GET_FILTER");
  if (ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)1, 0) >= 0) {
    fputs("more than one filter\n", stderr);
    return 2;
  }
  return fwrite(program, sizeof *program, length, stdout) == (size_t)length && fflush(stdout) == 0 ? 0 : failed("write");
}

int main(int argc, char **argv) {
  pid_t pid = argc == 2 ? atoi(argv[1]) : 0;
  if (pid <= 1) {
    fputs("usage: loaded PID\n", stderr);
    return 2;
  }
  int result = print_filter(pid);
  kill(pid, SIGKILL);
  return result;
}
