import type { KeyedOptions } from '../cache/key.ts';
import { readObject } from '../cache/records/object.ts';
import { faultOf } from '../cache/tiers.ts';
import type { Cache } from '../cache/compile-cached.ts';
import { Lru } from '../cache/stores/lru.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import type { Product } from '../workers/messages.ts';
import { compilerPool, WorkDropped } from '../workers/pool.ts';
import type { Work } from '../workers/pool.ts';
import { jsonBody } from './response.ts';
import { boundedStore } from './bounded-store.ts';
import type { QueryOptions } from './query.ts';
import { Refusal } from './refusal.ts';

/** A filter, ready to be sent. */
export interface ServedFilter {
  sha256: string;
  /** The raw program; empty if the profile asks for none. */
  bytes: Buffer;
  /** The document, as `compile --json` prints it. */
  json: Buffer;
  confined: boolean;
  /** The kind of store that answered: `memory`, another, or `none` if it was compiled just now. */
  tier: string;
}

export interface FilterSettings {
  cache: Cache | undefined;
  /** Threads that compile. */
  workers: number;
  /** Bytes of filters and refusals that are held in memory. */
  memory: number;
  /** Milliseconds that one compilation may take. */
  compileTime: number;
  /** Milliseconds that a request waits for its filter, the compilation included. */
  answerTime: number;
  /** Milliseconds for which a compilation that exceeded a limit is not tried again. */
  refusalTime: number;
  /** Receives every fault of the cache: an answer does not name files of this machine. */
  onWarning: (found: Diagnostic) => void;
  /** Receives the time of every filter that was not in memory, in seconds. */
  onCompiled: (seconds: number) => void;
  /** Called for every refusal: whether it was in memory. */
  onRefused: (remembered: boolean) => void;
  /** File of the program of the threads that compile, for tests. */
  worker?: string | undefined;
}

/**
 * Filters by request and by digest: from memory, else from the store, else compiled once for all
 * who wait.
 */
export interface Filters {
  /**
   * @param owner who asks: owners take turns
   * @throws SeccompcError for a profile that is not acceptable; SERVER_BUSY, COMPILE_TOO_SLOW,
   *   COMPILE_TOO_LARGE
   */
  compile(input: Uint8Array, keyed: KeyedOptions<QueryOptions>, owner: object): Promise<ServedFilter>;
  /** The owner has gone: what only it waits for need not begin. */
  leave(owner: object): void;
  /** A program that is in memory. */
  inMemory(digest: string): Buffer | undefined;
  /** A program that is in the store. */
  inStore(digest: string): Promise<Buffer | undefined>;
  readonly memory: { bytes: number; entries: number; evicted: number };
  /** Loads the compiler, so that the first request does not wait for it. */
  ready(): void;
  /** Compilations that run or wait. */
  running(): number;
  close(): Promise<void>;
}

/** Name of the input in diagnostics, as for standard input. */
export const UNNAMED = '-';
/** What an entry in memory takes besides its bytes, about. */
const OVERHEAD = 400;
/** Milliseconds for which waiting work lets other work go on; most profiles take less. */
const QUANTUM = 100;
/** Faults after which the same work may end well later, because they depend on the machine. */
const LIMITS: readonly Code[] = ['COMPILE_TOO_SLOW', 'COMPILE_TOO_LARGE', 'INTERNAL_ERROR'];

export function makeFilters(settings: FilterSettings): Filters {
  const { onWarning, memory } = settings;
  const cache = settings.cache && { ...settings.cache, stores: settings.cache.stores.map(boundedStore) };
  const pool = compilerPool({
    size: settings.workers,
    cache,
    deadline: settings.compileTime,
    quantum: QUANTUM,
    worker: settings.worker,
  });
  const byRequest = new Lru<ServedFilter>(memory / 2);
  const byDigest = new Lru<Buffer>((memory * 3) / 8);
  const refusals = new Lru<Refusal>(memory / 8);
  const maps = [byRequest, byDigest, refusals];
  const gone = new WeakSet<object>();
  const flights = new Map<string, { work: Work; filter: Promise<ServedFilter> }>();

  function begin(key: string, input: Uint8Array, options: QueryOptions, owner: object) {
    const work = pool.submit({ input, options: { ...options, file: UNNAMED } }, owner);
    const filter = finish(key, work).finally(() => flights.delete(key));
    const flight = { work, filter };
    flights.set(key, flight);
    return flight;
  }

  async function finish(key: string, work: Work): Promise<ServedFilter> {
    const began = performance.now();
    let product: Product;
    try {
      product = await work.result;
    } catch (error) {
      throw error instanceof SeccompcError ? refuse(key, error) : error;
    }
    settings.onCompiled((performance.now() - began) / 1000);
    product.warnings.forEach(onWarning);
    const filter = servedFilter(product);
    const { json, bytes, confined, sha256: digest } = filter;
    const document = { ...product.document, cache: { ...product.document.cache, tier: 'memory' } };
    const kept = { ...filter, json: jsonBody(document), tier: 'memory' };
    byRequest.set(key, kept, json.length + bytes.length + OVERHEAD);
    if (confined) byDigest.set(digest, bytes, bytes.length + OVERHEAD);
    return filter;
  }

  function refuse(key: string, error: SeccompcError): Refusal {
    const { diagnostics } = error;
    const isLimit = diagnostics.some(({ code }) => LIMITS.includes(code));
    const until = isLimit ? performance.now() + settings.refusalTime : Infinity;
    const refusal = new Refusal(diagnostics, until, { cause: error });
    refusals.set(key, refusal, 2 * JSON.stringify(diagnostics).length + OVERHEAD);
    return refusal;
  }

  function remembered(key: string): Refusal | undefined {
    const refusal = refusals.get(key);
    if (refusal === undefined || performance.now() < refusal.until) return refusal;
    refusals.remove(key);
    return undefined;
  }

  /** The filter, or SERVER_BUSY for an owner that has waited too long. */
  async function inTime(work: Work, filter: Promise<ServedFilter>, owner: object): Promise<ServedFilter> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        work.leave(owner);
        reject(new SeccompcError([diagnostic('SERVER_BUSY')]));
      }, settings.answerTime);
    });
    try {
      return await Promise.race([filter, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  async function compile(
    key: string,
    input: Uint8Array,
    options: QueryOptions,
    owner: object,
  ): Promise<ServedFilter> {
    const kept = byRequest.get(key);
    if (kept !== undefined) return kept;
    const refusal = remembered(key);
    if (refusal !== undefined) {
      settings.onRefused(true);
      throw refusal;
    }
    const flying = flights.get(key);
    flying?.work.join(owner);
    const { work, filter } = flying ?? begin(key, input, options, owner);
    try {
      return await inTime(work, filter, owner);
    } catch (error) {
      // Those before have left, and it was dropped at the moment when this owner joined.
      if (error instanceof WorkDropped && !gone.has(owner)) return compile(key, input, options, owner);
      if (error instanceof Refusal) settings.onRefused(false);
      throw error;
    }
  }

  return {
    compile: (input, { options, keyOf }, owner) => compile(keyOf(input), input, options, owner),
    leave(owner) {
      gone.add(owner);
      for (const { work } of flights.values()) work.leave(owner);
    },
    inMemory: (digest) => byDigest.get(digest),
    async inStore(digest) {
      for (const store of cache?.stores ?? []) {
        try {
          const text = await store.get(digest);
          const program = text === undefined ? undefined : readObject(text, digest);
          if (program === undefined || 'refused' in program) continue;
          const bytes = Buffer.from(program.buffer);
          byDigest.set(digest, bytes, bytes.length + OVERHEAD);
          return bytes;
        } catch (cause) {
          onWarning(faultOf(cause, store));
        }
      }
      return undefined;
    },
    get memory() {
      const sum = (of: 'bytes' | 'entries' | 'evicted') => maps.reduce((total, map) => total + map[of], 0);
      return { bytes: sum('bytes'), entries: sum('entries'), evicted: sum('evicted') };
    },
    ready: () => pool.ready(),
    running: () => flights.size,
    close: () => pool.close(),
  };
}

function servedFilter({ document, bytes }: Product): ServedFilter {
  return {
    sha256: document.sha256,
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    json: jsonBody(document),
    confined: document.confined,
    tier: document.cache.tier,
  };
}
