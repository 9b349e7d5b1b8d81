/** What all actions on a cache do: open one store, ask it, and let its faults end the command. */
import { withDeadline } from '../../../cache/stores/deadline.ts';
import { STORE_DEADLINE } from '../../../cache/compile-cached.ts';
import { CacheFault } from '../../../cache/stores/store.ts';
import { closeStore, faultOf } from '../../../cache/tiers.ts';
import type { CacheStore } from '../../../cache/stores/store.ts';
import { openStoreApart } from '../../../cache/open.ts';
import { diagnostic, SeccompcError } from '../../../errors.ts';
import type { Diagnostic } from '../../../errors.ts';
import type { CacheFlags } from '../../options/cache-options.ts';
import { makeProgress } from '../../output/progress.ts';
import type { Progress } from '../../output/progress.ts';
import type { OutputOptions } from '../../output/report.ts';

/** The options of every action. */
export interface CacheOptions extends OutputOptions, CacheFlags {
  cache?: string;
}

/** The store at a location. @throws SeccompcError */
export function open(location: string | undefined): CacheStore {
  try {
    return openStoreApart(location);
  } catch (cause) {
    throw cause instanceof CacheFault ? failure(cause.diagnostic, cause) : cause;
  }
}

/** What a store answers to one question within so many milliseconds; then it is closed. @throws SeccompcError */
export function ask<T>(
  store: CacheStore,
  question: () => Promise<T>,
  deadline: number = STORE_DEADLINE,
): Promise<T> {
  return use(store, () => withDeadline(question(), deadline));
}

/** The same for work of many answers. */
export async function use<T>(store: CacheStore, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof SeccompcError ? cause : failure(faultOf(cause, store), cause);
  } finally {
    await closeStore(store);
  }
}

/** Here the cache is the subject, so its faults end the command. */
function failure({ message, hint }: Diagnostic, cause: unknown): SeccompcError {
  const found = diagnostic('CACHE_FAILED', { reason: message }, hint === undefined ? {} : { hint });
  return new SeccompcError([found], { cause });
}

/** ISO 8601 in UTC, to the second; `-` for none, and for what the clock of somebody else holds for a time. */
export function dateOf(milliseconds: number | null): string {
  const date = new Date(milliseconds ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString().replace(/\.\d+/, '');
}

/** Work whose amount is known only once it has begun, shown on the terminal. */
export function watch(output: OutputOptions): {
  show: (done: number, total: number) => void;
  end: () => void;
} {
  let progress: Progress | undefined;
  return {
    show: (done, total) => (progress ??= makeProgress(total, output)).show(done),
    end: () => progress?.clear(),
  };
}
