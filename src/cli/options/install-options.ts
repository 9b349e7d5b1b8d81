import { userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import type { Cache } from '../../cache/compile-cached.ts';
import { fail, SeccompcError } from '../../errors.ts';
import { fileFaults } from '../../oci/store/program.ts';
import type { Preparation } from '../../oci/store/program.ts';
import { addTrust, keysOf } from './cache-options.ts';
import type { CacheFlags } from './cache-options.ts';
import { targetArguments } from './target-arguments.ts';
import { targetOf } from './target-options.ts';
import type { TargetFlags } from './target-options.ts';

/** Of what looks up filters at starts: the hook and the runtime. */
export interface StartFlags extends TargetFlags, Pick<CacheFlags, 'trust'> {
  /** Of a server. */
  cache?: string;
  store?: string;
  log?: string;
  foreign: 'replace' | 'refuse';
  strict?: true;
}

const DEFAULT_STORE = '/var/lib/seccompc/hook for root, else below $XDG_STATE_HOME';

export function addStoreOptions<C extends Command>(command: C): C {
  return command
    .option('--store <DIR>', `where the filters are kept (default: ${DEFAULT_STORE})`)
    .option('--log <FILE>', 'where to log (default: hook.log in the store)')
    .addOption(foreignOption());
}

/** Where filters are looked for that are not in the store. */
export function addServerOptions<C extends Command>(command: C): C {
  return addTrust(
    command.option('--cache <URL>', 'ask this server before compiling: redis:, postgres: or oci://HOST/NAME'),
    'accept filters of the server that this public key has signed',
  );
}

/**
 * The server of the flags, if any. A start has no other cache: the store is its own.
 * @throws SeccompcError PLACE_UNSAFE for a key that another user can change
 */
export async function serverOf({ cache, trust = [] }: StartFlags): Promise<Cache | undefined> {
  if (cache === undefined) {
    if (trust.length > 0) fail('USAGE', { reason: '--trust needs --cache' });
    return undefined;
  }
  const { openStore } = await import('../../cache/open.ts');
  const store = openStore(cache);
  if (!store.shared) fail('USAGE', { reason: `--cache takes the address of a server here, not "${cache}"` });
  const faults = trust.flatMap((file) => fileFaults(file));
  if (faults.length > 0) throw new SeccompcError(faults);
  // A host only reads: its own store keeps what it compiles, and no other host would believe it.
  return { stores: [{ ...store, set: async () => {} }], keys: await keysOf({ trust }) };
}

export function foreignOption(): Option {
  return new Option('--foreign <HOW>', 'what to do with an annotation that somebody else has set')
    .choices(['replace', 'refuse'])
    .default('replace');
}

/** @param script that of this command */
export async function preparationOf(flags: StartFlags, script: string): Promise<Preparation> {
  const { foreign, strict = false, cache, trust = [] } = flags;
  // What is wrong with the server's options should not wait for the first start.
  const server = await serverOf(flags);
  if (server !== undefined) await (await import('../../cache/open.ts')).closeCache(server);
  const store = resolve(flags.store ?? defaultStore());
  return {
    store,
    log: resolve(flags.log ?? join(store, 'hook.log')),
    command: [process.execPath, resolve(script)],
    target: targetOf(flags),
    flags: targetArguments(flags),
    ...(cache === undefined ? {} : { server: serverArguments(cache, trust) }),
    foreign,
    strict,
  };
}

function serverArguments(cache: string, trust: readonly string[]): string[] {
  if (URL.parse(cache)?.password)
    fail('USAGE', { reason: 'everybody can read what is installed, so --cache takes no password here' });
  return ['--cache', cache, ...trust.flatMap((file) => ['--trust', resolve(file)])];
}

/**
 * Where filters for starts are kept unless told. XDG asks to ignore paths that are not absolute.
 * @throws SeccompcError USAGE for a user without a home
 */
export function defaultStore(environment: NodeJS.ProcessEnv = process.env): string {
  if (process.geteuid?.() === 0) return '/var/lib/seccompc/hook';
  const state = [environment['XDG_STATE_HOME'] ?? '', ...homes(environment)].find(isAbsolute);
  if (state === undefined) fail('USAGE', { reason: 'your home directory is not known, so give --store DIR' });
  return join(state, 'seccompc/hook');
}

function homes({ HOME }: NodeJS.ProcessEnv): string[] {
  let known = '';
  try {
    known = userInfo().homedir;
  } catch {
    // The user is not in passwd(5).
  }
  return [HOME ?? '', known].filter(isAbsolute).map((home) => join(home, '.local/state'));
}
