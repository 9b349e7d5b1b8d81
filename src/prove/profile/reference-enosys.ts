/**
 * The prover's own reading of the calls that get ENOSYS: docs/semantics.md section 9, and
 * `--enosys-after`.
 */
import { actionValue } from '../../action.ts';
import type { Arch } from '../../arch.ts';
import { ociArchName, X32_SYSCALL_BIT } from '../../arch.ts';
import { errnoNumber } from '../../errno.ts';
import type { Seccomp } from '../../profile/types.ts';
import type { SyscallTables } from '../../syscalls/tables.ts';
import type { KernelVersion, Target } from '../../target.ts';
import { multiplexedCalls } from './reference-multiplex.ts';

/** Which numbers get ENOSYS (a u32 return value), and where that can change. */
export interface EnosysNumbers {
  answer(nr: number): number | undefined;
  readonly starts: readonly number[];
}

/** Section 9: runc's stub, per ABI the numbers above the largest one that the profile names. */
export function stubOf(
  abis: readonly Arch[],
  seccomp: Seccomp,
  tables: SyscallTables,
  { semantics, runcRelease, arch: native }: Target,
): EnosysNumbers {
  const last = new Map<Arch, number>();
  // SCMP_ACT_ERRNO with 38, which runc takes for "ENOSYS already".
  const isSuppressed = semantics === 'runc' && seccomp.defaultErrnoRet === 327718;
  const includesNative = runcRelease !== undefined && stubsNative(runcRelease);
  const isListed = (abi: Arch) =>
    !isSuppressed &&
    ((includesNative && abi.name === native) ||
      seccomp.architectures.some(({ name }) => name === ociArchName(abi.name)));
  for (const abi of semantics === 'runc' ? abis.filter(isListed) : abis) {
    const table = tables.of(abi.name);
    let largest = 0;
    for (const { names } of seccomp.syscalls)
      for (const name of names ?? [])
        if (multiplexedCalls(abi, name).length === 0) largest = Math.max(largest, table.numberOf(name) ?? 0);
    if (largest > 0) last.set(abi, largest);
  }
  const answer = (nr: number): number | undefined => {
    const abi = abiOf(abis, (nr & X32_SYSCALL_BIT) !== 0);
    const limit = abi && last.get(abi);
    if (abi === undefined || limit === undefined) return undefined;
    const s390Zero = nr === 0 && (abi.name === 'S390' || abi.name === 'S390X');
    return nr > limit || s390Zero ? enosysOf(abi) : undefined;
  };
  return { answer, starts: [1, ...[...last.values()].map((nr) => nr + 1)] };
}

/** From runc 1.1.15 on the native architecture has a stub, listed or not. */
function stubsNative(release: string): boolean {
  const [major = 0, minor = 0, patch = 0] = release.split('.').map(Number);
  return major > 1 || minor > 1 || patch >= 15;
}

/** "No such call" in the numbering of the architecture. */
function enosysOf(abi: Arch): number {
  return actionValue('SCMP_ACT_ERRNO', errnoNumber('ENOSYS', abi.errnos));
}

/**
 * `--enosys-after`: numbers the profile does not name that are newer than a release, or unassigned
 * and beyond the ABI's last ordinary call, which is where new calls get theirs.
 */
export function newerOf(
  abis: readonly Arch[],
  seccomp: Seccomp,
  tables: SyscallTables,
  after: KernelVersion,
): EnosysNumbers {
  const newer = new Set<number>();
  const last = new Map<Arch, number>();
  const starts: number[] = [];
  for (const abi of abis) {
    const table = tables.of(abi.name);
    const named = new Set(
      seccomp.syscalls.flatMap(({ names }) => names ?? []).map((name) => table.numberOf(name)),
    );
    let ordinary = 0;
    for (const [nr, name] of table.entries()) {
      const since = table.sinceOf(name);
      if (since && isNewer(since, after) && !named.has(nr)) newer.add(nr);
      if (nr < (EXTRA_CALLS[abi.name] ?? Infinity)) ordinary = Math.max(ordinary, nr);
      else starts.push(nr, nr + 1);
    }
    last.set(abi, ordinary);
  }
  const answer = (nr: number): number | undefined => {
    const abi = abiOf(abis, nr >= X32_SYSCALL_BIT);
    if (abi === undefined) return undefined;
    const unassigned = nr > last.get(abi)! && tables.of(abi.name).nameOf(nr) === undefined;
    return newer.has(nr) || unassigned ? enosysOf(abi) : undefined;
  };
  for (const nr of [...newer, ...last.values()]) starts.push(nr, nr + 1);
  return { answer, starts };
}

/**
 * Where numbers begin that stand apart from the ordinary ones: ARM's private calls, x32's own
 * versions.
 */
const EXTRA_CALLS: Partial<Record<Arch['name'], number>> = { ARM: 0xf0000, X32: X32_SYSCALL_BIT + 512 };

function isNewer(a: KernelVersion, b: KernelVersion): boolean {
  return a.major > b.major || (a.major === b.major && a.minor > b.minor);
}

/** The ABI of a number, where x86_64 and x32 share an audit arch: `isX32` says which. */
function abiOf(abis: readonly Arch[], isX32: boolean): Arch | undefined {
  const shared = abis.some(({ name }) => name === 'X86_64' || name === 'X32');
  return shared ? abis.find(({ name }) => name === (isX32 ? 'X32' : 'X86_64')) : abis[0];
}
