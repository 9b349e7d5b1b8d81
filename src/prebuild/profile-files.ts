import { readdir, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { diagnostic, SeccompcError } from '../errors.ts';
import { systemReason } from '../fs/system-reason.ts';

/** A profile that was named, or found in a folder that was named. */
export interface ProfileFile {
  /** What an index calls it: the path below the folder, with `/`, or the name of the file. */
  name: string;
  /** Its path as it was given. */
  path: string;
  /** Whether it was found in a folder, not named. */
  found: boolean;
}

/**
 * The files, and all `.json` files below the folders, sorted by name and each once. `-` stays as it
 * is.
 * @throws SeccompcError INPUT_UNREADABLE for each that is not there, and for a folder without such
 *   a file
 */
export async function findProfiles(paths: readonly string[]): Promise<ProfileFile[]> {
  const found = new Map<string, ProfileFile>();
  const faults: { file: string; reason: string }[] = [];
  for (const path of paths) {
    try {
      const files = await filesAt(path);
      if (files.length === 0) faults.push({ file: path, reason: 'there is no .json file in this folder' });
      for (const file of files) found.set(file.path, file);
    } catch (cause) {
      faults.push({ file: path, reason: systemReason(cause) });
    }
  }
  if (faults.length > 0)
    throw new SeccompcError(
      faults.map(({ file, reason }) => ({ ...diagnostic('INPUT_UNREADABLE', { reason }), file })),
    );
  const inOrder = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...found.values()].toSorted((a, b) => inOrder(a.name, b.name) || inOrder(a.path, b.path));
}

async function filesAt(path: string): Promise<ProfileFile[]> {
  if (path === '-' || !(await stat(path)).isDirectory())
    return [{ name: basename(path), path, found: false }];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.name.endsWith('.json') && !entry.isDirectory())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return { name: file.slice(join(path, sep).length).replaceAll(sep, '/'), path: file, found: true };
    });
}
