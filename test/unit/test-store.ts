import type { CacheStore, RecordInfo, StoredRecord } from '../../src/cache/stores/store.ts';

/** A store in memory that counts, and that a test can look into, plant into, and make misbehave. */
export class TestStore implements CacheStore {
  readonly tier: string;
  readonly location = 'memory';
  readonly shared: boolean;
  readonly texts = new Map<string, string>();
  readonly infos = new Map<string, RecordInfo>();
  gets = 0;
  sets = 0;

  constructor({ shared = false, tier = 'test' } = {}) {
    this.shared = shared;
    this.tier = tier;
  }
  async get(key: string) {
    this.gets += 1;
    return this.texts.get(key);
  }
  async set(key: string, text: string, info: RecordInfo) {
    this.sets += 1;
    this.texts.set(key, text);
    this.infos.set(key, info);
  }
  async remove(keys: readonly string[]) {
    for (const key of keys) this.texts.delete(key);
  }
  async list(): Promise<StoredRecord[]> {
    return [...this.texts]
      .map(([key, text]) => ({ ...this.infos.get(key)!, key, bytes: text.length, made: 0, used: 0 }))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  }
  async clear() {
    this.texts.clear();
  }
  async stats() {
    const rows = await this.list();
    const objects = rows.filter(({ kind }) => kind === 'object').length;
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    return { aliases: rows.length - objects, objects, bytes, oldest: null, leastUsed: null };
  }
  async close() {}

  /** The keys of the records of one kind, in the order in which they were first written. */
  keysOf(kind: RecordInfo['kind']): string[] {
    return [...this.infos].filter(([, info]) => info.kind === kind).map(([key]) => key);
  }
}
