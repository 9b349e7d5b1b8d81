import type { RecordKind } from '../../../cache/stores/store.ts';
import { writeProduct } from '../../output/streams.ts';
import { table, toJson } from '../../output/report.ts';
import { open, use } from './store-access.ts';
import type { CacheOptions } from './store-access.ts';

export interface LsOptions extends CacheOptions {
  kind?: RecordKind;
}

/** Lists the records without reading them. */
export async function list({ cache, json, kind }: LsOptions): Promise<void> {
  const store = open(cache);
  const all = await use(store, () => store.list());
  const records = kind === undefined ? all : all.filter((record) => record.kind === kind);
  if (json) return writeProduct(toJson({ records }));
  const now = Date.now();
  const rows = records.map((record) => [
    record.key,
    record.kind,
    record.bytes,
    duration(now - record.made),
    duration(now - record.used),
    record.label,
  ]);
  return writeProduct(table(rows));
}

const UNITS = [
  ['d', 24 * 60 * 60 * 1000],
  ['h', 60 * 60 * 1000],
  ['m', 60 * 1000],
] as const;

/** `3d`, `2h`, `5m`, `12s`: the largest unit of which there is a whole one. */
function duration(milliseconds: number): string {
  const [name, unit] = UNITS.find(([, length]) => milliseconds >= length) ?? ['s', 1000];
  return `${Math.max(Math.floor(milliseconds / unit), 0)}${name}`;
}
