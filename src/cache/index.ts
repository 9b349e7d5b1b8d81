/** Compiling with a cache, in Node. docs/library.md describes every function. */
export { compileCached } from './compile-cached.ts';
export type { Cache, CachedFilter } from './compile-cached.ts';
export { closeCache, openCache, openStore } from './open.ts';
export { recentFilters } from './recent.ts';
export type { RecentFilter, RecentFilters } from './recent.ts';
export { keyvStore } from './stores/keyv-store.ts';
export type { KeyvLike, KeyvStoreOptions } from './stores/keyv-store.ts';
export { memoryStore } from './stores/memory.ts';
export type { MemoryStoreOptions } from './stores/memory.ts';
export type { Turns } from './turn.ts';
export { readKeys } from '../signature.ts';
export type { Keys, KeyTexts, Signer, TrustedKeys } from '../signature.ts';
export { CacheFault } from './stores/store.ts';
export type {
  CacheStore,
  RecordInfo,
  RecordKind,
  StoredRecord,
  StoreLimits,
  StoreStats,
} from './stores/store.ts';
