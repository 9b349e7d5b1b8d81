import type { Command } from 'commander';
import type { Cache } from '../../cache/compile-cached.ts';
import { fail } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { optionNamed, optionsIn } from '../../options/table.ts';
import { readInput } from './input-file.ts';
import { addOptions } from './add-options.ts';

/** The flags that say where filters are looked up and kept, as the parser leaves them. */
export interface CacheFlags {
  /** A location, or false for --no-cache. */
  cache?: string | false;
  /** Files of public keys. */
  trust?: string[];
  /** File of a private key. */
  sign?: string;
}

/**
 * The cache that the flags ask for; undefined for none.
 * @throws SeccompcError for a file that holds no key, and as `openCache` does
 */
export async function cacheOf(flags: CacheFlags): Promise<Cache | undefined> {
  if (flags.cache === false) return undefined;
  const { openCache } = await import('../../cache/open.ts');
  return openCache(flags.cache, await keysOf(flags));
}

/** The same, but a cache that cannot be opened is undefined, after `onFault` has been told why. */
export async function workingCache(
  flags: CacheFlags,
  onFault: (found: Diagnostic) => void,
): Promise<Cache | undefined> {
  const { CacheFault } = await import('../../cache/stores/store.ts');
  try {
    return await cacheOf(flags);
  } catch (error) {
    if (!(error instanceof CacheFault)) throw error;
    onFault(error.diagnostic);
    return undefined;
  }
}

/** The keys in the files that the flags name. @throws SeccompcError */
export async function keysOf({ trust = [], sign }: CacheFlags): Promise<Cache['keys']> {
  if (trust.length === 0 && sign === undefined) return undefined;
  const { readKeys } = await import('../../signature.ts');
  const read = async (file: string, member: 'trust' | 'sign') => {
    const text = Buffer.from(await readInput(file)).toString('latin1');
    try {
      readKeys(member === 'trust' ? { trust: [text] } : { sign: text });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      fail('CACHE_KEY_INVALID', { reason }, { file, cause });
    }
    return text;
  };
  const texts = await Promise.all(trust.map((file) => read(file, 'trust')));
  return readKeys({ trust: texts, ...(sign === undefined ? {} : { sign: await read(sign, 'sign') }) });
}

/** Adds --cache alone. */
export function addStore<C extends Command>(command: C): C {
  return addOptions(command, [optionNamed('cache')]);
}

export function addTrust<C extends Command>(command: C, description: string): C {
  return addOptions(command, [{ ...optionNamed('trust'), help: `${description} (repeatable)` }]);
}

export function addSign<C extends Command>(command: C, description: string): C {
  return addOptions(command, [{ ...optionNamed('sign'), help: description }]);
}

/** Adds the options of every command that compiles by way of the cache. */
export function addCacheOptions<C extends Command>(command: C): C {
  return addOptions(command, optionsIn('cache'));
}
