/**
 * Replaces a file in one step: writes it under a temporary name beside it, then renames it. A
 * reader sees the old content or the new one, and a failure leaves only the old file.
 */
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from './system-reason.ts';

export interface Attributes {
  /** Permission bits, without the umask unless `masked`. */
  mode: number;
  /** Whether the umask takes bits away from the mode, as it does for new files. */
  masked?: boolean;
  /**
   * User and group; the caller's unless given. `optional`: as far as the caller may change them.
   */
  owner?: { uid: number; gid: number; optional?: boolean };
}

/** @throws the system's error */
export function replaceFile(path: string, content: string | Uint8Array, attributes: Attributes): void {
  replaceByParts(path, [content], attributes);
}

/** The same for content that is made in parts. */
export function replaceByParts(
  path: string,
  parts: Iterable<string | Uint8Array>,
  attributes: Attributes,
): void {
  const temporary = temporaryBeside(path);
  const { mode, masked = false, owner } = attributes;
  const fd = openSync(temporary, 'wx', masked ? mode : 0o600);
  try {
    try {
      for (const part of parts) writeFileSync(fd, part);
      // A change of owner takes the set-ID bits away, so the mode comes last.
      if (owner !== undefined) giveTo(fd, owner);
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

/** Keeps the group if not the user: owners may give files to their own groups (chown(2)). */
function giveTo(fd: number, { uid, gid, optional = false }: NonNullable<Attributes['owner']>): void {
  const own = fstatSync(fd);
  if (own.uid === uid && own.gid === gid) return;
  for (const user of optional ? [uid, own.uid] : [uid]) {
    try {
      return fchownSync(fd, user, gid);
    } catch (error) {
      if (!optional || !['EPERM', 'EINVAL'].includes(errorCode(error) ?? '')) throw error;
    }
  }
}

/** Whether this is a temporary name, left by a process that was killed. */
export function isTemporaryName(name: string): boolean {
  return /^\..+\.[0-9]+-[0-9a-z]+$/.test(name);
}

export function temporaryBeside(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}-${Math.random().toString(36).slice(2)}`);
}
