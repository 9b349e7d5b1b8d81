import { arg } from './condition.ts';
import type { Calls, Preset } from './policy.ts';
import { policy } from './policy.ts';

const NAMESPACES =
  'CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|CLONE_NEWPID|CLONE_NEWNET';

/** linux/sched.h of Linux 7.2. */
const UNSHARE_EMPTY_MNTNS = '0x100000';

const nothing = policy({ default: 'allow' });
/** ENOSYS: programs then do without, as on a kernel that has none. */
const withoutRings = nothing.errno('ENOSYS', ['io_uring_setup', 'io_uring_enter', 'io_uring_register']);

function preset(name: string, reason: string, leaves: string, { rules }: Pick<Preset, 'rules'>): Preset {
  return { name, reason, leaves, rules };
}

export const noIoUring = preset(
  'noIoUring',
  'Requests in a ring open files and sockets without a system call, so no filter sees them.',
  'nothing of io_uring; rings that the program inherits are closed to it too',
  withoutRings,
);

export const noUnixSockets = preset(
  'noUnixSockets',
  'Sockets in the file system lead out of a sandbox: to D-Bus, an agent of keys, a display, a container engine.',
  'sockets that the program inherits, and connected pairs of the types STREAM and SEQPACKET, which reach no other process; descriptors that another process sends over them',
  withoutRings
    .deny('socket', arg('family').is('AF_UNIX'))
    // A pair of datagram sockets sends to any address.
    .deny('socketpair', arg('type').fieldIsNot('SOCK_STREAM', 'SOCK_SEQPACKET')),
);

export const noNetwork = preset(
  'noNetwork',
  'No address of the network, the kernel (netlink, AF_ALG) or the hypervisor (AF_VSOCK) is reachable.',
  'Unix sockets, and sockets that the program inherits',
  withoutRings
    .deny('socket', arg('family').isNot('AF_UNIX'))
    // A pair of AF_TIPC sends to any address, too.
    .deny('socketpair', arg('family').isNot('AF_UNIX')),
);

export const mediatedNetwork = preset(
  'mediatedNetwork',
  'Only streams of AF_UNIX, AF_INET and AF_INET6 as a client, as one needs to talk to a proxy: no datagrams, raw sockets, other families and protocols, and no server.',
  'the address: a filter cannot read it. Give the sandbox a network namespace in which only the proxy answers',
  withoutRings
    .deny('socket', arg('family').isNot('AF_UNIX', 'AF_INET', 'AF_INET6'))
    .deny('socket', arg('type').fieldIsNot('SOCK_STREAM'))
    .deny('socket', arg('protocol').isNot(0, 6))
    .deny('socketpair', arg('type').fieldIsNot('SOCK_STREAM', 'SOCK_SEQPACKET'))
    .deny('listen'),
);

export const noNewNamespaces = preset(
  'noNewNamespaces',
  'In a user namespace of its own a program has all capabilities, and with them most of the code of the kernel.',
  'the namespaces that it is in; clone3 gives ENOSYS, because its flags are in memory, and the C library takes clone',
  nothing
    .deny('clone', arg('clone_flags').hasAny(NAMESPACES))
    .deny('unshare', arg('unshare_flags').hasAny(`${NAMESPACES}|CLONE_NEWTIME|${UNSHARE_EMPTY_MNTNS}`))
    .deny(['open_tree', 'open_tree_attr'], arg('flags').hasAny('OPEN_TREE_NAMESPACE'))
    .deny('fsmount', arg('flags').hasAny('FSMOUNT_NAMESPACE'))
    .deny('setns')
    .errno('ENOSYS', 'clone3'),
);

export const noPtrace = preset(
  'noPtrace',
  'A program that can trace another one of its user has all that this one has.',
  '/proc/PID/mem and its neighbours, which are files; signals',
  nothing.deny(['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'kcmp']),
);

export const noTerminalInjection = preset(
  'noTerminalInjection',
  'TIOCSTI and TIOCLINUX put characters into the input of the terminal, which the shell outside then runs.',
  'reading and writing the terminal, and its other ioctls',
  nothing.deny('ioctl', arg('cmd').is('TIOCSTI', 'TIOCLINUX')),
);

export const noKernelKeyring = preset(
  'noKernelKeyring',
  'Keyrings are not divided by namespaces: a program can read the keys of its user.',
  'nothing of keyrings',
  nothing.deny(['add_key', 'request_key', 'keyctl'] satisfies Calls),
);

export const PRESETS: readonly Preset[] = [
  noUnixSockets, noNetwork, mediatedNetwork, noNewNamespaces, noPtrace, noIoUring, noTerminalInjection, noKernelKeyring,
]; // prettier-ignore
