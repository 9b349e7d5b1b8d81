/**
 * Directories of plain files that several processes use: hot entries, and records without SQLite.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isTemporaryName } from '../fs/replace.ts';

/** Writing a file takes milliseconds; a temporary one of this age was left over. Milliseconds. */
const LEFT_OVER = 60 * 60 * 1000;

export interface PlainFile {
  name: string;
  /** Bytes. */
  size: number;
  /**
   * The last reading, if the file system notes it, or else the writing; milliseconds since 1970.
   */
  used: number;
}

/** All files of a directory; none if there is no such directory. */
export function filesIn(directory: string | undefined): PlainFile[] {
  return namesIn(directory).flatMap((name) => {
    const found = statSync(join(directory!, name), { throwIfNoEntry: false });
    if (found === undefined) return []; // Another process has removed it.
    return [{ name, size: found.size, used: Math.max(found.atimeMs, found.mtimeMs) }];
  });
}

function namesIn(directory: string | undefined): string[] {
  try {
    return directory === undefined ? [] : readdirSync(directory);
  } catch {
    return [];
  }
}

/** Removes the files that `test` picks, or all, and counts them. */
export function removeFiles(
  directory: string | undefined,
  test: (file: PlainFile) => boolean = () => true,
): number {
  const picked = filesIn(directory).filter(test);
  for (const { name } of picked) rmSync(join(directory!, name), { recursive: true, force: true });
  return picked.length;
}

/** Whether an interrupted write left the file over. */
export function isLeftOver({ name, used }: PlainFile): boolean {
  return isTemporaryName(name) && used < Date.now() - LEFT_OVER;
}
