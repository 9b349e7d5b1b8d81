/** What all actions on a cache do: open one store, ask it, and let its faults end the command. */
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

/** Works with a store, which has its own deadlines, then closes it. @throws SeccompcError */
export async function use<T>(store: CacheStore, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof SeccompcError ? cause : failure(faultOf(cause, store), cause);
  } finally {
    await closeStore(store);
  }
}

/** These commands are about the cache, so a fault of it ends them. */
function failure({ message, hint }: Diagnostic, cause: unknown): SeccompcError {
  const found = diagnostic('CACHE_FAILED', { reason: message }, hint === undefined ? {} : { hint });
  return new SeccompcError([found], { cause });
}

/** ISO 8601 in UTC, to the second; `-` without a time or for an invalid one. */
export function dateOf(milliseconds: number | null): string {
  const date = new Date(milliseconds ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? '-' : date.toISOString().replace(/\.\d+/, '');
}

/** Progress of work whose total is known only after it has begun. */
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
