/** Records in one file, to be carried to where no store can be reached. */
import { createHash } from 'node:crypto';
import { RECORD_FORMAT } from './envelope.ts';
import type { Refused } from './envelope.ts';
import { membersOf } from './members.ts';
import { plainLabel, readRecord } from './record.ts';
import type { TrustedKeys } from './signature.ts';
import type { RecordKind, Source } from './store.ts';
import type { NewRecord } from './tiers.ts';
import type { Destination } from './transfer.ts';

const FORMAT = 'seccompc cache';
/** Of the file; that of the texts in it is a number of its own. */
const VERSION = 1;

const NEWLINE = 0x0a;

/**
 * The file: lines of JSON, each ended by a newline. The first says what it is, the last is a SHA-256 of all bytes
 * before it, and between them stands a record in each, `[kind, key, label, text]`, by ascending key. The same records give the
 * same bytes: nothing of the machine or of the clock is in it.
 */
export function writeArchive(records: readonly NewRecord[]): Uint8Array {
  const header = { format: FORMAT, version: VERSION, records: RECORD_FORMAT };
  const lines = records
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ kind, key, label, text }) => JSON.stringify([kind, key, label, text]));
  const parts = [JSON.stringify(header), ...lines].map((line) => Buffer.from(`${line}\n`));
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return Buffer.concat([...parts, Buffer.from(`${JSON.stringify({ sha256: hash.digest('hex') })}\n`)]);
}

/** The records in a file that is whole and each of whose records passes its own checks; or why it is not. */
export function readArchive(file: Uint8Array, trusted?: TrustedKeys): NewRecord[] | Refused {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.length);
  const lines = linesOf(bytes);
  const header = membersOf(parseJson(lines[0]));
  if (header?.get('format') !== FORMAT) return { refused: 'it does not begin as one' };
  if (header.get('version') !== VERSION || header.get('records') !== RECORD_FORMAT)
    return { refused: 'it is of another version' };
  const last = lines.at(-1)!;
  const digest = createHash('sha256')
    .update(bytes.subarray(0, last.byteOffset - bytes.byteOffset))
    .digest('hex');
  if (bytes.at(-1) !== NEWLINE || membersOf(parseJson(last))?.get('sha256') !== digest)
    return { refused: 'it is damaged, or not whole' };
  const records: NewRecord[] = [];
  for (const line of lines.slice(1, -1)) {
    const record = recordOf(parseJson(line));
    if (record === undefined) return { refused: 'one of its lines is no record' };
    const { key } = record;
    if (records.length > 0 && records.at(-1)!.key >= key)
      return { refused: 'its records are not in their order' };
    const read = readRecord(record, record.text, trusted);
    if ('refused' in read) return { refused: `of the record ${key}, ${read.refused}` };
    records.push(record);
  }
  return records;
}

/** Records that were read from a file, to be sent from there. */
export function sourceOf(records: readonly NewRecord[]): Source {
  const texts = new Map(records.map(({ key, text }) => [key, text]));
  return {
    list: async () =>
      records.map(({ text, ...rest }) => ({ ...rest, bytes: Buffer.byteLength(text), made: 0, used: 0 })),
    get: async (key) => texts.get(key),
  };
}

/** A place to send records to that shall become a file. */
export function collector(): Destination & { records: () => NewRecord[] } {
  const records = new Map<string, NewRecord>();
  return {
    list: async () => [],
    get: async (key) => records.get(key)?.text,
    set: async (key, text, info) => void records.set(key, { key, text, ...info }),
    remove: async (keys) => keys.forEach((key) => records.delete(key)),
    records: () => [...records.values()],
  };
}

function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, at);
    const next = end < 0 ? bytes.length : end + 1;
    lines.push(bytes.subarray(at, next));
    at = next;
  }
  return lines;
}

function recordOf(value: unknown): NewRecord | undefined {
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const [kind, key, label, text]: unknown[] = value;
  if (!isKind(kind) || typeof key !== 'string' || typeof label !== 'string' || typeof text !== 'string')
    return undefined;
  return { kind, key, label: plainLabel(label), text };
}

function isKind(value: unknown): value is RecordKind {
  return value === 'alias' || value === 'object';
}

/** undefined for what is not JSON. */
function parseJson(line: Buffer | undefined): unknown {
  try {
    return JSON.parse(String(line));
  } catch {
    return undefined;
  }
}
