import { withDeadline } from '../cache/stores/deadline.ts';
import { STORE_DEADLINE } from '../cache/compile-cached.ts';
import { CacheFault } from '../cache/stores/store.ts';
import type { CacheStore } from '../cache/stores/store.ts';
import { diagnostic } from '../errors.ts';

/**
 * Most unanswered requests of a store. A store that hangs must not collect one for every request of
 * a client.
 */
const PENDING = 64;

/**
 * The same store, for a process that runs for long: each answer has a deadline, and few are waited
 * for at a time.
 */
export function boundedStore(store: CacheStore): CacheStore {
  const { tier, location, shared } = store;
  let pending = 0;

  async function bounded<T>(ask: () => Promise<T>): Promise<T> {
    if (pending >= PENDING) {
      const reason = `${PENDING} earlier questions are not answered yet`;
      throw new CacheFault(diagnostic('CACHE_UNAVAILABLE', { location, reason }));
    }
    pending += 1;
    const answer = ask().finally(() => (pending -= 1));
    return withDeadline(answer, STORE_DEADLINE);
  }

  return {
    tier,
    location,
    shared,
    get: (key) => bounded(() => store.get(key)),
    set: (key, text, info) => bounded(() => store.set(key, text, info)),
    remove: (keys) => store.remove(keys),
    list: () => store.list(),
    clear: () => store.clear(),
    stats: () => store.stats(),
    close: () => store.close(),
  };
}
