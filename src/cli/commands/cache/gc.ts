import { collect } from '../../../cache/records/collect.ts';
import { hotDirectory, sweepHot } from '../../../cache/hot/directory.ts';
import { DEFAULT_LIMITS } from '../../../cache/stores/store.ts';
import { writeProduct } from '../../output/streams.ts';
import { writeStderr, toJson } from '../../output/report.ts';
import { open, use } from './store-access.ts';
import type { CacheOptions } from './store-access.ts';

/** `maxBytes` in bytes, `maxAge` in milliseconds. */
export interface GcOptions extends CacheOptions {
  maxBytes?: number;
  maxAge?: number;
}

/** Removes old, excess and useless entries from both tiers. */
export async function gc({ cache, maxBytes, maxAge, json, quiet }: GcOptions): Promise<void> {
  const store = open(cache);
  const hot = sweepHot(hotDirectory(cache), maxAge ?? DEFAULT_LIMITS.age);
  const removed = await use(store, () => collect(store, { bytes: maxBytes, age: maxAge }));
  if (json) return writeProduct(toJson({ removed: { ...removed, hot } }));
  if (quiet) return undefined;
  const { exceeding, dangling, orphans } = removed;
  const records = exceeding + dangling + orphans;
  const why = `${exceeding} too old or too many, ${dangling} that led nowhere, ${orphans} that nothing led to`;
  const files = `${hot.old} hot answers and ${hot.leftOver} files left over`;
  return writeStderr(`removed ${records} records (${why}), ${files}\n`);
}
