import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, renameSync, statSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'; // prettier-ignore
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMissing, makeFolder } from '../make-folder.ts';

/** Below the cache folder: an entry per file, and a file per tier that grows by a byte with each answer. */
export const ENTRIES = 'hot';
const ANSWERS = 'answers';

const WRITABLE_BY_GROUP_OR_WORLD = 0o022;
const WRITABLE_BY_WORLD = 0o002;
const STICKY = 0o1000;

/** Above this an entry is not kept: a start gains nothing. */
const LARGEST_ENTRY = 4 * 1024 * 1024;
/** When there are more entries than this, the older half goes. */
const MOST_ENTRIES = 512;

/** The file of a slot, or why it must not be used; undefined where there is none. */
export function readSlot(folder: string, slot: string): Buffer | undefined | { refused: string } {
  let fd: number;
  try {
    // Neither through a link nor waiting for whoever writes into a pipe.
    fd = openSync(
      join(folder, ENTRIES, slot),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    return isMissing(error) ? undefined : { refused: 'it cannot be opened' };
  }
  try {
    const found = fstatSync(fd);
    if (!found.isFile() || !isOwn(found) || found.size > LARGEST_ENTRY) return { refused: FOREIGN };
    return isSafe(folder) ? (readWhole(fd, found.size) ?? { refused: 'it changes' }) : { refused: FOREIGN };
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

/** Puts a file into a slot, in one step. Does nothing where that is not possible: it would only have saved time. */
export function writeSlot(folder: string, slot: string, bytes: Uint8Array): void {
  if (bytes.length > LARGEST_ENTRY) return;
  const entries = join(folder, ENTRIES);
  const temporary = join(entries, `.${slot}.${process.pid}.${process.hrtime.bigint().toString(36)}`);
  try {
    makeFolder(entries);
    if (!isSafe(folder)) return;
    try {
      writeFileSync(temporary, bytes, { flag: 'wx', mode: 0o600 });
      renameSync(temporary, join(entries, slot));
    } catch {
      unlinkSync(temporary);
    }
    makeRoom(entries);
  } catch {}
}

/** Remembers that a tier has answered: a byte is the cheapest counter that many processes can share. */
export function addAnswer(folder: string, tier: string): void {
  const file = join(folder, ANSWERS, tier);
  try {
    append(file);
  } catch {
    try {
      makeFolder(dirname(file));
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
  return Object.fromEntries(filesIn(join(folder, ANSWERS)).map(({ name, size }) => [name, size]));
}

export function hotStats(folder: string): { entries: number; bytes: number } {
  const entries = filesIn(join(folder, ENTRIES));
  return { entries: entries.length, bytes: entries.reduce((sum, { size }) => sum + size, 0) };
}

/** Removes the entries, what interrupted writes left over, and the counts. */
export function clearHot(folder: string): void {
  for (const below of [ENTRIES, ANSWERS])
    for (const { name } of filesIn(join(folder, below))) unlinkSync(join(folder, below, name));
}

/** Whether nobody else could have put an entry there: not into the folders, and not in place of one above. */
function isSafe(folder: string): boolean {
  for (const path of [join(folder, ENTRIES), folder]) {
    const found = lstatSync(path);
    if (!found.isDirectory() || !isOwn(found)) return false;
  }
  for (let above = dirname(folder); ; above = dirname(above)) {
    const found = lstatSync(above);
    if (!found.isDirectory()) return false;
    if ((found.mode & WRITABLE_BY_WORLD) !== 0 && (found.mode & STICKY) === 0) return false;
    if (above === dirname(above)) return true;
  }
}

function isOwn({ uid, mode }: Stats): boolean {
  return uid === process.geteuid?.() && (mode & WRITABLE_BY_GROUP_OR_WORLD) === 0;
}

function makeRoom(entries: string): void {
  const files = filesIn(entries);
  if (files.length <= MOST_ENTRIES) return;
  const oldestFirst = files.toSorted((a, b) => a.used - b.used);
  for (const { name } of oldestFirst.slice(0, MOST_ENTRIES / 2)) unlinkSync(join(entries, name));
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
      const { size, atimeMs, mtimeMs } = statSync(join(folder, name));
      return [{ name, size, used: Math.max(atimeMs, mtimeMs) }];
    } catch {
      return []; // Another process was faster.
    }
  });
}

const FOREIGN = 'somebody else could have written it';
