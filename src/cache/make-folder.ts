import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder of one's own (0700), and those above it, where they are missing. Node's own recursion never ends in
 * /proc, where making a folder fails for want of one above that is there.
 */
export function makeFolder(path: string): void {
  try {
    make(path);
  } catch (error) {
    if (!isMissing(error) || path === dirname(path)) throw error;
    makeFolder(dirname(path));
    make(path);
  }
}

function make(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** Whether an error says that a file or folder is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
