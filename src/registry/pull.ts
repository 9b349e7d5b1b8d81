import { readProgram } from '../cache/records/alias.ts';
import type { Refused } from '../cache/records/envelope.ts';
import { isProved } from '../compile/proof.ts';
import { archOf } from '../arch.ts';
import { lowerProfile } from '../compile.ts';
import { formatReference } from '../distribution/reference.ts';
import type { Reference } from '../distribution/reference.ts';
import { IMAGE_MANIFEST } from '../distribution/repository.ts';
import type { Descriptor, Manifest, Repository } from '../distribution/repository.ts';
import { fail } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { readProfile } from '../profile/read.ts';
import type { TrustedKeys } from '../signature.ts';
import type { Target } from '../target.ts';
import { agreement, buildAnnotations, FILTER_TYPE, isFor, LARGEST_FILTER, LARGEST_PROFILE, PROFILE_TYPE, targetAnnotations } from './artifact.ts'; // prettier-ignore
import { filterTrust, isSigned } from './trust.ts';

export interface PulledProfile {
  /** With the digest. */
  reference: string;
  digest: string;
  bytes: Uint8Array;
  /** Warnings about the profile. */
  diagnostics: Diagnostic[];
}

export interface PulledFilter {
  digest: string;
  bytes: Uint8Array;
  trust: 'signed' | 'proved';
}

const OTHER_FORMS = {
  config: 'it is a config.json',
  docker: 'it is of the Docker dialect, whose conditions runtimes ignore; its maker has to resolve it',
};

/** Filters that are tried. A registry can list any number. */
const MOST_CANDIDATES = 16;

/**
 * @param trusted must have signed a profile that no digest names
 * @throws RegistryFault; SeccompcError REGISTRY_MISSING, REGISTRY_NO_PROFILE, REGISTRY_UNSIGNED,
 *   and for a profile with faults
 */
export async function pullProfile(
  repository: Repository,
  reference: Reference,
  trusted?: TrustedKeys,
): Promise<PulledProfile> {
  const { tag = 'latest', digest: wanted } = reference;
  const named = formatReference({ ...reference, ...(wanted === undefined ? { tag } : {}) });
  const stored = await repository.manifest(wanted ?? tag);
  if (stored === undefined) return fail('REGISTRY_MISSING', { reference: named });
  const { manifest, digest } = stored;
  const layer = onlyLayer(manifest, PROFILE_TYPE);
  if (typeof layer === 'string') return fail('REGISTRY_NO_PROFILE', { reference: named, reason: layer });
  if (wanted === undefined && trusted !== undefined) {
    const signed = await isSigned(repository, stored, trusted);
    const reason = typeof signed === 'boolean' ? 'no trusted key has signed it' : signed.refused;
    if (signed !== true) return fail('REGISTRY_UNSIGNED', { reference: named, reason });
  }
  const bytes = await repository.blob(layer, LARGEST_PROFILE);
  const { form, diagnostics } = readProfile(bytes, { file: named });
  // Runtimes would read other members than what is meant.
  if (form !== 'seccomp') return fail('REGISTRY_NO_PROFILE', { reference: named, reason: OTHER_FORMS[form] });
  return { reference: formatReference({ ...reference, digest }), digest, bytes, diagnostics };
}

/**
 * A filter of the profile for a target. It is used if a trusted key has signed it, or if it is
 * proved here to answer every call as the profile asks. What the registry says of it only decides
 * which one is tried first.
 * @throws RegistryFault; SeccompcError REGISTRY_NO_FILTER, and for a profile with faults
 */
export async function pullFilter(
  repository: Repository,
  profile: PulledProfile,
  target: Target,
  keys: TrustedKeys | undefined,
): Promise<PulledFilter> {
  const refuse = (reason: string) =>
    fail('REGISTRY_NO_FILTER', { reference: profile.reference, target: target.arch.toLowerCase(), reason });
  const listed = (await repository.referrers(profile.digest)).filter(
    (each) => each.artifactType === FILTER_TYPE,
  );
  const wanted = { ...targetAnnotations(target), ...(await buildAnnotations()) };
  const candidates = listed
    .filter((each) => isFor(each, target))
    .toSorted((a, b) => agreement(b, wanted) - agreement(a, wanted) || (a.digest < b.digest ? -1 : 1));
  let reason = listed.length === 0 ? 'it has none' : 'it has only those of other architectures';
  for (const candidate of candidates.slice(0, MOST_CANDIDATES)) {
    const tried = await tryFilter(repository, profile, candidate, { target, wanted, keys });
    if (!('refused' in tried)) return tried;
    reason = `${candidate.digest}: ${tried.refused}`;
  }
  return refuse(reason);
}

async function tryFilter(
  repository: Repository,
  profile: PulledProfile,
  { digest }: Descriptor,
  { target, wanted, keys }: { target: Target; wanted: Record<string, string>; keys: TrustedKeys | undefined },
): Promise<PulledFilter | Refused> {
  const stored = await repository.manifest(digest);
  if (stored === undefined) return { refused: 'it is not there' };
  const { manifest } = stored;
  if (manifest.subject?.digest !== profile.digest) return { refused: 'it is the filter of another profile' };
  const layer = onlyLayer(manifest, FILTER_TYPE);
  if (typeof layer === 'string') return { refused: layer };
  const bytes = await repository.blob(layer, LARGEST_FILTER);
  const instructions = readProgram(bytes, archOf(target.arch).endian);
  if ('refused' in instructions) return instructions;
  const trust = await filterTrust(repository, stored, wanted, keys);
  if (trust === 'signed') return { digest, bytes, trust };
  if (trust !== 'unproved') return trust;
  const lowered = await lowerProfile(profile.bytes, { target, file: profile.reference });
  if (!lowered.confined) return { refused: 'the profile asks for no filter' };
  return isProved(instructions, lowered.reference)
    ? { digest, bytes, trust: 'proved' }
    : { refused: 'it is not proved to be the filter of this profile' };
}

/** The layer of an artifact of a type, or why it is none. */
function onlyLayer(
  { mediaType, artifactType, config, layers = [] }: Manifest,
  type: string,
): Descriptor | string {
  if (mediaType !== IMAGE_MANIFEST) return 'it is a list of manifests';
  const found = artifactType ?? config?.mediaType;
  if (found !== type) return `its type is "${found?.slice(0, 300)}", not "${type}"`;
  const [layer, ...others] = layers;
  return layer !== undefined && others.length === 0 ? layer : `it has ${layers.length} layers, not one`;
}
