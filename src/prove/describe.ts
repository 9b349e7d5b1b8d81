/** Calls and answers as text: how every command shows a witness. */
import { actionLabel, SECCOMP_RET_DATA } from '../action.ts';
import { archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import { errnoName } from '../errno.ts';
import { loadTables } from '../syscalls/load.ts';

/**
 * A return value taken apart. `errno` and its name (in the architecture's own numbering) are there
 * for ERRNO only.
 */
export interface Answer {
  /** The kernel's name of the action; a value it does not know kills the process. */
  action: string;
  errno: number | null;
  errnoName: string | null;
  /** u32. */
  value: number;
}

export function answerParts(value: number, abi: ArchName | undefined): Answer {
  const action = actionLabel(value) ?? 'KILL_PROCESS';
  if (action !== 'ERRNO') return { action, errno: null, errnoName: null, value };
  const errno = value & SECCOMP_RET_DATA;
  const set = abi === undefined ? 'generic' : archOf(abi).errnos;
  return { action, errno, errnoName: errnoName(errno, set) ?? null, value };
}

/**
 * `ALLOW`, `ERRNO EPERM (1)`, `TRACE (7)`; the lower half is told of other actions only where it is
 * not 0.
 */
export function describeAnswer(value: number, abi: ArchName | undefined): string {
  const { action, errnoName: name } = answerParts(value, abi);
  const label = actionLabel(value) === undefined ? `${action} (unknown 0x${value.toString(16)})` : action;
  const data = value & SECCOMP_RET_DATA;
  if (name !== null) return `${label} ${name} (${data})`;
  return action === 'ERRNO' || action === 'TRACE' || data !== 0 ? `${label} (${data})` : label;
}

/** The name of a call; undefined for a number that its ABI does not use. */
export async function nameOfCall(abi: ArchName | undefined, nr: number): Promise<string | undefined> {
  // A witness may lie on an architecture that neither side lists, so its table need not be there
  // yet.
  return abi === undefined ? undefined : (await loadTables([archOf(abi).table])).of(abi).nameOf(nr);
}

/** `socket(AF_VSOCK, SOCK_STREAM, 0)`; arguments unless all are 0. */
export async function callText({ nr, args }: SeccompData, abi: ArchName | undefined): Promise<string> {
  const [{ loadCallFacts }, { describeCall: render }] = await Promise.all([
    import('../syscalls/constants.ts'),
    import('../syscalls/call-text.ts'),
  ]);
  await loadCallFacts();
  return render(abi, (await nameOfCall(abi, nr)) ?? `number ${nr}`, args);
}

/** `X86_64`, with the instruction pointer unless it is 0. */
export function callPlace({ arch, ip }: SeccompData, abi: ArchName | undefined): string {
  const place = abi ?? `audit arch 0x${arch.toString(16).padStart(8, '0')}`;
  return ip === 0n ? place : `${place}, called from 0x${ip.toString(16)}`;
}

/** `socket(AF_VSOCK, SOCK_STREAM, 0) on X86_64`. */
export async function describeCall(data: SeccompData, abi: ArchName | undefined): Promise<string> {
  return `${await callText(data, abi)} on ${callPlace(data, abi)}`;
}
