/** Compiling with a cache: the part of the library that needs Node. */
export { closeStore, compileCached, faultOf, STORE_DEADLINE } from './compile-cached.ts';
export type { CachedFilter } from './compile-cached.ts';
export { defaultCacheFolder } from './folder.ts';
export { openStore } from './open.ts';
export { CacheFault } from './store.ts';
export type { CacheStore, StoreStats } from './store.ts';
