import { rmSync } from 'node:fs';
import { forgetOpen, NAMESPACE, openDatabase, RECORDS, TEXTS, tune } from './sqlite-database.ts';
import type { Database } from './sqlite-database.ts';
import { membersOf } from '../json-object.ts';
import { DAY, readRow } from './list-rows.ts';
import { ORIGIN_SUFFIX } from './sqlite-origin.ts';
import { CacheFault, DEFAULT_LIMITS, excessOf, LARGEST_TEXT } from './store.ts';
import type { CacheStore, StoreLimits, RecordKind, StoredRecord } from './store.ts';

/** Bytes of a text as Keyv writes it, with quotes escaped. */
const LARGEST_VALUE = 4 * LARGEST_TEXT;
/** A list is read and checked in pages of this many records, up to this many in all. */
const PAGE = 10_000;
const MOST_RECORDS = 1_000_000;

/** A store in one SQLite file, which can free what it does not need. */
export type SqliteStore = CacheStore & Required<Pick<CacheStore, 'peek' | 'shrink'>>;

/**
 * Records in one SQLite file, by Keyv and @keyv/sqlite. It is opened when it is first asked. SQLite works in the calling
 * thread, where nothing can stop it: a file that seccompc has not made here is for {@link sqliteStoreApart}.
 */
export function sqliteStore(file: string, limits: StoreLimits = DEFAULT_LIMITS): SqliteStore {
  let opened: Promise<Database> | undefined;
  let tuned = false;
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
    async set(key, text, { kind, label }) {
      const bytes = Buffer.byteLength(text);
      if (bytes > LARGEST_TEXT) return;
      const db = await database();
      if (!tuned) await tune(db);
      tuned = true;
      await db.set(key, text);
      const now = Date.now();
      await db.query(
        `INSERT OR REPLACE INTO ${RECORDS} VALUES (?, ?, ?, ?, ?, ?)`,
        key,
        kind,
        label,
        bytes,
        now,
        now,
      );
      if (kind === 'object') await evict(db, limits);
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
      const statement = `SELECT kind, count(*) AS count, sum(bytes) AS bytes, min(made) AS made, min(used) AS used
        FROM ${RECORDS} GROUP BY kind`;
      const rows = await (await database()).query(statement);
      const count = (kind: RecordKind) => Number(rows.find((row) => row['kind'] === kind)?.['count'] ?? 0);
      const least = (name: string) =>
        rows.length === 0 ? null : Math.min(...rows.map((row) => Number(row[name])));
      return {
        aliases: count('alias'),
        objects: count('object'),
        bytes: rows.reduce((sum, row) => sum + Number(row['bytes']), 0),
        oldest: least('made'),
        leastUsed: least('used'),
      };
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

  /** For a file that is no database any more. */
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

/** As one text: six values of each row, one by one, would take the binding of Node 20 several times as long. */
const LIST = `SELECT json_group_array(CASE
    WHEN octet_length(key) + octet_length(kind) + octet_length(label) + octet_length(bytes)
      + octet_length(made) + octet_length(used) <= ${LARGEST_ROW}
    THEN json_object('key', key, 'kind', kind, 'label', label, 'bytes', bytes, 'made', made, 'used', used) END) AS list
  FROM (SELECT * FROM ${RECORDS} WHERE key > ? ORDER BY key LIMIT ${PAGE})`;

/** Each page begins after the last key of the one before, so a damaged tree that leads in a circle is found. */
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

/** What is there but not a text, or far too long, is an empty text, which is refused like any damage. */
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

/** Once a day is enough to tell what is used, and most reads then write nothing. A cache on a full disk still answers. */
async function markUsed(db: Database, key: string): Promise<void> {
  const now = Date.now();
  const [row] = await db.query(`SELECT used FROM ${RECORDS} WHERE key = ?`, key);
  if (Number(row?.['used']) <= now - DAY)
    await db.query(`UPDATE ${RECORDS} SET used = ? WHERE key = ?`, now, key).catch(() => {});
}

/** Removes what exceeds the limits; gives how many. Looks at no more rows than a store keeps, and one. */
async function evict(db: Database, limits: StoreLimits): Promise<number> {
  const most = limits.records ?? DEFAULT_LIMITS.records;
  const some = `SELECT key, bytes, made, used FROM ${RECORDS} LIMIT ${most + 1}`;
  const [sums] = await db.query(
    `SELECT sum(bytes) AS bytes, min(used) AS used, count(*) AS count FROM (${some})`,
  );
  const [bytes, used, count] = ['bytes', 'used', 'count'].map((name) => Number(sums?.[name]));
  if (bytes! <= limits.bytes && used! >= Date.now() - limits.age && count! <= most) return 0;
  const records = (await db.query(some)).map((row) => ({
    key: String(row['key']),
    bytes: Number(row['bytes']),
    made: Number(row['made']),
    used: Number(row['used']),
  }));
  const keys = excessOf(records, { ...limits, records: most });
  await removeAll(db, keys);
  return keys.length;
}

/** Texts of which no row tells, another version's or of interrupted writes, and rows without a text. */
async function removeStrays(db: Database): Promise<number> {
  const rows = await db.query(
    `SELECT substr(key, ${PREFIX.length + 1}) AS key FROM ${TEXTS}
      WHERE key NOT IN (SELECT '${PREFIX}' || key FROM ${RECORDS})
    UNION SELECT key FROM ${RECORDS} WHERE '${PREFIX}' || key NOT IN (SELECT key FROM ${TEXTS})`,
  );
  await removeAll(
    db,
    rows.map(({ key }) => String(key)),
  );
  return rows.length;
}

/** Keyv puts its namespace before its keys. */
const PREFIX = `${NAMESPACE}:`;
/** SQLite takes so many values in one statement. */
const MOST_VALUES = 500;

async function removeAll(db: Database, keys: readonly string[]): Promise<void> {
  for (let at = 0; at < keys.length; at += MOST_VALUES) {
    const some = keys.slice(at, at + MOST_VALUES);
    const places = some.map(() => '?').join();
    await db.query(`DELETE FROM ${RECORDS} WHERE key IN (${places})`, ...some);
    await db.query(`DELETE FROM ${TEXTS} WHERE key IN (${places})`, ...some.map((key) => PREFIX + key));
  }
}
