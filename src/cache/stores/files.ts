import { fstatSync, readFileSync, readSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { diagnostic } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { replaceFile } from '../../fs/replace.ts';
import { trustedDirectory } from '../../fs/trust.ts';
import { parseJson } from '../json-object.ts';
import { filesIn, isLeftOver, removeFiles } from '../plain-files.ts';
import { DAY, listOf, readRow, rowOf, statsOf, writeRow } from './list-rows.ts';
import type { Row } from './list-rows.ts';
import { DEFAULT_LIMITS, excessOf, LARGEST_TEXT } from './store.ts';
import type { CacheStore, StoreLimits } from './store.ts';
import { trusted, withFile } from './trusted.ts';

/** Bytes of a file: a text with its quotes escaped, and its row. */
const LARGEST_FILE = 4 * LARGEST_TEXT;
/** A row with its newline is shorter. Bytes. */
const LONGEST_ROW = 2000;
/** An empty file whose age says when the limits were last checked. */
const CHECKED = 'limits-checked';

/**
 * Records in a directory, a file for each: its row, a newline, and its text as JSON. The time of a
 * file says when the record was last used. For a Node without SQLite: a list opens every file,
 * which takes longer than a query.
 */
export function filesStore(directory: string, limits: StoreLimits = DEFAULT_LIMITS): CacheStore {
  let notice: Diagnostic | undefined;

  /** The path of the directory, which is made if it is missing. */
  function opened(): string {
    return trusted(() => {
      if (statSync(directory, { throwIfNoEntry: false }) === undefined)
        notice = diagnostic('CACHE_WITHOUT_SQLITE', { location: directory });
      return trustedDirectory(directory, { make: true });
    });
  }

  async function list() {
    const found = opened();
    return listOf(
      filesIn(found).flatMap(({ name }): [string, Row][] => {
        const key = keyOf(name);
        const row = key === undefined ? undefined : readHead(join(found, name));
        return row === undefined ? [] : [[key!, row]];
      }),
    );
  }

  async function remove(keys: readonly string[]) {
    const found = opened();
    for (const key of keys) rmSync(join(found, nameOf(key)), { force: true });
  }

  async function shrink(most: StoreLimits) {
    removeFiles(opened(), isLeftOver);
    const keys = excessOf(await list(), most);
    await remove(keys);
    return keys.length;
  }

  return {
    tier: 'files',
    location: directory,
    shared: false,
    async get(key) {
      const path = join(opened(), nameOf(key));
      const text = readText(path);
      if (text !== undefined) noteUse(path);
      return text;
    },
    peek: async (key) => readText(join(opened(), nameOf(key))),
    async set(key, text, info) {
      const row = rowOf(text, info);
      if (row.bytes > LARGEST_TEXT) return;
      const found = opened();
      const content = `${writeRow(row)}\n${JSON.stringify(text)}`;
      replaceFile(join(found, nameOf(key)), content, { mode: 0o600 });
      if (info.kind === 'object' && isDue(join(found, CHECKED))) await shrink(limits);
    },
    remove,
    list,
    async clear() {
      removeFiles(opened());
    },
    stats: async () => statsOf(await list()),
    shrink,
    takeNotice() {
      const taken = notice;
      notice = undefined;
      return taken;
    },
    async close() {},
  };
}

/** A key as the name of a file, on a file system that may ignore case. */
function nameOf(key: string): string {
  return /^[0-9a-f]{64}$/.test(key) ? key : `x${Buffer.from(key).toString('hex')}`;
}

function keyOf(name: string): string | undefined {
  if (/^[0-9a-f]{64}$/.test(name)) return name;
  return /^x([0-9a-f]{2})*$/.test(name) ? Buffer.from(name.slice(1), 'hex').toString() : undefined;
}

/** The text in a file. Any other content gives an empty text, which is refused like any damage. */
function readText(path: string): string | undefined {
  return withFile(path, (fd) => {
    if (fstatSync(fd).size > LARGEST_FILE) return '';
    const content = readFileSync(fd, 'utf8');
    const end = Math.max(content.indexOf('\n'), 0);
    const text = parseJson(content.slice(end + 1));
    return readRow(content.slice(0, end)) !== undefined && typeof text === 'string' ? text : '';
  });
}

/** The row in a file; undefined for any other content, which is in no list. */
function readHead(path: string): Row | undefined {
  return withFile(path, (fd) => {
    const head = Buffer.alloc(LONGEST_ROW);
    const line = head.toString('utf8', 0, readSync(fd, head)).split('\n', 1)[0];
    const row = readRow(line);
    return row && { ...row, used: Math.max(row.made, Math.trunc(fstatSync(fd).mtimeMs)) };
  });
}

/** Once a day is enough, so most reads write nothing. A cache on a full disk still answers. */
function noteUse(path: string): void {
  const now = Date.now();
  try {
    if (statSync(path).mtimeMs < now - DAY) utimesSync(path, now / 1000, now / 1000);
  } catch {}
}

/** Whether a day has passed since this was last true. */
function isDue(marker: string): boolean {
  if ((statSync(marker, { throwIfNoEntry: false })?.mtimeMs ?? 0) > Date.now() - DAY) return false;
  replaceFile(marker, '', { mode: 0o600 });
  return true;
}
