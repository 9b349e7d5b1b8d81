// The part of the package sqlite3 that @keyv/sqlite calls, over a binding with the API of
// node:sqlite, for databases that seccompc made. "overrides" in package.json replaces the real
// sqlite3, which has to be compiled if its download fails. This is JavaScript because Node loads it
// from node_modules when the sources are tested.
import { loadBinding } from './binding.js';

/** How long SQLite waits for another process's lock, in milliseconds; below the deadline for an answer. */
const BUSY_TIMEOUT = 1500;

/** The tables of a database that seccompc made, and its schema. */
const TABLES = [
  // Word for word what @keyv/sqlite would create.
  'CREATE TABLE filters(key VARCHAR(255) PRIMARY KEY, value TEXT )',
  `CREATE TABLE records (
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, label TEXT NOT NULL, bytes INTEGER NOT NULL,
  made INTEGER NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID`,
];
const SCHEMA = [
  ['index', 'sqlite_autoindex_filters_1', 'filters', null],
  ['table', 'filters', 'filters', TABLES[0]],
  ['table', 'records', 'records', TABLES[1]],
].map((row) => JSON.stringify(row));

/** A file can have any origin: nothing in its schema runs, and a damaged page is an error. */
const SETTINGS = `PRAGMA busy_timeout = ${BUSY_TIMEOUT};
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA mmap_size = 0`;

/** A database whose schema is not exactly the one that seccompc makes. */
export class SchemaRefused extends Error {
  /** @param {boolean} isOurs whether it is a database of seccompc that was changed */
  constructor(isOurs) {
    super('its schema is not the one that seccompc makes');
    this.name = 'SchemaRefused';
    this.isOurs = isOurs;
  }
}

/** A database that answers to callbacks, as sqlite3 does. */
export class Database {
  /** @type {import('@photostructure/sqlite').DatabaseSyncInstance | undefined} */
  #database;
  #changed = false;

  /**
   * @param {string} file
   * @param {(error: unknown) => void} opened called with {@link SchemaRefused} for a database of another schema
   */
  constructor(file, opened) {
    answer(opened, () => void (this.#database = openOwn(file)));
  }

  /**
   * @param {string} statement
   * @param {...unknown} rest its values, also as one list, and the callback at the end
   */
  all(statement, ...rest) {
    const done = /** @type {(error: unknown, rows?: unknown) => void} */ (rest.pop());
    this.#changed ||= /^\s*(?:INSERT|UPDATE|DELETE|VACUUM)/i.test(statement);
    answer(done, () => this.#database?.prepare(statement).all(...rest.flat()));
  }

  /** @param {(error: unknown) => void} done */
  close(done) {
    answer(done, () => {
      // Where the binding leaves its statements to the garbage collector, closing alone would not write back the log.
      if (this.#changed) this.#database?.exec('PRAGMA wal_checkpoint(PASSIVE)');
      this.#database?.close();
    });
  }
}

/**
 * Opens a database and creates its tables if it is empty.
 *
 * @param {string} file
 */
function openOwn(file) {
  const database = new (loadBinding().DatabaseSync)(file);
  try {
    // Not every binding has it, and the pragmas alone are enough for a schema like ours.
    database.enableDefensive?.(true);
    database.exec(SETTINGS);
    let schema = readSchema(database);
    if (schema.length < SCHEMA.length) {
      createTables(database);
      schema = readSchema(database);
    }
    if (schema.join() !== SCHEMA.join()) throw new SchemaRefused(true);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/**
 * The rows of the schema, all of which are rows of ours, in our order.
 *
 * @param {import('@photostructure/sqlite').DatabaseSyncInstance} database
 * @returns {string[]}
 */
function readSchema(database) {
  const limit = SCHEMA.length + 1;
  const rows = database.prepare(`SELECT type, name, tbl_name, sql FROM sqlite_schema LIMIT ${limit}`).all();
  const schema = rows.map(({ type, name, tbl_name: table, sql }) => JSON.stringify([type, name, table, sql]));
  if (schema.some((row) => !SCHEMA.includes(row)))
    throw new SchemaRefused(rows.some(({ tbl_name: table }) => table === 'filters' || table === 'records'));
  return schema.toSorted();
}

/**
 * In one step, so that no other process sees one table without the other. A new database gets two
 * random numbers that identify it (sqlite-origin.ts).
 *
 * @param {import('@photostructure/sqlite').DatabaseSyncInstance} database
 */
function createTables(database) {
  database.exec('BEGIN IMMEDIATE');
  if (readSchema(database).length === 0) {
    const [version, id] = crypto.getRandomValues(new Int32Array(2));
    database.exec(`PRAGMA user_version = ${version}; PRAGMA application_id = ${id}`);
  }
  for (const table of TABLES) database.exec(table.replace('TABLE', 'TABLE IF NOT EXISTS'));
  database.exec('COMMIT');
}

/**
 * Callbacks are called later, never at once, and get what was thrown.
 *
 * @param {(error: unknown, value?: unknown) => void} done
 * @param {() => unknown} work
 */
function answer(done, work) {
  queueMicrotask(() => {
    let value;
    try {
      value = work();
    } catch (error) {
      done(error);
      return;
    }
    done(null, value);
  });
}

export default { Database };
