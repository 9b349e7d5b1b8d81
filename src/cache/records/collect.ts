/** Taking out of a store what is of no use any more. */
import { UPKEEP_DEADLINE, withDeadline } from '../stores/deadline.ts';
import { DEFAULT_LIMITS, excessOf, peek } from '../stores/store.ts';
import type { CacheStore, StoreLimits } from '../stores/store.ts';
import { readAll } from './verify-store.ts';

/** Who writes an object has not yet written its aliases: such a young one may still get them. Milliseconds. */
const GRACE = 60 * 60 * 1000;

/** What may stay; a store of one's own has limits of its own where none are given, one that others use has none. */
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

/** Removes what exceeds the bounds, then what leads nowhere and what nothing leads to. */
export async function collect(store: CacheStore, { bytes, age }: Bounds): Promise<Collected> {
  const most = {
    ...DEFAULT_LIMITS,
    ...(bytes === undefined ? {} : { bytes }),
    ...(age === undefined ? {} : { age }),
  };
  const exceeding =
    (await store.shrink?.(most)) ??
    (await removeOldest(store, { bytes: bytes ?? Infinity, age: age ?? Infinity }));
  const { dangling, orphans } = await findUseless(store);
  await withDeadline(store.remove([...dangling, ...orphans]), UPKEEP_DEADLINE);
  // Once more, for the disk that this has freed.
  if (dangling.length + orphans.length > 0) await store.shrink?.(most);
  return { exceeding, dangling: dangling.length, orphans: orphans.length };
}

/** By when they were written: when they were read, not every server notes. */
async function removeOldest(store: CacheStore, limits: StoreLimits): Promise<number> {
  const list = await withDeadline(store.list(), UPKEEP_DEADLINE);
  const keys = excessOf(
    list.map((record) => ({ ...record, used: record.made })),
    limits,
  );
  await withDeadline(store.remove(keys), UPKEEP_DEADLINE);
  return keys.length;
}

async function findUseless(store: CacheStore): Promise<{ dangling: string[]; orphans: string[] }> {
  const list = await withDeadline(store.list(), UPKEEP_DEADLINE);
  const { aliases, findings } = await readAll({
    list: async () => list.filter(({ kind }) => kind === 'alias'),
    get: (key) => peek(store, key),
  });
  const there = new Set(list.filter(({ kind }) => kind === 'object').map(({ key }) => key));
  const wanted = new Set([...aliases.values()].map(({ alias }) => alias.object));
  const dangling = [...aliases].filter(([, { alias }]) => alias.object !== null && !there.has(alias.object));
  // Another version's aliases may lead to what no alias that we can read leads to.
  const unread = store.shared && findings.length > 0;
  const before = Date.now() - GRACE;
  const orphans = list.filter(
    ({ key, kind, made }) => !unread && kind === 'object' && made < before && !wanted.has(key),
  );
  return { dangling: dangling.map(([key]) => key), orphans: orphans.map(({ key }) => key) };
}
