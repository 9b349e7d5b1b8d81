/** The directory of hot entries, one file for each: `hot` in the cache directory. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isTemporaryName, replaceFile } from '../../fs/replace.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { readTrusted, trustedDirectory, UntrustedPath } from '../../fs/trust.ts';
import { schemeOf, userCacheFolder } from '../location.ts';
import { filesIn, isLeftOver, removeFiles } from '../plain-files.ts';
import { checkHotEntry } from './entry.ts';

/** A larger entry is not kept: reading it would take as long as compiling. Bytes. */
const LARGEST_ENTRY = 4 * 1024 * 1024;
/** When there are more entries than this, the older half is removed. */
const MOST_ENTRIES = 512;

/**
 * The directory for `--cache LOCATION`. Undefined if a location has none, and on Windows, which has
 * no owners by which to trust one; the functions below then find nothing.
 */
export function hotDirectory(location: string | undefined): string | undefined {
  if (process.geteuid === undefined) return undefined;
  const scheme = schemeOf(location ?? '');
  if (location === '' || scheme === 'sqlite') return undefined;
  try {
    // A server has the user's own cache before it.
    const isOwn = location === undefined || scheme !== undefined;
    return join(isOwn ? userCacheFolder() : location, 'hot');
  } catch {
    return undefined; // This user has no home.
  }
}

/** The text of an entry; undefined if there is none; or why it must not or cannot be used. */
export function readEntry(directory: string, name: string): string | undefined | { refused: string } {
  try {
    return readTrusted(join(directory, name))?.toString('utf8');
  } catch (error) {
    return { refused: error instanceof UntrustedPath ? error.message : systemReason(error) };
  }
}

/** Puts an entry in place in one step. Does nothing if that fails: it would only save time. */
export function writeEntry(directory: string, name: string, text: string): void {
  const bytes = Buffer.from(text);
  if (bytes.length > LARGEST_ENTRY) return;
  try {
    const trusted = trustedDirectory(directory, { make: true });
    replaceFile(join(trusted, name), bytes, { mode: 0o600 });
    makeRoom(trusted);
  } catch {}
}

function makeRoom(directory: string): void {
  const files = filesIn(directory);
  if (files.length <= MOST_ENTRIES) return;
  for (const { name } of files.toSorted((a, b) => a.used - b.used).slice(0, MOST_ENTRIES / 2))
    rmSync(join(directory, name), { force: true });
}

export function hotStats(directory: string | undefined): { entries: number; bytes: number } {
  const files = filesIn(directory);
  return { entries: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

/** An entry that is never used, by the name of its file. */
export interface HotFinding {
  key: string;
  kind: 'hot';
  reason: string;
}

/** Checks every entry; findings by ascending name. */
export function verifyHot(directory: string | undefined): { checked: number; findings: HotFinding[] } {
  const names = filesIn(directory)
    .map(({ name }) => name)
    .filter((name) => !isTemporaryName(name))
    .toSorted();
  const findings = names.flatMap((key): HotFinding[] => {
    const text = readEntry(directory!, key);
    if (text === undefined) return []; // Another process has removed it.
    const read = typeof text === 'string' ? checkHotEntry(text) : text;
    return 'refused' in read ? [{ key, kind: 'hot', reason: read.refused }] : [];
  });
  return { checked: names.length, findings };
}

/** Removes files left over, and entries not read for `age` milliseconds; counts both. */
export function sweepHot(directory: string | undefined, age: number): { leftOver: number; old: number } {
  const before = Date.now() - age;
  return {
    leftOver: removeFiles(directory, isLeftOver),
    old: removeFiles(directory, ({ name, used }) => !isTemporaryName(name) && used < before),
  };
}
