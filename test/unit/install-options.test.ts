import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { defaultStore } from '../../src/cli/options/install-options.ts';

afterEach(() => vi.restoreAllMocks());
const asUser = (uid: number) => vi.spyOn(process, 'geteuid').mockReturnValue(uid);

describe('the store that is taken without --store', () => {
  it('is one for all starts by root', () => {
    asUser(0);
    expect(defaultStore({ XDG_STATE_HOME: '/x', HOME: '/y' })).toBe('/var/lib/seccompc/hook');
  });

  it.each([
    [{ XDG_STATE_HOME: '/state', HOME: '/home/a' }, '/state/seccompc/hook'],
    [{ XDG_STATE_HOME: '', HOME: '/home/a' }, '/home/a/.local/state/seccompc/hook'],
    [{ XDG_STATE_HOME: 'state', HOME: '/home/a' }, '/home/a/.local/state/seccompc/hook'],
    [{ HOME: '' }, join(userInfo().homedir, '.local/state/seccompc/hook')],
    [{ HOME: 'here' }, join(userInfo().homedir, '.local/state/seccompc/hook')],
    [{}, join(userInfo().homedir, '.local/state/seccompc/hook')],
  ])('is never below the current folder: %j', (environment, store) => {
    asUser(1000);
    expect(defaultStore(environment)).toBe(store);
  });
});
