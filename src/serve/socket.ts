import { lstat, mkdir, open, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Server } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import { fail } from '../errors.ts';
import { systemReason } from '../fs/system-reason.ts';

/** Bytes: `sun_path` has 108 with its final NUL (unix(7)). */
const LONGEST_PATH = 107;
/** Milliseconds after which a lock is one that a killed server left: it is held for a few of them only. */
const LOCK_AGE = 10_000;

const SOCKET_NAME = join('seccompc', 'serve.sock');

/** Where server and client meet unless said: undefined for a user without a folder for such things. */
export function defaultSocket(environment: NodeJS.ProcessEnv = process.env): string | undefined {
  const folder = environment['XDG_RUNTIME_DIR'];
  if (folder !== undefined && isAbsolute(folder)) return join(folder, SOCKET_NAME);
  return process.geteuid?.() === 0 ? join('/run', SOCKET_NAME) : undefined;
}

/** A socket that a server listens at. */
export interface ListeningSocket {
  /** Whether the path still leads to it. Node removes what is there on closing, whosever it is by then. */
  isOurs(): Promise<boolean>;
}

/**
 * Makes the server listen at a path, for its own user alone (mode 0600). A socket that is left there is taken
 * over if nobody answers at it; anything else stays.
 * @throws SeccompcError SOCKET_REFUSED
 */
export async function listenAt(server: Server, path: string): Promise<ListeningSocket> {
  if (Buffer.byteLength(path) > LONGEST_PATH) refuse(path, `it has more than ${LONGEST_PATH} bytes`);
  try {
    await checkFolder(path);
    await withLock(path, async () => {
      await clearStale(path);
      await listen(server, path);
    });
    const { dev, ino } = await lstat(path);
    const isOurs = async () => {
      const found = await lstat(path).catch(() => undefined);
      return found !== undefined && found.dev === dev && found.ino === ino;
    };
    return { isOurs };
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    return fail('SOCKET_REFUSED', { path, reason: systemReason(cause) }, { cause });
  }
}

const WRITABLE_BY_OTHERS = 0o022;
const WRITABLE_BY_WORLD = 0o002;
const STICKY = 0o1000;

/** Makes the folder if it is missing, and refuses one in which others could put their own socket in its place. */
async function checkFolder(path: string): Promise<void> {
  // One level: those above are somebody's decision, and Node's recursive mkdir never returns below /proc.
  await mkdir(dirname(path), { mode: 0o700 }).catch(ignoreExisting);
  const folder = await realpath(dirname(path));
  const euid = process.geteuid?.();
  if (euid === undefined) return;
  const own = await lstat(folder);
  if (own.uid !== euid && own.uid !== 0) refuse(path, `${folder} belongs to another user`);
  if ((own.mode & WRITABLE_BY_OTHERS) !== 0) refuse(path, `others can write to ${folder}`);
  for (let above = dirname(folder); ; above = dirname(above)) {
    const { mode } = await lstat(above);
    if ((mode & WRITABLE_BY_WORLD) !== 0 && (mode & STICKY) === 0)
      refuse(path, `everybody can write to ${above}`);
    if (above === dirname(above)) break;
  }
}

/**
 * One server at a time looks at the path and takes it: without that, of three that start at once one could move
 * away what another one has just made.
 */
async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  const lock = `${path}.lock`;
  const left = await lstat(lock).catch(() => undefined);
  if (left !== undefined && Date.now() - left.mtimeMs > LOCK_AGE) await rm(lock, { force: true });
  const handle = await open(lock, 'wx', 0o600).catch(ignoreExisting);
  if (handle === undefined) refuse(path, 'another server is starting there');
  try {
    await handle.close();
    await work();
  } finally {
    await rm(lock, { force: true });
  }
}

function ignoreExisting(cause: unknown): undefined {
  if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return undefined;
  throw cause;
}

async function clearStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) refuse(path, 'there is something else');
  if (await answers(path)) refuse(path, 'a server answers there already');
  await rm(path, { force: true });
}

/** Only a refused connection means that nobody listens. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => resolve(!/ECONNREFUSED|ENOENT/.test(error.message)));
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
