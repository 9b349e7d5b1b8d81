import { closeSync, fstatSync, opendirSync, readFileSync, readSync, rmSync, statSync, utimesSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { diagnostic } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { isTemporaryName, replaceFile } from '../../fs/replace.ts';
import { openTrusted, trustedDirectory } from '../../fs/trust.ts';
import { listOf, readRow, rowOf, statsOf, writeRow } from './list-rows.ts';
import type { Row } from './list-rows.ts';
import { DEFAULT_LIMITS, excessOf, LARGEST_TEXT } from './store.ts';
import type { CacheStore, StoreLimits } from './store.ts';
import { ifPresent, trusted } from './trusted.ts';

/** Bytes of a file: a text with its quotes escaped, and its row. */
const LARGEST_FILE = 4 * LARGEST_TEXT;
/** A row with its newline is shorter. */
const LONGEST_ROW = 2000;
const DAY = 24 * 60 * 60 * 1000;
/** Writing a file takes milliseconds; a temporary one of this age was left over. Milliseconds. */
const LEFT_OVER = 60 * 60 * 1000;
/** An empty file whose age says when the limits were last looked at. */
const CHECKED = 'limits-checked';

/**
 * Records in a directory, a file for each: its row, a newline, and its text as JSON. When it was last used is the time of the
 * file. For a Node without SQLite: a list opens every file, which takes longer than a query.
 */
export function filesStore(directory: string, limits: StoreLimits = DEFAULT_LIMITS): CacheStore {
  let notice: Diagnostic | undefined;

  /** Makes the directory where it is missing. */
  function opened(): string {
    return trusted(() => {
      if (statSync(directory, { throwIfNoEntry: false }) === undefined)
        notice = diagnostic('CACHE_WITHOUT_SQLITE', { location: directory });
      return trustedDirectory(directory, { make: true });
    });
  }

  async function list() {
    const found = opened();
    const rows = new Map<string, Row>();
    for await (const { name } of opendirSync(found)) {
      const key = keyOf(name);
      const row = key === undefined ? undefined : readHead(join(found, name));
      if (row !== undefined) rows.set(key!, row);
    }
    return listOf(rows);
  }

  async function remove(keys: readonly string[]) {
    const found = opened();
    for (const key of keys) rmSync(join(found, nameOf(key)), { force: true });
  }

  async function shrink(most: StoreLimits) {
    const found = opened();
    const now = Date.now();
    for await (const { name } of opendirSync(found))
      if (
        isTemporaryName(name) &&
        (statSync(join(found, name), { throwIfNoEntry: false })?.mtimeMs ?? now) < now - LEFT_OVER
      )
        rmSync(join(found, name), { force: true });
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
      const found = opened();
      for await (const { name } of opendirSync(found))
        rmSync(join(found, name), { recursive: true, force: true });
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

/** What `read` makes of an open file; undefined if there is none. @throws CacheFault if others can change it */
function withFile<T>(path: string, read: (fd: number) => T): T | undefined {
  const fd = trusted(() => ifPresent(() => openTrusted(path)));
  if (fd === undefined) return undefined;
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}

/** The text in a file; an empty one, which is refused like any damage, where there is something else. */
function readText(path: string): string | undefined {
  return withFile(path, (fd) => {
    if (fstatSync(fd).size > LARGEST_FILE) return '';
    const content = readFileSync(fd, 'utf8');
    const end = content.indexOf('\n');
    if (readRow(content.slice(0, Math.max(end, 0))) === undefined) return '';
    try {
      const text: unknown = JSON.parse(content.slice(end + 1));
      return typeof text === 'string' ? text : '';
    } catch {
      return '';
    }
  });
}

/** The row in a file. What has none has no place in a list. */
function readHead(path: string): Row | undefined {
  return withFile(path, (fd) => {
    const head = Buffer.alloc(LONGEST_ROW);
    const line = head.toString('utf8', 0, readSync(fd, head)).split('\n', 1)[0];
    const row = readRow(line);
    return row && { ...row, used: Math.max(row.made, Math.trunc(fstatSync(fd).mtimeMs)) };
  });
}

/** Once a day is enough to tell what is used, and most reads then write nothing. A cache on a full disk still answers. */
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
