import { compareSeverity, SECCOMP_RET_ERRNO, SECCOMP_RET_LOG } from '../../action.ts';
import type { Arch } from '../../arch.ts';
import { diagnostic } from '../../errors.ts';
import { decisionOn } from '../../explain/explain.ts';
import { callOf, listed } from '../rule.ts';
import type { Finding, Rule, Subject } from '../rule.ts';

/** Calls that do one thing: who is refused one of `refused` can use `others` instead. */
interface Family {
  refused: readonly string[];
  others: readonly string[];
  /** What the others do, after their names, in the plural. */
  why: string;
  /** Conditions on a refused one are lost too, whatever the default action is. */
  conditions: boolean;
}

/**
 * A line for each: the refused calls, the others where they are not the same, why, and `conditions`
 * where it is so.
 */
const TABLE = `
chmod fchmod fchmodat fchmodat2 | | change modes too
chown lchown fchown fchownat chown32 lchown32 fchown32 | | change owners too
open openat openat2 creat | | open files too | conditions
stat lstat newfstatat fstatat64 statx stat64 lstat64 oldstat oldlstat | | tell the same of a file
rename renameat renameat2 | | rename files too
link linkat | | make hard links too
symlink symlinkat | | make symbolic links too
unlink unlinkat | | remove files too
rmdir | unlinkat | remove directories too
mkdir mkdirat | | make directories too
mknod mknodat | | make device nodes too
truncate truncate64 | | cut files too
access faccessat faccessat2 | | tell the same of a file
setxattr lsetxattr fsetxattr setxattrat | | set extended attributes too
getxattr lgetxattr fgetxattr getxattrat | | read extended attributes too
removexattr lremovexattr fremovexattr removexattrat | | remove extended attributes too
listxattr llistxattr flistxattr listxattrat | | list extended attributes too
mount | move_mount open_tree open_tree_attr fsmount mount_setattr | attach and change mounts too
umount umount2 | | unmount too
execve execveat | | start programs too
fork vfork | clone clone3 fork vfork | make processes too
clone clone3 | | make processes and namespaces too | conditions
unshare | clone clone3 open_tree open_tree_attr fsmount | make namespaces too
ptrace | process_vm_readv process_vm_writev | reach into the memory of other processes too
process_vm_readv process_vm_writev | ptrace | do the same and more
kexec_load kexec_file_load | | load another kernel too
init_module finit_module | | load modules too
clock_settime clock_settime64 settimeofday stime | | set the clock too
adjtimex clock_adjtime clock_adjtime64 | | adjust the clock too
kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo | | send signals too
mprotect | pkey_mprotect | change protections too | conditions
mmap mmap2 | | map memory too | conditions
futex futex_time64 | futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue | wait and wake too
setuid setuid32 setreuid setreuid32 setresuid setresuid32 | | change the user too
setgid setgid32 setregid setregid32 setresgid setresgid32 | | change the group too
setgroups setgroups32 | | change the groups too
add_key | keyctl | reach the keyrings too
open openat openat2 creat statx mkdir mkdirat rename renameat renameat2 unlink unlinkat link linkat symlink symlinkat connect accept accept4 bind listen socket send sendto sendmsg recv recvfrom recvmsg setxattr fsetxattr getxattr fgetxattr epoll_ctl splice tee ftruncate | io_uring_setup | make rings whose requests do this without the call, so no filter sees them
`;

export const FAMILIES: readonly Family[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [refused, others, why, conditions] = line.split('|').map((cell) => cell.trim());
    const calls = refused!.split(' ');
    return {
      refused: calls,
      others: others === '' ? calls : others!.split(' '),
      why: why!,
      conditions: conditions !== undefined,
    };
  });

export const missingSibling: Rule = {
  code: 'MISSING_SIBLING',
  reason:
    'Linux has several calls for many things. A list of refusals that names one of them refuses nothing.',
  evidence:
    'fchmodat2 (Linux 6.6) beside chmod, clone3 (5.3) beside clone, the mount API (5.2) beside mount, OPEN_TREE_NAMESPACE beside unshare.',
  *find(subject) {
    for (const family of FAMILIES) yield* gapsIn(family, subject);
  },
};

function* gapsIn({ refused, others, why, conditions }: Family, subject: Subject): Generator<Finding> {
  const isDenyList = isLax(subject.survey.usual);
  if (!isDenyList && !conditions) return;
  const isRestricted = (name: string, arch: Arch): boolean => {
    const kind = kindOf(subject, arch, name);
    return kind === 'partly' ? conditions : isDenyList && kind === 'refused';
  };
  // Of one entry and one other call, all architectures.
  const gaps = new Map<string, Gap>();
  for (const arch of subject.lowered.arches) {
    const first = refused.find((name) => isRestricted(name, arch));
    if (first === undefined) continue;
    const entry = entryNaming(subject, first);
    if (entry === undefined) continue;
    for (const other of others) {
      if (kindOf(subject, arch, other) !== 'allowed') continue;
      const gap = gaps.get(`${entry} ${other}`) ?? { entry, name: first, others: [other], arches: [] };
      gaps.set(`${entry} ${other}`, gap);
      gap.arches.push(arch);
    }
  }
  for (const { entry, name, others: missing, arches } of joined([...gaps.values()])) {
    const data = callOf(subject, arches[0]!, missing[0]!)!;
    const answer = decisionOn(subject.lowered.policy, data)!.otherwise;
    const values = {
      name,
      others: listed(missing),
      arches: listed(arches.map((arch) => arch.name)),
      why: missing.length > 1 ? why : singular(why),
    };
    yield { diagnostic: diagnostic('MISSING_SIBLING', values, { pointer: entry }), call: { data, answer } };
  }
}

interface Gap {
  /** Pointer of the entry that restricts `name`. */
  entry: string;
  name: string;
  others: string[];
  arches: Arch[];
}

/** Gaps of one entry on the same architectures become one. */
function joined(gaps: readonly Gap[]): Gap[] {
  const found = new Map<string, Gap>();
  for (const gap of gaps) {
    const key = [gap.entry, ...gap.arches.map(({ name }) => name)].join();
    const known = found.get(key);
    if (known === undefined) found.set(key, gap);
    else known.others.push(...gap.others);
  }
  return [...found.values()];
}

function singular(why: string): string {
  const [verb = '', ...rest] = why.split(' ');
  return [`${verb}${/(ch|o)$/.test(verb) ? 'es' : 's'}`, ...rest].join(' ');
}

type Kind = 'refused' | 'partly' | 'allowed' | 'other';

/**
 * What becomes of a call by its rules; `other` if it is absent, or a tracer or listener decides.
 */
function kindOf(subject: Subject, arch: Arch, name: string): Kind {
  const data = callOf(subject, arch, name);
  if (data === undefined) return 'other';
  const { rules, otherwise } = decisionOn(subject.lowered.policy, data)!;
  const answers = [...rules.map(({ action }) => action), otherwise];
  if (answers.every(isLax)) return 'allowed';
  if (answers.every(isRefusal)) return 'refused';
  return answers.some(isLax) && answers.some(isRefusal) ? 'partly' : 'other';
}

function isLax(answer: number): boolean {
  return compareSeverity(answer, SECCOMP_RET_LOG) >= 0;
}

function isRefusal(answer: number): boolean {
  return compareSeverity(answer, SECCOMP_RET_ERRNO) <= 0;
}

/** The entry that says something about a call; none for one that only gets the default action. */
function entryNaming({ survey: { entries, usual } }: Subject, name: string): string | undefined {
  return entries.find(({ action, calls }) => action !== usual && calls.some((call) => call.name === name))
    ?.entry.pointer;
}
