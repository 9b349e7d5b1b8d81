// The SQLite of Node, or the binary of @photostructure/sqlite for Node 20. Both have one API.
import { existsSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { join } from 'node:path';

/** @typedef {typeof import('@photostructure/sqlite')} Binding */

/** Whether {@link loadBinding} has one to load. */
export function hasSqlite() {
  return isBuiltin('node:sqlite') || nativeFile() !== undefined;
}

/**
 * @returns {Binding}
 * @throws {Error} where there is none
 */
export function loadBinding() {
  if (isBuiltin('node:sqlite'))
    return withoutWarning(() => /** @type {any} */ (process.getBuiltinModule('node:sqlite')));
  const file = nativeFile();
  if (file === undefined)
    throw new Error('this Node has no SQLite, and @photostructure/sqlite is not installed');
  const native = { exports: {} };
  process.dlopen(native, file);
  return /** @type {any} */ (native.exports);
}

/**
 * Node 22 warns that its SQLite is experimental. Users of seccompc can do nothing about that.
 *
 * @template T
 * @param {() => T} work
 */
function withoutWarning(work) {
  const { emitWarning } = process; // oxlint-disable-line typescript/unbound-method -- put back, not called
  process.emitWarning = () => {};
  try {
    return work();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** @type {string | undefined | null} */
let found = null;

/** The binary for this machine, searched once. Its JavaScript would take longer to load. */
function nativeFile() {
  if (found !== null) return found;
  const libc = existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
  const platform = `${process.platform}-${process.arch}`;
  const file = join('@photostructure/sqlite/prebuilds', platform, `@photostructure+sqlite.${libc}.node`);
  // Resolving the name would read and match its package.json.
  const folders = createRequire(import.meta.filename).resolve.paths(file) ?? [];
  found = folders.map((folder) => join(folder, file)).find((path) => existsSync(path));
  return found;
}
