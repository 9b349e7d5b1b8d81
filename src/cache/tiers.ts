import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { withDeadline } from './stores/deadline.ts';
import type { Refused } from './records/envelope.ts';
import { CacheFault } from './stores/store.ts';
import type { CacheStore, NewRecord } from './stores/store.ts';

/**
 * Stores in a row, the nearest first. A fault of a store is a warning, and the store is not asked
 * again, so that nothing waits for it twice.
 */
export class Tiers {
  readonly warnings: Diagnostic[] = [];
  readonly #deadline: number;
  #stores: readonly CacheStore[];

  constructor(stores: readonly CacheStore[], deadline: number) {
    this.#stores = stores;
    this.#deadline = deadline;
  }

  /** Whether there is a store of one's own, without a fault so far. */
  hasOwn(): boolean {
    return this.#stores.some(({ shared }) => !shared);
  }

  /**
   * The first answer that `look` finds. What it refuses is a warning, and the next store is asked.
   */
  async find<T extends object>(
    look: (store: CacheStore) => Promise<T | Refused | undefined>,
  ): Promise<{ found: T; store: CacheStore } | undefined> {
    for (const store of this.#stores) {
      const found = await this.#ask(store, () => look(store));
      if (found === undefined) continue;
      if (!('refused' in found)) return { found, store };
      this.warnings.push(diagnostic('CACHE_ENTRY_REFUSED', { reason: found.refused }));
    }
    return undefined;
  }

  /** Puts records into the stores, all at the same time; `recordsFor` gives those for each. */
  async keep(recordsFor: (store: CacheStore) => readonly NewRecord[]): Promise<void> {
    await Promise.all(
      this.#stores.map((store) =>
        this.#ask(store, async () => {
          for (const { key, text, kind, label } of recordsFor(store))
            await store.set(key, text, { kind, label });
        }),
      ),
    );
  }

  async #ask<T>(store: CacheStore, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const found = await withDeadline(work(), this.#deadline);
      const notice = store.takeNotice?.();
      if (notice !== undefined) this.warnings.push(notice);
      return found;
    } catch (cause) {
      this.#stores = this.#stores.filter((other) => other !== store);
      this.warnings.push(faultOf(cause, store));
      return undefined;
    }
  }
}

/** What the user reads of a store that rejected. */
export function faultOf(cause: unknown, store: CacheStore): Diagnostic {
  if (cause instanceof CacheFault) return cause.diagnostic;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return diagnostic('CACHE_UNAVAILABLE', { location: store.location, reason });
}

/** How long a finished command waits for its cache to be closed, in milliseconds. */
const CLOSE_DEADLINE = 500;

/** Closes a store; never rejects, and never waits long for one that hangs. */
export async function closeStore(store: CacheStore): Promise<void> {
  await withDeadline(store.close(), CLOSE_DEADLINE).catch(() => {});
}
