/** Compiling with a cache: the part of the library that needs Node. docs/library.md describes every function. */
export { compileCached } from './compile-cached.ts';
export type { Cache, CachedFilter } from './compile-cached.ts';
export { closeCache, openCache, openStore } from './open.ts';
export { recentFilters } from './recent.ts';
export type { RecentFilter, RecentFilters } from './recent.ts';
export { keyvStore } from './keyv-store.ts';
export type { KeyvLike, KeyvStoreOptions } from './keyv-store.ts';
export { memoryStore } from './memory.ts';
export type { MemoryStoreOptions } from './memory.ts';
export { readKeys } from './signature.ts';
export type { Keys, KeyTexts, Signer, TrustedKeys } from './signature.ts';
export { CacheFault } from './store.ts';
export type { CacheStore, RecordInfo, RecordKind, StoredRecord, StoreLimits, StoreStats } from './store.ts';
