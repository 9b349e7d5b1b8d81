/**
 * Of several processes that compile one profile at the same time, one does, and the others wait for
 * its result.
 */
import { closeSync, constants, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errorCode } from '../fs/system-reason.ts';
import { trustedDirectory } from '../fs/trust.ts';
import { removeFiles } from './plain-files.ts';

export interface Turns {
  /** Made if it is missing. If others can write to it, nobody waits. */
  folder: string;
  /**
   * Milliseconds after which a process compiles although another one does; {@link LONGEST_WAIT}
   * unless given.
   */
  wait?: number;
}

/**
 * Milliseconds. Under load the process that compiles needs several seconds; that one ended is seen
 * at once.
 */
const LONGEST_WAIT = 20_000;
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 200;
/** A file of this age was left over, and nobody has asked for the profile since. Milliseconds. */
const LEFT_OVER = 60 * 60 * 1000;

/**
 * Waits for the result of another process, or for the turn to make it. A turn is a file with the
 * number of its process. It only saves work: a process that has waited too long, or cannot make
 * the file, goes on without a turn.
 *
 * @param look gives the result if it is kept
 * @returns the result, or what to call when it is made, or neither; never rejects unless `look`
 *   does
 */
export async function takeTurn<T>(
  { folder, wait = LONGEST_WAIT }: Turns,
  key: string,
  look: () => Promise<T | undefined>,
): Promise<{ found?: T | undefined; end?: () => void }> {
  const until = performance.now() + wait;
  let hasWaited = false;
  const path = attempt(() => join(trustedDirectory(folder, { make: true }), key));
  if (path === undefined) return {};
  const end = () => attempt(() => rmSync(path, { force: true }));
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
    const turn = attempt(() => take(path));
    if (turn === undefined) return {};
    if (turn !== 'held') {
      // The process that had the turn before has kept the result since the caller looked.
      const found = await look();
      // A refused profile leaves no result. Processes that waited for it then compile at once, and
      // do not wait for each other too.
      if (found === undefined && !(turn === 'free' && hasWaited)) return { end };
      end();
      return { found };
    }
    hasWaited = true;
    const left = until - performance.now();
    if (left <= 0) {
      // The process is stopped, or too slow for those who come next to wait for it.
      end();
      return {};
    }
    await setTimeout(Math.min(pause, left));
  }
}

/**
 * Takes the turn that is free, or left over from a process that is dead, unless another one holds
 * it.
 */
function take(path: string): 'free' | 'left over' | 'held' {
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') {
      // On a full disk a file can be made, but not written.
      rmSync(path, { force: true });
      throw error;
    }
    if (!isDead(holderOf(path))) return 'held';
    rmSync(path, { force: true });
    return take(path) === 'held' ? 'held' : 'left over';
  }
  attempt(() => removeFiles(dirname(path), ({ used }) => used < Date.now() - LEFT_OVER));
  return 'free';
}

/**
 * Of a process that has just ended its turn, 0. A pipe keeps nobody waiting, and a device is not
 * read to its end.
 */
function holderOf(path: string): number {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const bytes = Buffer.alloc(20);
    return Number(bytes.toString('latin1', 0, readSync(fd, bytes)));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** A process that cannot be seen from here counts as dead too: then both compile. */
function isDead(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errorCode(error) === 'ESRCH';
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
