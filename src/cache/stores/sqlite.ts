import { rmSync } from 'node:fs';
import { forgetOpen, NAMESPACE, openDatabase, RECORDS, TEXTS, tune } from './sqlite-database.ts';
import type { Database } from './sqlite-database.ts';
import { membersOf } from '../json-object.ts';
import { DAY, readRow, rowOf, statsOf } from './list-rows.ts';
import { ORIGIN_SUFFIX } from './sqlite-origin.ts';
import { CacheFault, DEFAULT_LIMITS, excessOf, LARGEST_TEXT } from './store.ts';
import type { CacheStore, StoreLimits, StoredRecord } from './store.ts';

/** Bytes of a text as Keyv writes it, with escaped quotes. */
const LARGEST_VALUE = 4 * LARGEST_TEXT;
/** Records of one page of a list, and of all pages. */
const PAGE = 10_000;
const MOST_RECORDS = 1_000_000;

/**
 * Share of its limits that each process may write before it compares a store with them, which reads
 * every row.
 */
const UNCOMPARED = 1 / 64;

export type SqliteStore = CacheStore & Required<Pick<CacheStore, 'peek' | 'shrink'>>;

/**
 * Records in one SQLite file, by Keyv and @keyv/sqlite, opened when the store is first asked.
 * SQLite works in the calling thread, where nothing can stop it, so a file that seccompc has not
 * made here is for {@link sqliteStoreApart}.
 */
export function sqliteStore(file: string, limits: StoreLimits = DEFAULT_LIMITS): SqliteStore {
  let opened: Promise<Database> | undefined;
  let tuned = false;
  /** As a share of the limits. Another process may have written much before. */
  let uncompared = Infinity;
  const database = () => (opened ??= openDatabase(file));
  return {
    tier: 'sqlite',
    location: file,
    shared: false,
    async get(key) {
      const db = await database();
      const text = await readText(db, key);
      if (text !== undefined) await markUsed(db, key);
      return text;
    },
    async peek(key) {
      return readText(await database(), key);
    },
    async set(key, text, info) {
      const { kind, label, bytes, made, used } = rowOf(text, info);
      if (bytes > LARGEST_TEXT) return;
      const db = await database();
      if (!tuned) await tune(db);
      tuned = true;
      await db.set(key, text);
      const statement = `INSERT OR REPLACE INTO ${RECORDS} VALUES (?, ?, ?, ?, ?, ?)`;
      await db.query(statement, key, kind, label, bytes, made, used);
      uncompared += bytes / limits.bytes + 1 / (limits.records ?? DEFAULT_LIMITS.records);
      if (kind !== 'object' || uncompared <= UNCOMPARED) return;
      uncompared = 0;
      await evict(db, limits);
    },
    async remove(keys) {
      await removeAll(await database(), keys);
    },
    async list() {
      return listAll(await database());
    },
    async clear() {
      try {
        const db = await database();
        await db.clear();
        await db.query(`DELETE FROM ${RECORDS}`);
        await db.query('VACUUM');
      } catch (cause) {
        if (cause instanceof CacheFault && cause.diagnostic.code !== 'CACHE_DATABASE_REFUSED') throw cause;
        await startAnew();
      }
    },
    async stats() {
      return statsOf(await listAll(await database()));
    },
    async shrink(most) {
      const db = await database();
      const removed = (await removeStrays(db)) + (await evict(db, most));
      await db.query('VACUUM');
      return removed;
    },
    close,
  };

  async function close(): Promise<void> {
    const open = opened;
    opened = undefined;
    await (await open?.catch(() => undefined))?.close();
  }

  /** For a file that is not a database any more. */
  async function startAnew(): Promise<void> {
    await close().catch(() => {});
    forgetOpen(file);
    for (const suffix of ['', '-wal', '-shm', '-journal', ORIGIN_SUFFIX])
      rmSync(`${file}${suffix}`, { force: true });
    await database();
  }
}

/** Bytes of all columns of a record together: a key, a label of 200 characters, three numbers. */
const LARGEST_ROW = 2000;

/** One text for a page, because the binding of Node 20 is slow at reading single values. */
const LIST = `SELECT json_group_array(CASE
    WHEN octet_length(key) + octet_length(kind) + octet_length(label) + octet_length(bytes)
      + octet_length(made) + octet_length(used) <= ${LARGEST_ROW}
    THEN json_object('key', key, 'kind', kind, 'label', label, 'bytes', bytes, 'made', made, 'used', used) END) AS list
  FROM (SELECT * FROM ${RECORDS} WHERE key > ? ORDER BY key LIMIT ${PAGE})`;

/** Each page begins after the last key of the one before. That finds pages that form a circle. */
async function listAll(db: Database): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  let page: unknown[];
  do {
    const [columns] = await db.query(LIST, all.at(-1)?.key ?? '');
    page = JSON.parse(String(columns?.['list'])) as unknown[];
    for (const found of page) {
      const row = readRow(found);
      const key = membersOf(found)?.get('key');
      if (row === undefined || typeof key !== 'string' || key <= (all.at(-1)?.key ?? ''))
        throw new Error('its list of records is damaged');
      all.push({ key, ...row });
    }
    if (all.length > MOST_RECORDS) throw new Error(`it has more than ${MOST_RECORDS} records`);
  } while (page.length === PAGE);
  return all;
}

/** A value that is not a text, or too long, gives an empty text, which is refused as damaged. */
async function readText(db: Database, key: string): Promise<string | undefined> {
  const [found] = await db.query(
    `SELECT octet_length(value) AS bytes FROM ${TEXTS} WHERE key = ?`,
    PREFIX + key,
  );
  if (found === undefined) return undefined;
  if (Number(found['bytes']) > LARGEST_VALUE) return '';
  const text = await db.get(key);
  return text === undefined || typeof text === 'string' ? text : '';
}

/** Once a day is enough, so most reads write nothing. A cache on a full disk still answers. */
async function markUsed(db: Database, key: string): Promise<void> {
  const now = Date.now();
  const [row] = await db.query(`SELECT used FROM ${RECORDS} WHERE key = ?`, key);
  if (Number(row?.['used']) <= now - DAY)
    await db.query(`UPDATE ${RECORDS} SET used = ? WHERE key = ?`, now, key).catch(() => {});
}

/**
 * Removes what exceeds the limits, and counts it. Sums up at most one row more than a store keeps.
 */
async function evict(db: Database, limits: StoreLimits): Promise<number> {
  const most = limits.records ?? DEFAULT_LIMITS.records;
  const [sums] = await db.query(
    `SELECT sum(bytes) AS bytes, min(used) AS used, count(*) AS count
      FROM (SELECT bytes, used FROM ${RECORDS} LIMIT ${most + 1})`,
  );
  const [bytes, used, count] = ['bytes', 'used', 'count'].map((name) => Number(sums?.[name]));
  if (bytes! <= limits.bytes && used! >= Date.now() - limits.age && count! <= most) return 0;
  const keys = excessOf(await listAll(db), { ...limits, records: most });
  await removeAll(db, keys);
  return keys.length;
}

/** Keyv writes its namespace before its keys. */
const PREFIX = `${NAMESPACE}:`;

/** Removes texts without a row, as an interrupted write leaves them, and rows without a text. */
async function removeStrays(db: Database): Promise<number> {
  const rows = await db.query(
    `SELECT substr(key, ${PREFIX.length + 1}) AS key FROM ${TEXTS}
      WHERE key NOT IN (SELECT '${PREFIX}' || key FROM ${RECORDS})
    UNION SELECT key FROM ${RECORDS} WHERE '${PREFIX}' || key NOT IN (SELECT key FROM ${TEXTS})`,
  );
  const keys = rows.map(({ key }) => String(key));
  await removeAll(db, keys);
  return keys.length;
}

async function removeAll(db: Database, keys: readonly string[]): Promise<void> {
  const list = JSON.stringify(keys);
  await db.query(`DELETE FROM ${RECORDS} WHERE key IN (SELECT value FROM json_each(?))`, list);
  await db.query(`DELETE FROM ${TEXTS} WHERE key IN (SELECT '${PREFIX}' || value FROM json_each(?))`, list);
}
