import { archOf, ociArchName } from '../arch.ts';
import { defined } from '../defined.ts';
import { errnoNumber } from '../errno.ts';
import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import { CAPABILITY_NAMES, compareReleases } from '../target.ts';
import type { Target } from '../target.ts';
import { CountedFindings } from './counted.ts';
import { ENGINE_NAMES, engineArch, misnamedArch } from './engine-arch.ts';
import { quote } from './json-text.ts';
import { Suggestions } from './nearest.ts';
import type { DockerCondition, DockerEntry, DockerProfile, Profile, Seccomp, SyscallEntry } from './types.ts';

/**
 * Turns a profile into the OCI object for a target, as the target's engine does (docs/semantics.md
 * section 11). An OCI object stays as it is. Null: a config.json without a seccomp section. With an
 * error among the diagnostics the result is not what an engine would make of the profile.
 */
export function resolveProfile(
  profile: Profile,
  target: Target,
): { seccomp: Seccomp | null; diagnostics: Diagnostic[] } {
  if (profile.dialect === 'oci') {
    const { seccomp, reader } = profile;
    const { semantics } = target;
    const isOther = reader !== undefined && reader !== semantics;
    const diagnostics = isOther ? [diagnostic('READ_OTHERWISE', { reader, semantics })] : [];
    // A config.json is for the runtime; what an engine reads is a profile alone.
    const read = profile.form === 'seccomp' ? asOldDocker(profile.seccomp, target, diagnostics) : seccomp;
    return { seccomp: read && replaceArchitectures(read, target), diagnostics };
  }
  const resolver = new Resolver(target);
  const diagnostics: Diagnostic[] = [];
  const seccomp = replaceArchitectures(
    resolver.resolve(asOldDocker(profile.docker, target, diagnostics)),
    target,
  );
  return { seccomp, diagnostics: [...diagnostics, ...resolver.findings.diagnostics()] };
}

/** Members that Docker hands to the runtime from 23.0 on. docs/semantics.md section 11. */
const SINCE_DOCKER_23 = ['defaultErrnoRet', 'flags', 'listenerPath', 'listenerMetadata'] as const;

/** A profile without the members that the target's Docker does not read. */
function asOldDocker<P extends Partial<Pick<Seccomp, (typeof SINCE_DOCKER_23)[number]>>>(
  profile: P,
  { engineRelease }: Target,
  diagnostics: Diagnostic[],
): P {
  if (engineRelease === undefined || compareReleases(engineRelease, '23') >= 0) return profile;
  const read = { ...profile };
  for (const member of SINCE_DOCKER_23) {
    if (profile[member] === undefined) continue;
    const values = { member, release: engineRelease };
    diagnostics.push(diagnostic('DOCKER_MEMBER_IGNORED', values, { pointer: `/${member}` }));
    delete read[member];
  }
  return read;
}

function replaceArchitectures(seccomp: Seccomp, { architectures }: Target): Seccomp {
  if (architectures === undefined) return seccomp;
  const pointer = `${seccomp.pointer}/architectures`;
  return { ...seccomp, architectures: architectures.map((name) => ({ name: ociArchName(name), pointer })) };
}

/** Why the target's engine leaves an entry of the Docker dialect out; undefined if it does not. */
export function whyDropped(entry: DockerEntry, target: Target): string | undefined {
  return new Resolver(target).dropped(entry);
}

const ENGINES = { moby: 'Docker', podman: 'Podman' } as const;

/** The 82 names that Podman 4.3.1 knows. docs/semantics.md section 11. */
export const PODMAN_ERRNOS: ReadonlySet<string> = new Set(
  (
    'E2BIG EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF EBADMSG EBUSY ECANCELED ECHILD ' +
    'ECONNABORTED ECONNREFUSED ECONNRESET EDEADLK EDESTADDRREQ EDOM EDQUOT EEXIST EFAULT EFBIG EHOSTDOWN ' +
    'EHOSTUNREACH EIDRM EILSEQ EINPROGRESS EINVAL EIO EISCONN EISDIR ELOOP EMEDIUMTYPE EMFILE EMLINK EMSGSIZE ' +
    'ENAMETOOLONG ENETDOWN ENETRESET ENETUNREACH ENFILE ENOBUFS ENODEV ENOENT ENOEXEC ENOLCK ENOMEDIUM ENOMEM ' +
    'ENOMSG ENOPROTOOPT ENOSPC ENOSYS ENOTBLK ENOTCONN ENOTDIR ENOTEMPTY ENOTRECOVERABLE ENOTSOCK ENOTSUP ' +
    'ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EOWNERDEAD EPERM EPFNOSUPPORT EPIPE EPROTONOSUPPORT EPROTOTYPE ERANGE ' +
    'EREMOTE EROFS ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESRCH ESTALE ETIMEDOUT ETOOMANYREFS ETXTBSY EUSERS EXDEV'
  ).split(' '),
);

class Resolver {
  readonly findings = new CountedFindings();
  private readonly target: Target;
  private readonly arch: ReturnType<typeof engineArch>;
  private readonly held: ReadonlySet<string>;
  private readonly suggestions = new Suggestions();

  constructor(target: Target) {
    this.target = target;
    this.arch = engineArch(target.engine, target.arch);
    this.held = new Set(target.capabilities);
  }

  resolve(docker: DockerProfile): Seccomp {
    const { archMap: _, defaultErrno, defaultErrnoRet: number, ...shared } = docker;
    const architectures = this.architectures(docker);
    const defaultErrnoRet = this.errno('defaultErrno', defaultErrno, number, '');
    return {
      ...shared,
      ...defined({ defaultErrnoRet }),
      architectures,
      syscalls: docker.syscalls.flatMap((entry) => this.entry(entry)),
      pointer: '',
    };
  }

  private architectures(docker: DockerProfile): Seccomp['architectures'] {
    const { architectures, archMap } = docker;
    if (archMap.length === 0) return architectures;
    if (architectures.length > 0) {
      this.report('ARCHITECTURES_AND_ARCHMAP', {}, '/archMap');
      return architectures;
    }
    const native = archMap.find(({ architecture }) => architecture === this.arch.archMap);
    if (native === undefined) {
      const arch = this.target.arch;
      const values = { engine: ENGINES[this.target.engine], arch, name: ociArchName(arch) };
      const code = this.arch.archMap === undefined ? 'ARCHMAP_NOT_APPLIED' : 'ARCHMAP_WITHOUT_NATIVE';
      if (this.target.architectures === undefined) this.report(code, values, '/archMap');
      return [];
    }
    const { architecture, subArchitectures, pointer } = native;
    return [
      { name: architecture, pointer: `${pointer}/architecture` },
      ...subArchitectures.map((name, index) => ({ name, pointer: `${pointer}/subArchitectures/${index}` })),
    ];
  }

  /** The entry for the runtime, or none if a condition drops it. */
  private entry(entry: DockerEntry): SyscallEntry[] {
    const { name, names, action, args, pointer } = entry;
    const isMoby = this.target.engine === 'moby';
    this.reviewCondition('excludes', entry.excludes, pointer);
    this.reviewCondition('includes', entry.includes, pointer);
    const keeps = this.dropped(entry) === undefined;
    // Docker looks at the names before it looks at the conditions, Podman after.
    if (!keeps && !isMoby) return [];
    if (name !== undefined && names.length > 0) this.report('NAME_AND_NAMES', {}, `${pointer}/name`);
    if (!keeps) return [];
    const errnoRet = this.errno('errno', entry.errno, entry.errnoRet, pointer);
    if (name === undefined && names.length === 0) {
      this.report('ENTRY_WITHOUT_NAMES', {}, pointer);
      if (!isMoby) return [];
    }
    return [
      {
        names: name === undefined ? names : [name],
        action,
        ...defined({ errnoRet }),
        args,
        pointer,
        ...(name === undefined ? {} : { singular: true }),
      },
    ];
  }

  /**
   * Why a condition drops an entry, as it stands in the profile and what the target has; undefined
   * if none does.
   */
  dropped({ includes, excludes }: Pick<DockerEntry, 'includes' | 'excludes'>): string | undefined {
    const isNative = (arches: string[]) => arches.includes(this.arch.name);
    const holds = (capability: string) => this.held.has(capability);
    const { arch, kernel } = this.target;
    const excluded = excludes.caps.find(holds);
    const missing = includes.caps.find((capability) => !holds(capability));
    const release = `the kernel is ${kernel.major}.${kernel.minor}`;
    if (isNative(excludes.arches)) return `"excludes" names the architecture ${arch}`;
    if (excluded !== undefined) return `"excludes" names ${excluded}, which the container has`;
    if (this.isReached(excludes) === true)
      return `"excludes" is for kernels from ${excludes.minKernel} on, and ${release}`;
    if (includes.arches.length > 0 && !isNative(includes.arches))
      return `"includes" is for ${includes.arches.join(', ')}, and the architecture is ${arch}`;
    if (missing !== undefined) return `"includes" needs ${missing}, which the container does not have`;
    if (this.isReached(includes) === false)
      return `"includes" is for kernels from ${includes.minKernel} on, and ${release}`;
    return undefined;
  }

  /** Whether the target's kernel is new enough; undefined if the condition does not ask. */
  private isReached({ minKernel }: DockerCondition): boolean | undefined {
    if (this.target.engine === 'podman' || minKernel === undefined) return undefined;
    const [major, minor] = parseMinKernel(minKernel) ?? [0, 0];
    const { kernel } = this.target;
    return kernel.major > major || (kernel.major === major && kernel.minor >= minor);
  }

  /** Reports what is wrong in a condition, also if the entry is dropped. */
  private reviewCondition(
    member: 'includes' | 'excludes',
    { caps, arches, minKernel }: DockerCondition,
    entry: string,
  ): void {
    const pointer = `${entry}/${member}`;
    const engine = ENGINES[this.target.engine];
    arches.forEach((value, index) => {
      const misnamed = misnamedArch(value, this.target);
      if (misnamed === undefined) return;
      const hint = misnamed.write
        ? `write "${misnamed.write}"`
        : ENGINE_NAMES.has(value)
          ? undefined
          : this.suggestions.didYouMean(value, [...ENGINE_NAMES]);
      this.report('ARCHES_NEVER_MATCH', { engine, value: quote(value) }, `${pointer}/arches/${index}`, hint);
    });
    caps.forEach((value, index) => {
      if (CAPABILITY_NAMES.includes(value)) return;
      const hint = this.suggestions.didYouMean(value, CAPABILITY_NAMES);
      this.report('UNKNOWN_CAPABILITY', { value: quote(value) }, `${pointer}/caps/${index}`, hint);
    });
    if (minKernel === undefined) return;
    if (this.target.engine === 'podman') {
      const effect = member === 'includes' ? 'is kept' : 'is not dropped';
      this.report('MIN_KERNEL_IGNORED', { effect }, `${pointer}/minKernel`);
    } else if (parseMinKernel(minKernel) === undefined)
      this.report('MIN_KERNEL_INVALID', { value: quote(minKernel) }, `${pointer}/minKernel`);
  }

  /** The number beside an errno name: Podman prefers the name, Docker does not read it. */
  private errno(
    member: 'errno' | 'defaultErrno',
    name: string | undefined,
    number: number | undefined,
    pointer: string,
  ): number | undefined {
    if (name === undefined) return number;
    const named = this.parseErrno(name);
    if (this.target.engine === 'moby') {
      const effect = number === undefined ? 'the errno is EPERM' : `${member}Ret decides`;
      if (named !== (number ?? 1))
        this.report('ERRNO_NAME_IGNORED', { member, effect }, `${pointer}/${member}`);
      return number;
    }
    if (named !== undefined && (/^\d/.test(name) || PODMAN_ERRNOS.has(name))) return named;
    const hint =
      named === undefined
        ? this.suggestions.didYouMean(name, [...PODMAN_ERRNOS])
        : `Podman does not know this name; write "${named}"`;
    this.report('ERRNO_NAME_UNKNOWN', { value: quote(name) }, `${pointer}/${member}`, hint);
    return undefined;
  }

  /** Digits up to 2^32-1, or a name in the numbering of the target's architecture. */
  private parseErrno(text: string): number | undefined {
    if (/^\d+$/.test(text)) {
      const number = Number(text);
      if (number <= 0xffff_ffff) return number;
    }
    return errnoNumber(text, archOf(this.target.arch).errnos);
  }

  /** One warning is for all of its kind; every error is reported. */
  private report(code: Code, values: Record<string, string>, pointer: string, hint?: string): void {
    const { severity } = diagnostic(code);
    const kind = severity === 'error' ? pointer : Object.values(values).join(' ');
    this.findings.add(`${code} ${kind}`, code, values, () => ({ pointer, hint }));
  }
}

/**
 * "X.Y" as Docker reads it: numbers up to 255, not both 0. Empty is 0.0, which every kernel
 * reaches.
 */
function parseMinKernel(text: string): [major: number, minor: number] | undefined {
  if (text === '') return [0, 0];
  const [, major, minor] = /^(\d+)\.(\d+)$/.exec(text)?.map(Number) ?? [];
  if (major === undefined || minor === undefined) return undefined;
  return major > 255 || minor > 255 || major + minor === 0 ? undefined : [major, minor];
}
