import { createHash } from 'node:crypto';
import type { CompileSettings, LoweredProfile } from '../compile.ts';
import type { Decision } from '../policy/types.ts';
import { loadTables } from '../syscalls/load.ts';
import { packageVersion } from './version.ts';
import { RECORD_FORMAT } from './records/envelope.ts';
import { sha256 } from './records/sha256.ts';

/**
 * Raised with every change that makes the compiler give other bytes or other diagnostics for the
 * same input while the version of the package stays.
 */
export const COMPILER_REVISION = 6;

/** What results depend on beside the profile and the options. */
interface Build {
  /** SHA-256 of the syscall tables. */
  tables: string;
  version: string;
  revision: number;
  /** Format of the text under the key. */
  format: number;
}

async function thisBuild(): Promise<Build> {
  const { digest } = await loadTables([]);
  return { tables: digest, version: packageVersion(), revision: COMPILER_REVISION, format: RECORD_FORMAT };
}

/** Everything that the result for an input depends on, by name. */
export interface KeyFields extends Build {
  /** All of them except the name of the file, which the diagnostics get back on a hit. */
  options: Omit<CompileSettings, 'file'>;
}

/**
 * The key of an input, 64 hex digits: SHA-256 over the fields and the document byte for byte,
 * because the positions in the diagnostics depend on its layout. The fields are encoded once for
 * many inputs.
 */
export function keyMaker(fields: KeyFields): (input: Uint8Array | string) => string {
  const prefix = canonicalJson(fields);
  return (input) => {
    const hash = createHash('sha256').update(`${prefix}\n${typeof input}\n`);
    // UTF-8 would turn every unpaired surrogate into the same bytes.
    return (typeof input === 'string' ? hash.update(input, 'utf16le') : hash.update(input)).digest('hex');
  };
}

/** The options of many inputs, with the key of each. */
export interface KeyedOptions<T extends CompileSettings = CompileSettings> {
  options: T;
  keyOf: (input: Uint8Array | string) => string;
}

export async function keyedOptions<T extends CompileSettings>(options: T): Promise<KeyedOptions<T>> {
  const { file: _, ...rest } = options;
  return { options, keyOf: keyMaker({ options: rest, ...(await thisBuild()) }) };
}

/**
 * The key of a lowered profile: all that the generator of programs reads, so that profiles with one
 * such key have one program, to the byte, however they are written. 64 hex digits.
 *
 * Profiles can mean the same and differ here, by another choice of conditions. Then the program of
 * one would be right for the other, but not the one that compiling the other gives.
 */
export async function loweredKey(
  { policy }: Pick<LoweredProfile & { confined: true }, 'policy'>,
  { optimize = 'attach', prove = 'auto' }: Pick<CompileSettings, 'optimize' | 'prove'>,
): Promise<string> {
  const decisions = new Map<Decision, number>();
  const positionOf = (decision: Decision): number => {
    const known = decisions.get(decision) ?? decisions.size;
    decisions.set(decision, known);
    return known;
  };
  const arches = policy.arches.map(({ auditArch, abis, ranges }) => ({
    auditArch,
    abis: abis.map(({ name }) => name),
    ranges: ranges.map(({ from, to, decision }) => `${from} ${to} ${positionOf(decision)};`).join(''),
  }));
  const { endian, badArchAction } = policy;
  const fields = {
    meaning: { endian, badArchAction, arches, decisions: [...decisions.keys()] },
    optimize,
    // A program that was never tried must not count as one that could not be proved.
    tried: prove !== 'never',
    ...(await thisBuild()),
  };
  return sha256(Buffer.from(canonicalJson(fields)));
}

/**
 * One JSON text for one value, on one line: members are sorted by name, and one that is undefined
 * counts as absent.
 *
 * @throws TypeError for a value that JSON would leave out or change, because two values could then
 *   have one text
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return { bigint: String(part) };
    if (isPlainObject(part))
      return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const isExact = ['undefined', 'string', 'boolean'].includes(typeof part) || Number.isFinite(part);
    if (!isExact && part !== null && !Array.isArray(part))
      throw new TypeError(`a value of type ${typeof part} that has no canonical form`);
    return part;
  });
}

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}
