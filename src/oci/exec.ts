/** Running a command under a filter: bubblewrap loads it, and does nothing else to the command. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants, accessSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { createInterface } from 'node:readline';
import { fail } from '../errors.ts';

/** File descriptors of the loader: where it reads the filter, and where it tells what became of the command. */
const FILTER_FD = 3;
const STATUS_FD = 4;

/** The whole file system as it is, devices too. no_new_privs is set, so that no right is needed to load a filter. */
const LOADER = 'bwrap';
const LOADER_ARGS =
  `--dev-bind / / --seccomp ${FILTER_FD} --json-status-fd ${STATUS_FD} --die-with-parent --`.split(' ');

/** Where a terminal tells its whole foreground group, one message must not arrive twice. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGHUP'];
const FORWARDED: readonly NodeJS.Signals[] = [...FROM_TERMINAL, 'SIGTERM', 'SIGUSR1', 'SIGUSR2'];

/**
 * Runs a command under a filter, with our standard streams; signals that reach us go on to it. Gives its exit code, or
 * 128 and the number of the signal that ended it, as a shell does; 126 and 127 where it cannot be started at all.
 *
 * @throws SeccompcError LOADER_MISSING, LOADER_FAILED
 */
export async function runUnderFilter(filter: Uint8Array, command: readonly string[]): Promise<number> {
  if (process.platform !== 'linux' || findProgram(LOADER) === undefined)
    fail('LOADER_MISSING', { program: LOADER });
  const child = spawn(LOADER, [...LOADER_ARGS, ...command], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((done, failed) => {
    child.once('error', failed);
    child.once('close', () => done());
  });
  const input = child.stdio[FILTER_FD] as Writable;
  // A loader that gives up does not read it; that it gave up is seen below.
  input.on('error', () => {});
  input.end(filter);

  const forwarding = forwardSignals();
  const status = readStatus(child, (pid) => forwarding.to(pid));
  try {
    await ended;
  } finally {
    forwarding.stop();
  }
  const code = await status;
  // Before the command runs, the filter may refuse that it is started: the loader ends by the signal.
  const killed = child.exitCode !== null && child.exitCode > 128;
  if (code === undefined && !killed) fail('LOADER_FAILED', { program: LOADER });
  return code ?? child.exitCode!;
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

/** Follows what the loader tells: a JSON document a line, first the pid, at last the exit code. */
async function readStatus(child: ChildProcess, started: (pid: number) => void): Promise<number | undefined> {
  let exitCode: number | undefined;
  const lines = createInterface({ input: child.stdio[STATUS_FD] as NodeJS.ReadableStream });
  for await (const line of lines) {
    const pid = /"child-pid":\s*(\d+)/.exec(line)?.[1];
    if (pid !== undefined) started(Number(pid));
    const code = /"exit-code":\s*(\d+)/.exec(line)?.[1];
    if (code !== undefined) exitCode = Number(code);
  }
  return exitCode;
}

/** Keeps signals from ending us, and sends them on to a process as soon as it is known. */
function forwardSignals(): { to(pid: number): void; stop(): void } {
  const waiting: NodeJS.Signals[] = [];
  let receiver: number | undefined;
  const send = (signal: NodeJS.Signals) => {
    if (process.stdin.isTTY && FROM_TERMINAL.includes(signal)) return;
    if (receiver === undefined) waiting.push(signal);
    else {
      try {
        process.kill(receiver, signal);
      } catch {
        // It has just ended.
      }
    }
  };
  for (const signal of FORWARDED) process.on(signal, send);
  return {
    to(pid) {
      receiver = pid;
      waiting.splice(0).forEach(send);
    },
    stop() {
      for (const signal of FORWARDED) process.off(signal, send);
    },
  };
}
