/** Reads the filters of a process from the kernel: PTRACE_SECCOMP_GET_FILTER, ptrace(2). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { endianness } from 'node:os';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { getSystemErrorMap } from 'node:util';
import type { ArchName } from '../../arch.ts';
import { INSTRUCTION_BYTES } from '../../bpf/instruction.ts';
import { fail } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { programFile } from './program-file.ts';

/** Milliseconds for a thread to stop. */
const LIMIT = 3000;

/**
 * The raw programs that the kernel runs at every call of a thread, oldest first, at least one. The
 * thread stops for a moment. This needs CAP_SYS_ADMIN outside of any user namespace, and a caller
 * that has no filter itself.
 *
 * @param pid Of a thread; that of a process means its first thread.
 * @param arch Of this machine.
 * @throws SeccompcError LOADER_MISSING; FILTER_UNREADABLE if any filter cannot be read
 */
export async function readLoadedFilters(pid: number, arch: ArchName): Promise<Uint8Array[]> {
  const child = spawn(programFile('filters', arch), [String(pid)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {},
    timeout: LIMIT,
    killSignal: 'SIGKILL',
  });
  const [output, call, fault] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    once(child, 'close').then(() => undefined, systemReason),
  ]);
  const unreadable = (reason: string) => fail('FILTER_UNREADABLE', { pid, reason });
  if (fault !== undefined) return unreadable(fault);
  if (child.signalCode !== null) return unreadable(`the process did not stop in time (${child.signalCode})`);
  if (child.exitCode !== 0) {
    const [, reason = `errno ${child.exitCode}`] = getSystemErrorMap().get(-child.exitCode!) ?? [];
    return unreadable(`${call}: ${reason}`);
  }
  return programsIn(output) ?? unreadable('the reader gave no programs');
}

/** Each behind a u32, how many instructions it has. Undefined for anything else. */
function programsIn(output: Buffer): Uint8Array[] | undefined {
  const programs: Uint8Array[] = [];
  let at = 0;
  while (at + 4 <= output.length) {
    const length = endianness() === 'LE' ? output.readUInt32LE(at) : output.readUInt32BE(at);
    const end = at + 4 + length * INSTRUCTION_BYTES;
    if (length === 0 || end > output.length) return undefined;
    programs.push(output.subarray(at + 4, end));
    at = end;
  }
  return at === output.length && programs.length > 0 ? programs : undefined;
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

/**
 * What can be told of a process without stopping it.
 * @param proc Where its files are, proc(5).
 * @throws SeccompcError LOADED_NONE, FILTER_UNREADABLE
 */
export function filteredProcess(pid: number, proc = '/proc'): FilteredProcess {
  const mode = modeOf(pid, proc);
  if (mode !== FILTER_MODE) fail('LOADED_NONE', { pid, mode }, { hint: MODES[mode] ?? NO_SECCOMP });
  const threads = readdirSync(`${proc}/${pid}/task`).flatMap((tid): [number, number][] => {
    const count = fieldsOf(`${proc}/${pid}/task/${tid}/status`)?.('Seccomp_filters');
    return count === undefined ? [] : [[Number(tid), Number(count)]];
  });
  const head = Buffer.alloc(ELF_CLASS + 1);
  try {
    const fd = openSync(`${proc}/${pid}/exe`, 'r');
    readSync(fd, head);
    closeSync(fd);
  } catch {
    // A kernel thread, or not ours to see: then reading its filters says so.
  }
  return { threads: new Map(threads), narrow: head[ELF_CLASS] === ELFCLASS32 };
}

const NO_SECCOMP = 'the kernel does not tell: it may be built without seccomp';

/**
 * The field Seccomp of proc(5).
 * @throws SeccompcError FILTER_UNREADABLE if there is no such process
 */
function modeOf(pid: number, proc = '/proc'): string {
  const field = fieldsOf(`${proc}/${pid}/status`);
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
