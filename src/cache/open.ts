import { join, resolve } from 'node:path';
import { diagnostic, fail } from '../errors.ts';
import type { Cache } from './compile-cached.ts';
import { filesStore } from './stores/files.ts';
import { schemeOf, userCacheFolder } from './location.ts';
import { ociStore } from './stores/oci.ts';
import { postgresStore } from './stores/postgres.ts';
import { redisStore } from './stores/redis.ts';
import type { Keys } from '../signature.ts';
import { sqliteStoreApart } from './stores/sqlite-apart.ts';
import { isOpenHere } from './stores/sqlite-database.ts';
import { isMadeHere } from './stores/sqlite-origin.ts';
import { sqliteStore } from './stores/sqlite.ts';
import { hasSqlite } from './stores/sqlite3/binding.js';
import { CacheFault } from './stores/store.ts';
import type { CacheStore } from './stores/store.ts';
import { closeStore } from './tiers.ts';

const DATABASE_FILE = 'cache.sqlite';
/** For a Node without SQLite. */
const RECORDS_FOLDER = 'records';

const SERVERS: Record<string, (address: string) => CacheStore> = {
  redis: redisStore,
  rediss: redisStore,
  valkey: redisStore,
  valkeys: redisStore,
  postgres: postgresStore,
  postgresql: postgresStore,
  oci: ociStore,
};

/**
 * The cache that a location stands for: the store there, and before a server, which others use too,
 * the user's own, if there can be one. Nothing is opened or created yet.
 * @throws as {@link openStore}
 */
export function openCache(location?: string, keys?: Keys): Cache {
  const named = openStore(location);
  const stores = named.shared ? [...ownStore(), named] : [named];
  const own = stores.find(({ shared }) => !shared);
  return { stores, keys, turns: own && { folder: turnsOf(own) } };
}

/** Where processes that use a store agree on who compiles. */
export function turnsOf({ location }: CacheStore): string {
  return `${location}-turns`;
}

function ownStore(): CacheStore[] {
  try {
    return [openStore()];
  } catch (error) {
    if (error instanceof CacheFault) return [];
    throw error;
  }
}

/** Closes all stores of a cache; never rejects, and never waits long for one that hangs. */
export async function closeCache({ stores }: Cache): Promise<void> {
  await Promise.all(stores.map(closeStore));
}

/**
 * The store at a location: a folder, `sqlite:FILE`, a server, or, without one, the user's cache
 * folder. Nothing is opened or created yet.
 * @throws SeccompcError CACHE_SCHEME_UNKNOWN, CACHE_ADDRESS_WRONG, REFERENCE_INVALID; CacheFault
 *   for a user without a home, and for `sqlite:FILE` where there is no SQLite
 */
export function openStore(location?: string): CacheStore {
  return openWith(location, (file) =>
    isOpenHere(file) || isMadeHere(file) ? sqliteStore(file) : sqliteStoreApart(file),
  );
}

/** The same, but another process reads every SQLite file. */
export function openStoreApart(location?: string): CacheStore {
  return openWith(location, sqliteStoreApart);
}

function openWith(location: string | undefined, openFile: (file: string) => CacheStore): CacheStore {
  const openFolder = (folder: string) =>
    hasSqlite() ? openFile(join(folder, DATABASE_FILE)) : filesStore(join(folder, RECORDS_FOLDER));
  if (location === undefined) return openFolder(ownFolder());
  if (location === '') fail('CACHE_SCHEME_UNKNOWN', { location });
  const scheme = schemeOf(location);
  if (scheme === undefined) return openFolder(resolve(location));
  const openServer = SERVERS[scheme];
  if (openServer !== undefined) return openServer(location);
  const file = location.slice(scheme.length + 1).replace(/^\/\/(?=\/)/, '');
  if (scheme !== 'sqlite' || file === '' || file.startsWith('//')) fail('CACHE_SCHEME_UNKNOWN', { location });
  if (!hasSqlite()) throw new CacheFault(diagnostic('CACHE_MODULE_MISSING', { location }));
  return openFile(resolve(file));
}

function ownFolder(): string {
  try {
    return userCacheFolder();
  } catch (cause) {
    // A hook can run without HOME, for a user that the system does not know.
    const reason = 'this user has no home, and XDG_CACHE_HOME is not set';
    throw new CacheFault(diagnostic('CACHE_UNAVAILABLE', { location: '~/.cache', reason }), cause);
  }
}
