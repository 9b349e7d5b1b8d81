// The four calls that @keyv/sqlite makes of the package sqlite3, over a binding with the API of node:sqlite. The real
// sqlite3 has to be compiled where its download fails; "overrides" in package.json puts this into its place.
// JavaScript, because Node itself loads it from node_modules when the sources are tested.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** A database that answers to callbacks, as sqlite3 does. */
class Database {
  /** @type {import('@photostructure/sqlite').DatabaseSyncInstance | undefined} */
  #database;
  #changed = false;

  /**
   * @param {string} file
   * @param {(error: unknown) => void} opened
   */
  constructor(file, opened) {
    answer(opened, () => void (this.#database = new (loadBinding().DatabaseSync)(file)));
  }

  /**
   * @param {'busyTimeout'} _option the only one that is asked for
   * @param {number} milliseconds
   */
  configure(_option, milliseconds) {
    this.#database?.exec(`PRAGMA busy_timeout = ${milliseconds}`);
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

/** @returns {typeof import('@photostructure/sqlite')} */
function loadBinding() {
  // Node 22 calls its SQLite experimental, in a warning that nobody who compiles a profile can do anything about.
  const { emitWarning } = process; // oxlint-disable-line typescript/unbound-method -- put back, not called
  process.emitWarning = () => {};
  try {
    return /** @type {any} */ (process.getBuiltinModule('node:sqlite')) ?? loadNative();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * For Node 20, which has none: the binary of @photostructure/sqlite, which the build puts into dist/sqlite.
 *
 * @returns {typeof import('@photostructure/sqlite')}
 */
function loadNative() {
  const libc = existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
  const name = join(`${process.platform}-${process.arch}`, `@photostructure+sqlite.${libc}.node`);
  let file = join(import.meta.dirname, '../sqlite', name);
  if (!existsSync(file)) {
    const { resolve } = process.getBuiltinModule('node:module').createRequire(import.meta.url);
    file = join(dirname(resolve('@photostructure/sqlite/package.json')), 'prebuilds', name);
  }
  const native = { exports: {} };
  process.dlopen(native, file);
  return /** @type {any} */ (native.exports);
}

export default { Database };
