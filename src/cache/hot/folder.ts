import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync, readSync, renameSync, statSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'; // prettier-ignore
import type { Stats } from 'node:fs';
import { isMissing, makeFolder } from '../make-folder.ts';

// Paths are put together here without node:path, which looks at every letter: that is a tenth of an answer's time. A
// cache folder is always an absolute path in its shortest form.

/**
 * Below the cache folder: an answer per file; the command's own code as V8 keeps it, a chunk per file; and what
 * src/cli/seccompc-sh gives out, two files for each.
 */
export type Shelf = typeof ENTRIES | 'code' | 'sh';
export const ENTRIES = 'hot';
/** A file per tier that grows by a byte with each answer. */
const ANSWERS = 'answers';

const WRITABLE_BY_GROUP_OR_WORLD = 0o022;
const WRITABLE_BY_WORLD = 0o002;
const STICKY = 0o1000;

/** Above this an entry is not kept: a start gains nothing. */
const LARGEST_ENTRY = 4 * 1024 * 1024;
/** When there are more entries than this, the older half goes. */
const MOST_ENTRIES: Record<Shelf, number> = { hot: 512, code: 128, sh: 1024 };
export const SHELVES = Object.keys(MOST_ENTRIES) as Shelf[];

/**
 * The answer in a slot, or why it must not be used; undefined where there is none.
 *
 * By name throughout, which Node does quickest: in a folder that is safe, nobody else can change what a name stands for.
 */
export function readSlot(folder: string, slot: string): string | undefined | { refused: string } {
  const file = `${folder}/${ENTRIES}/${slot}`;
  try {
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!isOwnFile(found) || !isSafe(folder, ENTRIES)) return { refused: FOREIGN };
    return readFileSync(file, 'utf8');
  } catch (error) {
    return isMissing(error) ? undefined : { refused: 'it cannot be opened' };
  }
}

/** A file that nobody else can have written, provided that its folder {@link isSafe}; or why it must not be used. */
export function readOwn(file: string): Buffer | undefined | { refused: string } {
  let fd: number;
  try {
    // Neither through a link nor waiting for whoever writes into a pipe.
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    return isMissing(error) ? undefined : { refused: 'it cannot be opened' };
  }
  try {
    const found = fstatSync(fd);
    if (!isOwnFile(found)) return { refused: FOREIGN };
    return readWhole(fd, found.size) ?? { refused: 'it changes' };
  } finally {
    closeSync(fd);
  }
}

/** All of an open file, if it is as long as expected; readFileSync takes 0.2 ms more for the first file. */
export function readWhole(fd: number, size: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(size + 1);
  let done = 0;
  for (let read = -1; read !== 0 && done <= size; done += read)
    read = readSync(fd, bytes, done, size + 1 - done, null);
  return done === size ? bytes.subarray(0, size) : undefined;
}

/**
 * Puts a file into a slot, in one step. Does nothing where that is not possible: it would only have saved time.
 *
 * @param make gives the file; asked only where it can be kept
 */
export function writeSlot(folder: string, shelf: Shelf, slot: string, make: () => Uint8Array): void {
  const entries = `${folder}/${shelf}`;
  const temporary = `${entries}/.${slot}.${process.pid}.${process.hrtime.bigint().toString(36)}`;
  try {
    makeFolder(entries);
    if (!isSafe(folder, shelf)) return;
    const bytes = make();
    if (bytes.length > LARGEST_ENTRY) return;
    try {
      writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
      renameSync(temporary, `${entries}/${slot}`);
    } catch {
      unlinkSync(temporary);
    }
    makeRoom(entries, MOST_ENTRIES[shelf]);
  } catch {}
}

/** Remembers that a tier has answered: a byte is the cheapest counter that many processes can share. */
export function addAnswer(folder: string, tier: string): void {
  const file = `${folder}/${ANSWERS}/${tier}`;
  try {
    append(file);
  } catch {
    try {
      makeFolder(`${folder}/${ANSWERS}`);
      append(file);
    } catch {}
  }
}

function append(file: string): void {
  const fd = openSync(file, 'a', 0o600);
  writeSync(fd, '.');
  closeSync(fd);
}

/** How often each tier has answered since the cache was made or cleared. */
export function countAnswers(folder: string): Record<string, number> {
  return Object.fromEntries(filesIn(`${folder}/${ANSWERS}`).map(({ name, size }) => [name, size]));
}

export function hotStats(folder: string, shelf: Shelf): { entries: number; bytes: number } {
  const entries = filesIn(`${folder}/${shelf}`);
  return { entries: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) };
}

/** Removes answers and code, what interrupted writes left over, and the counts. */
export function clearHot(folder: string): void {
  for (const below of [...SHELVES, ANSWERS])
    for (const { name } of filesIn(`${folder}/${below}`)) unlinkSync(`${folder}/${below}/${name}`);
}

/** Whether nobody else could have put an entry there: not into the folders, and not in place of one above. */
export function isSafe(folder: string, shelf: Shelf): boolean {
  for (const path of [`${folder}/${shelf}`, folder]) {
    const found = lstatSync(path);
    if (!found.isDirectory() || !isOwn(found)) return false;
  }
  for (let end = folder.lastIndexOf('/'); ; end = folder.lastIndexOf('/', end - 1)) {
    const found = lstatSync(folder.slice(0, end) || '/');
    if (!found.isDirectory()) return false;
    if ((found.mode & WRITABLE_BY_WORLD) !== 0 && (found.mode & STICKY) === 0) return false;
    if (end <= 0) return true;
  }
}

function isOwn({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & WRITABLE_BY_GROUP_OR_WORLD) === 0;
}

/** Of a size that is ever kept, too. */
function isOwnFile(found: Stats): boolean {
  return found.isFile() && isOwn(found) && found.size <= LARGEST_ENTRY;
}

function makeRoom(entries: string, most: number): void {
  const files = filesIn(entries);
  if (files.length <= most) return;
  const oldestFirst = files.toSorted((a, b) => a.used - b.used);
  for (const { name } of oldestFirst.slice(0, most / 2)) unlinkSync(`${entries}/${name}`);
}

/** `used` is the last reading, where the file system notes it, or the writing; milliseconds since 1970. */
export function filesIn(folder: string): { name: string; size: number; used: number }[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    try {
      const { size, atimeMs, mtimeMs } = statSync(`${folder}/${name}`);
      return [{ name, size, used: Math.max(atimeMs, mtimeMs) }];
    } catch {
      return []; // Another process was faster.
    }
  });
}

export const FOREIGN = 'somebody else could have written it';
