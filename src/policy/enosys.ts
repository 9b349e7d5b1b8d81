import { actionLabel, actionValue } from '../action.ts';
import { parseArch, X32_SYSCALL_BIT } from '../arch.ts';
import type { Arch } from '../arch.ts';
import { errnoNumber } from '../errno.ts';
import type { Seccomp } from '../profile/types.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';
import { multiplexed } from './multiplex.ts';
import { MAX_NR } from './number-ranges.ts';
import { runcHas } from './runc.ts';
import type { DecisionRange } from './types.ts';

/** The return value of ENOSYS as this architecture numbers it: 38, 89 on MIPS, 251 on PARISC. */
export function enosysAction(arch: Arch): number {
  return actionValue('SCMP_ACT_ERRNO', errnoNumber('ENOSYS', arch.errnos));
}

/**
 * runc compares this with defaultErrnoRet before it adds its stub, not the errno:
 * SCMP_ACT_ERRNO(ENOSYS).
 */
const ERRNO_ENOSYS = 0x50026;

/** If the default lets calls through, ENOSYS would take them away from programs. */
export function givesEnosys(defaultAction: number): boolean {
  const label = actionLabel(defaultAction);
  return label !== 'ALLOW' && label !== 'LOG' && label !== 'TRACE';
}

export interface EnosysContext {
  seccomp: Seccomp;
  target: Target;
  tables: SyscallTables;
  /** u32 return value. */
  defaultAction: number;
}

type Numbers = Pick<DecisionRange, 'from' | 'to'>;

/**
 * runc's stub, which comes before everything else: numbers above the largest one that the profile
 * names get ENOSYS. runc omits architectures that the profile does not list, before 1.1.15 also the
 * native one.
 * docs/semantics.md section 9.
 */
export function enosysStub(abi: Arch, context: EnosysContext): Numbers[] {
  const { seccomp, target, tables, defaultAction } = context;
  if (!target.enosysStub || !givesEnosys(defaultAction)) return [];
  const isListed =
    seccomp.architectures.some(({ name }) => parseArch(name) === abi.name) ||
    (abi.name === target.arch && runcHas(target, 'nativeStub') === true);
  if (target.semantics === 'runc' && (!isListed || seccomp.defaultErrnoRet === ERRNO_ENOSYS)) return [];
  const table = tables.of(abi.name);
  let last = 0;
  for (const { names } of seccomp.syscalls)
    for (const name of names ?? [])
      if (multiplexed(name, abi) === undefined) last = Math.max(last, table.numberOf(name) ?? 0);
  if (last === 0) return [];
  const above = { from: last + 1, to: MAX_NR };
  if (abi.name === 'S390' || abi.name === 'S390X') return [above, { from: 0, to: 0 }];
  if (abi.name !== 'X86_64' && abi.name !== 'X32') return [above];
  // Bit 30 tells the two apart, whatever bit 31 says.
  const bit = abi.name === 'X32' ? X32_SYSCALL_BIT : 0;
  return [
    { from: last + 1, to: bit + 0x3fffffff },
    { from: 0x80000000 + bit, to: 0x80000000 + bit + 0x3fffffff },
  ];
}

/**
 * The calls (positions in the table) that get ENOSYS because the profile does not name them, and
 * they are newer than `target.enosysAfter`. {@link beyondTable} has the numbers after the last one.
 */
export function callsAfter(abi: Arch, { seccomp, target, tables, defaultAction }: EnosysContext): number[] {
  const limit = target.enosysAfter;
  if (limit === undefined || !givesEnosys(defaultAction)) return [];
  const table = tables.of(abi.name);
  const named = new Set(seccomp.syscalls.flatMap((entry) => entry.names ?? []));
  const isNewer = (name: string) => {
    const since = table.sinceOf(name);
    if (since === undefined || named.has(name)) return false;
    return since.major > limit.major || (since.major === limit.major && since.minor > limit.minor);
  };
  return table.entries().flatMap(([, name], position) => (isNewer(name) ? [position] : []));
}

/** Numbers apart from the ordinary ones: ARM's private calls, and x32's own entry points. */
const APART: Partial<Record<Arch['name'], number>> = { ARM: 0xf0001, X32: X32_SYSCALL_BIT + 512 };

/** The unassigned numbers after the last ordinary call: where the kernel's next calls will be. */
export function beyondTable(abi: Arch, { target, tables, defaultAction }: EnosysContext): Numbers[] {
  if (target.enosysAfter === undefined || !givesEnosys(defaultAction)) return [];
  const { numbers } = tables.of(abi.name);
  const apart = APART[abi.name] ?? MAX_NR;
  const last = numbers.findLast((nr) => nr < apart)!;
  // Bit 30 under x86_64's audit arch is x32's, listed or not.
  const end = abi.name === 'X86_64' ? X32_SYSCALL_BIT - 1 : MAX_NR;
  const bounds = [last, ...numbers.filter((nr) => nr > last), end + 1];
  return bounds.slice(1).flatMap((next, index) => {
    const from = bounds[index]! + 1;
    return from < next ? [{ from, to: next - 1 }] : [];
  });
}
