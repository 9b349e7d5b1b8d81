import type { Arch } from '../arch.ts';

/** First argument of socketcall(2): linux/net.h, `SYS_*`. */
const SOCKETCALL = new Map([
  ['socket', 1n],
  ['bind', 2n],
  ['connect', 3n],
  ['listen', 4n],
  ['accept', 5n],
  ['getsockname', 6n],
  ['getpeername', 7n],
  ['socketpair', 8n],
  ['send', 9n],
  ['recv', 10n],
  ['sendto', 11n],
  ['recvfrom', 12n],
  ['shutdown', 13n],
  ['setsockopt', 14n],
  ['getsockopt', 15n],
  ['sendmsg', 16n],
  ['recvmsg', 17n],
  ['accept4', 18n],
  ['recvmmsg', 19n],
  ['sendmmsg', 20n],
]);

/** First argument of ipc(2): linux/ipc.h. */
const IPC = new Map([
  ['semop', 1n],
  ['semget', 2n],
  ['semctl', 3n],
  ['semtimedop', 4n],
  ['msgsnd', 11n],
  ['msgrcv', 12n],
  ['msgget', 13n],
  ['msgctl', 14n],
  ['shmat', 21n],
  ['shmdt', 22n],
  ['shmget', 23n],
  ['shmctl', 24n],
]);

/**
 * The number of the multiplexed call, if the architecture also takes this socket or IPC call
 * through one, and the first argument that selects the call. docs/semantics.md section 6.3.
 */
export function multiplexed(
  name: string,
  arch: Arch,
): { nr: number; call: bigint; by: 'socketcall' | 'ipc' } | undefined {
  const socket = SOCKETCALL.get(name);
  if (socket !== undefined && arch.socketcall !== undefined)
    return { nr: arch.socketcall, call: socket, by: 'socketcall' };
  const ipc = IPC.get(name);
  if (ipc !== undefined && arch.ipc !== undefined) return { nr: arch.ipc, call: ipc, by: 'ipc' };
  return undefined;
}
