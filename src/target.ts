import { allArches } from './arch.ts';
import type { ArchName } from './arch.ts';
import { diagnostic, fail, SeccompcError } from './errors.ts';
import type { Diagnostic } from './errors.ts';

export interface KernelVersion {
  major: number;
  minor: number;
}

/**
 * What a profile is compiled for. Everything the result depends on besides the profile and the options
 * of the code generator is in here; nothing is read from the host. The command fills it from flags and
 * host, a library caller by hand. It is recorded in the result.
 */
export interface Target {
  /** The native architecture: always in the filter, chooses the archMap entry and the byte order. */
  arch: ArchName;
  /** Replaces the profile's own list; undefined keeps it. */
  architectures?: ArchName[];
  /** The container's bounding set, full names (`CAP_CHOWN`), sorted. For includes/excludes. */
  capabilities: string[];
  /** For minKernel. */
  kernel: KernelVersion;
  /** Which engine's reading of the Docker dialect. */
  engine: 'moby' | 'podman';
  /** Whose reading of the OCI object where crun and runc differ. docs/semantics.md section 12. */
  semantics: 'crun' | 'runc';
  /** runc's stub: numbers above the largest one named get ENOSYS. docs/semantics.md section 9. */
  enosysStub: boolean;
  /** Calls that the profile does not name and that are newer than this release get ENOSYS. */
  enosysAfter?: KernelVersion;
  /** What two rules with different actions that can both match one call are: a warning or an error. */
  overlap: 'warn' | 'error';
  /** A name no table knows is an error instead of a warning. */
  failUnknown: boolean;
  /** Accept what is refused only because it is nearly always a mistake. */
  force: boolean;
}

/** All capabilities; the position is the number (linux/capability.h, `CAP_LAST_CAP` is 40). */
export const CAPABILITY_NAMES: readonly string[] = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID',
  'CAP_SETUID', 'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE', 'CAP_NET_BIND_SERVICE', 'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK', 'CAP_IPC_OWNER', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_PACCT', 'CAP_SYS_ADMIN', 'CAP_SYS_BOOT', 'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE', 'CAP_SYS_TIME', 'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD', 'CAP_LEASE', 'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE', 'CAP_MAC_ADMIN', 'CAP_SYSLOG', 'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE',
]; // prettier-ignore

/** What a container holds when nothing is said. docs/semantics.md section 11. */
const PODMAN_DEFAULT: readonly string[] = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_NET_BIND_SERVICE',
  'CAP_SETFCAP', 'CAP_SETGID', 'CAP_SETPCAP', 'CAP_SETUID', 'CAP_SYS_CHROOT',
]; // prettier-ignore
const DEFAULT_CAPABILITIES: Record<Target['engine'], readonly string[]> = {
  moby: [...PODMAN_DEFAULT, 'CAP_AUDIT_WRITE', 'CAP_MKNOD', 'CAP_NET_RAW'],
  podman: PODMAN_DEFAULT,
};

/** The release of the checked-in syscall tables. */
const NEWEST_KERNEL: KernelVersion = { major: 7, minor: 2 };

/**
 * The bounding set of a container, sorted: the base, without what is dropped, with what is added, as the engine combines
 * its options --cap-add and --cap-drop (docs/semantics.md section 11). `ALL` in `drop` starts from no capability, `ALL` in
 * `add` from every one. Names are in any case, with or without `CAP_`.
 *
 * @throws SeccompcError TARGET_INVALID for a name that the kernel does not have, and for what podman refuses
 */
export function capabilitySet(
  engine: Target['engine'],
  base: 'default' | 'all' | 'none',
  add: readonly string[] = [],
  drop: readonly string[] = [],
): string[] {
  const added = new Set(add.map(capabilityNamed));
  const dropped = new Set(drop.map(capabilityNamed));
  if (engine === 'podman') refuseContradiction(added, dropped);
  const bases = { default: DEFAULT_CAPABILITIES[engine], all: CAPABILITY_NAMES, none: [] };
  const start = added.has(ALL) ? CAPABILITY_NAMES : dropped.has(ALL) ? [] : bases[base];
  const kept = start.filter((name) => !dropped.has(name));
  return (added.has(ALL) ? kept : [...new Set([...kept, ...added])]).toSorted();
}

/** Every capability, in a list of those to add or to drop. */
const ALL = 'ALL';

/** podman starts no container with these options; docker lets what is added win. */
function refuseContradiction(added: ReadonlySet<string>, dropped: ReadonlySet<string>): void {
  const both = [...added].filter((name) => dropped.has(name)).toSorted();
  // With one of the two lists being ALL, podman does not compare the names.
  const contradictory = added.has(ALL) || dropped.has(ALL) ? both.filter((name) => name === ALL) : both;
  if (contradictory.length === 0) return;
  fail('TARGET_INVALID', { reason: `podman refuses to both add and drop ${contradictory.join(', ')}` });
}

function capabilityNamed(text: string): string {
  const upper = text.toUpperCase();
  if (upper === ALL) return ALL;
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (CAPABILITY_NAMES.includes(name)) return name;
  return fail('TARGET_INVALID', { reason: `there is no capability "${text}"` });
}

/** The two numbers of "X.Y"; what follows, as in "6.1.0-13-amd64", does not matter. Undefined for anything else. */
export function parseKernelVersion(text: string): KernelVersion | undefined {
  const [, major, minor] = /^(\d{1,3})\.(\d{1,5})(?:[.+-].*)?$/.exec(text) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** A target with everything that is not said at its default: the table in docs/cli.md. @throws SeccompcError */
export function makeTarget(given: Partial<Target> & Pick<Target, 'arch'>): Target {
  const { engine = 'moby', semantics = 'crun', architectures, enosysAfter } = given;
  const target: Target = {
    arch: given.arch,
    ...(architectures === undefined ? {} : { architectures: [...architectures] }),
    capabilities:
      given.capabilities === undefined
        ? capabilitySet(engine, 'default')
        : [...new Set(given.capabilities)].toSorted(),
    kernel: given.kernel ?? NEWEST_KERNEL,
    engine,
    semantics,
    enosysStub: given.enosysStub ?? semantics === 'runc',
    ...(enosysAfter === undefined ? {} : { enosysAfter }),
    overlap: given.overlap ?? 'warn',
    failUnknown: given.failUnknown ?? false,
    force: given.force ?? false,
  };
  const faults = validateTarget(target);
  if (faults.length > 0) throw new SeccompcError(faults);
  return target;
}

/** Everything in a target that types do not rule out, or that a caller without types got wrong. */
export function validateTarget(target: Target): Diagnostic[] {
  const reasons: string[] = [];
  const arches = allArches().map(({ name }) => name);
  for (const arch of [target.arch, ...(target.architectures ?? [])])
    if (!arches.includes(arch)) reasons.push(`"${arch}" is none of ${arches.join(', ')}`);
  for (const name of target.capabilities)
    if (!CAPABILITY_NAMES.includes(name)) reasons.push(`there is no capability "${name}"`);
  for (const kernel of [target.kernel, ...(target.enosysAfter === undefined ? [] : [target.enosysAfter])])
    if (![kernel.major, kernel.minor].every((n) => Number.isSafeInteger(n) && n >= 0))
      reasons.push(`a kernel release is two whole numbers, not ${kernel.major}.${kernel.minor}`);
  const choices: [string, string, readonly string[]][] = [
    ['engine', target.engine, ['moby', 'podman']],
    ['semantics', target.semantics, ['crun', 'runc']],
    ['overlap', target.overlap, ['warn', 'error']],
  ];
  for (const [option, value, known] of choices)
    if (!known.includes(value)) reasons.push(`${option} is ${known.join(' or ')}, not "${value}"`);
  return reasons.map((reason) => diagnostic('TARGET_INVALID', { reason }));
}
