import { membersOf, parseJson } from '../json-object.ts';
import type { RecordInfo, StoredRecord, StoreStats } from './store.ts';

/** A row of the list without its key, kept beside the record. */
export type Row = Omit<StoredRecord, 'key'>;

/** `used` is exact to this many milliseconds, so most hits write nothing. */
export const DAY = 24 * 60 * 60 * 1000;

/** The row of a record that is written now. */
export function rowOf(text: string, { kind, label }: RecordInfo): Row {
  const now = Date.now();
  return { kind, label, bytes: Buffer.byteLength(text), made: now, used: now };
}

/** The row to write for a record that is read now; undefined if the old one is good enough. */
export function rowUsedNow(row: Row): Row | undefined {
  const now = Date.now();
  return now - row.used < DAY ? undefined : { ...row, used: now };
}

export function writeRow(row: Row): string {
  return JSON.stringify(row);
}

/** The row that {@link writeRow} wrote, also as an object; undefined for anything else. */
export function readRow(written: unknown): Row | undefined {
  const row = membersOf(typeof written === 'string' ? parseJson(written) : written);
  const [kind, label, bytes, made, used] = ['kind', 'label', 'bytes', 'made', 'used'].map((n) => row?.get(n));
  if ((kind !== 'alias' && kind !== 'object') || typeof label !== 'string') return undefined;
  if (!isCount(bytes) || !isCount(made) || !isCount(used)) return undefined;
  return { kind, label, bytes, made, used };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Rows as a list, by ascending key. */
export function listOf(rows: Iterable<readonly [string, Row]>): StoredRecord[] {
  return Array.from(rows, ([key, row]) => ({ key, ...row })).toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

export function statsOf(records: readonly StoredRecord[]): StoreStats {
  const stats: StoreStats = { aliases: 0, objects: 0, bytes: 0, oldest: null, leastUsed: null };
  for (const { kind, bytes, made, used } of records) {
    if (kind === 'alias') stats.aliases += 1;
    else stats.objects += 1;
    stats.bytes += bytes;
    stats.oldest = Math.min(stats.oldest ?? made, made);
    stats.leastUsed = Math.min(stats.leastUsed ?? used, used);
  }
  return stats;
}
