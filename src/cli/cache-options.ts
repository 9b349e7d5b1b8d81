import type { Command } from 'commander';

export { cacheOf, keysOf } from './cache-flags.ts';
export type { CacheFlags } from './cache-flags.ts';

/** Adds --cache and the keys for caches that others can write to. */
export function addCacheLocation(command: Command): Command {
  addStore(command.optionsGroup('Cache:'));
  addTrust(command, 'believe what this public key has signed in a shared cache');
  return addSign(command, 'sign with this private key what is put into a shared cache');
}

/** Adds --cache alone. */
export function addStore(command: Command): Command {
  return command.option(
    '--cache <DIR|URL>',
    "another cache than the user's own: a folder, sqlite:FILE, redis://HOST, postgres://HOST/DATABASE",
  );
}

export function addTrust(command: Command, description: string): Command {
  return command.option('--trust <FILE>', `${description} (repeatable)`, append);
}

export function addSign(command: Command, description: string): Command {
  return command.option('--sign <FILE>', description);
}

/** Adds the flags that every command has which compiles by way of the cache. */
export function addCacheOptions(command: Command): Command {
  return addCacheLocation(command).option('--no-cache', 'neither look into the cache nor keep filters');
}

function append(file: string, before: string[] = []): string[] {
  return [...before, file];
}
