import { actionValue, carriesErrno } from '../action.ts';
import type { ActionName } from '../action.ts';
import type { Arch } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Seccomp, SyscallArg, SyscallEntry } from '../profile/types.ts';
import { nearestNames } from '../syscalls/lookup.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import type { Target } from '../target.ts';
import { losesBits } from './condition.ts';
import type { Condition } from './types.ts';

/** An entry that can change an answer: its return value, and how its `args` combine. */
export interface EffectiveEntry {
  entry: SyscallEntry;
  /** Those of its names that some architecture has; for the id see {@link SyscallTables.idOf}. */
  calls: { name: string; id: number }[];
  /** u32 return value. */
  action: number;
  /** Each inner list is one rule, whose conditions must all hold. One empty list: no conditions. */
  alternatives: SyscallArg[][];
}

/** A rule with conditions on one number of one architecture. */
export interface Rule {
  /** At least one, argument indexes ascending, each at most once. */
  conditions: Condition[];
  /** u32 return value. */
  action: number;
  entry: SyscallEntry;
  /** The name it was written for. */
  name: string;
  /** The multiplexed call, if the rule is about that instead of the direct one. */
  by: 'socketcall' | 'ipc' | undefined;
}

/** libseccomp refuses more; the kernel would cap it. docs/semantics.md section 4.2. */
const MAX_ERRNO = 4094;
const ERRNO_MASK = 0xffff;
const EPERM = 1;
/** crun keeps six of `args` (as many as a call has arguments); runc all. */
const MAX_ARGS = 6;

/** How many unknown names get a suggestion, for which all names are searched. */
const MAX_SUGGESTIONS = 20;

/** The return value of an action with its errno; reports faults. docs/semantics.md section 4. */
export function returnValue(
  action: ActionName,
  errnoRet: number | undefined,
  where: { pointer: string; member: string },
  target: Target,
  report: (d: Diagnostic) => void,
): number {
  const pointer = `${where.pointer}/${where.member}`;
  if (!carriesErrno(action)) {
    if (errnoRet !== undefined) {
      const severity = target.semantics === 'runc' ? 'warning' : 'error';
      report(diagnostic('ERRNO_WITHOUT_EFFECT', { member: where.member, action }, { pointer, severity }));
    }
    return actionValue(action);
  }
  const wanted = errnoRet ?? EPERM;
  const errno = wanted & ERRNO_MASK;
  if (action === 'SCMP_ACT_ERRNO' && errno > MAX_ERRNO)
    report(diagnostic('ERRNO_TOO_LARGE', { errno, limit: MAX_ERRNO }, { pointer }));
  else if (errno !== wanted)
    report(diagnostic(errno === 0 ? 'ERRNO_MASKED_TO_ZERO' : 'ERRNO_MASKED', { wanted, errno }, { pointer }));
  return actionValue(action, errno);
}

/** The entries that can change an answer, in profile order. Reports each fault once. */
export function effectiveEntries(
  seccomp: Seccomp,
  defaultAction: number,
  target: Target,
  tables: SyscallTables,
  report: (d: Diagnostic) => void,
): EffectiveEntry[] {
  const effective: EffectiveEntry[] = [];
  let suggestionsLeft = MAX_SUGGESTIONS;
  const reportUnknown = (name: string, pointer: string) => {
    const severity = target.failUnknown ? 'error' : 'warning';
    const similar = suggestionsLeft-- > 0 ? () => similarName(name) : undefined;
    const hint = name.startsWith('@') ? groupHint(name) : similar;
    report(diagnostic('UNKNOWN_SYSCALL', { name }, { pointer, severity, hint }));
  };
  for (const entry of seccomp.syscalls) {
    const { pointer } = entry;
    const action = returnValue(entry.action, entry.errnoRet, { pointer, member: 'errnoRet' }, target, report);
    if (entry.names === undefined) {
      const severity = target.semantics === 'runc' ? 'warning' : 'error';
      report(diagnostic('MISSING_NAMES', {}, { pointer, severity }));
      continue;
    }
    const calls: EffectiveEntry['calls'] = [];
    for (const [index, name] of entry.names.entries()) {
      const id = tables.idOf(name);
      if (id < 0) reportUnknown(name, namePointer(entry, index));
      else calls.push({ name, id });
    }
    const alternatives = combineArgs(entry, target, report);
    checkNotify(entry, target, report);
    // Dropped before its names count, so it shadows nothing: docs/semantics.md section 5.1.
    if (action === defaultAction) {
      if (entry.names.length > 0)
        report(diagnostic('ENTRY_EQUALS_DEFAULT', { action: entry.action }, { pointer }));
      continue;
    }
    effective.push({ entry, calls, action, alternatives });
  }
  return effective;
}

/** Pointer of a name in the user's file: the dialect may have it in a member of its own. */
function namePointer(entry: SyscallEntry, index: number): string {
  return entry.singular ? `${entry.pointer}/name` : `${entry.pointer}/names/${index}`;
}

/** Groups such as `@mount` are systemd's; no runtime knows one. */
function groupHint(name: string): string {
  return `groups are systemd's: "systemd-analyze syscall-filter ${name}" lists its calls, "seccompc import --allow ${name}" writes them`;
}

function similarName(name: string): string | undefined {
  const [nearest] = nearestNames(name, 1);
  return nearest === undefined ? undefined : `did you mean "${nearest}"?`;
}

/** One rule, or one for each condition if an index repeats. docs/semantics.md 5.4 to 5.7. */
function combineArgs(entry: SyscallEntry, target: Target, report: (d: Diagnostic) => void): SyscallArg[][] {
  if (entry.args.length === 0) return [[]];
  const pointer = `${entry.pointer}/args`;
  const looksAtSix = target.semantics === 'crun';
  if (entry.args.length > MAX_ARGS && looksAtSix)
    report(diagnostic('TOO_MANY_ARGS', { count: entry.args.length, limit: MAX_ARGS }, { pointer }));
  const args = looksAtSix ? entry.args.slice(0, MAX_ARGS) : entry.args;
  if (new Set(args.map((arg) => arg.index)).size === args.length)
    return [args.toSorted((a, b) => a.index - b.index)];
  report(diagnostic('ARGS_ALTERNATIVE', {}, { pointer }));
  return args.map((arg) => [arg]);
}

/** Such a NOTIFY hangs the container before its listener exists. docs/semantics.md section 10.3. */
function checkNotify(entry: SyscallEntry, target: Target, report: (d: Diagnostic) => void): void {
  const index = entry.names?.indexOf('write') ?? -1;
  if (entry.action === 'SCMP_ACT_NOTIFY' && index >= 0 && !target.force)
    report(diagnostic('NOTIFY_ON_WRITE', {}, { pointer: namePointer(entry, index) }));
}

/** Warns of constants that a 32-bit architecture cuts. docs/semantics.md section 8.3. */
export function reportLostBits(
  entries: readonly EffectiveEntry[],
  arches: readonly Arch[],
  report: (d: Diagnostic) => void,
): void {
  const narrow = arches.filter((arch) => arch.wordBits === 32).map((arch) => arch.name);
  if (narrow.length === 0) return;
  for (const { entry } of entries)
    entry.args.forEach((arg, index) => {
      if (losesBits(arg))
        report(
          diagnostic(
            'CONSTANT_CUT',
            { value: `0x${arg.value.toString(16)}`, arches: narrow.join(', ') },
            { pointer: `${entry.pointer}/args/${index}/value` },
          ),
        );
    });
}
