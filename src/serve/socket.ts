import { link, lstat, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Server } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { fail } from '../errors.ts';
import { errorCode, systemReason } from '../fs/system-reason.ts';
import { trustedDirectory, UntrustedPath } from '../fs/trust.ts';
import { takeName } from './take-name.ts';
import type { Names, NameState } from './take-name.ts';

/** Bytes: `sun_path` has 108 with its final NUL (unix(7)), and {@link privateName} adds 7. */
const LONGEST_PATH = 100;

const SOCKET_NAME = join('seccompc', 'serve.sock');

/** The default path of the socket. Undefined for a user without a runtime directory. */
export function defaultSocket(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const folder = environment['XDG_RUNTIME_DIR'];
  if (folder !== undefined && isAbsolute(folder)) return join(folder, SOCKET_NAME);
  return process.geteuid?.() === 0 ? join('/run', SOCKET_NAME) : undefined;
}

/** A socket that a server listens at. */
export interface ListeningSocket {
  /**
   * Removes the path if it still leads to this socket. Clients can connect until then, so it never
   * looks stale.
   */
  remove(): Promise<void>;
}

/**
 * Makes the server listen at a path, for its own user alone (mode 0600). Of servers that start at
 * the same time, one gets the path. A socket without a listener is replaced; anything else stays.
 * @throws SeccompcError SOCKET_REFUSED; the server is then closed
 */
export async function listenAt(server: Server, path: string): Promise<ListeningSocket> {
  if (Buffer.byteLength(path) > LONGEST_PATH) refuse(path, `it has more than ${LONGEST_PATH} bytes`);
  try {
    trustedDirectory(dirname(path), { make: true });
    const own = privateName(path);
    await listen(server, own);
    try {
      const { dev, ino } = await lstat(own);
      await takeName(namesFor(own, path), path);
      return {
        async remove() {
          const found = await lstat(path).catch(() => undefined);
          if (found !== undefined && found.dev === dev && found.ino === ino) await rm(path, { force: true });
        },
      };
    } catch (error) {
      await new Promise((resolve) => server.close(resolve));
      throw error;
    } finally {
      await rm(own, { force: true });
    }
  } catch (cause) {
    if (cause instanceof UntrustedPath) return refuse(path, cause.message);
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    return fail('SOCKET_REFUSED', { path, reason: systemReason(cause) }, { cause });
  }
}

function privateName(path: string): string {
  return `${path}.${Math.random().toString(36).slice(2, 8).padEnd(6, '0')}`;
}

/** The names in the folder of `path`, which are given to the socket that has the name `own`. */
function namesFor(own: string, path: string): Names {
  return {
    stateOf,
    async link(name) {
      try {
        await link(own, name);
        return true;
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
        return false;
      }
    },
    async replace(name) {
      const second = privateName(path);
      await link(own, second);
      await rename(second, name);
    },
    remove: (name) => rm(name, { force: true }),
  };
}

async function stateOf(name: string): Promise<NameState> {
  const found = await lstat(name).catch(() => undefined);
  if (found === undefined) return 'free';
  if (!found.isSocket()) return 'other';
  return new Promise((resolve) => {
    const probe = connect(name);
    probe.once('connect', () => {
      probe.destroy();
      resolve('answers');
    });
    // Only a refused connection means that there is no listener. Other errors may come from a busy
    // server.
    probe.once('error', ({ message }) =>
      resolve(/ECONNREFUSED/.test(message) ? 'stale' : /ENOENT/.test(message) ? 'free' : 'answers'),
    );
  });
}

/** Node binds before `listen` returns, so the mask holds for this socket alone. */
async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    const mask = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(mask);
    }
  });
}

function refuse(path: string, reason: string): never {
  return fail('SOCKET_REFUSED', { path, reason });
}
