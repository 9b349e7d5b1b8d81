/** Records in one file, to be carried to where no store can be reached. */
import { createHash } from 'node:crypto';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { RECORD_FORMAT } from './envelope.ts';
import type { Refused } from './envelope.ts';
import { membersOf, parseJson } from '../json-object.ts';
import { plainLabel, readRecord } from './record.ts';
import type { TrustedKeys } from './signature.ts';
import type { RecordKind, Source, StoredRecord } from '../stores/store.ts';
import type { NewRecord } from '../stores/store.ts';
import type { Destination } from './transfer.ts';

const FORMAT = 'seccompc cache';
/** Of the file; that of the texts in it is a number of its own. */
const VERSION = 1;

const NEWLINE = 0x0a;
/** Bytes that are read at once. */
const BLOCK = 1024 * 1024;
/** Bytes of a line. A text of the largest size that a store keeps fits, however much of it JSON escapes. */
const LONGEST_LINE = 64 * 1024 * 1024;
const MOST_RECORDS = 1_000_000;

/**
 * The file, piece by piece: lines of JSON, each ended by a newline. The first says what it is, the last is a SHA-256 of all
 * bytes before it, and between them stands a record in each, `[kind, key, label, text]`. The same records give the
 * same bytes: nothing of the machine or of the clock is in it.
 *
 * @param records by ascending key
 */
export function* writeArchive(records: Iterable<NewRecord>): Generator<Uint8Array> {
  const hash = createHash('sha256');
  const line = (value: unknown) => {
    const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
    hash.update(bytes);
    return bytes;
  };
  yield line({ format: FORMAT, version: VERSION, records: RECORD_FORMAT });
  for (const { kind, key, label, text } of records) yield line([kind, key, label, text]);
  yield Buffer.from(`${JSON.stringify({ sha256: hash.digest('hex') })}\n`);
}

/**
 * The records in an open file that is whole and each of whose records passes its own checks; or why it is not. Only what a
 * list needs stays in memory: a text is read again when it is asked for.
 */
export function readArchive(fd: number, trusted?: TrustedKeys): Source | Refused {
  const hash = createHash('sha256');
  const found: FoundRecord[] = [];
  const lines = linesOf(fd);
  const header = lines.next();
  const fault = header.done === true ? NOT_ONE : faultOfHeader(header.value.bytes);
  if (fault !== undefined) return { refused: fault };
  // The last line is not a record, and which one it is shows only behind it.
  let last: Line = header.value;
  let refused: string | undefined;
  for (const line of lines) {
    hash.update(last.bytes);
    if (last !== header.value) refused ??= faultOfRecord(last, found, trusted);
    last = line;
  }
  if (last.bytes.at(-1) !== NEWLINE || membersOf(parseJson(last.bytes))?.get('sha256') !== hash.digest('hex'))
    return { refused: 'it is damaged, or not whole' };
  return refused === undefined ? sourceOf(fd, found) : { refused };
}

/** A record of a file, and where in the file its line is. */
interface FoundRecord {
  record: StoredRecord;
  place: Place;
}

const NOT_ONE = 'it does not begin as one';

function faultOfHeader(line: Buffer): string | undefined {
  const header = membersOf(parseJson(line));
  if (header?.get('format') !== FORMAT) return NOT_ONE;
  return header.get('version') === VERSION && header.get('records') === RECORD_FORMAT
    ? undefined
    : 'it is of another version';
}

/** What is wrong with the record in a line; one that is right goes to those found. */
function faultOfRecord(
  { position, bytes }: Line,
  found: FoundRecord[],
  trusted: TrustedKeys | undefined,
): string | undefined {
  const record = recordOf(parseJson(bytes));
  if (record === undefined) return 'one of its lines is no record';
  const { text, ...known } = record;
  if (known.key <= (found.at(-1)?.record.key ?? '')) return 'its records are not in their order';
  const read = readRecord(record, text, trusted);
  if ('refused' in read) return `of the record ${known.key}, ${read.refused}`;
  if (found.length === MOST_RECORDS) return `it has more than ${MOST_RECORDS} records`;
  found.push({
    record: { ...known, bytes: Buffer.byteLength(text), made: 0, used: 0 },
    place: { position, length: bytes.length },
  });
  return undefined;
}

/** A destination that keeps records in an open file, until they are written in their order. */
export interface Spool extends Destination {
  /** By ascending key. */
  records(): Iterable<NewRecord>;
}

export function spool(fd: number): Spool {
  const places = new Map<string, Place>();
  let end = 0;
  const read = (place: Place) => recordOf(parseJson(readAt(fd, place)))!;
  return {
    list: async () => [],
    async get(key) {
      const place = places.get(key);
      return place && read(place).text;
    },
    async set(key, text, { kind, label }) {
      const bytes = Buffer.from(JSON.stringify([kind, key, label, text]));
      places.set(key, { position: end, length: bytes.length });
      for (let done = 0; done < bytes.length;)
        done += writeSync(fd, bytes, done, bytes.length - done, end + done);
      end += bytes.length;
    },
    remove: async (keys) => keys.forEach((key) => places.delete(key)),
    *records() {
      for (const key of [...places.keys()].toSorted()) yield read(places.get(key)!);
    },
  };
}

/** A part of a file. */
interface Place {
  position: number;
  length: number;
}

function sourceOf(fd: number, found: readonly FoundRecord[]): Source {
  const places = new Map(found.map(({ record, place }) => [record.key, place]));
  return {
    list: async () => found.map(({ record }) => record),
    async get(key) {
      const place = places.get(key);
      return place && recordOf(parseJson(readAt(fd, place)))?.text;
    },
  };
}

interface Line {
  position: number;
  /** With its newline, if it has one. */
  bytes: Buffer;
}

/** The lines of a file; one that is too long comes in several pieces, which are no record. */
function* linesOf(fd: number): Generator<Line> {
  let rest: Buffer[] = [];
  let length = 0;
  let position = 0;
  const { size } = fstatSync(fd);
  const take = () => {
    const line = { position, bytes: Buffer.concat(rest) };
    position += length;
    rest = [];
    length = 0;
    return line;
  };
  for (let at = 0; at < size; at += BLOCK) {
    const block = readAt(fd, { position: at, length: Math.min(BLOCK, size - at) });
    for (let begin = 0; begin < block.length;) {
      const newline = block.indexOf(NEWLINE, begin);
      const end = newline < 0 ? block.length : newline + 1;
      rest.push(block.subarray(begin, end));
      length += end - begin;
      begin = end;
      if (newline >= 0 || length > LONGEST_LINE) yield take();
    }
  }
  if (length > 0) yield take();
}

function readAt(fd: number, { position, length }: Place): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, position + done);
    // The file became shorter.
    if (count === 0) break;
    done += count;
  }
  return bytes.subarray(0, done);
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
