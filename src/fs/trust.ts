/**
 * Tells which directories and files only the caller and root can have changed. What decides about
 * containers is read only from there: caches, hooks and their store, sockets. docs/security.md.
 */
import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readFileSync, readlinkSync } from 'node:fs'; // prettier-ignore
import type { Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { isWritableByCallerAlone } from './private-group.ts';
import { errorCode } from './system-reason.ts';

const WRITABLE_BY_GROUP = 0o020;
const WRITABLE_BY_WORLD = 0o002;
export const WRITABLE_BY_OTHERS = WRITABLE_BY_GROUP | WRITABLE_BY_WORLD;
export const STICKY = 0o1000;
/** As many as Linux follows in one path (path_resolution(7)). */
export const MOST_LINKS = 40;

/** A path that another user can change. The message says which, and why. */
export class UntrustedPath extends Error {
  override readonly name = 'UntrustedPath';
  /** The directory, link or file that is not trusted: the one that was named, or one above it. */
  readonly path: string;
  readonly reason: string;

  constructor(path: string, reason: string) {
    super(`${path}: ${reason}`);
    this.path = path;
    this.reason = reason;
  }
}

/**
 * The path of a directory without symbolic links, which may be used from then on: only the caller
 * and root can change it, or put another one in its place.
 *
 * Every component from `/` down, and every link on the way, is owned by the caller or root and
 * writable by neither group nor others. Above the directory itself two more kinds are fine: a
 * sticky directory such as /tmp, and one that only the caller's private group can write to. Each
 * component is checked after those above it, so nothing can change between the check and the use.
 *
 * On Windows everything is trusted, because Node cannot read owners and modes there.
 *
 * @param make create what is missing, with mode 0700 or this one, and only in trusted directories
 * @throws UntrustedPath; the system's error if a component is missing
 */
export function trustedDirectory(path: string, { make }: { make?: true | number } = {}): string {
  const directory = walk(resolve(path), make === true ? 0o700 : make);
  if (ownersAreKnown()) {
    const found = lstatSync(directory);
    if (!found.isDirectory()) throw notADirectory(directory);
    refuseForeign(directory, found);
  }
  return directory;
}

/**
 * The same for a file, such as a program. Links may lead to it.
 * @throws UntrustedPath; the system's error
 */
export function trustedFile(path: string): string {
  const file = walk(resolve(path));
  if (ownersAreKnown()) refuseForeignFile(file, lstatSync(file));
  return file;
}

/**
 * Opens a file in a trusted directory, and checks the descriptor: a regular file, not reached by a
 * link, owned by the caller or root and writable by no other user.
 *
 * @param flags of open(2), besides O_NOFOLLOW and O_NONBLOCK; read-only unless given
 * @param mode of a file that O_CREAT makes
 * @throws UntrustedPath; the system's error
 */
export function openTrusted(path: string, flags: number = constants.O_RDONLY, mode = 0o600): number {
  const file = trustedPath(path);
  const fd = openNoFollow(file, flags, mode);
  try {
    refuseForeignFile(path, fstatSync(fd));
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openNoFollow(file: string, flags: number, mode: number): number {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for a writer.
    return openSync(file, flags | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0), mode);
  } catch (error) {
    if (errorCode(error) === 'ELOOP') throw new UntrustedPath(file, 'it is a symbolic link');
    throw error;
  }
}

/**
 * Reads a file as {@link openTrusted} does, if it exists.
 * @throws UntrustedPath; the system's error
 */
export function readTrusted(path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openTrusted(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The path of an entry that no other user can replace. The entry itself may be missing. */
function trustedPath(path: string): string {
  const absolute = resolve(path);
  const directory = walk(dirname(absolute));
  if (ownersAreKnown()) refuseAsParent(directory);
  return join(directory, basename(absolute));
}

/** Follows a path and its links; checks all of it except owner and mode of the last entry. */
function walk(path: string, make?: number): string {
  if (!ownersAreKnown()) {
    if (make !== undefined) mkdirSync(path, { recursive: true });
    return path;
  }
  const pending = namesIn(path);
  let links = 0;
  let here = '/';
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    refuseAsParent(here);
    if (name === '..') {
      here = dirname(here);
      continue;
    }
    const entry = join(here, name);
    const found = lstatOrMake(entry, make);
    if (!found.isSymbolicLink()) {
      here = entry;
      continue;
    }
    if (!isOwn(found)) throw new UntrustedPath(entry, `it is a symbolic link, and ${ownerOf(found)}`);
    if (++links > MOST_LINKS) throw new UntrustedPath(entry, 'it leads through too many symbolic links');
    const target = readlinkSync(entry);
    if (target.startsWith('/')) here = '/';
    pending.unshift(...namesIn(target));
  }
  return here;
}

export function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

function lstatOrMake(entry: string, make: number | undefined): Stats {
  try {
    return lstatSync(entry);
  } catch (error) {
    if (make === undefined || errorCode(error) !== 'ENOENT') throw error;
  }
  try {
    mkdirSync(entry, { mode: make });
  } catch (error) {
    // Another process was faster.
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  return lstatSync(entry);
}

/** For a directory above the path: no other user may replace an entry of the caller. */
function refuseAsParent(path: string): void {
  const found = lstatSync(path);
  if (!found.isDirectory()) throw notADirectory(path);
  const isSticky = isOwn(found) && (found.mode & STICKY) !== 0;
  const isGroupOnly = isOwn(found) && (found.mode & WRITABLE_BY_OTHERS) === WRITABLE_BY_GROUP;
  if (isSticky || (isGroupOnly && isWritableByCallerAlone(path, found.gid))) return;
  refuseForeign(path, found);
}

function refuseForeignFile(path: string, found: Stats): void {
  if (!found.isFile()) throw new UntrustedPath(path, 'it is not a regular file');
  refuseForeign(path, found);
}

function refuseForeign(path: string, found: Stats): void {
  if (!ownersAreKnown()) return;
  if (!isOwn(found)) throw new UntrustedPath(path, ownerOf(found));
  if ((found.mode & WRITABLE_BY_WORLD) !== 0) throw new UntrustedPath(path, 'everybody can write to it');
  if ((found.mode & WRITABLE_BY_GROUP) !== 0)
    throw new UntrustedPath(path, `group ${found.gid} can write to it`);
}

function notADirectory(path: string): Error {
  return Object.assign(new Error(`ENOTDIR: not a directory, lstat '${path}'`), { code: 'ENOTDIR' });
}

/** Whether the caller or root is the owner. Windows gives everything the owner 0. */
export function isOwn({ uid }: Stats): boolean {
  return uid === 0 || uid === process.geteuid?.() || (takesUnmapped && uid === UNMAPPED && isUserNamespace());
}

let takesUnmapped = false;

/**
 * From now on takes unmapped owners for root, for a process whose paths were checked when they were
 * installed. A rootless engine starts it in a user namespace, which does not map root: there `/`
 * seems to belong to an unknown user.
 */
export function takeUnmappedForRoot(): void {
  takesUnmapped = true;
}

function ownerOf({ uid }: Stats): string {
  return uid === UNMAPPED && isUserNamespace()
    ? 'it belongs to a user that is not mapped in this user namespace'
    : `it belongs to another user (uid ${uid})`;
}

/**
 * The owner that the kernel shows for an unmapped user: the default of
 * /proc/sys/kernel/overflowuid.
 */
const UNMAPPED = 65534;

/** user_namespaces(7): only the initial one maps all 2^32-1 IDs to themselves. */
function isUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'));
  } catch {
    return false;
  }
}

function ownersAreKnown(): boolean {
  return process.geteuid !== undefined;
}
