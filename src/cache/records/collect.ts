import { DEFAULT_LIMITS, excessOf } from '../stores/store.ts';
import type { CacheStore } from '../stores/store.ts';
import { readAll } from './verify-store.ts';

/** An object is written before its aliases, so a younger one may still get them. Milliseconds. */
const GRACE = 60 * 60 * 1000;

/** What may stay. Defaults: the limits of your own store; no limits for one that others use. */
export interface Bounds {
  /** Bytes of all texts; of more, the oldest go until three quarters are left. */
  bytes?: number | undefined;
  /** Milliseconds. */
  age?: number | undefined;
}

/** How many records went, by reason. */
export interface Collected {
  /** Too old, or too many. */
  exceeding: number;
  /** Aliases whose object is not there. */
  dangling: number;
  /** Objects that no alias leads to. */
  orphans: number;
}

/** Removes what exceeds the bounds, aliases without their object, and objects without an alias. */
export async function collect(store: CacheStore, { bytes, age }: Bounds): Promise<Collected> {
  const most = {
    ...DEFAULT_LIMITS,
    ...(bytes === undefined ? {} : { bytes }),
    ...(age === undefined ? {} : { age }),
  };
  const exceeding = (await store.shrink?.(most)) ?? (await removeOldest(store, { bytes, age }));
  const { dangling, orphans } = await findUseless(store);
  await store.remove([...dangling, ...orphans]);
  // Once more, for the disk that this has freed.
  if (dangling.length + orphans.length > 0) await store.shrink?.(most);
  return { exceeding, dangling: dangling.length, orphans: orphans.length };
}

/** By the time of writing, because not every server notes when a record was read. */
async function removeOldest(
  store: CacheStore,
  { bytes = Infinity, age = Infinity }: Bounds,
): Promise<number> {
  const list = (await store.list()).map((record) => ({ ...record, used: record.made }));
  const keys = excessOf(list, { bytes, age });
  await store.remove(keys);
  return keys.length;
}

async function findUseless(store: CacheStore): Promise<{ dangling: string[]; orphans: string[] }> {
  const list = await store.list();
  const { aliases, findings } = await readAll(
    store,
    list.filter(({ kind }) => kind === 'alias'),
  );
  const there = new Set(list.filter(({ kind }) => kind === 'object').map(({ key }) => key));
  const wanted = new Set([...aliases.values()].map(({ alias }) => alias.object));
  const dangling = [...aliases].filter(([, { alias }]) => alias.object !== null && !there.has(alias.object));
  // Aliases of another version, which cannot be read here, may lead to objects too.
  const unread = store.shared && findings.length > 0;
  const before = Date.now() - GRACE;
  const orphans = list.filter(
    ({ key, kind, made }) => !unread && kind === 'object' && made < before && !wanted.has(key),
  );
  return { dangling: dangling.map(([key]) => key), orphans: orphans.map(({ key }) => key) };
}
