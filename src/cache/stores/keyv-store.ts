import { listOf, readRow, rowOf, rowUsedNow, statsOf, writeRow } from './list-rows.ts';
import type { Row } from './list-rows.ts';
import type { CacheStore } from './store.ts';

/** What a store needs of a Keyv; every `Keyv` of keyv 5 is one. */
export interface KeyvLike {
  get(key: string): Promise<unknown>;
  set(key: string, value: string): Promise<unknown>;
  delete(keys: string[]): Promise<unknown>;
  clear(): Promise<void>;
  disconnect(): Promise<void>;
  on(event: string, listener: (cause: unknown) => void): unknown;
  /** Gives pairs of key and value; Keyv has it for the adapters that can list what they hold. */
  iterator?: ((argument: unknown) => AsyncIterable<unknown>) | undefined;
  throwOnErrors: boolean;
  deserialize?: ((text: string) => unknown) | undefined;
}

/** The namespaces of the texts, and of the rows of the list. */
const RECORDS = 'seccompc';
const INDEX = 'seccompc-index';

export interface KeyvStoreOptions {
  /** Kind of store, for the user: `mongo`, `etcd`, ... */
  tier: string;
  /** Its address for messages, without a password. */
  location: string;
  /** Whether other users may write to it; true unless given. */
  shared?: boolean;
  /**
   * A new Keyv of this namespace, opened when the store is first asked and closed with it; asked
   * for once for each of two namespaces. Each needs an adapter of its own: an adapter knows one
   * namespace, and clears and lists by it.
   *
   *     keyv: (namespace) => new Keyv({ store: new KeyvMongo(url), namespace })
   */
  keyv(namespace: string): KeyvLike;
}

/**
 * Records in whatever Keyv has an adapter for: the texts in one namespace, the rows of the list in
 * another, so that a list reads no text. An interrupted write leaves a row without its text,
 * until the record is written again.
 */
export function keyvStore(options: KeyvStoreOptions): CacheStore {
  const { tier, location, shared = true } = options;
  let opened: { records: KeyvLike; index: KeyvLike } | undefined;
  const open = () =>
    (opened ??= { records: prepare(options.keyv(RECORDS)), index: prepare(options.keyv(INDEX)) });

  async function peek(key: string): Promise<string | undefined> {
    const text = await open().records.get(key);
    return text === undefined || typeof text === 'string' ? text : '';
  }

  async function list() {
    const { index } = open();
    if (index.iterator === undefined)
      throw new Error(`the Keyv adapter of ${tier} cannot list what it holds`);
    // A scan may give a key twice.
    const rows = new Map<string, Row>();
    for await (const pair of index.iterator({})) {
      const [key, text] = pair as [string, unknown];
      const row = readRow(text);
      if (row !== undefined) rows.set(key, row);
    }
    return listOf(rows);
  }

  return {
    tier,
    location,
    shared,
    peek,
    async get(key) {
      const { index } = open();
      const text = await peek(key);
      if (text === undefined) return undefined;
      // One after the other: a process that asks once would wait longer for a second connection.
      await noteUse(index, key).catch(() => {});
      return text;
    },
    async set(key, text, info) {
      const { records, index } = open();
      await put(index, key, writeRow(rowOf(text, info)));
      await put(records, key, text);
    },
    async remove(keys) {
      if (keys.length === 0) return;
      const { records, index } = open();
      await records.delete([...keys]);
      await index.delete([...keys]);
    },
    list,
    async clear() {
      const { records, index } = open();
      await records.clear();
      await index.clear();
    },
    stats: async () => statsOf(await list()),
    async close() {
      const { records, index } = opened ?? {};
      opened = undefined;
      await Promise.all([records?.disconnect(), index?.disconnect()]);
    },
  };
}

/** Makes a Keyv reject instead of emitting errors, and read a damaged value as an empty text. */
function prepare(keyv: KeyvLike): KeyvLike {
  keyv.throwOnErrors = true;
  // What it emits it also rejects with; without a listener an adapter would end the process.
  keyv.on('error', () => {});
  const { deserialize } = keyv;
  if (deserialize !== undefined) keyv.deserialize = tolerant(deserialize);
  return keyv;
}

/** Keyv would reject, and its iterator end, at a value that has not its form. */
function tolerant(deserialize: (text: string) => unknown): (text: string) => Promise<unknown> {
  return async (text) => {
    try {
      const found = await deserialize(text);
      if (typeof found === 'object' && found !== null && 'value' in found) return found;
    } catch {}
    return { value: '' };
  };
}

async function put(keyv: KeyvLike, key: string, text: string): Promise<void> {
  if ((await keyv.set(key, text)) === false) throw new Error('it did not take what it was given');
}

async function noteUse(index: KeyvLike, key: string): Promise<void> {
  const row = readRow(await index.get(key));
  const renewed = row && rowUsedNow(row);
  if (renewed !== undefined) await put(index, key, writeRow(renewed));
}
