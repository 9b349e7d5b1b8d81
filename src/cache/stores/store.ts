import type { Diagnostic } from '../../errors.ts';

/** What a record is: an alias leads from a profile to its object, an object holds a program. */
export type RecordKind = 'alias' | 'object';

/** What is known of a record without reading it. */
export interface RecordInfo {
  kind: RecordKind;
  /** For people who look at a list; at most 200 characters, one line. */
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
  /** When it was last asked for, to about a day; never before `made`. */
  used: number;
}

/**
 * A place where compiled filters are kept. A store is dumb: it neither reads nor checks the texts it holds
 * (src/cache/records does, on every read, whichever store answered), and any method may reject: a fault of
 * the cache is a warning and a fresh compile, never a failure (src/cache/compile-cached.ts).
 *
 * What a list or a sum needs is kept beside the texts, so neither reads one.
 */
export interface CacheStore {
  /** Which kind of store answers, for the user: `sqlite`, `redis`, `postgres`, `memory`. */
  readonly tier: string;
  /** Path or address, for messages; never with a password. */
  readonly location: string;
  /** Whether others than this user may write to it: what it holds is then believed only with a proof or a signature. */
  readonly shared: boolean;
  /** The text kept under a key (64 hex digits); undefined when there is none. What is there and no text is ''. */
  get(key: string): Promise<string | undefined>;
  /** The same for maintenance: does not count as use if the store can tell. */
  peek?(key: string): Promise<string | undefined>;
  set(key: string, text: string, info: RecordInfo): Promise<void>;
  /** Removes records and what is known of them; those that are not there do no harm. */
  remove(keys: readonly string[]): Promise<void>;
  /** All records, by ascending key. */
  list(): Promise<StoredRecord[]>;
  /** Removes every record; repairs a store that can no longer be read, by starting a new one. */
  clear(): Promise<void>;
  stats(): Promise<StoreStats>;
  /** Removes what exceeds the limits, and gives the disk back what is free; counts what was removed. */
  shrink?(limits: StoreLimits): Promise<number>;
  /** What the user should hear about this store, once. */
  takeNotice?(): Diagnostic | undefined;
  /** Frees what the store holds open; harmless when it was never used. */
  close(): Promise<void>;
}

/** What a store may hold. */
export interface StoreLimits {
  /** Bytes of all texts; of more, those go that were not used for longest, until three quarters are left. */
  bytes: number;
  /** Milliseconds; what was not used for longer goes. */
  age: number;
  /** Of more records, those go that were not used for longest, until three quarters are left. Any number unless given. */
  records?: number;
}

export const DEFAULT_LIMITS: Required<StoreLimits> = {
  bytes: 256 * 1024 * 1024,
  age: 90 * 24 * 60 * 60 * 1000,
  records: 100_000,
};

/** Bytes of a text that a store of one's own keeps. Only a profile with tens of thousands of warnings comes to more. */
export const LARGEST_TEXT = 8 * 1024 * 1024;

/** The keys of the records that exceed the limits, those not used for longest first. */
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

/** All that is needed of a store to read it as a whole. */
export type Source = Pick<CacheStore, 'list' | 'get' | 'peek'>;

/** The text under a key, without counting as use where the store can tell that. */
export function peek(store: Pick<CacheStore, 'get' | 'peek'>, key: string): Promise<string | undefined> {
  return store.peek === undefined ? store.get(key) : store.peek(key);
}

export interface StoreStats {
  /** Records of either kind. */
  aliases: number;
  objects: number;
  /** Bytes of all records' texts. */
  bytes: number;
  /** The earliest `made` and the earliest `used`, milliseconds since 1970; null when there is no record. */
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
