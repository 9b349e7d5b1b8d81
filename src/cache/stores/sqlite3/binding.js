// The SQLite of Node, or for Node 20, which has none, the binary of @photostructure/sqlite: one API for both.
import { existsSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';

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
 * Node 22 calls its SQLite experimental, in a warning that nobody who compiles a profile can do anything about.
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

/** The binary for this machine, without the JavaScript around it, which takes longer to load. */
function nativeFile() {
  const libc = existsSync('/etc/alpine-release') ? 'musl' : 'glibc';
  const name = join(
    'prebuilds',
    `${process.platform}-${process.arch}`,
    `@photostructure+sqlite.${libc}.node`,
  );
  try {
    const { resolve } = createRequire(import.meta.filename);
    const file = join(dirname(resolve('@photostructure/sqlite/package.json')), name);
    return existsSync(file) ? file : undefined;
  } catch {
    return undefined;
  }
}
