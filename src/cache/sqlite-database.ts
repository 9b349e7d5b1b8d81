import { diagnostic } from '../errors.ts';
import { privateDatabaseFile } from './folder.ts';
import { CacheFault } from './store.ts';

/** How long SQLite waits for another process's lock, in milliseconds; below the deadline for an answer. */
const BUSY_TIMEOUT = 1500;
/** Processes that create one database at the same moment can be told "locked" at once, without that wait. */
const OPEN_ATTEMPTS = 5;
const OPEN_PAUSE = 50;

/** Keyv's own table: the texts. */
export const TEXTS = 'filters';
export const NAMESPACE = 'seccompc';
/** What is known of each text. A row is written after its text and removed before it: what is listed is there. */
export const RECORDS = 'records';
const CREATE_RECORDS = `CREATE TABLE IF NOT EXISTS ${RECORDS} (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, bytes INTEGER NOT NULL,
  made INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID`;

/** By column. */
export type Row = Record<string, unknown>;

/** An open database: Keyv for the texts, and its adapter for the statements Keyv has no word for. */
export interface Database {
  get(key: string): Promise<unknown>;
  set(key: string, text: string): Promise<unknown>;
  clear(): Promise<void>;
  query(statement: string, ...values: (string | number)[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** Without a write-ahead log each new entry would wait for the disk some 20 ms; a cache may lose its last one. */
export async function tune(db: Database): Promise<void> {
  await db.query('PRAGMA synchronous = NORMAL');
  // Refused while another process uses the file; then this write is slow, and a later one sets it.
  await db.query('PRAGMA journal_mode = WAL').catch(() => {});
}

export async function openDatabase(file: string): Promise<Database> {
  const path = privateDatabaseFile(file);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect(path);
    } catch (cause) {
      if (attempt === OPEN_ATTEMPTS || !String(cause).includes('SQLITE_BUSY')) throw cause;
      await new Promise((resolve) => setTimeout(resolve, OPEN_PAUSE * attempt));
    }
  }
}

async function connect(file: string): Promise<Database> {
  const { Keyv, KeyvSqlite } = await loadModules();
  const adapter = new KeyvSqlite({ uri: `sqlite://${file}`, table: TEXTS, busyTimeout: BUSY_TIMEOUT });
  // Both emit what they also reject with; without a listener the process would end.
  adapter.on('error', () => {});
  const keyv = new Keyv({ store: adapter, namespace: NAMESPACE, throwOnErrors: true });
  keyv.on('error', () => {});
  const db: Database = {
    get: (key) => keyv.get(key),
    set: (key, text) => keyv.set(key, text),
    clear: () => keyv.clear(),
    query: (statement, ...values) => adapter.query(statement, ...values),
    close: () => adapter.close(),
  };
  try {
    await db.query(CREATE_RECORDS);
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
