import { userInfo } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { fail } from '../../errors.ts';

export const DEFAULT_STORE = '/var/lib/seccompc/hook for root, else below $XDG_STATE_HOME';

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
