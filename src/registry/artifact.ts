/**
 * The two kinds of artifacts: a profile, and a filter that was compiled from it. docs/registry.md
 */
import { COMPILER_REVISION } from '../cache/key.ts';
import { packageVersion } from '../cache/version.ts';
import { descriptorOf, EMPTY_CONFIG, IMAGE_MANIFEST } from '../distribution/repository.ts';
import type { Descriptor, Manifest } from '../distribution/repository.ts';
import { loadTables } from '../syscalls/load.ts';
import type { Target } from '../target.ts';

/**
 * Of CNCF's proposal for Kubernetes (KEP-6061): exactly one layer, the `linux.seccomp` object as
 * JSON.
 */
export const PROFILE_TYPE = 'application/vnd.cncf.seccomp-profile.config.v1+json';
export const LARGEST_PROFILE = 1024 * 1024;

/** A referrer of a profile: exactly one layer, the raw program. */
export const FILTER_TYPE = 'application/vnd.seccompc.filter.v1';
/** 4096 instructions, the kernel's limit. */
export const LARGEST_FILTER = 32 * 1024;

/** The file that `oras pull` makes of a layer. */
const TITLE = 'org.opencontainers.image.title';

export function profileManifest(profile: Uint8Array): Manifest {
  return {
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    artifactType: PROFILE_TYPE,
    config: EMPTY_CONFIG,
    layers: [{ ...descriptorOf('application/json', profile), annotations: { [TITLE]: 'profile.json' } }],
  };
}

export interface FilterFacts {
  target: Target;
  optimize: string;
  /** Of the profile: what a loader gives to seccomp(2) beside the program. */
  flags: readonly string[] | undefined;
  /** 64 hex digits; undefined where the proof had to do without. */
  fingerprint: string | undefined;
}

export async function filterManifest(
  subject: Descriptor,
  program: Uint8Array,
  facts: FilterFacts,
): Promise<Manifest> {
  const { target, optimize, flags, fingerprint } = facts;
  const title = `${target.arch.toLowerCase()}.bpf`;
  const { digest, mediaType, size } = subject;
  return {
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    artifactType: FILTER_TYPE,
    config: EMPTY_CONFIG,
    layers: [{ ...descriptorOf('application/octet-stream', program), annotations: { [TITLE]: title } }],
    subject: { mediaType, digest, size },
    annotations: {
      ...targetAnnotations(target),
      [`${PREFIX}optimize`]: optimize,
      ...(flags === undefined ? {} : { [`${PREFIX}flags`]: flags.join(',') }),
      [`${PREFIX}proved`]: 'true',
      ...(fingerprint === undefined ? {} : { [`${PREFIX}fingerprint`]: fingerprint }),
      ...(await buildAnnotations()),
    },
  };
}

export const PREFIX = 'vnd.seccompc.';

/** All of a target that the filter of an OCI profile depends on. */
export function targetAnnotations(target: Target): Record<string, string> {
  const { arch, architectures, semantics, runcRelease, enosysStub, enosysAfter } = target;
  return {
    [`${PREFIX}arch`]: arch.toLowerCase(),
    ...(architectures === undefined
      ? {}
      : { [`${PREFIX}architectures`]: architectures.join(',').toLowerCase() }),
    [`${PREFIX}semantics`]: runcRelease === undefined ? semantics : `${semantics}@${runcRelease}`,
    [`${PREFIX}enosys-stub`]: String(enosysStub),
    ...(enosysAfter === undefined
      ? {}
      : { [`${PREFIX}enosys-after`]: `${enosysAfter.major}.${enosysAfter.minor}` }),
  };
}

export async function buildAnnotations(): Promise<Record<string, string>> {
  const { digest } = await loadTables([]);
  return { [`${PREFIX}tables`]: digest, [`${PREFIX}compiler`]: `${packageVersion()} ${COMPILER_REVISION}` };
}

/** Whether an artifact claims to be for the architecture of a target, or says nothing of it. */
export function isFor({ annotations = {} }: Pick<Descriptor, 'annotations'>, target: Target): boolean {
  const name = `${PREFIX}arch`;
  return (annotations[name] ?? target.arch.toLowerCase()) === target.arch.toLowerCase();
}

/** Annotations that do not say for whom a filter is. */
const OTHERS = new Set(
  ['optimize', 'flags', 'proved', 'fingerprint', 'signature', 'signature.key'].map((name) => PREFIX + name),
);

/**
 * Whether an artifact says that it is for this target and build, and nothing more that could decide
 * what it is for.
 */
export function isExactlyFor(
  { annotations = {} }: Pick<Descriptor, 'annotations'>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  const facts = Object.entries(annotations).filter(([name]) => name.startsWith(PREFIX) && !OTHERS.has(name));
  return (
    facts.length === Object.keys(wanted).length && facts.every(([name, value]) => wanted[name] === value)
  );
}

/** How many of these annotations an artifact has. */
export function agreement(
  { annotations = {} }: Pick<Descriptor, 'annotations'>,
  wanted: Record<string, string>,
): number {
  return Object.entries(wanted).filter(([name, value]) => annotations[name] === value).length;
}

/** The descriptor by which a list of referrers names a manifest. */
export function referrerOf(manifest: Manifest, bytes: Uint8Array): Descriptor {
  const { artifactType, annotations } = manifest;
  return {
    ...descriptorOf(manifest.mediaType, bytes),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}
