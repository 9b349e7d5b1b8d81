import type { Arch } from '../arch.ts';

/** First argument of socketcall(2): linux/net.h, `SYS_*`, from 1 on. */
const SOCKETCALL = new Map(
  (
    'socket bind connect listen accept getsockname getpeername socketpair send recv sendto ' +
    'recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg'
  )
    .split(' ')
    .map((name, index) => [name, BigInt(index + 1)]),
);

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
