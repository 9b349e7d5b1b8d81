import { createHash } from 'node:crypto';
import { RegistryFault } from './fault.ts';
import { Http, membersIn } from './http.ts';
import type { Access, Answer, Patience } from './http.ts';
import { DIGEST } from './reference.ts';
import type { RepositoryAddress } from './reference.ts';

/** Points to content (image-spec, "Descriptor"). */
export interface Descriptor {
  mediaType: string;
  /** `sha256:` and 64 hex digits. */
  digest: string;
  size: number;
  artifactType?: string;
  annotations?: Record<string, string>;
}

/** An image manifest or an image index, as far as it is used here. */
export interface Manifest {
  schemaVersion: 2;
  mediaType: string;
  artifactType?: string;
  config?: Descriptor;
  layers?: Descriptor[];
  manifests?: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

/** A manifest with its digest, which was computed here. */
export interface StoredManifest {
  digest: string;
  bytes: Uint8Array;
  manifest: Manifest;
}

export const IMAGE_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const IMAGE_INDEX = 'application/vnd.oci.image.index.v1+json';
/** The config of an artifact that has none: `{}`. */
export const EMPTY_CONFIG: Descriptor = descriptorOf('application/vnd.oci.empty.v1+json', Buffer.from('{}'));

const LARGEST_MANIFEST = 4 * 1024 * 1024;
const LARGEST_PAGE = 16 * 1024 * 1024;
/** Tags of one answer, for registries that give pages. */
const PAGE = 1000;
/** A registry that sends more of a list is taken to go on for ever. */
const MOST_PAGES = { tags: 10_000, referrers: 100 };
const LARGEST_LIST = 64 * 1024 * 1024;
const UPLOADS = 3;
/** Blobs of which is remembered that they are there. */
const MOST_KNOWN = 10_000;

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function descriptorOf(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** The one text of a manifest: the order of its members is that of the object. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  return Buffer.from(JSON.stringify(manifest));
}

/** What is found out about a registry, for all of its repositories. */
export interface HostFacts {
  /** It has no list of referrers. */
  listsNone?: boolean;
}

export interface RepositorySettings {
  patience?: Patience;
  facts?: HostFacts;
}

/**
 * One repository of a registry (OCI distribution-spec 1.1). Nothing that a registry gives is handed
 * out before its digest was computed here. Every method throws RegistryFault.
 */
export class Repository {
  readonly address: RepositoryAddress;
  /** Blobs and manifests that were sent; those that the registry had do not count. */
  sent = 0;
  readonly #http: Http;
  readonly #facts: HostFacts;
  /** Blobs that are there: no need to ask again. */
  readonly #there = new Map<string, Promise<void>>();

  constructor(address: RepositoryAddress, { patience, facts = {} }: RepositorySettings = {}) {
    this.address = address;
    this.#facts = facts;
    this.#http = new Http(address, patience);
  }

  /** @param most bytes that the caller accepts */
  async blob({ digest, size }: Descriptor, most: number): Promise<Uint8Array> {
    if (size > most)
      throw this.#damaged(digest, `it is said to have ${size} bytes, but at most ${most} are accepted`);
    const answer = await this.#ask('pull', `blobs/${digest}`, { most });
    if (answer.status === 404) throw this.#damaged(digest, 'it is not there');
    if (answer.status !== 200) throw this.#http.unexpected(answer);
    const { body } = answer;
    if (body.length !== size || digestOf(body) !== digest)
      throw this.#damaged(digest, 'its content is other bytes');
    return body;
  }

  /**
   * Sends a blob, unless it is there. `source`: another repository of the registry that may have
   * it.
   */
  putBlob(bytes: Uint8Array, source?: string): Promise<void> {
    const digest = digestOf(bytes);
    let put = this.#there.get(digest);
    if (put === undefined) {
      if (this.#there.size >= MOST_KNOWN) this.#there.clear();
      put = this.#putBlob(digest, bytes, source);
      this.#there.set(digest, put);
      put.catch(() => this.#there.delete(digest));
    }
    return put;
  }

  /**
   * An upload that breaks is begun anew. To ask whether it came through waits until the registry
   * answers again.
   */
  async #putBlob(digest: string, bytes: Uint8Array, source: string | undefined): Promise<void> {
    for (let left = UPLOADS; ; left -= 1) {
      // A mount asks that too.
      const asks = source === undefined || left < UPLOADS;
      if (asks && (await this.#ask('push', `blobs/${digest}`, { method: 'HEAD' })).status === 200) return;
      try {
        return await this.#upload(digest, bytes, source);
      } catch (cause) {
        if (!(cause instanceof RegistryFault) || cause.code !== 'REGISTRY_UNREACHABLE' || left <= 1)
          throw cause;
      }
    }
  }

  async #upload(digest: string, bytes: Uint8Array, source: string | undefined): Promise<void> {
    const mount = source === undefined ? {} : { mount: digest, from: source };
    const query = new URLSearchParams(mount).toString();
    const begun = await this.#ask('push', `blobs/uploads/${query && `?${query}`}`, { method: 'POST' });
    if (begun.status === 201) return;
    const place = begun.headers.get('location');
    if (begun.status !== 202 || place === null) throw this.#http.unexpected(begun);
    const target = this.#http.url(place, begun.url);
    target.searchParams.set('digest', digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const answer = await this.#http.ask('push', target, { method: 'PUT', headers, body: bytes, tries: 1 });
    this.#expectCreated(answer, digest);
    this.sent += 1;
  }

  /** The manifest of a tag or digest; undefined if there is none. */
  async manifest(reference: string): Promise<StoredManifest | undefined> {
    const accept = `${IMAGE_MANIFEST}, ${IMAGE_INDEX}`;
    const answer = await this.#ask('pull', `manifests/${reference}`, {
      headers: { accept },
      most: LARGEST_MANIFEST,
    });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.#http.unexpected(answer);
    const digest = digestOf(answer.body);
    const wanted = DIGEST.test(reference)
      ? reference
      : (answer.headers.get('docker-content-digest') ?? digest);
    if (digest !== wanted) throw this.#damaged(reference, `its content is ${digest}, not ${wanted}`);
    // Older manifests leave it to the header.
    const mediaType = answer.headers.get('content-type')?.split(';')[0];
    const manifest = { mediaType, ...membersIn(answer.body) };
    if (!isManifest(manifest)) throw this.#damaged(reference, 'it is no OCI manifest');
    return { digest, bytes: answer.body, manifest };
  }

  /**
   * The digest of the manifest of a tag or digest, by what the registry says; undefined if there is
   * none.
   */
  async digest(reference: string): Promise<string | undefined> {
    const headers = { accept: `${IMAGE_MANIFEST}, ${IMAGE_INDEX}` };
    const answer = await this.#ask('pull', `manifests/${reference}`, { method: 'HEAD', headers });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw this.#http.unexpected(answer);
    return answer.headers.get('docker-content-digest') ?? (await this.manifest(reference))?.digest;
  }

  /**
   * Sends a manifest whose blobs are there. Gives whether the registry lists it as a referrer of
   * its subject.
   */
  async putManifest(manifest: Manifest, tag?: string): Promise<boolean> {
    const body = manifestBytes(manifest);
    const digest = digestOf(body);
    const headers = { 'content-type': manifest.mediaType };
    const answer = await this.#ask('push', `manifests/${tag ?? digest}`, { method: 'PUT', headers, body });
    // A blob that was there may be gone.
    if (answer.status !== 201) this.#there.clear();
    this.#expectCreated(answer, digest);
    this.sent += 1;
    return answer.headers.has('oci-subject');
  }

  /** Removes what is there by this digest, with all tags of it. */
  async removeManifest(digest: string): Promise<void> {
    const answer = await this.#ask('push', `manifests/${digest}`, { method: 'DELETE' });
    if (answer.status !== 202 && answer.status !== 404) throw this.#http.unexpected(answer);
  }

  async tags(): Promise<string[]> {
    const pages = await this.#pages(`tags/list?n=${PAGE}`, MOST_PAGES.tags);
    return pages.flatMap(({ tags }) =>
      Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [],
    );
  }

  /**
   * What refers to a manifest, by the registry's own list, or by the tag that stands for it where
   * it has none.
   */
  async referrers(subject: string): Promise<Descriptor[]> {
    const pages =
      this.#facts.listsNone === true ? [] : await this.#pages(`referrers/${subject}`, MOST_PAGES.referrers);
    if (pages.length === 0) this.#facts.listsNone = true;
    const lists: { manifests?: unknown }[] =
      pages.length > 0 ? pages : [(await this.fallbackIndex(subject)) ?? {}];
    return lists.flatMap(({ manifests }) => (Array.isArray(manifests) ? manifests.filter(isDescriptor) : []));
  }

  async fallbackIndex(subject: string): Promise<Manifest | undefined> {
    return (await this.manifest(fallbackTag(subject)))?.manifest;
  }

  /**
   * Adds to the index that stands for a list of referrers, and keeps what others have there. Others
   * may write it at the same time, so it is read again.
   */
  async addReferrers(subject: string, added: readonly Descriptor[]): Promise<void> {
    for (let tries = 0; tries < 5; tries += 1) {
      const index = await this.fallbackIndex(subject);
      const present = index?.manifests ?? [];
      const missing = added.filter(({ digest }) => !present.some((other) => other.digest === digest));
      if (missing.length === 0) return;
      const manifests = [...present, ...missing];
      await this.putManifest(
        { schemaVersion: 2, mediaType: IMAGE_INDEX, ...index, manifests },
        fallbackTag(subject),
      );
    }
    throw this.#damaged(fallbackTag(subject), 'it does not keep what is added to it');
  }

  /** All pages of a list; none if the registry has no such list. */
  async #pages(path: string, most: number): Promise<Record<string, unknown>[]> {
    const pages: Record<string, unknown>[] = [];
    let size = 0;
    for (let at: URL | undefined = this.#http.url(path); at !== undefined;) {
      const answer: Answer = await this.#http.ask('pull', at, { most: LARGEST_PAGE });
      if (pages.length === 0 && answer.status >= 400 && answer.status < 500) return [];
      if (answer.status !== 200) throw this.#http.unexpected(answer);
      pages.push(membersIn(answer.body));
      size += answer.body.length;
      if (pages.length > most || size > LARGEST_LIST) throw this.#damaged(path, 'it has no end');
      const [, next] = /<([^>]*)>\s*;\s*rel="?next"?/i.exec(answer.headers.get('link') ?? '') ?? [];
      at = next === undefined ? undefined : this.#http.url(next, answer.url);
    }
    return pages;
  }

  #ask(access: Access, path: string, question: Parameters<Http['ask']>[2]): Promise<Answer> {
    return this.#http.ask(access, this.#http.url(path), question);
  }

  #expectCreated(answer: Answer, digest: string): void {
    if (answer.status !== 201) throw this.#http.unexpected(answer);
    const there = answer.headers.get('docker-content-digest') ?? digest;
    if (there !== digest) throw this.#damaged(digest, `the registry has kept it as ${there}`);
  }

  #damaged(what: string, reason: string): RegistryFault {
    const { host, name } = this.address;
    return new RegistryFault('REGISTRY_DAMAGED', { place: `${host}/${name}`, reason: `${what}: ${reason}` });
  }
}

/** distribution-spec, "Referrers Tag Schema". */
function fallbackTag(subject: string): string {
  return subject.replace(':', '-');
}

function isManifest(value: Record<string, unknown>): value is Record<string, unknown> & Manifest {
  const { mediaType, config, layers, manifests, subject } = value;
  const isList = (list: unknown) => list === undefined || (Array.isArray(list) && list.every(isDescriptor));
  const isOne = (one: unknown) => one === undefined || isDescriptor(one);
  return (
    (mediaType === IMAGE_MANIFEST || mediaType === IMAGE_INDEX) &&
    isList(layers) &&
    isList(manifests) &&
    isOne(config) &&
    isOne(subject) &&
    isTexts(value['annotations'])
  );
}

function isDescriptor(value: unknown): value is Descriptor {
  const { mediaType, digest, size, annotations } = (value ?? {}) as Record<string, unknown>;
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    /^[a-z0-9+._-]+:[\w=-]+$/.test(digest) &&
    Number.isSafeInteger(size) &&
    (size as number) >= 0 &&
    isTexts(annotations)
  );
}

function isTexts(value: unknown): boolean {
  if (value === undefined) return true;
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((text) => typeof text === 'string')
  );
}
