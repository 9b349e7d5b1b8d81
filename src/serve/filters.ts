import { createHash } from 'node:crypto';
import { withDeadline } from '../cache/deadline.ts';
import { faultOf, readObject, STORE_DEADLINE } from '../cache/index.ts';
import type { Cache } from '../cache/index.ts';
import { fail } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { jsonBody } from './answer.ts';
import type { Product } from '../workers/messages.ts';
import { lruByBytes } from '../cache/lru.ts';
import { compilerPool } from '../workers/pool.ts';
import type { QueryOptions } from './query.ts';

/** A filter, ready to be sent. */
export interface ServedFilter {
  sha256: string;
  /** The raw program; empty when the profile asks for none. */
  bytes: Buffer;
  /** The document, as `compile --json` prints it. */
  json: Buffer;
  confined: boolean;
  /** The kind of store that answered: `memory`, another, or `none` when it was compiled just now. */
  tier: string;
}

export interface FilterSettings {
  cache: Cache | undefined;
  /** Threads that compile. */
  workers: number;
  /** Bytes of filters that are held in memory. */
  memory: number;
  /** Compilations at the same time, those included that wait for a thread. */
  compilations: number;
  /** Milliseconds that one compilation may take. */
  deadline: number;
  /** Told of every fault of the cache: an answer does not speak of files of this machine. */
  onWarning: (found: Diagnostic) => void;
  /** Told of every compilation: how long it took, in seconds. */
  onCompiled: (seconds: number) => void;
  /** As {@link PoolSettings.worker}. */
  worker?: string | undefined;
}

/** Filters by request and by digest: from memory, else from the store, else compiled, once for all who wait. */
export interface Filters {
  /** @throws SeccompcError for a profile that is not acceptable; SERVER_BUSY, COMPILE_TOO_SLOW */
  compile(input: Uint8Array, options: QueryOptions): Promise<ServedFilter>;
  /** A program that is in memory. */
  inMemory(digest: string): Buffer | undefined;
  /** A program that is in the store. */
  inStore(digest: string): Promise<Buffer | undefined>;
  readonly memory: { bytes: number; entries: number; evicted: number };
  /** Loads the compiler, so that the first request does not wait for it. */
  ready(): void;
  /** Compilations at this moment. */
  running(): number;
  close(): Promise<void>;
}

/** Name of the input in diagnostics, as for standard input. */
const UNNAMED = '-';
/** What an entry in memory takes besides its bytes, about. */
const OVERHEAD = 400;

export function makeFilters(settings: FilterSettings): Filters {
  const { cache, onWarning } = settings;
  const pool = compilerPool({
    size: settings.workers,
    cache,
    deadline: settings.deadline,
    ...(settings.worker === undefined ? {} : { worker: settings.worker }),
  });
  const byRequest = lruByBytes<ServedFilter>(settings.memory / 2);
  const byDigest = lruByBytes<Buffer>(settings.memory / 2);
  const flights = new Map<string, Promise<ServedFilter>>();

  async function compile(input: Uint8Array, options: QueryOptions, key: string): Promise<ServedFilter> {
    const begin = performance.now();
    const product = await pool.compile({ input, options: { ...options, file: UNNAMED } });
    settings.onCompiled((performance.now() - begin) / 1000);
    product.warnings.forEach(onWarning);
    const filter = servedFilter(product);
    const { json, bytes, confined, sha256: digest } = filter;
    const document = { ...product.document, cache: { ...product.document.cache, tier: 'memory' } };
    const kept = { ...filter, json: jsonBody(document), tier: 'memory' };
    byRequest.set(key, kept, json.length + bytes.length + OVERHEAD);
    if (!confined) return filter;
    byDigest.set(digest, bytes, bytes.length + OVERHEAD);
    return filter;
  }

  return {
    async compile(input, options) {
      const key = requestKey(input, options);
      const kept = byRequest.get(key);
      if (kept !== undefined) return kept;
      const flying = flights.get(key);
      if (flying !== undefined) return flying;
      if (flights.size >= settings.compilations) fail('SERVER_BUSY');
      const flight = compile(input, options, key).finally(() => flights.delete(key));
      flights.set(key, flight);
      return flight;
    },
    inMemory: (digest) => byDigest.get(digest),
    async inStore(digest) {
      for (const store of cache?.stores ?? []) {
        try {
          const text = await withDeadline(store.get(digest), STORE_DEADLINE);
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
      return {
        bytes: byRequest.bytes + byDigest.bytes,
        entries: byRequest.entries + byDigest.entries,
        evicted: byRequest.evicted + byDigest.evicted,
      };
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

/** Equal for equal requests to this process. JSON has no NUL, so nothing of the options passes for the input. */
function requestKey(input: Uint8Array, options: QueryOptions): string {
  const hash = createHash('sha256').update(`${JSON.stringify(options)}\0`);
  return hash.update(input).digest('base64');
}
