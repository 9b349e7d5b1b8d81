/** What is measured: profiles, each for one target, and the calls to make under its filter. */
import { existsSync, readFileSync } from 'node:fs';
import { archOf } from '../../src/arch.ts';
import type { Arch, ArchName } from '../../src/arch.ts';
import { filterArches } from '../../src/policy/architectures.ts';
import { resolveProfile } from '../../src/profile/docker.ts';
import { readProfile } from '../../src/profile/read.ts';
import type { Profile, Seccomp } from '../../src/profile/types.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import type { SyscallTables } from '../../src/syscalls/tables.ts';
import { makeTarget } from '../../src/target.ts';
import type { Target } from '../../src/target.ts';
import { FCNTL_COMMANDS, FCNTL_FLAGS, IOCTL_COMMANDS } from './generated.ts';
import { ioctlProfile, productProfile, rangeProfile } from './generated.ts';
import type { Libseccomp } from './libseccomp.ts';
import type { Options } from './options.ts';

/** A call that does no harm, whether the filter lets it through or not. */
export interface Call {
  name: string;
  args: bigint[];
}

export interface Source {
  title: string;
  /** Where the profile comes from, for the reader. */
  origin: string;
  text: string;
  engine: Target['engine'];
  architectures: readonly (readonly [native: ArchName, only?: 'alone'])[];
  calls: Call[];
}

export interface Subject {
  title: string;
  source: Source;
  target: Target;
  arches: Arch[];
  tables: SyscallTables;
  /** The profile as it comes to a compiler, resolved; less `leftOut`. */
  seccomp: Seccomp;
  profile: Profile;
  /** Names that libseccomp does not know or numbers otherwise: in no program that is compared. */
  leftOut: string[];
}

const CONTAINER = [['X86_64'], ['X86_64', 'alone'], ['AARCH64']] as const;
const PROGRAM = [['X86_64', 'alone']] as const;

const ANY_PERSONALITY = 0xffffffffn;
/** Allowed always; allowed for some arguments; not without a capability. */
const CONTAINER_CALLS: Call[] = [
  { name: 'getppid', args: [] },
  { name: 'personality', args: [ANY_PERSONALITY] },
  { name: 'quotactl', args: [] },
];
/** Descriptor -1, as -1 of 32 bits: the kernel gives up on it at once. */
const NO_FILE = 0xffffffffn;

const DOCKER_PACKAGE = '/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json';
const PODMAN_PACKAGE = '/usr/share/containers/seccomp.json';

/** All profiles that can be had, and of the others why not. */
export function findSources(options: Options): { sources: Source[]; skipped: string[] } {
  const container = { architectures: CONTAINER, calls: CONTAINER_CALLS };
  const program = { engine: 'moby', architectures: PROGRAM, origin: 'generated here' } as const;
  const skipped: string[] = [];
  const file = (title: string, engine: Target['engine'], paths: (string | undefined)[]): Source[] => {
    const path = paths.find((p) => p !== undefined && existsSync(p));
    if (path !== undefined)
      return [{ title, engine, origin: path, text: readFileSync(path, 'utf8'), ...container }];
    skipped.push(`${title}: no file ${paths.filter((p) => p !== undefined).join(', ')}`);
    return [];
  };
  const sources = [
    ...file('Docker default', 'moby', options.docker === undefined ? [DOCKER_PACKAGE] : [options.docker]),
    ...file('Podman default', 'podman', options.podman === undefined ? [PODMAN_PACKAGE] : [options.podman]),
    ...file('container-default.json', 'moby', ['profiles/container-default.json']),
    {
      ...program,
      title: '120 ioctl commands',
      text: ioctlProfile(),
      calls: [
        { name: 'getppid', args: [] },
        { name: 'ioctl', args: [NO_FILE, BigInt(IOCTL_COMMANDS.at(-1)!)] },
        { name: 'ioctl', args: [NO_FILE, 0x1234n] },
      ],
    },
    {
      ...program,
      title: '6 x 4 values, masked',
      text: productProfile(),
      calls: [
        { name: 'getppid', args: [] },
        { name: 'fcntl', args: [NO_FILE, BigInt(FCNTL_COMMANDS.at(-1)!), BigInt(FCNTL_FLAGS.at(-1)!)] },
        { name: 'fcntl', args: [NO_FILE, 9n, 0n] },
      ],
    },
    {
      ...program,
      title: '64-bit ranges',
      text: rangeProfile(),
      calls: [
        { name: 'getppid', args: [] },
        { name: 'lseek', args: [NO_FILE, 4096n] },
        { name: 'lseek', args: [NO_FILE, 1n << 41n] },
      ],
    },
  ];
  return { sources, skipped };
}

/**
 * Every source for each of its architectures.
 * @throws SeccompcError for a profile that is not acceptable
 */
export async function makeSubjects(sources: Source[], library: Libseccomp | undefined): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const source of sources)
    for (const [native, only] of source.architectures)
      subjects.push(
        await makeSubject(source, native, only === 'alone' ? { architectures: [native] } : {}, library),
      );
  return subjects;
}

async function makeSubject(
  source: Source,
  native: ArchName,
  given: Pick<Partial<Target>, 'architectures'>,
  library: Libseccomp | undefined,
): Promise<Subject> {
  const target = makeTarget({ arch: native, engine: source.engine, ...given });
  const { seccomp: resolved } = resolveProfile(readProfile(source.text, { file: source.origin }), target);
  if (resolved === null) throw new Error(`${source.title} asks for no filter`);
  const arches = filterArches(resolved, target, () => {});
  const tables = await loadTables(arches.map((arch) => arch.table));
  const leftOut = library === undefined ? [] : namesOfTwoMeanings(resolved, arches, tables, library);
  const seccomp = {
    ...resolved,
    syscalls: resolved.syscalls.map((entry) => ({
      ...entry,
      names: entry.names?.filter((name) => !leftOut.includes(name)),
    })),
  };
  return {
    title: `${source.title}, ${arches.map((arch) => arch.name).join(' + ')}`,
    source,
    target,
    arches,
    tables,
    seccomp,
    profile: {
      file: source.origin,
      diagnostics: [],
      locate: () => undefined,
      dialect: 'oci',
      form: 'seccomp',
      seccomp,
    },
    leftOut,
  };
}

function namesOfTwoMeanings(
  seccomp: Seccomp,
  arches: readonly Arch[],
  tables: SyscallTables,
  library: Libseccomp,
): string[] {
  const names = new Set(seccomp.syscalls.flatMap((entry) => entry.names ?? []));
  const different = new Set<string>();
  for (const arch of arches) {
    const table = tables.of(arch.name);
    const theirs = library.names(arch, table);
    for (const name of names) if (table.numberOf(name) !== theirs.get(name)) different.add(name);
  }
  return [...different].toSorted();
}

/** The number of a call of a subject on its native architecture. */
export function numberOf({ target, tables }: Subject, { name }: Call): number {
  const nr = tables.of(target.arch).numberOf(name);
  if (nr === undefined) throw new Error(`${target.arch} has no ${name}`);
  return nr;
}

/** The 32-bit architecture whose programs a native kernel also runs, where the filter has it. */
export function compatOf({ target, arches }: Subject): Arch | undefined {
  const compat = { X86_64: 'X86', AARCH64: 'ARM' }[target.arch as string];
  return arches.find((arch) => arch.name === compat);
}

/** The architecture of the machine the benchmark runs on, if it is one of the subjects'. */
export function hostArch(): Arch | undefined {
  const name = { x64: 'X86_64', arm64: 'AARCH64' }[process.arch as string];
  return name === undefined ? undefined : archOf(name as ArchName);
}
