import { rmSync } from 'node:fs';
import { NAMESPACE, openDatabase, RECORDS, TEXTS, tune } from './sqlite-database.ts';
import type { Database, Row } from './sqlite-database.ts';
import { CacheFault } from './store.ts';
import type { CacheStore, RecordKind, StoredRecord } from './store.ts';

const DAY = 24 * 60 * 60 * 1000;

/** What a store keeps of its own accord. */
export interface Limits {
  /** Bytes of all texts; of more, those go that were not used for longest, until three quarters are left. */
  bytes: number;
  /** Milliseconds; what was not used for longer goes. */
  age: number;
}

export const DEFAULT_LIMITS: Limits = { bytes: 256 * 1024 * 1024, age: 90 * DAY };

/** A store in one SQLite file. */
export interface SqliteStore extends CacheStore {
  /** Removes what exceeds the limits, and gives the disk back what is free; counts what was removed. */
  shrink(limits: Limits): Promise<number>;
}

/** Records in one SQLite file, by Keyv and @keyv/sqlite. It is opened when it is first asked. */
export function sqliteStore(file: string, limits: Limits = DEFAULT_LIMITS): SqliteStore {
  let opened: Promise<Database> | undefined;
  let tuned = false;
  const database = () => (opened ??= openDatabase(file));
  return {
    tier: 'sqlite',
    location: file,
    shared: false,
    async get(key) {
      const db = await database();
      const text = textOf(await db.get(key));
      if (text !== undefined) await markUsed(db, key);
      return text;
    },
    async peek(key) {
      return textOf(await (await database()).get(key));
    },
    async set(key, text, { kind, label }) {
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
        Buffer.byteLength(text),
        now,
        now,
      );
      if (kind === 'object') await evict(db, limits);
    },
    async remove(keys) {
      await removeAll(await database(), keys);
    },
    async list() {
      const [row] = await (await database()).query(LIST);
      return JSON.parse(String(row?.['list'])) as StoredRecord[];
    },
    async clear() {
      try {
        const db = await database();
        await db.clear();
        await db.query(`DELETE FROM ${RECORDS}`);
        await db.query('VACUUM');
      } catch (cause) {
        if (cause instanceof CacheFault) throw cause;
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
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true });
    await database();
  }
}

/** As one text: six values of each row, one by one, would take the binding of Node 20 several times as long. */
const LIST = `SELECT json_group_array(json_object(
    'key', key, 'kind', kind, 'label', label, 'bytes', bytes, 'made', made, 'used', used)) AS list
  FROM (SELECT * FROM ${RECORDS} ORDER BY key)`;

/** What is there and is no text is worth a word: the empty text is refused like any damage. */
function textOf(value: unknown): string | undefined {
  return value === undefined || typeof value === 'string' ? value : '';
}

/** Once a day is enough to tell what is used, and most reads then write nothing. A cache on a full disk still answers. */
async function markUsed(db: Database, key: string): Promise<void> {
  const now = Date.now();
  const [row] = await db.query(`SELECT used FROM ${RECORDS} WHERE key = ?`, key);
  if (Number(row?.['used']) <= now - DAY)
    await db.query(`UPDATE ${RECORDS} SET used = ? WHERE key = ?`, now, key).catch(() => {});
}

/** Removes what was not used for longest; gives how many. */
async function evict(db: Database, { bytes, age }: Limits): Promise<number> {
  const [sum] = await db.query(`SELECT sum(bytes) AS bytes, min(used) AS used FROM ${RECORDS}`);
  const oldest = Date.now() - age;
  let excess = Number(sum?.['bytes']) > bytes ? Number(sum?.['bytes']) - (bytes * 3) / 4 : 0;
  if (excess === 0 && !(Number(sum?.['used']) < oldest)) return 0;
  const keys: string[] = [];
  for (const row of await db.query(`SELECT key, bytes, used FROM ${RECORDS} ORDER BY used, made, key`)) {
    if (excess <= 0 && Number(row['used']) >= oldest) break;
    keys.push(String(row['key']));
    excess -= Number(row['bytes']);
  }
  await removeAll(db, keys);
  return keys.length;
}

/** Texts of which no row tells, another version's or of interrupted writes, and rows without a text. */
async function removeStrays(db: Database): Promise<number> {
  const rows: Row[] = await db.query(
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
