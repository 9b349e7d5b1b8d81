import { closeSync, constants, fstatSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { diagnostic } from '../../errors.ts';
import { openTrusted, trustedDirectory } from '../../fs/trust.ts';
import { noteOrigin } from './sqlite-origin.ts';
import type { Nonce } from './sqlite-origin.ts';
import { CacheFault } from './store.ts';
import { trusted, withFile } from './trusted.ts';

/** SQLite does not wait for the lock if several processes create one database. Milliseconds. */
const OPEN_ATTEMPTS = 5;
const OPEN_PAUSE = 50;

/** Keyv's own table: the texts. Both tables are created by sqlite3/index.js. */
export const TEXTS = 'filters';
export const NAMESPACE = 'seccompc';
/**
 * Rows of the list. A row is written after its text and removed before it, so no text is missing.
 */
export const RECORDS = 'records';

/** Bytes of a database, and of its log. A store keeps 256 MiB of texts. */
const LARGEST_DATABASE = 1024 ** 3;

/** By column. */
export type Columns = Record<string, unknown>;

/** An open database: Keyv reads and writes the texts, its adapter runs all other statements. */
export interface Database {
  get(key: string): Promise<unknown>;
  set(key: string, text: string): Promise<unknown>;
  clear(): Promise<void>;
  query(statement: string, ...values: (string | number)[]): Promise<Columns[]>;
  close(): Promise<void>;
}

/**
 * Without a write-ahead log each record waits for the disk, some 20 ms. A cache may lose the last.
 */
export async function tune(db: Database): Promise<void> {
  await db.query('PRAGMA synchronous = NORMAL');
  // Refused while another process uses the file. Then this write is slow, and a later one sets it.
  await db.query('PRAGMA journal_mode = WAL').catch(() => {});
}

/** The databases that this process has open, and how often. */
const open = new Map<string, { database: Promise<Database>; users: number }>();

export function isOpenHere(file: string): boolean {
  return open.has(file);
}

/** For a file that is removed, so that the next store opens a new one. */
export function forgetOpen(file: string): void {
  open.delete(file);
}

/**
 * Opens a database, to be closed once, and creates it if it is missing. A process opens each file
 * once: closing any descriptor of it would take away the locks of all others
 * (sqlite.org/howtocorrupt.html, 2.2).
 * @throws CacheFault for a file that others could have changed, or that is not a database of
 *   seccompc
 */
export async function openDatabase(file: string): Promise<Database> {
  const shared = open.get(file) ?? { database: openAlone(file), users: 0 };
  open.set(file, shared);
  shared.users += 1;
  const leave = () => {
    shared.users -= 1;
    if (shared.users === 0 && open.get(file) === shared) open.delete(file);
  };
  try {
    const database = await shared.database;
    return {
      ...database,
      async close() {
        leave();
        if (shared.users === 0) await database.close();
      },
    };
  } catch (cause) {
    leave();
    throw cause;
  }
}

async function openAlone(file: string): Promise<Database> {
  const path = trusted(() => privateFile(file));
  checkFiles(path);
  const isNew = statSync(path).size === 0;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const database = await connect(path);
      if (isNew) noteOrigin(path, await readNonce(database));
      return database;
    } catch (cause) {
      refuseSchema(file, cause);
      if (attempt === OPEN_ATTEMPTS || !/SQLITE_BUSY|is locked/.test(String(cause))) throw cause;
      await new Promise((resolve) => setTimeout(resolve, OPEN_PAUSE * attempt));
    }
  }
}

async function readNonce(db: Database): Promise<Nonce> {
  const [version] = await db.query('PRAGMA user_version');
  const [id] = await db.query('PRAGMA application_id');
  return [Number(version?.['user_version']), Number(id?.['application_id'])];
}

/**
 * Makes a database file and its directory for the caller alone if they are missing, and gives its
 * path without symbolic links.
 * @throws UntrustedPath; the system's error
 */
function privateFile(file: string): string {
  const path = join(trustedDirectory(dirname(file), { make: true }), basename(file));
  // SQLite would use the umask's mode. It gives the files beside the database the same mode.
  closeSync(openTrusted(path, constants.O_RDWR | constants.O_CREAT));
  return path;
}

/** Checks the files that SQLite reads when it opens a database (sqlite.org/tempfiles.html). */
function checkFiles(file: string): void {
  const sizes = ['', '-wal', '-shm'].map(
    (suffix) => withFile(file + suffix, (fd) => fstatSync(fd).size) ?? 0,
  );
  if (sizes.some((size) => size > LARGEST_DATABASE))
    refuse(file, `it is larger than ${LARGEST_DATABASE / 1024 ** 2} MiB`);
  // SQLite deletes the file that a journal of several databases names.
  if (withFile(`${file}-journal`, namesAnotherJournal)) refuse(file, 'its journal names another file');
}

/**
 * The end of the journal of a transaction over several files (sqlite.org/fileformat2.html, 3.0).
 */
const JOURNAL_MAGIC = 'd9d505f920a163d7';

function namesAnotherJournal(fd: number): boolean {
  const end = Buffer.alloc(JOURNAL_MAGIC.length / 2);
  // A journal with a header alone begins with the same bytes, and is longer.
  readSync(fd, end, 0, end.length, Math.max(fstatSync(fd).size - end.length, 0));
  return end.toString('hex') === JOURNAL_MAGIC;
}

/** For an error of sqlite3/index.js about another schema than that of seccompc. */
function refuseSchema(location: string, cause: unknown): void {
  if (!(cause instanceof Error && cause.name === 'SchemaRefused' && 'isOurs' in cause)) return;
  if (cause.isOurs === true) refuse(location, cause.message);
  throw new CacheFault(diagnostic('CACHE_DATABASE_FOREIGN', { location }), cause);
}

function refuse(location: string, reason: string): never {
  throw new CacheFault(diagnostic('CACHE_DATABASE_REFUSED', { location, reason }));
}

async function connect(file: string): Promise<Database> {
  const { Keyv, KeyvSqlite } = await import('./keyv-sqlite.ts');
  const adapter = new KeyvSqlite({ uri: `sqlite://${file}`, table: TEXTS });
  // Both emit what they also reject with; without a listener the process would end.
  adapter.on('error', () => {});
  const keyv = new Keyv({ store: adapter, namespace: NAMESPACE, throwOnErrors: true });
  keyv.on('error', () => {});
  // Rejects if the database could not be opened.
  await adapter.query('SELECT 1');
  return {
    get: (key) => keyv.get(key),
    set: (key, text) => keyv.set(key, text),
    clear: () => keyv.clear(),
    query: (statement, ...values) => adapter.query(statement, ...values),
    close: () => adapter.close(),
  };
}
