import { userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { Option } from 'commander';
import type { Command } from 'commander';
import { fail } from '../../errors.ts';
import type { Preparation } from '../../oci/store/program.ts';
import { targetArguments } from './target-arguments.ts';
import { targetOf } from './target-options.ts';
import type { TargetFlags } from './target-options.ts';

/** Of what looks up filters at starts: the hook and the runtime. */
export interface StartFlags extends TargetFlags {
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

export function foreignOption(): Option {
  return new Option('--foreign <HOW>', 'what to do with an annotation that somebody else has set')
    .choices(['replace', 'refuse'])
    .default('replace');
}

/** @param script that of this command */
export function preparationOf(flags: StartFlags, script: string): Preparation {
  const { foreign, strict = false } = flags;
  const store = resolve(flags.store ?? defaultStore());
  return {
    store,
    log: resolve(flags.log ?? join(store, 'hook.log')),
    command: [process.execPath, resolve(script)],
    target: targetOf(flags),
    flags: targetArguments(flags),
    foreign,
    strict,
  };
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
