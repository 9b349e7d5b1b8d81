/**
 * What the presets of seccompc/sandbox promise, and calls to try. Shares no code and no constant
 * with them.
 */
import type { Policy } from '../../src/sandbox/index.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import type { RawProgram } from '../oracle/bpf.ts';
import { abiOf, tableOf } from '../oracle/facts.ts';
import type { Abi } from '../oracle/facts.ts';

export const ALLOW = 0x7fff0000;
export const EPERM = 0x00050001;

/** What a kernel of an architecture runs besides it, but x32. */
const BESIDE: Record<string, string[]> = {
  X86_64: ['X86'],
  AARCH64: ['ARM'],
  MIPS64: ['MIPS', 'MIPS64N32'],
  MIPSEL64: ['MIPSEL', 'MIPSEL64N32'],
  PPC64: ['PPC'],
  S390X: ['S390'],
  PARISC64: ['PARISC'],
};

export function filterOf(sandbox: Policy, arch: string, architectures?: 'native' | string[]): RawProgram {
  const { bytes } = sandbox.compile({ arch, ...(architectures && { architectures }) });
  return readProgram(bytes, abiOf(arch)!.big);
}

export function answer(
  program: RawProgram,
  abi: Abi,
  call: string,
  args: readonly bigint[] = [],
): number | undefined {
  const nr = tableOf(abi.table).numbers.get(call);
  if (nr === undefined) return undefined;
  return runProgram(program, {
    arch: abi.audit,
    nr,
    args: Array.from({ length: 6 }, (_, i) => args[i] ?? 0n),
  });
}

/** Numbers of the headers: linux/net.h, asm/socket.h, asm/ioctls.h, linux/sched.h. */
function constantsOf({ table }: Abi) {
  const mips = table.startsWith('mips');
  return {
    stream: mips ? 2 : 1,
    inject: mips ? [0x5472, 0x5483] : table === 'sh' ? [0x40015412, 0x4001541c] : [0x5412, 0x541c],
    cloneFlags: table.startsWith('s390') ? 1 : 0,
  };
}

const RINGS = ['io_uring_setup', 'io_uring_enter', 'io_uring_register'];

/** What each preset promises, from docs/sandbox.md: the errno of a call, or 0. */
export const PROMISES: Record<string, (abi: Abi, call: string, low: readonly number[]) => number> = {
  noIoUring: (abi, call) => (RINGS.includes(call) ? abi.enosys : 0),
  noUnixSockets(abi, call, [first = 0, type = 0]) {
    if (RINGS.includes(call)) return abi.enosys;
    if (call === 'socket') return Number(first === 1);
    if (call === 'socketpair') return Number(![constantsOf(abi).stream, 5].includes(type & 15));
    return Number(call === 'socketcall' && [1, 8].includes(first));
  },
  noNetwork(abi, call, [first = 0]) {
    if (RINGS.includes(call)) return abi.enosys;
    if (call === 'socket' || call === 'socketpair') return Number(first !== 1);
    return Number(call === 'socketcall' && [1, 8].includes(first));
  },
  mediatedNetwork(abi, call, [first = 0, type = 0, protocol = 0]) {
    const { stream } = constantsOf(abi);
    if (RINGS.includes(call)) return abi.enosys;
    if (call === 'listen') return 1;
    if (call === 'socket')
      return Number(![1, 2, 10].includes(first) || (type & 15) !== stream || ![0, 6].includes(protocol));
    if (call === 'socketpair') return Number(![stream, 5].includes(type & 15));
    return Number(call === 'socketcall' && [1, 4, 8].includes(first));
  },
  noNewNamespaces(abi, call, low) {
    if (call === 'clone3') return abi.enosys;
    if (call === 'clone') return Number((low[constantsOf(abi).cloneFlags]! & 0x7e020000) !== 0);
    if (call === 'unshare') return Number((low[0]! & 0x7e120080) !== 0);
    if (call === 'fsmount') return Number((low[1]! & 2) !== 0);
    return Number(call === 'setns' || (call.startsWith('open_tree') && (low[2]! & 2) !== 0));
  },
  noPtrace: (_, call) =>
    Number(['ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'kcmp'].includes(call)),
  noTerminalInjection: (abi, call, low) =>
    Number(call === 'ioctl' && constantsOf(abi).inject.includes(low[1]!)),
  noKernelKeyring: (_, call) => Number(['add_key', 'request_key', 'keyctl'].includes(call)),
};

/** Calls that some preset looks at, with what is worth a try. */
export function* probes(name: string, abi: Abi): Generator<[call: string, args: bigint[]]> {
  for (const call of tableOf(abi.table).numbers.keys()) yield [call, [0n, 0n, 0n]];
  const highs = [0n, 0xffff_ffffn << 32n];
  const wide = (values: readonly number[]) =>
    values.flatMap((low) => highs.map((high) => BigInt(low) | high));
  const families = wide([0, 1, 2, 3, 4, 8, 9, 10, 16, 17, 38, 40, 0x10001, 0xffffffff]);
  const types = [1n, 2n, 3n, 5n, 0x801n, 0x80002n, 0x80005n, 1n | (1n << 32n), 0x11n];
  const sockets = families.flatMap((family) => types.map((type) => [family, type, 0n]));
  for (const protocol of [6n, 17n, 262n, 6n | (1n << 40n)])
    for (const type of [1n, 2n]) sockets.push([1n, type, protocol], [2n, type, protocol]);
  if (name.endsWith('Network') || name.endsWith('Sockets'))
    for (const call of ['socket', 'socketpair', 'socketcall']) for (const args of sockets) yield [call, args];
  for (let bit = 0n; bit < 64n; bit++)
    for (const call of ['clone', 'unshare', 'fsmount', 'open_tree', 'open_tree_attr'])
      for (const at of [0, 1, 2]) yield [call, [0n, 0n, 0n].with(at, (1n << bit) | 17n)];
  const { inject } = constantsOf(abi);
  for (const command of wide([...inject, inject[0]! + 1, inject[1]! ^ 0x100, 0x5401]))
    yield ['ioctl', [0n, command, 0n]];
}

/**
 * A call that a policy on an architecture, or one beside it, answers otherwise than its preset
 * promises.
 */
export function brokenPromise(name: string, sandbox: Policy, arch: string): string | undefined {
  const filter = filterOf(sandbox, arch);
  for (const abi of [arch, ...(BESIDE[arch] ?? [])].map((each) => abiOf(each)!))
    for (const [call, args] of probes(name, abi)) {
      const found = answer(filter, abi, call, args);
      if (found === undefined) continue;
      const errno = PROMISES[name]!(
        abi,
        call,
        args.map((each) => Number(each & 0xffff_ffffn)),
      );
      if (found !== (errno === 0 ? ALLOW : 0x50000 + errno))
        return `${call}(${args.join()}) on ${abi.oci} in ${arch}: 0x${found.toString(16)}, not errno ${errno}`;
    }
  return undefined;
}
