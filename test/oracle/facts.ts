/**
 * What the oracles know of architectures, actions and syscall numbers.
 *
 * Written down a second time on purpose: nothing here is imported from src/, so that a wrong
 * constant there cannot agree with itself. Sources: linux/audit.h, linux/seccomp.h,
 * docs/semantics.md.
 */
import { readFileSync } from 'node:fs';

/** One ABI. `audit` is seccomp_data.arch; `bits` is how much of an argument is compared. */
export interface Abi {
  oci: string;
  audit: number;
  big: boolean;
  bits: 32n | 64n;
  table: string;
  /** libseccomp's name for it (seccomp_arch_resolve_name). */
  scmp: string;
  socketcall?: number;
  ipc?: number;
  enosys: number;
}

/**
 * Kernel flags of an audit value: __AUDIT_ARCH_64BIT, __AUDIT_ARCH_LE,
 * __AUDIT_ARCH_CONVENTION_MIPS64_N32.
 */
const B64 = 0x80000000;
const LE = 0x40000000;
const N32 = 0x20000000;

function abi(oci: string, machine: number, flags: number, bits: 32 | 64, table: string, mux = -1): Abi {
  const audit = (machine + flags) >>> 0;
  return {
    oci,
    audit,
    big: (flags & LE) === 0,
    bits: bits === 64 ? 64n : 32n,
    table,
    scmp: oci.toLowerCase(),
    enosys: table.startsWith('mips') ? 89 : table.startsWith('parisc') ? 251 : 38,
    ...(mux < 0 ? {} : { socketcall: mux + 102, ipc: mux + 117 }),
  };
}

/**
 * ELF machine numbers (linux/elf-em.h): 3 386, 4 68k, 8 mips, 15 parisc, 20 ppc, 21 ppc64, 22 s390
 * ...
 */
export const ABIS: readonly Abi[] = [
  abi('X86', 3, LE, 32, 'x86', 0),
  abi('X86_64', 62, B64 + LE, 64, 'x86_64'),
  abi('X32', 62, B64 + LE, 32, 'x32'),
  abi('ARM', 40, LE, 32, 'arm'),
  abi('AARCH64', 183, B64 + LE, 64, 'aarch64'),
  abi('MIPS', 8, 0, 32, 'mips', 4000),
  abi('MIPSEL', 8, LE, 32, 'mips', 4000),
  abi('MIPS64', 8, B64, 64, 'mips64'),
  abi('MIPSEL64', 8, B64 + LE, 64, 'mips64'),
  abi('MIPS64N32', 8, B64 + N32, 32, 'mips64n32'),
  abi('MIPSEL64N32', 8, B64 + LE + N32, 32, 'mips64n32'),
  abi('PPC', 20, 0, 32, 'ppc', 0),
  abi('PPC64', 21, B64, 64, 'ppc64', 0),
  abi('PPC64LE', 21, B64 + LE, 64, 'ppc64', 0),
  abi('S390', 22, 0, 32, 's390', 0),
  abi('S390X', 22, B64, 64, 's390x', 0),
  abi('PARISC', 15, 0, 32, 'parisc'),
  abi('PARISC64', 15, B64, 64, 'parisc64'),
  abi('RISCV64', 243, B64 + LE, 64, 'riscv64'),
  abi('LOONGARCH64', 258, B64 + LE, 64, 'loongarch64'),
  abi('M68K', 4, 0, 32, 'm68k', 0),
  abi('SH', 42, LE, 32, 'sh', 0),
  abi('SHEB', 42, 0, 32, 'sh', 0),
];

/** The ABI of an OCI constant, its prefix optional, any case; undefined when there is none. */
export function abiOf(name: string): Abi | undefined {
  const plain = name.toUpperCase().replace(/^SCMP_ARCH_/, '');
  return ABIS.find((a) => a.oci === plain);
}

/** Return values in the kernel's order: the first is the strictest. */
export const ACTIONS: readonly (readonly [name: string, value: number])[] = [
  ['SCMP_ACT_KILL_PROCESS', 0x80000000],
  ['SCMP_ACT_KILL_THREAD', 0x00000000],
  ['SCMP_ACT_KILL', 0x00000000],
  ['SCMP_ACT_TRAP', 0x00030000],
  ['SCMP_ACT_ERRNO', 0x00050000],
  ['SCMP_ACT_NOTIFY', 0x7fc00000],
  ['SCMP_ACT_TRACE', 0x7ff00000],
  ['SCMP_ACT_LOG', 0x7ffc0000],
  ['SCMP_ACT_ALLOW', 0x7fff0000],
];

export const KILL_THREAD = 0;

/** How strict a return value is: 0 is the strictest. */
export function rank(value: number): number {
  return ACTIONS.findIndex(([, v]) => v === (value & 0xffff0000) >>> 0);
}

/** First argument of socketcall(2) for each call (linux/net.h). */
const SOCKETCALLS =
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown ' +
  'setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg';
/** First argument of ipc(2) for each call (linux/ipc.h). */
const IPCCALLS =
  'semop=1 semget=2 semctl=3 semtimedop=4 msgsnd=11 msgrcv=12 msgget=13 msgctl=14 shmat=21 shmdt=22 ' +
  'shmget=23 shmctl=24';

const SUBCALLS = new Map<string, { through: 'socketcall' | 'ipc'; call: bigint }>();
SOCKETCALLS.split(' ').forEach((name, i) =>
  SUBCALLS.set(name, { through: 'socketcall', call: BigInt(i + 1) }),
);
for (const pair of IPCCALLS.split(' ')) {
  const [name = '', call = ''] = pair.split('=');
  SUBCALLS.set(name, { through: 'ipc', call: BigInt(call) });
}

/** All names that can go through socketcall or ipc. */
export const MULTIPLEXED: readonly string[] = [...SUBCALLS.keys()];

/** Where a name can also be reached on an ABI: the multiplexed number and its first argument. */
export function subcall(a: Abi, name: string): { nr: number; call: bigint } | undefined {
  const sub = SUBCALLS.get(name);
  const nr = sub && a[sub.through];
  return sub && nr !== undefined ? { nr, call: sub.call } : undefined;
}

export interface Table {
  numbers: ReadonlyMap<string, number>;
  names: ReadonlyMap<number, string>;
}

const tablesFolder = new URL('../../syscall-tables/', import.meta.url);
const tables = new Map<string, Table>();

/** Reads syscall-tables/NAME.tsv: `number<TAB>name` lines and `#` comments. */
export function tableOf(name: string): Table {
  let table = tables.get(name);
  if (table === undefined) {
    const numbers = new Map<string, number>();
    const names = new Map<number, string>();
    for (const line of readFileSync(new URL(`${name}.tsv`, tablesFolder), 'utf8').split('\n')) {
      if (line === '' || line.startsWith('#')) continue;
      const [number = '', call = ''] = line.split('\t');
      if (!/^\d+$/.test(number) || call === '') throw new Error(`${name}.tsv: cannot read "${line}"`);
      numbers.set(call, Number(number));
      names.set(Number(number), call);
    }
    table = { numbers, names };
    tables.set(name, table);
  }
  return table;
}

/** Whether any architecture has a call of this name. */
export function isKnownName(name: string): boolean {
  return ABIS.some((a) => tableOf(a.table).numbers.has(name));
}
