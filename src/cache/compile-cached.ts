import type { CompileOptions, Filter } from '../compile.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { withDeadline } from './deadline.ts';
import { readEntry, writeEntry } from './entry.ts';
import { cacheKey, keyFields } from './key.ts';
import { CacheFault } from './store.ts';
import type { CacheStore } from './store.ts';

/** How long a store may take for one answer before the profile is compiled without it, in milliseconds. */
export const STORE_DEADLINE = 2000;

/** What the compiler calls an input without a name. */
const UNNAMED = '-';

/** A filter, and where it came from. */
export interface CachedFilter {
  /** The same on a hit as on a miss, to the byte and to the diagnostic. */
  filter: Filter;
  /** The kind of store that had it; `none` when it was compiled just now. */
  tier: string;
  /** 64 hex digits; the same input, options and build have the same. */
  key: string;
  /** What was wrong with the cache: nothing that touches the filter. */
  warnings: Diagnostic[];
}

/**
 * Compiles, unless `store` has the result already. What a store answers is handed out only after its key,
 * checksum, format and content were checked and its program passed the kernel's acceptance rules; any fault of
 * the store is a warning and a fresh compile. A compile that fails is not kept.
 *
 * The input is the text or the bytes of the document: a parsed profile has lost what the key covers.
 * @throws SeccompcError as {@link compile} does.
 */
export async function compileCached(
  input: string | Uint8Array,
  options: CompileOptions,
  store: CacheStore,
  deadline: number = STORE_DEADLINE,
): Promise<CachedFilter> {
  const { file = UNNAMED } = options;
  const key = cacheKey(await keyFields(input, options));
  const warnings: Diagnostic[] = [];
  let usable = true;
  const ask = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await withDeadline(work(), deadline);
    } catch (cause) {
      usable = false;
      warnings.push(faultOf(cause, store));
      return undefined;
    }
  };

  const kept = await ask(() => store.get(key));
  if (kept !== undefined) {
    const { target, prove } = options;
    const found = readEntry(kept, { key, file, proved: prove === 'require', arch: target.arch });
    if (!('refused' in found)) return { filter: found, tier: store.tier, key, warnings };
    warnings.push(diagnostic('CACHE_ENTRY_REFUSED', { reason: found.refused }));
  }

  // Only a miss pays for loading the compiler.
  const { compile } = await import('../compile.ts');
  const filter = await compile(input, options);
  const text = writeEntry(filter, key, file);
  if (usable && text !== undefined) await ask(() => store.set(key, text));
  return { filter, tier: 'none', key, warnings };
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
