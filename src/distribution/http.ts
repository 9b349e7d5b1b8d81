import { lookup } from 'node:dns/promises';
import { credentialsFor } from './credentials.ts';
import type { Credentials } from './credentials.ts';
import { fail, SeccompcError } from '../errors.ts';
import { RegistryFault } from './fault.ts';
import { isLoopback } from './reference.ts';
import type { RepositoryAddress } from './reference.ts';

/** How long, and how often, a registry is asked. */
export interface Patience {
  /** Milliseconds for one answer with its body. */
  time: number;
  tries: number;
  /** Ends everything at once. */
  signal?: AbortSignal;
}

export const PATIENCE: Patience = { time: 60_000, tries: 6 };

/** What is to be allowed: `push` includes `pull`. */
export type Access = 'pull' | 'push';

export interface Question {
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  /** Most bytes of the answer; an error text is cut there. */
  most?: number;
  /** Instead of those of the patience. */
  tries?: number;
  /** Whether it is for one server only, and must not be redirected. */
  stays?: boolean;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: Uint8Array;
  /** Who gave it, after redirects. */
  url: URL;
}

/** Milliseconds before the second try; each further one waits twice as long. */
const PAUSE = 100;
const LONGEST_PAUSE = 10_000;
const MOST_REDIRECTS = 5;
const LARGEST_TEXT = 64 * 1024;
const LONGEST_REASON = 300;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const BUSY = new Set([429, 500, 502, 503, 504]);

/**
 * Questions to the registry of one repository: with its credentials, which no other host gets,
 * again after a failure.
 */
export class Http {
  readonly #address: RepositoryAddress;
  readonly #patience: Patience;
  readonly #base: URL;
  #credentials: Promise<Credentials | undefined> | undefined;
  #local: Promise<void> | undefined;
  /** The value of the header that allows it, as soon as the registry has asked for one. */
  readonly #allowed = new Map<Access, Promise<string>>();

  constructor(address: RepositoryAddress, patience: Patience = PATIENCE) {
    this.#address = address;
    this.#patience = patience;
    this.#base = new URL(`${address.plainHttp ? 'http' : 'https'}://${address.host}/v2/${address.name}/`);
  }

  /** A place of the repository: a path below it, or what the registry itself has called so. */
  url(path: string, from: URL = this.#base): URL {
    if (!URL.canParse(path, from.href)) throw this.#damaged(`it names the place "${path}"`);
    return new URL(path, from);
  }

  /**
   * The answer, whatever its status.
   * @throws RegistryFault if there is none, or access is refused
   */
  async ask(access: Access, url: URL, question: Question = {}): Promise<Answer> {
    let known = this.#allowed.get(access);
    let answer = await this.#persist(url, await this.#with(known, url, question));
    // The challenge of another host is not for our credentials.
    if (answer.status === 401 && answer.url.origin === this.#base.origin) {
      // Somebody else may have asked meanwhile.
      if (this.#allowed.get(access) === known)
        this.#allowed.set(access, this.#authorize(access, answer.headers.get('www-authenticate') ?? ''));
      known = this.#allowed.get(access);
      answer = await this.#persist(url, await this.#with(known, url, question));
    }
    if (answer.status === 401 || answer.status === 403)
      throw new RegistryFault('REGISTRY_DENIED', { place: this.#place, reason: reasonIn(answer) });
    return answer;
  }

  async #with(allowed: Promise<string> | undefined, url: URL, question: Question): Promise<Question> {
    if (allowed === undefined || url.origin !== this.#base.origin) return question;
    return { ...question, headers: { ...question.headers, authorization: await allowed } };
  }

  /** What to throw for an answer that none of the expected ones is. */
  unexpected(answer: Answer): RegistryFault {
    return new RegistryFault('REGISTRY_REFUSED', { place: this.#place, reason: reasonIn(answer) });
  }

  #damaged(reason: string): RegistryFault {
    return new RegistryFault('REGISTRY_DAMAGED', { place: this.#place, reason });
  }

  get #place(): string {
    return `${this.#address.host}/${this.#address.name}`;
  }

  /** Again after a broken connection, or when the registry is busy. */
  async #persist(url: URL, question: Question): Promise<Answer> {
    const { tries = this.#patience.tries } = question;
    for (let left = tries - 1; ; left -= 1) {
      const pause = PAUSE * 2 ** (tries - 1 - left);
      try {
        const answer = await this.#follow(url, question);
        if (!BUSY.has(answer.status)) return answer;
        if (left <= 0) throw this.unexpected(answer);
        await sleep(Math.max(pause, Number(answer.headers.get('retry-after')) * 1000 || 0));
      } catch (cause) {
        if (cause instanceof SeccompcError) throw cause;
        if (left <= 0 || this.#patience.signal?.aborted === true)
          throw new RegistryFault(
            'REGISTRY_UNREACHABLE',
            { place: this.#place, reason: networkReason(cause) },
            cause,
          );
        await sleep(pause);
      }
    }
  }

  async #follow(url: URL, question: Question): Promise<Answer> {
    const { method = 'GET', headers = {}, body, most = LARGEST_TEXT, stays = false } = question;
    const { authorization: _, ...open } = headers;
    const { time, signal } = this.#patience;
    let at = url;
    for (let hops = 0; hops <= MOST_REDIRECTS; hops += 1) {
      this.#refuseUnsafe(at);
      if (at.protocol === 'http:' && at.hostname === 'localhost')
        await (this.#local ??= this.#refuseElsewhere());
      const response = await fetch(at, {
        method,
        // Compressed, the digests would be those of something else.
        headers: { 'accept-encoding': 'identity', ...(at.origin === url.origin ? headers : open) },
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(time), ...(signal === undefined ? [] : [signal])]),
        ...(body === undefined ? {} : { body }),
      });
      const { status, headers: given } = response;
      const bytes = await this.#read(response, most);
      const next = REDIRECTS.has(status) ? given.get('location') : null;
      if (next === null) return { status, headers: given, body: bytes, url: at };
      if (stays || (method !== 'GET' && method !== 'HEAD' && status < 307))
        throw this.#damaged('it redirects what is sent to it');
      at = this.url(next, at);
    }
    throw this.#damaged(`it redirects more than ${MOST_REDIRECTS} times`);
  }

  /** Wherever the registry sends us, it is over TLS, or stays on this machine. */
  #refuseUnsafe(url: URL): void {
    const isPlain = url.protocol === 'http:' && this.#address.plainHttp && isLoopback(url.host);
    // Its value must not get into a message, and no client sends it.
    if (url.username !== '' || url.password !== '')
      throw this.#damaged(`it leads to ${url.origin}, with a password in the address`);
    if (url.protocol !== 'https:' && !isPlain) throw this.#damaged(`it leads to ${url.origin}, without TLS`);
  }

  /**
   * If /etc/hosts does not say where "localhost" is, somebody on the network may.
   */
  async #refuseElsewhere(): Promise<void> {
    const found = await lookup('localhost', { all: true });
    const other = found.find(({ address, family }) => !isLoopback(family === 6 ? `[${address}]` : address));
    if (other === undefined) return;
    const reason = `localhost is ${other.address} here, and plain HTTP goes to this machine only`;
    throw new RegistryFault('REGISTRY_UNREACHABLE', { place: this.#place, reason });
  }

  async #read(response: Response, most: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size <= most) chunks.push(chunk);
      else if (response.ok) throw this.#damaged(`its answer has more than ${most} bytes`);
      else break;
    }
    return Buffer.concat(chunks);
  }

  /** The header that answers a challenge (RFC 9110 11.6.1). */
  async #authorize(access: Access, challenge: string): Promise<string> {
    this.#credentials ??= credentialsFor(this.#address);
    const credentials = await this.#credentials;
    if (credentials !== undefined && 'bearer' in credentials) return bearer(credentials.bearer);
    const scheme = /^\s*(\w+)/.exec(challenge)?.[1]?.toLowerCase();
    if (scheme === 'bearer') return bearer(await this.#token(access, challenge, credentials));
    if (scheme === 'basic' && credentials !== undefined && 'username' in credentials)
      return basic(credentials);
    const reason = credentials === undefined ? 'there are no credentials for it' : `it asks for "${scheme}"`;
    throw new RegistryFault('REGISTRY_DENIED', { place: this.#place, reason });
  }

  /** A token from the server that a challenge names (distribution: "Token authentication"). */
  async #token(access: Access, challenge: string, credentials: Credentials | undefined): Promise<string> {
    const given = new Map(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]),
    );
    const wanted = access === 'push' ? 'pull,push' : 'pull';
    const fields = new URLSearchParams({
      service: given.get('service') ?? '',
      scope: given.get('scope') ?? `repository:${this.#address.name}:${wanted}`,
    });
    const realm = this.url(given.get('realm') ?? '', new URL('invalid:'));
    let answer: Answer;
    if (credentials !== undefined && 'refresh' in credentials) {
      const form = { grant_type: 'refresh_token', client_id: 'seccompc', refresh_token: credentials.refresh };
      for (const [name, value] of Object.entries(form)) fields.set(name, value);
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      answer = await this.#persist(realm, { method: 'POST', headers, body: fields.toString(), stays: true });
    } else {
      for (const [name, value] of fields) realm.searchParams.append(name, value);
      const isNamed = credentials !== undefined && 'username' in credentials;
      answer = await this.#persist(realm, isNamed ? { headers: { authorization: basic(credentials) } } : {});
    }
    const { token, access_token: other } = membersIn(answer.body);
    const found = token ?? other;
    if (answer.status !== 200 || typeof found !== 'string')
      throw new RegistryFault('REGISTRY_DENIED', { place: this.#place, reason: reasonIn(answer) });
    return found;
  }
}

/** No other text can be the value of a header: the error for that would repeat it. */
function bearer(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) fail('REGISTRY_CREDENTIALS', { reason: 'a token is no line of ASCII' });
  return `Bearer ${token}`;
}

function basic({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The members of a JSON object; none if it is not one. */
export function membersIn(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {}
  return {};
}

/** What a registry says of a failure (distribution-spec, "Error codes"). */
function reasonIn({ status, body }: Answer): string {
  const { errors } = membersIn(body);
  const [first] = Array.isArray(errors) ? (errors as { code?: unknown; message?: unknown }[]) : [];
  const words = [first?.code, first?.message].filter((word) => typeof word === 'string' && word !== '');
  return [`status ${status}`, ...words].join(', ').slice(0, LONGEST_REASON);
}

/** The innermost cause says what happened: that "fetch failed" is known. */
function networkReason(cause: unknown): string {
  let inner = cause;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  if (inner instanceof AggregateError) inner = inner.errors[0];
  const { code, reason } = inner as { code?: unknown; reason?: unknown };
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return 'it does not speak TLS (for one on this machine: --plain-http)';
  if (typeof reason === 'string') return reason;
  return inner instanceof Error ? inner.message : String(inner);
}

function sleep(milliseconds: number): Promise<void> {
  // Many clients that failed together must not return together.
  const time = Math.min(milliseconds, LONGEST_PAUSE) * (0.5 + Math.random() / 2);
  return new Promise((resolve) => setTimeout(resolve, time));
}
