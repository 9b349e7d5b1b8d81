import { createHash } from 'node:crypto';
import type { CompileOptions } from '../compile.ts';
import { loadTables } from '../syscalls/load.ts';
import { packageVersion } from './version.ts';
import { canonicalBytes } from './canonical.ts';
import { ENTRY_FORMAT } from './entry.ts';

/**
 * Raised with every change that makes the compiler give other bytes or other diagnostics for the same input
 * while the version of the package stays.
 */
export const COMPILER_REVISION = 2;

/** Everything a result depends on, by name; {@link cacheKey} hashes exactly this. */
export interface KeyFields {
  /** The document as it was given, byte for byte: the positions in the diagnostics depend on its layout. */
  input: Uint8Array | string;
  /** All of them except the name of the file, which the diagnostics get back on a hit. */
  options: Omit<CompileOptions, 'file'>;
  /** SHA-256 of the syscall tables. */
  tables: string;
  version: string;
  revision: number;
  /** Format of the entry under the key. */
  entry: number;
}

/** What this build of the compiler makes of an input and its options. */
export async function keyFields(input: Uint8Array | string, options: CompileOptions): Promise<KeyFields> {
  const { file: _, ...rest } = options;
  const { digest } = await loadTables([]);
  return {
    input,
    options: rest,
    tables: digest,
    version: packageVersion(),
    revision: COMPILER_REVISION,
    entry: ENTRY_FORMAT,
  };
}

/** SHA-256 over the canonical form of all fields: 64 hex digits. */
export function cacheKey(fields: KeyFields): string {
  return createHash('sha256').update(canonicalBytes(fields)).digest('hex');
}
