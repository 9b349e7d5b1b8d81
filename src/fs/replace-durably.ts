import { open, rename, stat, unlink } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { dirname } from 'node:path';
import { temporaryBeside } from './replace.ts';

/** A file as it was read, to be replaced only if it has not changed since. */
export interface ReadFile {
  /** As `outputPlace` gives it. */
  path: string;
  bytes: Uint8Array;
  found: BigIntStats;
}

/**
 * Reads a file and what its replacement keeps. `path` is one of `outputPlace`, which must stay
 * open.
 */
export async function readForReplacing(path: string): Promise<ReadFile> {
  const handle = await open(path, 'r');
  try {
    const found = await handle.stat({ bigint: true });
    if (!found.isFile()) throw new Error('it is not a regular file');
    return { path, bytes: await handle.readFile(), found };
  } finally {
    await handle.close();
  }
}

/**
 * Replaces a file that was read, with its owner, group and mode, and waits until the disk has it.
 * @throws Error also when the file has changed since it was read
 */
export async function replaceDurably({ path, found }: ReadFile, content: Uint8Array): Promise<void> {
  const temporary = temporaryBeside(path);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await fill(handle, found, content);
    if (!isSame(found, await stat(path, { bigint: true })))
      throw new Error('another process has changed it in the meantime');
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw cause;
  }
  await syncDirectory(dirname(path));
}

async function fill(handle: FileHandle, { uid, gid, mode }: BigIntStats, content: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(content);
    const own = await handle.stat({ bigint: true });
    if (own.uid !== uid || own.gid !== gid) await handle.chown(Number(uid), Number(gid));
    await handle.chmod(Number(mode & 0o7777n));
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** A rename is on the disk when its directory is. Some file systems cannot flush a directory. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
