import type { Cache } from '../cache/compile-cached.ts';
import { compileCached } from '../cache/compile-cached.ts';
import { sha256 } from '../cache/records/sha256.ts';
import { lowerProfile } from '../compile.ts';
import type { CompileSettings } from '../compile.ts';
import type { Optimize } from '../codegen/goal.ts';
import type { Patience } from '../distribution/http.ts';
import { formatReference } from '../distribution/reference.ts';
import type { Reference } from '../distribution/reference.ts';
import { descriptorOf, IMAGE_MANIFEST, manifestBytes, Repository } from '../distribution/repository.ts';
import type { HostFacts, Manifest } from '../distribution/repository.ts';
import { fail, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { prove } from '../prove/prove.ts';
import type { Signer } from '../signature.ts';
import type { Target } from '../target.ts';
import { filterManifest, profileManifest, referrerOf } from './artifact.ts';
import { portableProfile } from './portable.ts';
import type { Aim } from './portable.ts';
import { signManifest } from './trust.ts';

/** A profile, and where it goes. */
export interface PushInput {
  /** Name of the profile in messages. */
  file: string;
  bytes: Uint8Array;
  reference: Reference;
}

/** Filters for the targets are pushed too. */
export interface PushSettings extends Aim {
  optimize: Optimize;
  cache: Cache | undefined;
  /** Signs the profile and its filters. */
  signer?: Signer | undefined;
  patience?: Patience;
}

export interface Pushed {
  file: string;
  /** With tag and digest. */
  reference: string;
  digest: string;
  filters: { arch: string; digest: string; sha256: string }[];
  diagnostics: Diagnostic[];
}

/** Sends profiles of one registry, and knows what earlier ones have brought there. */
export class Pusher {
  readonly #settings: PushSettings;
  /** Names of repositories by the digests of blobs that they have. */
  readonly #places = new Map<string, string>();
  readonly #facts: HostFacts = {};
  readonly #repositories = new Map<string, Repository>();

  constructor(settings: PushSettings) {
    this.#settings = settings;
  }

  /**
   * The profile, and the filters as its referrers. The tag comes last, so that a client that
   * follows it finds the filters too.
   * @throws SeccompcError for a profile that cannot be sent; RegistryFault
   */
  async push({ file, bytes, reference }: PushInput): Promise<Pushed> {
    const { targets } = this.#settings;
    const profile = await portableProfile(bytes, file, this.#settings);
    const manifest = this.#sign(profileManifest(profile.text));
    const subject = descriptorOf(IMAGE_MANIFEST, manifestBytes(manifest));
    const filters = await Promise.all(targets.map((each) => this.#compile(profile.text, file, each)));
    const manifests = await Promise.all(
      filters.map(async ({ bytes: program, ...facts }) =>
        this.#sign(await filterManifest(subject, program, facts)),
      ),
    );
    const repository = this.#repository(reference);
    const { tag = 'latest' } = reference;
    const tagged = await repository.digest(tag);
    if (tagged !== subject.digest) {
      await this.#putBlobs(repository, [profile.text, EMPTY]);
      if (manifests.length > 0) await repository.putManifest(manifest);
    }
    if (manifests.length > 0)
      await this.#putFilters(repository, subject.digest, manifests, filters, tagged === undefined);
    if (tagged !== subject.digest) await repository.putManifest(manifest, tag);
    return {
      file,
      reference: formatReference({ ...reference, tag, digest: subject.digest }),
      digest: subject.digest,
      filters: filters.map(({ bytes: program, target: { arch } }, at) => ({
        arch,
        digest: descriptorOf('', manifestBytes(manifests[at]!)).digest,
        sha256: sha256(program),
      })),
      diagnostics: profile.diagnostics,
    };
  }

  #sign(manifest: Manifest): Manifest {
    const { signer } = this.#settings;
    return signer === undefined ? manifest : signManifest(manifest, signer);
  }

  /** Blobs and manifests that the registry did not have. */
  get sent(): number {
    return [...this.#repositories.values()].reduce((sum, { sent }) => sum + sent, 0);
  }

  #repository(reference: Reference): Repository {
    const { host, name } = reference;
    const key = `${host}/${name}`;
    const known =
      this.#repositories.get(key) ?? new Repository(reference, { ...this.#settings, facts: this.#facts });
    this.#repositories.set(key, known);
    return known;
  }

  /** Proved here, whatever a cache says of it. */
  async #compile(profile: Uint8Array, file: string, target: Target) {
    const { optimize, cache } = this.#settings;
    const options: CompileSettings = { target, optimize, prove: 'require', file };
    try {
      const { filter } = await compileCached(profile, options, cache ?? { stores: [] });
      const lowered = await lowerProfile(profile, options);
      const proof = lowered.confined ? prove(filter.instructions, lowered.reference) : undefined;
      if (proof?.verdict !== 'equal')
        fail('PROOF_CONTRADICTS', { witness: 'Found when it was to be pushed' }, { file });
      const fingerprint = proof.fingerprint && sha256(proof.fingerprint);
      return { bytes: filter.bytes, target, optimize, flags: filter.flags, fingerprint };
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      // Its places are those of the resolved text, which the user does not have.
      throw new SeccompcError(
        error.diagnostics.map(({ code, severity, message }) => ({ code, severity, message, file })),
      );
    }
  }

  async #putBlobs(repository: Repository, blobs: readonly Uint8Array[]): Promise<void> {
    await Promise.all(
      blobs.map(async (bytes) => {
        const key = sha256(bytes);
        await repository.putBlob(bytes, this.#places.get(key));
        this.#places.set(key, repository.address.name);
      }),
    );
  }

  async #putFilters(
    repository: Repository,
    subject: string,
    manifests: readonly Manifest[],
    filters: readonly { bytes: Uint8Array }[],
    isNew: boolean,
  ): Promise<void> {
    const referrers = manifests.map((manifest) => referrerOf(manifest, manifestBytes(manifest)));
    // To ask for those of a new profile would take longer than to send some twice after a break.
    const present = new Set(isNew ? [] : (await repository.referrers(subject)).map(({ digest }) => digest));
    const missing = referrers.map((_, at) => at).filter((at) => !present.has(referrers[at]!.digest));
    if (missing.length === 0) return;
    await this.#putBlobs(repository, [EMPTY, ...missing.map((at) => filters[at]!.bytes)]);
    const listed = await Promise.all(missing.map((at) => repository.putManifest(manifests[at]!)));
    const unlisted = missing.filter((_, at) => !listed[at]);
    if (unlisted.length > 0)
      await repository.addReferrers(
        subject,
        unlisted.map((at) => referrers[at]!),
      );
  }
}

const EMPTY = Buffer.from('{}');
