import { parseArch } from './arch.ts';
import type { ArchName } from './arch.ts';
import { diagnostic, fail, SeccompcError } from './errors.ts';
import type { Diagnostic } from './errors.ts';

export interface KernelVersion {
  major: number;
  minor: number;
}

/**
 * What a profile is compiled for. Everything the result depends on besides the profile and the
 * options of the code generator is in here; nothing is read from the host. The command fills it
 * from flags and host, a library caller by hand. It is recorded in the result.
 */
export interface Target {
  /**
   * The native architecture: always in the filter, chooses the archMap entry and the byte order.
   */
  arch: ArchName;
  /** Replaces the profile's own list; undefined keeps it. */
  architectures?: ArchName[];
  /** The container's bounding set, full names (`CAP_CHOWN`), sorted. For includes/excludes. */
  capabilities: string[];
  /** For minKernel. */
  kernel: KernelVersion;
  /** Which engine's reading of the Docker dialect. */
  engine: 'moby' | 'podman';
  /** The release of Docker: `20.10`. The newest without one. */
  engineRelease?: string;
  /** Whose reading of the OCI object where crun and runc differ. docs/semantics.md section 12. */
  semantics: 'crun' | 'runc';
  /**
   * The release of runc: `1.3` or `1.3.6`. Without one, runc 1.1.5's stub, and everything that some
   * release takes.
   */
  runcRelease?: string;
  /** runc's stub: numbers above the largest one named get ENOSYS. docs/semantics.md section 9. */
  enosysStub: boolean;
  /** Calls that the profile does not name and that are newer than this release get ENOSYS. */
  enosysAfter?: KernelVersion;
  /**
   * What two rules with different actions that can both match one call are: a warning or an error.
   */
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

/** Default capabilities of a container. docs/semantics.md section 11. */
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
 * The bounding set of a container, sorted: the base, without what is dropped, with what is added,
 * as the engine combines its options --cap-add and --cap-drop (docs/semantics.md section 11). `ALL`
 * in `drop` starts from no capability, `ALL` in `add` from every one. Names are in any case, with
 * or without `CAP_`.
 *
 * @throws SeccompcError TARGET_INVALID for a name that the kernel does not have, and for what
 *   podman refuses
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

/** podman refuses these options; in docker, added capabilities win. */
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

/**
 * The two numbers that a release begins with, as Docker reads it: what follows, as in
 * "6.1.0-13-amd64" or "3.12custom", does not matter. Undefined for anything else.
 */
export function parseKernelVersion(text: string): KernelVersion | undefined {
  const [, major, minor] = /^(\d{1,3})\.(\d{1,5})(?!\d)/.exec(text) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** `crun`, `runc`, or a release of runc. */
export type RuntimeName = Target['semantics'] | `runc@${string}`;

export const RUNTIME_FORM =
  'crun, runc, runc@X.Y or runc@X.Y.Z (1.1 or newer; all releases of crun read alike)';

/** Undefined for anything else than {@link RUNTIME_FORM} says. */
export function parseRuntime(text: unknown): Pick<Target, 'semantics' | 'runcRelease'> | undefined {
  if (text === 'crun' || text === 'runc') return { semantics: text };
  if (typeof text !== 'string') return undefined;
  const [, runcRelease] = /^runc@([1-9]\d?(?:\.(?:0|[1-9]\d?)){1,2})$/.exec(text) ?? [];
  if (runcRelease === undefined || compareReleases(runcRelease, '1.1') < 0) return undefined;
  return { semantics: 'runc', runcRelease };
}

/** `moby` or `podman`, `docker` for `moby`, or a release of Docker. */
export type EngineName = Target['engine'] | 'docker' | `${'moby' | 'docker'}@${string}`;

export const ENGINE_FORM =
  'moby, docker, podman, or a release such as docker@24 or docker@20.10.5 (20.10 or newer)';

/** Undefined for anything else than {@link ENGINE_FORM} says. */
export function parseEngine(text: unknown): Pick<Target, 'engine' | 'engineRelease'> | undefined {
  if (text === 'podman') return { engine: text };
  if (text === 'moby' || text === 'docker') return { engine: 'moby' };
  if (typeof text !== 'string') return undefined;
  const [, engineRelease] = /^(?:moby|docker)@([1-9]\d?(?:\.(?:0|[1-9]\d?)){0,2})$/.exec(text) ?? [];
  if (engineRelease === undefined || compareReleases(engineRelease, '20.10') < 0) return undefined;
  return { engine: 'moby', engineRelease };
}

/** Number by number: 1.8.1 < 1.21. */
export function compareReleases(a: string, b: string): number {
  const [first, second] = [a, b].map((text) => text.split('.').map(Number));
  const at = first!.findIndex((number, index) => number !== (second![index] ?? 0));
  return at < 0 ? first!.length - second!.length : first![at]! - (second![at] ?? 0);
}

/**
 * A {@link Target} as a caller writes it. Only `arch` is required; names and releases are spelled
 * as on the command line. Nothing is read from the host.
 */
export interface TargetOptions {
  /** The native architecture: `x86_64`, `amd64`, `arm64`, `SCMP_ARCH_AARCH64`, in any case. */
  arch: string;
  /** Replaces the profile's own list; `native`: only `arch`. */
  architectures?: readonly string[] | 'native' | undefined;
  /**
   * The container's bounding set: `NET_ADMIN`, `CAP_NET_ADMIN`, `ALL`. The engine's default unless
   * given.
   */
  capabilities?: readonly string[] | undefined;
  /**
   * Kernel release for minKernel: `6.1` or `{ major: 6, minor: 1 }`. The newest known release
   * unless given.
   */
  kernel?: string | KernelVersion | undefined;
  /** Whose reading of the Docker dialect; `moby` unless given. `docker` is another name of that. */
  engine?: EngineName | undefined;
  /** As in a target: `20.10` beside `moby` means `docker@20.10`. */
  engineRelease?: string | undefined;
  /** Whose reading where runtimes disagree, such as `runc@1.3`; `crun` unless given. */
  semantics?: RuntimeName | undefined;
  /** As in a target: `1.3` beside `runc` means `runc@1.3`. */
  runcRelease?: string | undefined;
  /**
   * Answer ENOSYS to calls newer than any in the profile; true with `runc`, else false, unless
   * given.
   */
  enosysStub?: boolean | undefined;
  /** Answer ENOSYS to unnamed calls that are newer than this release. */
  enosysAfter?: string | KernelVersion | undefined;
  /** Rules with different actions that match one call; `warn` unless given. */
  overlap?: Target['overlap'] | undefined;
  /** Refuse names that are no system call; false unless given. */
  failUnknown?: boolean | undefined;
  /** Accept what is nearly always a mistake; false unless given. */
  force?: boolean | undefined;
}

/**
 * The target that the options describe, every option that is not given at its default
 * (docs/cli.md).
 *
 * @throws SeccompcError TARGET_INVALID with everything that is wrong, an unknown option included: a
 *   misspelled option that is ignored could give a weaker filter
 */
export function makeTarget(options: TargetOptions): Target {
  const reader = new OptionReader();
  const arch = reader.arch(options.arch);
  const { architectures } = options;
  const engine = reader.engine(options);
  const runtime = reader.runtime(options);
  const enosysAfter = reader.kernel(options.enosysAfter);
  const target: Target = {
    arch,
    ...(architectures === undefined ? {} : { architectures: reader.arches(architectures, arch) }),
    capabilities: reader.capabilities(options.capabilities, engine.engine),
    kernel: reader.kernel(options.kernel) ?? { ...NEWEST_KERNEL },
    ...engine,
    ...runtime,
    enosysStub: reader.flag('enosysStub', options.enosysStub) ?? runtime.semantics === 'runc',
    ...(enosysAfter === undefined ? {} : { enosysAfter }),
    overlap: reader.choice('overlap', options.overlap, ['warn', 'error']),
    failUnknown: reader.flag('failUnknown', options.failUnknown) ?? false,
    force: reader.flag('force', options.force) ?? false,
  };
  if (reader.faults.length === 0)
    for (const [name, value] of Object.entries(options))
      if (value !== undefined && !(name in target)) reader.fault(`there is no option "${name}"`);
  if (reader.faults.length > 0) throw new SeccompcError(reader.faults);
  return target;
}

/** Reads options and collects their faults. Callers without types can pass anything. */
class OptionReader {
  readonly faults: Diagnostic[] = [];

  fault(reason: string): void {
    this.faults.push(diagnostic('TARGET_INVALID', { reason }));
  }

  arch(text: unknown): ArchName {
    const name = typeof text === 'string' ? parseArch(text) : undefined;
    if (name === undefined) this.fault(`there is no architecture ${shown(text)}`);
    return name ?? 'X86_64';
  }

  arches(list: unknown, native: ArchName): ArchName[] {
    if (list === 'native') return [native];
    if (Array.isArray(list)) return list.map((text) => this.arch(text));
    this.fault(`architectures is "native" or a list of architectures, not ${shown(list)}`);
    return [];
  }

  capabilities(list: unknown, engine: Target['engine']): string[] {
    if (list === undefined) return capabilitySet(engine, 'default');
    if (!Array.isArray(list)) this.fault(`capabilities is a list of names, not ${shown(list)}`);
    else
      try {
        return capabilitySet(engine, 'none', list.map(String));
      } catch (error) {
        if (!(error instanceof SeccompcError)) throw error;
        this.faults.push(...error.diagnostics);
      }
    return [];
  }

  kernel(release: unknown): KernelVersion | undefined {
    if (release === undefined) return undefined;
    const version = typeof release === 'string' ? parseKernelVersion(release) : release;
    const { major, minor } = (version ?? {}) as Partial<KernelVersion>;
    if (isCount(major) && isCount(minor)) return { major, minor };
    this.fault(`a kernel release is two numbers such as "6.1", not ${shown(release)}`);
    return undefined;
  }

  runtime({ semantics = 'crun', runcRelease }: TargetOptions): Pick<Target, 'semantics' | 'runcRelease'> {
    const isRelease = typeof semantics === 'string' && typeof runcRelease === 'string';
    const text: unknown = isRelease ? `${semantics}@${runcRelease}` : (runcRelease ?? semantics);
    const found = parseRuntime(text);
    if (found === undefined) this.fault(`semantics is ${RUNTIME_FORM}, not ${shown(text)}`);
    return found ?? { semantics: 'crun' };
  }

  engine({ engine = 'moby', engineRelease }: TargetOptions): Pick<Target, 'engine' | 'engineRelease'> {
    const isRelease = typeof engine === 'string' && typeof engineRelease === 'string';
    const text: unknown = isRelease ? `${engine}@${engineRelease}` : (engineRelease ?? engine);
    const found = parseEngine(text);
    if (found === undefined) this.fault(`engine is ${ENGINE_FORM}, not ${shown(text)}`);
    return found ?? { engine: 'moby' };
  }

  choice<T extends string>(name: string, value: unknown, known: readonly [T, ...T[]]): T {
    const found = value === undefined ? known[0] : known.find((word) => word === value);
    if (found === undefined) this.fault(`${name} is ${known.join(' or ')}, not ${shown(value)}`);
    return found ?? known[0];
  }

  flag(name: string, value: unknown): boolean | undefined {
    if (value === undefined || typeof value === 'boolean') return value;
    this.fault(`${name} is true or false, not ${shown(value)}`);
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}
