import { rmSync } from 'node:fs';
import { hotDirectory, hotStats } from '../../../cache/hot/directory.ts';
import { turnsOf } from '../../../cache/open.ts';
import { removeFiles } from '../../../cache/plain-files.ts';
import { writeProduct } from '../../output/streams.ts';
import { printable, writeStderr, table, toJson } from '../../output/report.ts';
import { dateOf, open, use } from './store-access.ts';
import type { CacheOptions } from './store-access.ts';

export async function path({ cache, json }: CacheOptions): Promise<void> {
  const { location } = open(cache);
  await writeProduct(json ? toJson({ path: location }) : table([[location]]));
}

/** Counts the entries of both tiers without reading them. */
export async function stats({ cache, json }: CacheOptions): Promise<void> {
  const store = open(cache);
  const { aliases, objects, bytes, oldest, leastUsed } = await use(store, () => store.stats());
  const { tier, location } = store;
  const hot = hotStats(hotDirectory(cache));
  const entries = aliases + objects;
  const sums = { tier, path: location, entries, aliases, objects, bytes };
  if (json) return writeProduct(toJson({ ...sums, oldest, leastUsed, hot }));
  const rows = {
    ...sums,
    oldest: dateOf(oldest),
    'least recently used': dateOf(leastUsed),
    'hot entries': hot.entries,
    'hot bytes': hot.bytes,
  };
  return writeProduct(table(Object.entries(rows)));
}

/** Empties both tiers; a damaged store is made anew. */
export async function clear({ cache, json, quiet }: CacheOptions): Promise<void> {
  const store = open(cache);
  // The hot tier first, so that nothing is served while the cache is cleared.
  removeFiles(hotDirectory(cache));
  await use(store, () => store.clear());
  if (!store.shared) rmSync(turnsOf(store), { recursive: true, force: true });
  if (json) await writeProduct(toJson({ tier: store.tier, path: store.location, cleared: true }));
  else if (!quiet) await writeStderr(`cleared ${printable(store.location)}\n`);
}
