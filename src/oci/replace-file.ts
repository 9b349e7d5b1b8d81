import { randomBytes } from 'node:crypto';
import { open, rename, stat, unlink, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** A file as it was read, to be replaced only if it still is that. */
export interface ReadFile {
  /** Without symbolic links. */
  path: string;
  bytes: Uint8Array;
  found: BigIntStats;
}

/** Reads a file and what its replacement must take over. `path` must be free of symbolic links. */
export async function readForReplacing(path: string): Promise<ReadFile> {
  const handle = await open(path, 'r');
  try {
    const found = await handle.stat({ bigint: true });
    if (!found.isFile()) throw new Error('it is no plain file');
    return { path, bytes: await handle.readFile(), found };
  } finally {
    await handle.close();
  }
}

/**
 * Puts new content in a file's place: written beside it, flushed to the disk, renamed over it. Owner, group and mode are
 * those of the old one. Whoever has the old file open keeps it; a fault leaves the old file and nothing else.
 * @throws Error also when the file has changed since it was read
 */
export async function replaceFile({ path, found }: ReadFile, content: Uint8Array): Promise<void> {
  const folder = dirname(path);
  const temporary = temporaryBeside(path);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await fill(handle, found, content);
    if (!isSame(found, await stat(path, { bigint: true })))
      throw new Error('it was changed by somebody else in the meantime');
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw cause;
  }
  await flushFolder(folder);
}

/** Puts a file of our own in place, whatever was there: readers see the old one or the new one. */
export async function replaceWith(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    await writeFile(temporary, content, { flag: 'wx', mode });
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw cause;
  }
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}`);
}

async function fill(handle: FileHandle, { uid, gid, mode }: BigIntStats, content: Uint8Array): Promise<void> {
  try {
    await handle.writeFile(content);
    const own = await handle.stat({ bigint: true });
    // A change of owner takes the set-id bits away, so the mode comes last.
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

/** A rename is on the disk when its folder is. Some file systems cannot flush one, and lose nothing by it. */
export async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => {});
  await handle?.close();
}
