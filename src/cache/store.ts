import type { Diagnostic } from '../errors.ts';

/**
 * A place where compiled filters are kept. A store is dumb: it neither reads nor checks the texts it holds
 * (src/cache/entry.ts does, on every read, whichever store answered), and any method may reject: a fault of
 * the cache is a warning and a fresh compile, never a failure (src/cache/compile-cached.ts).
 */
export interface CacheStore {
  /** Which kind of store answers, for the user: `sqlite`. */
  readonly tier: string;
  /** Path or address, for messages. */
  readonly location: string;
  /** The text kept under a key (64 hex digits); undefined when there is none. */
  get(key: string): Promise<string | undefined>;
  set(key: string, text: string): Promise<void>;
  /** Removes every entry; repairs a store that can no longer be read, by starting a new one. */
  clear(): Promise<void>;
  stats(): Promise<StoreStats>;
  /** Frees what the store holds open; harmless when it was never used. */
  close(): Promise<void>;
}

export interface StoreStats {
  entries: number;
  /** Bytes of all entries' texts. */
  bytes: number;
}

/** A fault of the cache that has its own text for the user. */
export class CacheFault extends Error {
  override readonly name = 'CacheFault';
  readonly diagnostic: Diagnostic;

  constructor(found: Diagnostic, cause?: unknown) {
    super(found.message, { cause });
    this.diagnostic = found;
  }
}
