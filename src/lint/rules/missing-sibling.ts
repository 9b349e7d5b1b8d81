import { compareSeverity, SECCOMP_RET_ERRNO, SECCOMP_RET_LOG } from '../../action.ts';
import type { Arch } from '../../arch.ts';
import { diagnostic } from '../../errors.ts';
import { decisionOn } from '../../explain/explain.ts';
import { callOf, listed } from '../rule.ts';
import type { Finding, Rule, Subject } from '../rule.ts';

/** Calls that do one thing: who is refused one of `refused` can use `others` instead. */
interface Family {
  refused: readonly string[];
  /** The same calls unless given. */
  others?: readonly string[];
  /** What the others do, after their names, in the plural. */
  why: string;
  /** Conditions on a refused one are lost too, whatever the default action is. */
  conditions?: true;
}

const words = (text: string): string[] => text.split(' ');

const FILE_CALLS = words(
  'open openat openat2 creat statx mkdir mkdirat rename renameat renameat2 unlink unlinkat link linkat symlink symlinkat connect accept accept4 bind listen socket send sendto sendmsg recv recvfrom recvmsg setxattr fsetxattr getxattr fgetxattr epoll_ctl splice tee ftruncate',
);

export const FAMILIES: readonly Family[] = [
  { refused: words('chmod fchmod fchmodat fchmodat2'), why: 'change modes too' },
  {
    refused: words('chown lchown fchown fchownat chown32 lchown32 fchown32'),
    why: 'change owners too',
  },
  {
    refused: words('open openat openat2 creat'),
    why: 'open files too',
    conditions: true,
  },
  {
    refused: words('stat lstat newfstatat fstatat64 statx stat64 lstat64 oldstat oldlstat'),
    why: 'tell the same of a file',
  },
  { refused: words('rename renameat renameat2'), why: 'rename files too' },
  { refused: words('link linkat'), why: 'make hard links too' },
  { refused: words('symlink symlinkat'), why: 'make symbolic links too' },
  { refused: words('unlink unlinkat'), why: 'remove files too' },
  { refused: words('rmdir'), others: words('unlinkat'), why: 'remove directories too' },
  { refused: words('mkdir mkdirat'), why: 'make directories too' },
  { refused: words('mknod mknodat'), why: 'make device nodes too' },
  { refused: words('truncate truncate64'), why: 'cut files too' },
  { refused: words('access faccessat faccessat2'), why: 'tell the same of a file' },
  {
    refused: words('setxattr lsetxattr fsetxattr setxattrat'),
    why: 'set extended attributes too',
  },
  {
    refused: words('getxattr lgetxattr fgetxattr getxattrat'),
    why: 'read extended attributes too',
  },
  {
    refused: words('removexattr lremovexattr fremovexattr removexattrat'),
    why: 'remove extended attributes too',
  },
  {
    refused: words('listxattr llistxattr flistxattr listxattrat'),
    why: 'list extended attributes too',
  },
  {
    refused: words('mount'),
    others: words('move_mount open_tree fsmount mount_setattr'),
    why: 'attach and change mounts too',
  },
  { refused: words('umount umount2'), why: 'unmount too' },
  { refused: words('execve execveat'), why: 'start programs too' },
  { refused: words('fork vfork'), others: words('clone clone3 fork vfork'), why: 'make processes too' },
  { refused: words('clone clone3'), why: 'make processes and namespaces too', conditions: true },
  {
    refused: words('unshare'),
    others: words('clone clone3'),
    why: 'make namespaces too',
  },
  {
    refused: words('ptrace'),
    others: words('process_vm_readv process_vm_writev'),
    why: 'reach into the memory of other processes too',
  },
  { refused: words('process_vm_readv process_vm_writev'), others: ['ptrace'], why: 'do the same and more' },
  { refused: words('kexec_load kexec_file_load'), why: 'load another kernel too' },
  { refused: words('init_module finit_module'), why: 'load modules too' },
  {
    refused: words('clock_settime clock_settime64 settimeofday stime'),
    why: 'set the clock too',
  },
  { refused: words('adjtimex clock_adjtime clock_adjtime64'), why: 'adjust the clock too' },
  {
    refused: words('kill tkill tgkill pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo'),
    why: 'send signals too',
  },
  { refused: words('mprotect'), others: words('pkey_mprotect'), why: 'change protections too', conditions: true },
  { refused: words('mmap mmap2'), why: 'map memory too', conditions: true },
  { refused: words('futex futex_time64'), others: words('futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue'), why: 'wait and wake too' },
  { refused: words('setuid setuid32 setreuid setreuid32 setresuid setresuid32'), why: 'change the user too' },
  { refused: words('setgid setgid32 setregid setregid32 setresgid setresgid32'), why: 'change the group too' },
  { refused: words('setgroups setgroups32'), why: 'change the groups too' },
  { refused: words('add_key'), others: words('keyctl'), why: 'reach the keyrings too' },
  {
    refused: FILE_CALLS,
    others: ['io_uring_setup'],
    why: 'make rings whose requests do this without the call, so no filter sees them',
  },
]; // prettier-ignore

export const missingSibling: Rule = {
  code: 'MISSING_SIBLING',
  reason:
    'Linux has several calls for many things. A list of refusals that names one of them refuses nothing.',
  evidence:
    'fchmodat2 (Linux 6.6) beside chmod, clone3 (5.3) beside clone, the mount API (5.2) beside mount.',
  *find(subject) {
    for (const family of FAMILIES) yield* gapsIn(family, subject);
  },
};

function* gapsIn(
  { refused, others = refused, why, conditions }: Family,
  subject: Subject,
): Generator<Finding> {
  const isDenyList = isLax(subject.survey.usual);
  if (!isDenyList && !conditions) return;
  const isRestricted = (name: string, arch: Arch): boolean => {
    const kind = kindOf(subject, arch, name);
    return kind === 'partly' ? conditions === true : isDenyList && kind === 'refused';
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

/** What becomes of a call by its rules; `other` if it is absent, or a tracer or listener decides. */
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
