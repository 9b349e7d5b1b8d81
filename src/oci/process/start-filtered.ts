/**
 * Runs a command under a filter. Node cannot call seccomp(2). A small program can
 * (src/launcher/source/exec.c), and then becomes the command, with no process in between that
 * Ctrl-C would end. The command gets the caller's arguments, environment and descriptors byte for
 * byte. The program gets none of them, so they take effect only under the filter.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync, readFileSync, readlinkSync } from 'node:fs';
import { constants as system } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ArchName } from '../../arch.ts';
import { INSTRUCTION_BYTES } from '../../bpf/instruction.ts';
import { fail } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { programFile } from './program-file.ts';

/** How the filter is loaded. */
export interface LoadSettings {
  /** Of this machine. */
  arch: ArchName;
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
 * @returns its exit code, or 128 plus the number of the signal that ended it, as a shell does; its
 *   process
 * @throws SeccompcError LOADER_MISSING, LOADER_FAILED
 */
export async function runUnderFilter(
  filter: Uint8Array,
  { path, words, environment, keep }: Command,
  { arch, flags }: LoadSettings,
): Promise<{ exitCode: number; signal: NodeJS.Signals | null; pid: number }> {
  const [input, report] = unusedDescriptors(keep) as [number, number];
  const stdio: StdioOptions = Array.from({ length: Math.max(input, report, ...keep) + 1 }, () => 'ignore');
  for (const fd of [0, 1, 2, ...keep]) stdio[fd] = fd < 3 ? 'inherit' : fd;
  for (const fd of [input, report]) stdio[fd] = 'pipe';
  const child = spawn(programFile('exec', arch), [`${input}`, `${report}`], { stdio, env: {} });
  const stopForwarding = forwardSignals(child);
  const ended = once(child, 'exit').then(() => undefined, systemReason);
  const packet = child.stdio[input] as Writable;
  // A loader that gives up may not read it, which is reported below.
  packet.on('error', () => {});
  const counts = [
    filter.length / INSTRUCTION_BYTES,
    flags,
    words.length,
    environment.length,
    keep.length + 1,
  ];
  const texts = [path, ...words, ...environment].flatMap((each) => [each, Buffer.of(0)]);
  const content = Buffer.concat([u32s(counts), filter, u32s([...keep, report]), ...texts]);
  packet.end(Buffer.concat([u32s([content.length]), content]));
  try {
    const said = await text(child.stdio[report] as Readable).catch(() => '');
    const fault = said === '' ? await ended : undefined;
    if (fault !== undefined) fail('LOADER_MISSING', { reason: fault });
    if (said !== '+' && said !== '') fail('LOADER_FAILED', { reason: said.replace(/^\+/, '').trimEnd() });
    await ended;
    const end = child.signalCode ?? `exit code ${child.exitCode}`;
    if (said === '') fail('LOADER_FAILED', { reason: `the loader ended before it: ${end}` });
  } finally {
    stopForwarding();
  }
  const exitCode = child.exitCode ?? 128 + system.signals[child.signalCode!];
  return { exitCode, signal: child.signalCode, pid: child.pid! };
}

/** In the byte order of this machine. */
function u32s(numbers: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(numbers).buffer);
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

/**
 * The caller's environment, byte for byte: with duplicates, entries without "=", and any encoding.
 */
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
