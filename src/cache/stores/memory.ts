import { Lru } from './lru.ts';
import { listOf, rowOf, rowUsedNow, statsOf } from './list-rows.ts';
import type { Row } from './list-rows.ts';
import type { CacheStore } from './store.ts';

export interface MemoryStoreOptions {
  /** Bytes of all texts, 64 MiB by default. Above it, the least recently used are forgotten. */
  maxBytes?: number;
}

/** Records in this process's memory. They outlive `close`, not the process. */
export function memoryStore({ maxBytes = 64 * 1024 * 1024 }: MemoryStoreOptions = {}): CacheStore {
  const kept = new Lru<{ text: string; row: Row }>(maxBytes);
  const list = () => listOf(kept.all().map(([key, { row }]) => [key, row] as const));
  return {
    tier: 'memory',
    location: 'memory',
    shared: false,
    async get(key) {
      const found = kept.get(key);
      if (found !== undefined) found.row = rowUsedNow(found.row) ?? found.row;
      return found?.text;
    },
    async set(key, text, info) {
      const row = rowOf(text, info);
      kept.set(key, { text, row }, row.bytes);
    },
    async remove(keys) {
      for (const key of keys) kept.remove(key);
    },
    list: async () => list(),
    async clear() {
      kept.clear();
    },
    stats: async () => statsOf(list()),
    async close() {},
  };
}
