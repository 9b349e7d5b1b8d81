/**
 * The prover's own list of the calls that can go through socketcall(2) and ipc(2);
 * docs/semantics.md 6.3.
 */
import type { Arch } from '../../arch.ts';

/** The first argument for each call (linux/net.h, linux/ipc.h). */
const SOCKET_CALLS: Readonly<Record<string, number>> = {
  socket: 1, bind: 2, connect: 3, listen: 4, accept: 5, getsockname: 6, getpeername: 7, socketpair: 8, send: 9,
  recv: 10, sendto: 11, recvfrom: 12, shutdown: 13, setsockopt: 14, getsockopt: 15, sendmsg: 16, recvmsg: 17,
  accept4: 18, recvmmsg: 19, sendmmsg: 20,
}; // prettier-ignore
const IPC_CALLS: Readonly<Record<string, number>> = {
  semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13, msgctl: 14, shmat: 21,
  shmdt: 22, shmget: 23, shmctl: 24,
}; // prettier-ignore

/** The numbers under which a call is also reached, and its first argument there. */
export function multiplexedCalls(abi: Arch, name: string): { nr: number; call: number }[] {
  const calls: { nr: number; call: number }[] = [];
  const { socketcall, ipc } = abi;
  if (socketcall !== undefined && Object.hasOwn(SOCKET_CALLS, name))
    calls.push({ nr: socketcall, call: SOCKET_CALLS[name]! });
  if (ipc !== undefined && Object.hasOwn(IPC_CALLS, name)) calls.push({ nr: ipc, call: IPC_CALLS[name]! });
  return calls;
}
