import type { Diagnostic } from '../../errors.ts';

/** What a record is: an alias leads from a profile to its object, an object holds a program. */
export type RecordKind = 'alias' | 'object';

/** What a list shows of a record. */
export interface RecordInfo {
  kind: RecordKind;
  /** For people; at most 200 characters, one line. */
  label: string;
}

/** A text to be kept. */
export interface NewRecord extends RecordInfo {
  key: string;
  text: string;
}

/** One row of a list. */
export interface StoredRecord extends RecordInfo {
  /** 64 hex digits. */
  key: string;
  /** Length of the text in UTF-8. */
  bytes: number;
  /** When it was written, milliseconds since 1970 by the clock of its writer. */
  made: number;
  /** When it was last read, to about a day; never before `made`. */
  used: number;
}

/**
 * A place where compiled filters are kept. A store is dumb: it neither reads nor checks the texts
 * it holds (src/cache/records does, on every read, whichever store answered), and any method may
 * reject: a fault of the cache is a warning and a fresh compile, never a failure
 * (src/cache/compile-cached.ts).
 *
 * What a list or a sum needs is kept beside the texts, so neither reads one.
 */
export interface CacheStore {
  /** Which kind of store answers, for the user: `sqlite`, `redis`, `postgres`, `oci`, `memory`. */
  readonly tier: string;
  /** Path or address, for messages; never with a password. */
  readonly location: string;
  /** Whether other users may write to it. Then its records need a proof or a signature. */
  readonly shared: boolean;
  /**
   * The text under a key (64 hex digits); undefined without one, '' for a value of another type.
   */
  get(key: string): Promise<string | undefined>;
  /** The same for maintenance: does not count as use. */
  peek?(key: string): Promise<string | undefined>;
  set(key: string, text: string, info: RecordInfo): Promise<void>;
  /** Removes records, and ignores those that are not there. */
  remove(keys: readonly string[]): Promise<void>;
  /** All records, by ascending key. */
  list(): Promise<StoredRecord[]>;
  /** Removes every record. Replaces a store that can no longer be read by a new one. */
  clear(): Promise<void>;
  stats(): Promise<StoreStats>;
  /** Removes what exceeds the limits, and counts it. Frees the space on the disk. */
  shrink?(limits: StoreLimits): Promise<number>;
  /** What the user should hear about this store, once. */
  takeNotice?(): Diagnostic | undefined;
  /** Frees what the store holds open; harmless when it was never used. */
  close(): Promise<void>;
}

/** What a store may hold. */
export interface StoreLimits {
  /** Bytes of all texts. Above it, the least recently used go until three quarters are left. */
  bytes: number;
  /** Milliseconds since the last use. */
  age: number;
  /** Number of records, unlimited unless given. Above it, the same. */
  records?: number;
}

export const DEFAULT_LIMITS: Required<StoreLimits> = {
  bytes: 256 * 1024 * 1024,
  age: 90 * 24 * 60 * 60 * 1000,
  records: 100_000,
};

/** Bytes. Only a profile with tens of thousands of warnings has a larger text. */
export const LARGEST_TEXT = 8 * 1024 * 1024;

/** The keys of the records that exceed the limits, the least recently used first. */
export function excessOf(
  records: readonly Pick<StoredRecord, 'key' | 'bytes' | 'made' | 'used'>[],
  { bytes, age, records: most = Infinity }: StoreLimits,
): string[] {
  const total = records.reduce((sum, record) => sum + record.bytes, 0);
  const oldest = Date.now() - age;
  const leastUsedFirst = records.toSorted(
    (a, b) => a.used - b.used || a.made - b.made || (a.key < b.key ? -1 : 1),
  );
  let tooMany = records.length > most ? records.length - (most * 3) / 4 : 0;
  let excess = total > bytes ? total - (bytes * 3) / 4 : 0;
  const keys: string[] = [];
  for (const record of leastUsedFirst) {
    if (excess <= 0 && tooMany <= 0 && record.used >= oldest) break;
    keys.push(record.key);
    excess -= record.bytes;
    tooMany -= 1;
  }
  return keys;
}

/** What reading a whole store needs. */
export type Source = Pick<CacheStore, 'list' | 'get' | 'peek'>;

/** The text under a key, without counting as use if the store has {@link CacheStore.peek}. */
export function peek(store: Pick<CacheStore, 'get' | 'peek'>, key: string): Promise<string | undefined> {
  return store.peek === undefined ? store.get(key) : store.peek(key);
}

export interface StoreStats {
  /** Records of either kind. */
  aliases: number;
  objects: number;
  /** Bytes of all records' texts. */
  bytes: number;
  /** The earliest `made` and `used`, milliseconds since 1970; null without a record. */
  oldest: number | null;
  leastUsed: number | null;
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
