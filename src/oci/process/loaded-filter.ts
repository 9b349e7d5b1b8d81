/** Reads the filters of a process from the kernel: PTRACE_SECCOMP_GET_FILTER, ptrace(2). */
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { INSTRUCTION_BYTES } from '../../bpf/instruction.ts';
import { fail } from '../../errors.ts';
import { startPerl } from './perl.ts';
import { systemReason } from '../../fs/system-reason.ts';

/** Numbers of these calls on this machine. */
export interface TraceCalls {
  getpid: number;
  ptrace: number;
  wait4: number;
}

/**
 * Attaches without a signal, stops the thread, copies its programs, and lets it go on. So does the
 * kernel if perl ends by its time limit. Constants: linux/ptrace.h, linux/wait.h.
 */
const READER = String.raw`
my ($getpid, $ptrace, $wait4, $pid) = map { $_ + 0 } @ARGV;
sub give_up { print STDERR $_[0]; exit 1 }
syscall($getpid) == $$ or give_up("perl is not built for the architecture of Node");
binmode STDOUT;
alarm 3;
my ($PTRACE_DETACH, $PTRACE_SEIZE, $PTRACE_INTERRUPT, $PTRACE_SECCOMP_GET_FILTER) = (17, 0x4206, 0x4207, 0x420c);
my ($EINTR, $ENOENT, $__WALL) = (4, 2, 0x40000000);
syscall($ptrace, $PTRACE_SEIZE, $pid, 0, 0) == 0 or give_up("PTRACE_SEIZE: $!");
syscall($ptrace, $PTRACE_INTERRUPT, $pid, 0, 0) == 0 or give_up("PTRACE_INTERRUPT: $!");
my $status = pack("i", 0);
my $waited;
do { $waited = syscall($wait4, $pid, $status, $__WALL, 0) } while $waited < 0 && $! == $EINTR;
$waited == $pid or give_up("wait4: $!");
$status = unpack("i", $status);
($status & 0xff) == 0x7f or give_up("the process has ended");
my $fault;
my $output = "";
for (my $n = 0; ; $n++) {
  my $length = syscall($ptrace, $PTRACE_SECCOMP_GET_FILTER, $pid, $n, 0);
  if ($length < 0) { $fault = "$!" unless $! == $ENOENT && $n > 0; last }
  my $program = "\0" x (8 * $length);
  my $copied = syscall($ptrace, $PTRACE_SECCOMP_GET_FILTER, $pid, $n, $program);
  if ($copied != $length) { $fault = $copied < 0 ? "$!" : "the program has changed"; last }
  $output .= unpack("H*", $program) . "\n";
}
# A signal that stopped the thread before our request did is not lost; other stops need none.
my $signal = $status >> 16 ? 0 : ($status >> 8) & 0xff;
syscall($ptrace, $PTRACE_DETACH, $pid, 0, $signal) == 0 or give_up("PTRACE_DETACH: $!");
give_up("PTRACE_SECCOMP_GET_FILTER: $fault") if defined $fault;
print $output;
`;

/**
 * The raw programs that the kernel runs at every call of a thread, oldest first, at least one. The
 * thread stops for a moment. This needs CAP_SYS_ADMIN outside of any user namespace, and a caller
 * that has no filter itself.
 *
 * @param pid Of a thread; that of a process means its first thread.
 * @throws SeccompcError LOADER_MISSING; FILTER_UNREADABLE if any filter cannot be read
 */
export async function readLoadedFilters(
  pid: number,
  { getpid, ptrace, wait4 }: TraceCalls,
): Promise<Uint8Array[]> {
  const args = [getpid, ptrace, wait4, pid].map(String);
  const child = startPerl(READER, args, ['ignore', 'pipe', 'pipe']);
  const [output, reason, fault] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close').then(() => undefined, systemReason),
  ]);
  const unreadable = (why: string) => fail('FILTER_UNREADABLE', { pid, reason: why });
  if (fault !== undefined) return unreadable(fault);
  if (child.signalCode !== null) return unreadable(`the process did not stop in time (${child.signalCode})`);
  if (child.exitCode !== 0) return unreadable(reason || `perl ended with exit code ${child.exitCode}`);
  const programs = output
    .split('\n')
    .slice(0, -1)
    .map((line) => Buffer.from(line, 'hex'));
  const isProgram = ({ length }: Buffer) => length > 0 && length % INSTRUCTION_BYTES === 0;
  if (programs.length === 0 || !programs.every(isProgram)) return unreadable('perl gave no programs');
  return programs;
}

/** Long enough for a runtime that is about to start its program on a busy machine. */
const PATIENCE = 3000;
const PAUSE = 10;

/**
 * Waits until a process has a filter. A runtime loads it just before the program starts, and crun
 * starts its poststart hooks a moment earlier.
 * @throws SeccompcError LOADED_NONE, FILTER_UNREADABLE
 */
export async function waitForFilter(pid: number): Promise<void> {
  for (let waited = 0; ; waited += PAUSE) {
    const mode = modeOf(pid);
    if (mode === FILTER_MODE) return;
    if (waited >= PATIENCE) fail('LOADED_NONE', { pid, mode });
    await setTimeout(PAUSE);
  }
}

/** SECCOMP_MODE_FILTER in the field Seccomp of proc(5). */
const FILTER_MODE = '2';
const MODES: Record<string, string> = {
  0: 'every call is allowed',
  1: 'it is in the strict mode of prctl(2): read, write, _exit and sigreturn are allowed',
};
/** e_ident[EI_CLASS] of elf(5). */
const ELF_CLASS = 4;
const ELFCLASS32 = 1;

export interface FilteredProcess {
  /** How many filters each thread has, by its id; the kernel tells since Linux 5.9. */
  threads: ReadonlyMap<number, number>;
  /** Whether it runs a 32-bit program. */
  narrow: boolean;
}

/** What can be told of a process without stopping it. @throws SeccompcError LOADED_NONE, FILTER_UNREADABLE */
export function filteredProcess(pid: number): FilteredProcess {
  const mode = modeOf(pid);
  if (mode !== FILTER_MODE) fail('LOADED_NONE', { pid, mode }, { hint: MODES[mode] ?? NO_SECCOMP });
  const threads = readdirSync(`/proc/${pid}/task`).flatMap((tid): [number, number][] => {
    const count = fieldsOf(`/proc/${pid}/task/${tid}/status`)?.('Seccomp_filters');
    return count === undefined ? [] : [[Number(tid), Number(count)]];
  });
  const head = Buffer.alloc(ELF_CLASS + 1);
  try {
    const fd = openSync(`/proc/${pid}/exe`, 'r');
    readSync(fd, head);
    closeSync(fd);
  } catch {
    // A kernel thread, or not ours to see: then reading its filters says so.
  }
  return { threads: new Map(threads), narrow: head[ELF_CLASS] === ELFCLASS32 };
}

const NO_SECCOMP = 'the kernel does not tell: it may be built without seccomp';

/** The field Seccomp of proc(5). @throws SeccompcError FILTER_UNREADABLE if there is no such process */
function modeOf(pid: number): string {
  const field = fieldsOf(`/proc/${pid}/status`);
  if (field === undefined || field('State')?.startsWith('Z'))
    return fail('FILTER_UNREADABLE', { pid, reason: 'there is no such process, or it has ended' });
  return field('Seccomp') ?? 'unknown';
}

/** Undefined if there is no such thread. */
function fieldsOf(file: string): ((name: string) => string | undefined) | undefined {
  try {
    const status = readFileSync(file, 'latin1');
    return (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  } catch {
    return undefined;
  }
}
