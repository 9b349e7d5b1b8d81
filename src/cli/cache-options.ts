import type { Command } from 'commander';

export { cacheOf, keysOf } from './cache-flags.ts';
export type { CacheFlags } from './cache-flags.ts';

/** Adds --cache and the keys for caches that others can write to. */
export function addCacheLocation(command: Command): Command {
  return command
    .optionsGroup('Cache:')
    .option(
      '--cache <DIR|URL>',
      "another cache than the user's own: a folder, sqlite:FILE, redis://HOST, postgres://HOST/DATABASE",
    )
    .option(
      '--trust <FILE>',
      'believe what this public key has signed in a shared cache (repeatable)',
      append,
    )
    .option('--sign <FILE>', 'sign with this private key what is put into a shared cache');
}

/** Adds the flags that every command has which compiles by way of the cache. */
export function addCacheOptions(command: Command): Command {
  return addCacheLocation(command).option('--no-cache', 'neither look into the cache nor keep filters');
}

function append(file: string, before: string[] = []): string[] {
  return [...before, file];
}
