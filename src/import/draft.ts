import type { ArchName } from '../arch.ts';
import { archOf } from '../arch.ts';
import { errnoNumber } from '../errno.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import { formatOci } from '../profile/oci-text.ts';
import type { SyscallArg, SyscallEntry } from '../profile/types.ts';
import { nameId } from '../syscalls/load.ts';
import { SYSTEMD_VERSION, systemdGroups } from './generated/systemd-groups.ts';

type ActionName = SyscallEntry['action'];

/** What a filter gives: an action, and the errno of SCMP_ACT_ERRNO. */
export interface Answer {
  action: ActionName;
  errno?: number;
}

/** A rule of a foreign policy. */
export interface Rule extends Answer {
  name: string;
  args?: SyscallArg[];
}

/** A foreign policy, as exactly as an OCI profile can say it. */
export interface Draft {
  fallback: Answer;
  /** Empty: only the native architecture. */
  architectures: ArchName[];
  rules: Rule[];
}

/** For messages: the input, and one line of it. */
export interface Place {
  file: string;
  line?: number;
}

/** @throws SeccompcError IMPORT_REFUSED */
export function refuse({ file, line }: Place, reason: string, hint?: string): never {
  const at = line === undefined ? {} : { line, column: 1 };
  throw new SeccompcError([{ ...diagnostic('IMPORT_REFUSED', { reason }, { hint }), file, ...at }]);
}

export const ALLOW: Answer = { action: 'SCMP_ACT_ALLOW' };
export const errno = (number: number): Answer => ({ action: 'SCMP_ACT_ERRNO', errno: number });

/**
 * The profile as JSON: one entry for all names with the same answer, one for each rule with
 * conditions.
 */
export function draftText({ fallback, architectures, rules }: Draft): string {
  const entries = new Map<string, SyscallEntry>();
  for (const { name, action, errno: errnoRet, args = [] } of rules) {
    const key = args.length > 0 ? String(entries.size) : `${action} ${errnoRet}`;
    const entry = entries.get(key) ?? {
      names: [],
      action,
      ...(errnoRet !== undefined && { errnoRet }),
      args,
      pointer: '',
    };
    entry.names!.push(name);
    entries.set(key, entry);
  }
  return formatOci({
    defaultAction: fallback.action,
    ...(fallback.errno !== undefined && { defaultErrnoRet: fallback.errno }),
    architectures: architectures.map((arch) => ({ name: `SCMP_ARCH_${arch}`, pointer: '' })),
    flags: undefined,
    syscalls: [...entries.values()].map((entry) => ({
      ...entry,
      names: [...new Set(entry.names)].toSorted(),
    })),
    pointer: '',
  });
}

/**
 * The calls that a word names: itself, or all of one of systemd's groups that some architecture of
 * OCI has.
 * @throws SeccompcError for an unknown one
 */
export function namesOf(word: string, place: Place): string[] {
  if (!word.startsWith('@')) {
    if (nameId(word) < 0)
      refuse(place, `no architecture has a system call "${word}"`, 'remove it, or correct it');
    return [word];
  }
  const group = Object.hasOwn(systemdGroups, word) ? systemdGroups[word] : undefined;
  if (group === undefined)
    return refuse(place, `systemd ${SYSTEMD_VERSION} has no group "${word}"`, 'write the names of its calls');
  return group
    .split(' ')
    .flatMap((member) =>
      member.startsWith('@') ? namesOf(member, place) : nameId(member) < 0 ? [] : [member],
    );
}

/** A name such as EPERM, or a number up to 4094. @throws SeccompcError */
export function errnoOf(word: string, arch: ArchName, place: Place): number {
  const number = /^\d+$/.test(word) ? Number(word) : errnoNumber(word, archOf(arch).errnos);
  if (number === undefined || number > 4094)
    return refuse(place, `"${word}" is no errno that a filter can give`);
  return number;
}

/** The architectures whose programs a kernel of this one also runs; itself first. */
const COMPATIBLE: Partial<Record<ArchName, ArchName[]>> = {
  X86_64: ['X86', 'X32'],
  AARCH64: ['ARM'],
  PPC64: ['PPC'],
  MIPS64: ['MIPS', 'MIPS64N32'],
  MIPSEL64: ['MIPSEL', 'MIPSEL64N32'],
};

export function localArches(arch: ArchName): ArchName[] {
  return [arch, ...(COMPATIBLE[arch] ?? [])];
}
