/**
 * Runs a command under a filter. Node cannot call seccomp(2). Perl can, and then becomes the
 * command, with no process in between that Ctrl-C would end. The command gets the caller's
 * arguments, environment and descriptors byte for byte. Perl gets none of them, so they take effect
 * only under the filter.
 */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, fstatSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fail } from '../../errors.ts';
import { startPerl } from './perl.ts';
import { systemReason } from '../../fs/system-reason.ts';

/**
 * Reads the filter and the command from descriptor `in`. Writes "+" to `out` before it loads the
 * filter, or what went wrong. `out` closes when the command starts.
 *
 * A twin process first tries whether the kernel loads the filter, and then computes until it is
 * killed: a filter may refuse every call that could report success, and an outer filter may fake
 * the success of seccomp(2).
 *
 * no_new_privs lets any user load a filter, and the command ends if we are killed (linux/prctl.h,
 * linux/seccomp.h).
 */
const LOADER_PROGRAM = String.raw`
my ($in, $out, $getpid, $prctl, $seccomp, $execve, $close, $flags, @keep) = map { $_ + 0 } @ARGV;
open(my $report, ">&=", $out) or die;
my ($F_SETFD, $FD_CLOEXEC) = (2, 1);
fcntl($report, $F_SETFD, $FD_CLOEXEC) or die;
sub give_up { syswrite $report, $_[0]; exit 1 }
syscall($getpid) == $$ or give_up("perl is not built for the architecture of Node");
my ($PR_SET_PDEATHSIG, $SIGKILL, $PR_SET_NO_NEW_PRIVS, $SECCOMP_SET_MODE_FILTER) = (1, 9, 38, 1);
sub end_with_parent { syscall($prctl, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0) }
end_with_parent();

open(my $input, "<&=", $in) or give_up("input: $!");
binmode $input;
my ($filter, $path, $count, @strings) = unpack("(N/a*)*", do { local $/; <$input> });
close $input;
my @words = splice(@strings, 0, $count);
@words == $count or give_up("the command is not complete");

opendir(my $folder, "/proc/self/fd") or give_up("/proc/self/fd: $!");
my @open = grep { /^[0-9]+$/ } readdir $folder;
closedir $folder;
my %stays = map { $_ => 1 } 0, 1, 2, $out, @keep;
$stays{$_} or syscall($close, $_ + 0) for @open;

my $fprog = pack("S x![P] P", length($filter) / 8, $filter); # struct sock_fprog
sub load {
  syscall($prctl, $PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or give_up("prctl: $!");
  syscall($seccomp, $SECCOMP_SET_MODE_FILTER, $flags, $fprog) == 0 or give_up("seccomp: $!");
}

sub status_of { # the fields of /proc/PID/status
  open(my $file, "<", "/proc/$_[0]/status") or give_up("/proc/$_[0]/status: $!");
  return map { /^(\w+):\s*(\S+)/ ? ($1, $2) : () } <$file>;
}
sub computed { # clock ticks of user time: field 14 of /proc/PID/stat, the name before it may hold anything
  open(my $file, "<", "/proc/$_[0]/stat") or give_up("/proc/$_[0]/stat: $!");
  return (split / /, (<$file> =~ /.*\) (.*)/s)[0])[14 - 3];
}
my %before = status_of($$);
defined $before{Seccomp} or give_up("the kernel has no seccomp");
# Seccomp_filters: since Linux 5.9.
my $counts = defined $before{Seccomp_filters};
$counts || $before{Seccomp} == 0 or give_up("there is a filter already, and this kernel does not count them");
my $twin = fork;
defined $twin or give_up("fork: $!");
if ($twin == 0) { end_with_parent(); load(); 1 while 1 }
my $WNOHANG = 1;
while (1) {
  my %now = status_of($twin);
  last if $now{Seccomp} == 2 && $now{NoNewPrivs} == 1 && (!$counts || $now{Seccomp_filters} == $before{Seccomp_filters} + 1);
  exit 1 if waitpid($twin, $WNOHANG) != 0;
  if (computed($twin) > 50) { kill $SIGKILL, $twin; give_up("the kernel says that the filter is loaded, but it is not") }
  select(undef, undef, undef, 0.001);
}
kill $SIGKILL, $twin;
waitpid($twin, 0);

my $environment = pack("p*", @strings, undef);
my $words = pack("p*", @words, undef);
# Like execvp(3), a shell for what has no format of its own.
my @shell = ("/bin/sh", $path, @words[1 .. $#words]);
my $shell = pack("p*", @shell, undef);
my $ENOEXEC = 8;
syswrite $report, "+";
load();
syscall($execve, $path, $words, $environment);
syscall($execve, $shell[0], $shell, $environment) if $! == $ENOEXEC;
give_up("exec: $!");
`;

/** What the loader needs of this machine besides the program. */
export interface LoadSettings {
  calls: { getpid: number; prctl: number; seccomp: number; execve: number; close: number };
  /** SECCOMP_FILTER_FLAG_*. */
  flags: number;
}

/** What to run, as execve(2) takes it. */
export interface Command {
  path: Uint8Array;
  words: readonly Uint8Array[];
  environment: readonly Uint8Array[];
  /** Descriptors from 3 on that stay open. */
  keep: readonly number[];
}

/** A terminal sends these to its whole foreground group, so we must not send them again. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP'];
const FORWARDED: readonly NodeJS.Signals[] = [...FROM_TERMINAL, 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/**
 * Runs a command under a filter, with our standard streams, and forwards signals to it.
 *
 * @returns its exit code, or 128 plus the number of the signal that ended it, as a shell does; its process
 * @throws SeccompcError LOADER_MISSING, LOADER_FAILED
 */
export async function runUnderFilter(
  filter: Uint8Array,
  { path, words, environment, keep }: Command,
  { calls, flags }: LoadSettings,
): Promise<{ exitCode: number; signal: NodeJS.Signals | null; pid: number }> {
  const [input, report] = unusedDescriptors(keep) as [number, number];
  const stdio: StdioOptions = Array.from({ length: Math.max(input, report, ...keep) + 1 }, () => 'ignore');
  for (const fd of [0, 1, 2, ...keep]) stdio[fd] = fd < 3 ? 'inherit' : fd;
  for (const fd of [input, report]) stdio[fd] = 'pipe';
  const { getpid, prctl, seccomp, execve, close } = calls;
  const numbers = [input, report, getpid, prctl, seccomp, execve, close, flags, ...keep];
  const child = startPerl(LOADER_PROGRAM, numbers.map(String), stdio);
  const stopForwarding = forwardSignals(child);
  const ended = once(child, 'exit');
  const packet = child.stdio[input] as Writable;
  // A loader that gives up may not read it, which is reported below.
  packet.on('error', () => {});
  packet.end(packed([filter, path, Buffer.from(`${words.length}`), ...words, ...environment]));
  try {
    const said = await text(child.stdio[report] as Readable);
    if (said !== '+' && said !== '') fail('LOADER_FAILED', { reason: said.replace(/^\+/, '') });
    await ended;
    const end = child.signalCode ?? `exit code ${child.exitCode}`;
    if (said === '') fail('LOADER_FAILED', { reason: `perl ended before it: ${end}` });
  } finally {
    stopForwarding();
  }
  const exitCode = child.exitCode ?? 128 + system.signals[child.signalCode!];
  return { exitCode, signal: child.signalCode, pid: child.pid! };
}

/** Each part after its length: 32 bits, big-endian. */
function packed(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

function unusedDescriptors(used: readonly number[]): number[] {
  return Array.from({ length: used.length + 2 }, (_, index) => index + 3)
    .filter((fd) => !used.includes(fd))
    .slice(0, 2);
}

/** Why a descriptor cannot be kept for the command; undefined when it can. */
export function descriptorFault(fd: number): string | undefined {
  try {
    fstatSync(fd);
  } catch {
    return 'it is not open';
  }
  // Node opens such files at its start, under the first free numbers.
  const kind = readlinkSync(`/proc/self/fd/${fd}`);
  return /^anon_inode:\[(?:eventpoll|eventfd|io_uring)\]$/.test(kind)
    ? 'it may be one of Node itself'
    : undefined;
}

/**
 * The exact bytes of arguments: Node replaces what is not UTF-8, the kernel keeps it.
 * @param words the arguments in Node's form
 * @returns undefined if their bytes cannot be told
 */
export function bytesOfWords(words: readonly string[]): Buffer[] | undefined {
  const exact = nulSeparated('/proc/self/cmdline').slice(-words.length);
  if (words.every((word, index) => exact[index]?.toString() === word)) return exact;
  // The command is not at the end: an option of ours follows it.
  return words.some((word) => word.includes('\ufffd')) ? undefined : words.map((word) => Buffer.from(word));
}

/** The caller's environment, byte for byte: with duplicates, entries without "=", and any encoding. */
export function callersEnvironment(): Buffer[] {
  return nulSeparated('/proc/self/environ');
}

function nulSeparated(file: string): Buffer[] {
  let content: string;
  try {
    content = readFileSync(file, 'latin1');
  } catch (cause) {
    return fail('LOADER_FAILED', { reason: `${file}: ${systemReason(cause)}` }, { cause });
  }
  const parts = content.split('\0').slice(0, -1);
  return parts.map((part) => Buffer.from(part, 'latin1'));
}

/** Where a command is, or why it cannot be started, with the exit code that shells have for it. */
export function findCommand(
  word: Buffer,
  environment: readonly Buffer[],
): { path: Buffer } | { reason: string; exitCode: 126 | 127 } {
  const name = word.toString('latin1');
  const variables = environment.map((entry) => entry.toString('latin1'));
  const variable = variables.find((entry) => entry.startsWith('PATH='));
  const path = searchPath(name, variable?.slice('PATH='.length));
  if (path !== undefined) return { path: Buffer.from(path, 'latin1') };
  const exists = name.includes('/') && statSync(word, { throwIfNoEntry: false }) !== undefined;
  return exists
    ? { reason: 'it is not executable', exitCode: 126 }
    : { reason: 'there is no such program', exitCode: 127 };
}

/** The path of a program, looked for as execvp(3) does. */
export function findProgram(name: string): string | undefined {
  const latin1 = (word: string) => Buffer.from(word).toString('latin1');
  const path = process.env['PATH'];
  const found = searchPath(latin1(name), path === undefined ? undefined : latin1(path));
  return found === undefined ? undefined : Buffer.from(found, 'latin1').toString();
}

/** Both texts are latin1, because paths have any encoding. The default is that of execvp(3). */
function searchPath(name: string, path = '/bin:/usr/bin'): string | undefined {
  const places = name.includes('/')
    ? [name]
    : path.split(':').map((folder) => `${folder === '' ? '.' : folder}/${name}`);
  return places.find((place) => {
    const bytes = Buffer.from(place, 'latin1');
    try {
      accessSync(bytes, constants.X_OK);
      return statSync(bytes).isFile();
    } catch {
      return false;
    }
  });
}

/** Forwards signals instead of ending. Gives a function that stops that. */
function forwardSignals(child: ChildProcess): () => void {
  const send = (signal: NodeJS.Signals) => {
    if (!(process.stdin.isTTY && FROM_TERMINAL.includes(signal))) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, send);
  return () => {
    for (const signal of FORWARDED) process.off(signal, send);
  };
}
