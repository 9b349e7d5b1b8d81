import { fail } from '../errors.ts';

/** What a name leads to. `stale`: a socket without a listener. */
export type NameState = 'free' | 'stale' | 'answers' | 'other';

/**
 * Names of sockets in a directory, and one socket, at which we listen already, that they can be
 * given to.
 */
export interface Names {
  stateOf(name: string): Promise<NameState>;
  /** Gives the name to our socket; false if it is not free. */
  link(name: string): Promise<boolean>;
  /** Gives the name to our socket, whatever had it before. */
  replace(name: string): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Each level needs a server that was killed at the moment of its start. */
const MOST_LOCKS = 9;

/**
 * Gives our listening socket the name `path`, unless another server has it or is about to take it.
 * Of servers that start at the same time, exactly one gets it.
 *
 * A free name is taken by link(2), which fails if the name is not free. A stale name may only be
 * replaced by the owner of the next lock, `path.1` and so on. The lock is a name of its owner's
 * socket too: it is valid exactly as long as its owner listens, so no lock has to be removed
 * because of its age.
 * @throws SeccompcError SOCKET_REFUSED
 */
export async function takeName(names: Names, path: string, level = 0): Promise<void> {
  const nameOf = (of: number) => (of === 0 ? path : `${path}.${of}`);
  const refuse = (reason: string): never => fail('SOCKET_REFUSED', { path, reason });
  const name = nameOf(level);
  for (;;) {
    if (await names.link(name)) return;
    const state = await names.stateOf(name);
    if (state === 'other') refuse(level === 0 ? 'there is something else' : `${name} is no lock; remove it`);
    if (state === 'answers')
      refuse(level === 0 ? 'a server answers there already' : 'another server is starting there');
    if (state === 'free') continue;
    if (level === MOST_LOCKS) refuse(`too many stale locks; remove ${nameOf(1)} to ${name}`);
    await takeName(names, path, level + 1);
    try {
      // Another server may have replaced it before the lock was ours.
      if ((await names.stateOf(name)) === 'stale') return await names.replace(name);
    } finally {
      await names.remove(nameOf(level + 1));
    }
  }
}
