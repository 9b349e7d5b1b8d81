/**
 * Running a command under a filter. Node cannot call seccomp(2); perl can, and then becomes the command, so that there is
 * no process in between: a sandbox's monitor would end by a Ctrl-C that the command handles.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fail } from '../errors.ts';

const LOADER = 'perl';

/**
 * Reads the filter from descriptor 3; says on 4 why it could not do its part. Both close when the command starts.
 * no_new_privs lets anybody load a filter; the command ends with us if we are killed (linux/prctl.h, linux/seccomp.h).
 */
const LOADER_PROGRAM = String.raw`
my ($prctl, $seccomp, $flags, @command) = @ARGV;
open(my $in, "<&=", 3) or die; binmode $in;
open(my $status, ">&=", 4) or die;
sub give_up { syswrite $status, "$_[0]: $!"; exit 1 }
my $filter = do { local $/; <$in> };
close $in;
my ($PR_SET_PDEATHSIG, $SIGKILL, $PR_SET_NO_NEW_PRIVS, $SECCOMP_SET_MODE_FILTER) = (1, 9, 38, 1);
syscall($prctl + 0, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0);
syscall($prctl + 0, $PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 or give_up("prctl");
my $program = pack("S x![P] P", length($filter) / 8, $filter); # struct sock_fprog
syscall($seccomp + 0, $SECCOMP_SET_MODE_FILTER, $flags + 0, $program) == 0 or give_up("seccomp");
exec { $command[0] } @command;
give_up("exec");
`;

/** What the loader needs besides the program. */
export interface LoadSettings {
  /** Numbers of these calls on this machine. */
  prctl: number;
  seccomp: number;
  /** SECCOMP_FILTER_FLAG_*. */
  flags: number;
}

/** Where a terminal tells its whole foreground group, one message must not arrive twice. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP'];
const FORWARDED: readonly NodeJS.Signals[] = [...FROM_TERMINAL, 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/**
 * Runs a command under a filter, with our standard streams; signals that reach us go on to it. Gives its exit code, or
 * 128 and the number of the signal that ended it, as a shell does.
 *
 * @throws SeccompcError LOADER_MISSING, LOADER_FAILED
 */
export async function runUnderFilter(
  filter: Uint8Array,
  command: readonly string[],
  { prctl, seccomp, flags }: LoadSettings,
): Promise<number> {
  if (process.platform !== 'linux' || findProgram(LOADER) === undefined)
    fail('LOADER_MISSING', { reason: 'it is not in the PATH' });
  const words = ['-e', LOADER_PROGRAM, '--', `${prctl}`, `${seccomp}`, `${flags}`, ...command];
  const child = spawn(LOADER, words, { stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'pipe'] });
  const stopForwarding = forwardSignals(child);
  const ended = new Promise<void>((done, failed) => {
    child.once('error', failed);
    child.once('exit', () => done());
  });
  const input = child.stdio[3] as Writable;
  // A loader that gives up may not read it; that it gave up is seen below.
  input.on('error', () => {});
  input.end(filter);
  try {
    const reason = await text(child.stdio[4] as Readable);
    if (reason !== '') fail('LOADER_FAILED', { reason });
    await ended;
  } finally {
    stopForwarding();
  }
  return child.exitCode ?? 128 + system.signals[child.signalCode!];
}

/** Why a command cannot be started, with the exit code that shells have for it; undefined when it can. */
export function commandFault(command: string): { reason: string; exitCode: 126 | 127 } | undefined {
  if (findProgram(command) !== undefined) return undefined;
  const exists = command.includes('/') && statSync(command, { throwIfNoEntry: false }) !== undefined;
  return exists
    ? { reason: 'it is not executable', exitCode: 126 }
    : { reason: 'there is no such program', exitCode: 127 };
}

/** The path of a program, looked for as execvp(3) does. */
export function findProgram(name: string): string | undefined {
  const places = name.includes('/')
    ? [resolve(name)]
    : (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder === '' ? '.' : folder, name));
  return places.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/** Keeps signals from ending us, and sends them on. Gives what stops that. */
function forwardSignals(child: ChildProcess): () => void {
  const send = (signal: NodeJS.Signals) => {
    if (!(process.stdin.isTTY && FROM_TERMINAL.includes(signal))) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, send);
  return () => {
    for (const signal of FORWARDED) process.off(signal, send);
  };
}
