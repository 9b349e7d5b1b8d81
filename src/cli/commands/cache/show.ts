import { convertedLength } from '../../../bpf/check.ts';
import { decode } from '../../../bpf/instruction.ts';
import type { Alias } from '../../../cache/records/alias.ts';
import type { CacheStore, StoredRecord } from '../../../cache/stores/store.ts';
import { readRecord } from '../../../cache/records/record.ts';
import type { ReadRecord } from '../../../cache/records/record.ts';
import { peek } from '../../../cache/stores/store.ts';
import { readAll } from '../../../cache/records/verify-store.ts';
import { fail } from '../../../errors.ts';
import { keysOf } from '../../options/cache-options.ts';
import { writeProduct } from '../../output/streams.ts';
import { table, toJson } from '../../output/report.ts';
import { dateOf, open, use } from './store-access.ts';
import type { CacheOptions } from './store-access.ts';

/** Shortest prefix of a key that is accepted. */
const LEAST_DIGITS = 6;

/**
 * A member of the document, and a row of the text, where an empty array has none and a longer one
 * several.
 */
type Row = readonly [name: string, value: unknown];

/** Shows what one record says. @throws SeccompcError CACHE_RECORD_* */
export async function show(name: string, options: CacheOptions): Promise<void> {
  const trusted = (await keysOf(options))?.trusted;
  const store = open(options.cache);
  const rows = await use(store, async (): Promise<Row[]> => {
    const list = await store.list();
    const record = find(name, list, store);
    const { key, kind, bytes, made, used, label } = record;
    const text = await peek(store, key);
    const read = text === undefined ? { refused: 'it is not there' } : readRecord(record, text, trusted);
    if ('refused' in read) fail('CACHE_RECORD_DAMAGED', { key, reason: read.refused });
    const content = read.kind === 'alias' ? aliasRows(read) : await objectRows(key, read, list, store);
    return [
      ['key', key],
      ['kind', kind],
      ...content,
      ['bytes', bytes],
      ['made', made],
      ['used', used],
      ['label', label],
    ];
  });
  const written = options.json ? toJson(Object.fromEntries(rows)) : table(rows.flatMap(linesOf));
  await writeProduct(written);
}

/** The record that a key, or the beginning of one, names. */
function find(name: string, list: StoredRecord[], { location }: CacheStore): StoredRecord {
  const prefix = name.toLowerCase();
  if (!/^[0-9a-f]{6,64}$/.test(prefix)) fail('CACHE_RECORD_NAME', { name, least: LEAST_DIGITS });
  const found = list.filter(({ key }) => key.startsWith(prefix));
  const [record] = found;
  if (record === undefined) fail('CACHE_RECORD_MISSING', { name, location });
  if (found.length > 1) {
    const keys = found.map(({ key }) => key).join(' ');
    fail('CACHE_RECORD_AMBIGUOUS', { count: found.length, name, keys });
  }
  return record;
}

function aliasRows({ alias, signed, by }: ReadRecord & { kind: 'alias' }): Row[] {
  return [
    ['of', alias.of],
    ['object', alias.object],
    ['proved', alias.proved],
    ...(alias.of === 'input' ? inputRows(alias) : []),
    ['signedBy', by ?? null],
    ['trusted', signed],
  ];
}

function inputRows({
  endian,
  arches,
  flags,
  listenerPath,
  target,
  diagnostics,
}: Alias & { of: 'input' }): Row[] {
  return [
    ['endian', endian],
    ['arches', arches],
    ['flags', flags],
    ['listenerPath', listenerPath ?? null],
    ['target', target],
    ['diagnostics', diagnostics.length],
  ];
}

async function objectRows(
  key: string,
  { program, endians }: ReadRecord & { kind: 'object' },
  list: StoredRecord[],
  store: CacheStore,
): Promise<Row[]> {
  const instructions = decode(program, endians[0]!);
  const { aliases } = await readAll(
    store,
    list.filter(({ kind }) => kind === 'alias'),
  );
  const leading = [...aliases].filter(([, { alias }]) => alias.object === key).map(([other]) => other);
  return [
    ['sha256', key],
    ['instructions', instructions.length],
    ['convertedLength', convertedLength(instructions)],
    ['endian', endians.length === 1 ? endians[0]! : null],
    ['aliases', leading.toSorted()],
  ];
}

function linesOf([name, value]: Row): [string, string][] {
  const cells = Array.isArray(value) ? value : [value];
  return cells.map((cell: unknown) => [name, cellOf(name, cell)]);
}

function cellOf(name: string, value: unknown): string {
  if (value === null) return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return name === 'made' || name === 'used' ? dateOf(value) : String(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}
