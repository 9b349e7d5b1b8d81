/** The directory of hot entries, one file for each: `hot` in the cache directory. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isTemporaryName, replaceFile } from '../../fs/replace.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { readTrusted, trustedDirectory, UntrustedPath } from '../../fs/trust.ts';
import { checkHotEntry } from './entry.ts';

/** A larger entry is not kept: reading it would take as long as compiling. */
const LARGEST_ENTRY = 4 * 1024 * 1024;
/** When there are more entries than this, the older half is removed. */
const MOST_ENTRIES = 512;
/** Writing a file takes milliseconds; a temporary one of this age was left over. Milliseconds. */
const LEFT_OVER = 60 * 60 * 1000;

/** The text of an entry; undefined if there is none; or why it must not or cannot be used. */
export function readEntry(cache: string, name: string): string | undefined | { refused: string } {
  try {
    return readTrusted(join(cache, 'hot', name))?.toString('utf8');
  } catch (error) {
    return { refused: error instanceof UntrustedPath ? error.message : systemReason(error) };
  }
}

/** Puts an entry in place in one step. Does nothing where that is impossible: it would only have saved time. */
export function writeEntry(cache: string, name: string, text: string): void {
  const bytes = Buffer.from(text);
  if (bytes.length > LARGEST_ENTRY) return;
  try {
    const directory = trustedDirectory(join(cache, 'hot'), { make: true });
    replaceFile(join(directory, name), bytes, { mode: 0o600 });
    makeRoom(directory);
  } catch {}
}

function makeRoom(directory: string): void {
  const files = filesIn(directory);
  if (files.length <= MOST_ENTRIES) return;
  for (const { name } of files.toSorted((a, b) => a.used - b.used).slice(0, MOST_ENTRIES / 2))
    rmSync(join(directory, name), { force: true });
}

export function hotStats(cache: string): { entries: number; bytes: number } {
  const files = filesIn(join(cache, 'hot'));
  return { entries: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

export function clearHot(cache: string): void {
  removeEntries(
    cache,
    filesIn(join(cache, 'hot')).map(({ name }) => name),
  );
}

export function removeEntries(cache: string, names: readonly string[]): void {
  for (const name of names) rmSync(join(cache, 'hot', name), { force: true });
}

/** Checks every entry; findings by ascending name. */
export function verifyHot(cache: string): { checked: number; findings: { name: string; reason: string }[] } {
  const names = filesIn(join(cache, 'hot'))
    .map(({ name }) => name)
    .filter((name) => !isTemporaryName(name))
    .toSorted();
  const findings = names.flatMap((name) => {
    const text = readEntry(cache, name);
    // Another process has removed it.
    if (text === undefined) return [];
    const read = typeof text === 'string' ? checkHotEntry(text) : text;
    return 'refused' in read ? [{ name, reason: read.refused }] : [];
  });
  return { checked: names.length, findings };
}

/** Removes what interrupted writes left over, and entries that were not read for `age` milliseconds; counts both. */
export function sweepHot(cache: string, age: number): { leftOver: number; old: number } {
  const sweep = (temporary: boolean, limit: number) => {
    const names = filesIn(join(cache, 'hot'))
      .filter(({ name, used }) => isTemporaryName(name) === temporary && used < Date.now() - limit)
      .map(({ name }) => name);
    removeEntries(cache, names);
    return names.length;
  };
  return { leftOver: sweep(true, LEFT_OVER), old: sweep(false, age) };
}

/** `used` is the last reading, where the file system notes it, or else the writing; milliseconds since 1970. */
function filesIn(directory: string): { name: string; size: number; used: number }[] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const found = statSync(join(directory, name), { throwIfNoEntry: false });
    if (found === undefined) return []; // Another process has removed it.
    return [{ name, size: found.size, used: Math.max(found.atimeMs, found.mtimeMs) }];
  });
}
