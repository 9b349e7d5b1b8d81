/**
 * Putting a file in the place of another in one step: written under a temporary name beside it, then renamed. A reader sees
 * the old content or the new one, and a failure leaves the old file and nothing else.
 */
import { closeSync, fchmodSync, fchownSync, openSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** What the new file gets. */
export interface Attributes {
  /** Permission bits, exact whatever the umask, unless `masked`. */
  mode: number;
  /** Whether the umask takes bits away from the mode, as it does for new files. */
  masked?: boolean;
  /** User and group; the caller's unless given. */
  owner?: { uid: number; gid: number };
}

/** @throws the system's error */
export function replaceFile(path: string, content: string | Uint8Array, attributes: Attributes): void {
  const temporary = temporaryBeside(path);
  const { mode, masked = false, owner } = attributes;
  const fd = openSync(temporary, 'wx', masked ? mode : 0o600);
  try {
    try {
      writeFileSync(fd, content);
      // A change of owner takes the set-ID bits away, so the mode comes last.
      if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
      if (!masked) fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (cause) {
    unlinkSync(temporary);
    throw cause;
  }
}

/** Whether a name is one of those temporary ones, left over where a process was killed. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.[0-9]+-[0-9a-z]+$/.test(name);
}

export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${Math.random().toString(36).slice(2)}`);
}
