/** Compiling with a cache: the part of the library that needs Node. */
export { closeStore, compileCached, faultOf, STORE_DEADLINE } from './compile-cached.ts';
export type { CachedFilter } from './compile-cached.ts';
export { defaultCacheFolder } from './folder.ts';
export { keyvStore } from './keyv-store.ts';
export type { KeyvLike, KeyvStoreOptions } from './keyv-store.ts';
export { memoryStore } from './memory.ts';
export type { MemoryStoreOptions } from './memory.ts';
export { openStore } from './open.ts';
export { postgresStore } from './postgres.ts';
export { redisStore } from './redis.ts';
export { CacheFault } from './store.ts';
export type { CacheStore, RecordInfo, RecordKind, StoredRecord, StoreStats } from './store.ts';
