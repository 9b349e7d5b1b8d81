import { compareSeverity, SECCOMP_RET_LOG } from '../../action.ts';
import type { Arch } from '../../arch.ts';
import { diagnostic } from '../../errors.ts';
import { explainCall } from '../../explain/explain.ts';
import { constantsOf } from '../../syscalls/constants.ts';
import { signatureOf } from '../../syscalls/signatures.ts';
import { callOf, LEVELS, listed } from '../rule.ts';
import type { Finding, Level, Rule, Subject } from '../rule.ts';

/** Calls that give away more than a program in a box needs. */
interface Danger {
  calls: string;
  /**
   * The constant that makes it dangerous, and the argument, by the names of the kernel's sources.
   */
  constant?: readonly [argument: string, name: string];
  /** The most permissive kind of box that should not have it. */
  level: Level;
  why: string;
}

export const DANGERS: readonly Danger[] = [
  { calls: 'kexec_load kexec_file_load', level: 'container', why: 'replaces the kernel of the host' },
  { calls: 'init_module finit_module delete_module', level: 'container', why: 'puts code into the kernel, or takes it out' },
  { calls: 'reboot', level: 'container', why: 'stops the host' },
  { calls: 'swapon swapoff', level: 'container', why: 'changes the memory of the host' },
  { calls: 'acct', level: 'container', why: 'writes an account of all processes' },
  { calls: 'settimeofday stime clock_settime clock_settime64', level: 'container', why: 'sets the clock of the host' },
  { calls: 'iopl ioperm', level: 'container', why: 'reaches the ports of the hardware' },
  { calls: 'mount umount umount2 pivot_root fsopen fsmount fsconfig move_mount open_tree open_tree_attr mount_setattr', level: 'container', why: 'changes what the files are, and lets unusual file systems be parsed in the kernel' },
  { calls: 'open_by_handle_at', level: 'container', why: 'opens files past every directory on the way, outside the container too' },
  { calls: 'bpf', level: 'container', why: 'runs programs in the kernel, whose verifier has had many holes' },
  { calls: 'perf_event_open', level: 'container', why: 'measures other programs, through code that has had many holes' },
  { calls: 'userfaultfd', level: 'container', why: 'stops the kernel in the middle of a copy, which makes races easy to win' },
  { calls: 'io_uring_setup io_uring_enter io_uring_register', level: 'container', why: 'makes calls that no filter sees, through code that has had many holes' },
  { calls: 'keyctl add_key request_key', level: 'container', why: 'reaches keyrings, which no namespace separates' },
  { calls: 'setns', level: 'container', why: 'enters the namespaces of others' },
  { calls: 'unshare', constant: ['unshare_flags', 'CLONE_NEWUSER'], level: 'container', why: 'makes a user namespace, in which every capability is there for code that only root reached before' },
  { calls: 'clone', constant: ['clone_flags', 'CLONE_NEWUSER'], level: 'container', why: 'makes a user namespace, in which every capability is there for code that only root reached before' },
  { calls: 'clone3', level: 'container', why: 'makes user namespaces, and its flags lie in memory, where no filter sees them; ENOSYS makes a libc use clone' },
  { calls: 'socket', constant: ['family', 'AF_ALG'], level: 'container', why: 'opens the crypto of the kernel, which has had many holes' },
  { calls: 'socket', constant: ['family', 'AF_VSOCK'], level: 'container', why: 'reaches the hypervisor past every network namespace' },
  { calls: 'ptrace process_vm_readv process_vm_writev pidfd_getfd process_madvise', level: 'sandbox', why: 'reaches into other processes' },
  { calls: 'ioctl', constant: ['cmd', 'TIOCSTI'], level: 'sandbox', why: 'types into the terminal that the sandbox was started from' },
  { calls: 'ioctl', constant: ['cmd', 'TIOCLINUX'], level: 'sandbox', why: 'pastes into the console that the sandbox was started from' },
  { calls: 'socket', constant: ['family', 'AF_PACKET'], level: 'sandbox', why: 'reads and writes raw packets' },
  { calls: 'personality', constant: ['personality', 'ADDR_NO_RANDOMIZE'], level: 'sandbox', why: 'turns address randomisation off' },
  { calls: 'modify_ldt vm86 vm86old', level: 'sandbox', why: 'reaches old parts of the processor that few programs need' },
  { calls: 'kcmp lookup_dcookie', level: 'sandbox', why: 'tells where the kernel keeps things' },
  { calls: 'name_to_handle_at fanotify_init quotactl syslog', level: 'sandbox', why: 'is for the administration of a machine' },
  { calls: 'chroot mknod mknodat', level: 'strict', why: 'is for the set-up of a container, not for what runs in it' },
  { calls: 'memfd_create memfd_secret', level: 'strict', why: 'makes files that no path and no mount option governs, and that can be executed' },
  { calls: 'execveat', level: 'strict', why: 'executes a file that has no path' },
]; // prettier-ignore

export const dangerousCall: Rule = {
  code: 'DANGEROUS_CALL',
  reason: 'Some calls open more of the kernel, or of the host, than a program in a box needs.',
  evidence: 'What container engines refuse by default, and the calls by which kernels have been attacked.',
  *find(subject) {
    if (subject.level === undefined) return;
    const depth = LEVELS.indexOf(subject.level);
    for (const danger of DANGERS) if (LEVELS.indexOf(danger.level) <= depth) yield* allowed(danger, subject);
  },
};

/** One finding for each entry, or for the default action, that allows calls of one kind. */
function* allowed({ calls, constant, why }: Danger, subject: Subject): Generator<Finding> {
  const { profile, lowered } = subject;
  const groups = new Map<string, { names: Set<string>; arches: Set<string>; call: Finding['call'] }>();
  for (const name of calls.split(' '))
    for (const arch of lowered.arches) {
      const args = constant === undefined ? {} : argumentOf(arch, name, constant);
      const data = args && callOf(subject, arch, name, args);
      if (data === undefined) continue;
      const { answer, entry } = explainCall(profile, lowered, data);
      if (compareSeverity(answer, SECCOMP_RET_LOG) < 0) continue;
      const pointer = entry ?? `${lowered.reference.seccomp.pointer}/defaultAction`;
      const group = groups.get(pointer) ?? { names: new Set(), arches: new Set(), call: { data, answer } };
      groups.set(pointer, group);
      group.names.add(constant === undefined ? name : `${name}(${constant[1]})`);
      group.arches.add(arch.name);
    }
  for (const [pointer, { names, arches, call }] of groups) {
    const [verb, each] = names.size === 1 ? ['is', 'it'] : ['are', 'each'];
    const values = { names: listed([...names], 5), verb, each, arches: listed([...arches]), why };
    yield { diagnostic: diagnostic('DANGEROUS_CALL', values, { pointer }), ...(call && { call }) };
  }
}

/** Undefined where the architecture does not have the constant. */
function argumentOf(
  arch: Arch,
  name: string,
  [argument, constant]: NonNullable<Danger['constant']>,
): Record<number, bigint> | undefined {
  const index = signatureOf(arch, name)?.args.findIndex((each) => each.name === argument) ?? -1;
  const value = index < 0 ? undefined : constantsOf(arch, name, index)?.entries.get(constant);
  return value === undefined ? undefined : { [index]: value };
}
