import { rmSync } from 'node:fs';
import { diagnostic } from '../errors.ts';
import { secureFile } from './folder.ts';
import { membersOf } from './members.ts';
import { CacheFault } from './store.ts';
import type { CacheStore } from './store.ts';

/** How long SQLite waits for another process's lock, in milliseconds; below the deadline for an answer. */
const BUSY_TIMEOUT = 1500;
/** Processes that create one database at the same moment can be told "locked" at once, without that wait. */
const OPEN_ATTEMPTS = 5;
const OPEN_PAUSE = 50;

const TABLE = 'filters';
const NAMESPACE = 'seccompc';

/** An open database: Keyv for the entries, and its adapter for the statements Keyv has no word for. */
interface Database {
  get(key: string): Promise<unknown>;
  set(key: string, text: string): Promise<unknown>;
  clear(): Promise<void>;
  query(statement: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Entries in one SQLite file, by Keyv and @keyv/sqlite. It is opened when it is first asked. */
export function sqliteStore(file: string): CacheStore {
  let opened: Promise<Database> | undefined;
  let tuned = false;
  const database = () => (opened ??= openDatabase(file));
  return {
    tier: 'sqlite',
    location: file,
    async get(key) {
      const text = await (await database()).get(key);
      // What is there and is no text is no entry, but worth a word: the empty text is refused like any damage.
      return text === undefined || typeof text === 'string' ? text : '';
    },
    async set(key, text) {
      const db = await database();
      if (!tuned) await tune(db);
      tuned = true;
      await db.set(key, text);
    },
    async clear() {
      try {
        const db = await database();
        await db.clear();
        await db.query('VACUUM');
      } catch (cause) {
        if (cause instanceof CacheFault) throw cause;
        await startAnew();
      }
    },
    async stats() {
      const sum = `SELECT count(*) AS entries, coalesce(sum(length(value)), 0) AS bytes FROM ${TABLE}`;
      const rows = await (await database()).query(sum);
      const row = membersOf(Array.isArray(rows) ? rows[0] : undefined);
      return { entries: Number(row?.get('entries')), bytes: Number(row?.get('bytes')) };
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

/** Without a write-ahead log each new entry would wait for the disk some 20 ms; a cache may lose its last one. */
async function tune(db: Database): Promise<void> {
  await db.query('PRAGMA synchronous = NORMAL');
  // Refused while another process uses the file; then this write is slow, and a later one sets it.
  await db.query('PRAGMA journal_mode = WAL').catch(() => {});
}

async function openDatabase(file: string): Promise<Database> {
  secureFile(file);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect(file);
    } catch (cause) {
      if (attempt === OPEN_ATTEMPTS || !String(cause).includes('SQLITE_BUSY')) throw cause;
      await new Promise((resolve) => setTimeout(resolve, OPEN_PAUSE * attempt));
    }
  }
}

async function connect(file: string): Promise<Database> {
  const { Keyv, KeyvSqlite } = await loadModules();
  const adapter = new KeyvSqlite({ uri: `sqlite://${file}`, table: TABLE, busyTimeout: BUSY_TIMEOUT });
  // Both emit what they also reject with; without a listener the process would end.
  adapter.on('error', () => {});
  const keyv = new Keyv({ store: adapter, namespace: NAMESPACE, throwOnErrors: true });
  keyv.on('error', () => {});
  const db: Database = {
    get: (key) => keyv.get(key),
    set: (key, text) => keyv.set(key, text),
    clear: () => keyv.clear(),
    query: (statement) => adapter.query(statement),
    close: () => adapter.close(),
  };
  try {
    await db.query(`SELECT 1 FROM ${TABLE} LIMIT 1`);
  } catch (cause) {
    await db.close().catch(() => {});
    throw cause;
  }
  return db;
}

/** Only who has a cache pays for loading it. */
async function loadModules() {
  try {
    return await import('./keyv.ts');
  } catch (cause) {
    throw new CacheFault(diagnostic('CACHE_MODULE_MISSING', { module: '@keyv/sqlite' }), cause);
  }
}
