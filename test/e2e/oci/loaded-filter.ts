/** The filter that the kernel runs for a process, as it was loaded. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Number of ptrace(2) by Node's name of the architecture. */
const PTRACE: Partial<Record<string, number>> = { x64: 101, arm64: 117 };

/**
 * PTRACE_ATTACH 16, PTRACE_DETACH 17, PTRACE_SECCOMP_GET_FILTER 0x420c (linux/ptrace.h); wait for
 * __WALL.
 */
const READ = String.raw`
my ($ptrace, $pid) = map { $_ + 0 } @ARGV;
syscall($ptrace, 16, $pid, 0, 0) == 0 or die "attach: $!";
waitpid($pid, 0x40000000);
my $count = syscall($ptrace, 0x420c, $pid, 0, 0);
my $reason = $!;
my $program = "\0" x (8 * ($count < 1 ? 1 : $count));
syscall($ptrace, 0x420c, $pid, 0, $program) if $count > 0;
syscall($ptrace, 17, $pid, 0, 0);
$count > 0 or die "no filter: $reason";
binmode STDOUT;
print $program;
`;

/** The program that was loaded last. Takes root. @throws Error */
export function loadedFilter(pid: number): Buffer {
  const number = PTRACE[process.arch];
  if (number === undefined) throw new Error(`ptrace on ${process.arch} is not known`);
  const { status, stdout, stderr } = spawnSync('perl', ['-e', READ, `${number}`, `${pid}`]);
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}

/** The processes whose command line is exactly this one. */
export function processesOf(...command: string[]): number[] {
  const wanted = `${command.join('\0')}\0`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => {
      try {
        return readFileSync(`/proc/${id}/cmdline`, 'utf8') === wanted;
      } catch {
        return false; // It has ended.
      }
    })
    .map(Number);
}
