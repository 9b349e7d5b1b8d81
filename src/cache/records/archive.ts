/** Records in one file. */
import { createHash } from 'node:crypto';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { RECORD_FORMAT } from './envelope.ts';
import type { Refused } from './envelope.ts';
import { membersOf, parseJson } from '../json-object.ts';
import { plainLabel, readRecord } from './record.ts';
import type { TrustedKeys } from '../../signature.ts';
import type { NewRecord, Source, StoredRecord } from '../stores/store.ts';
import type { Destination } from './transfer.ts';

const FORMAT = 'seccompc cache';
/** Version of the file; the texts in it have one of their own. */
const VERSION = 1;

const NEWLINE = 0x0a;
/** Bytes that are read at once. */
const BLOCK = 1024 * 1024;
/** Bytes of a line. The largest text that a store keeps fits, however much of it JSON escapes. */
const LONGEST_LINE = 64 * 1024 * 1024;
const MOST_RECORDS = 1_000_000;

/**
 * The file, line by line. Each line is JSON and ends with a newline: a header, one `[kind, key,
 * label, text]` for each record, and a SHA-256 of all bytes before it. The same records give the
 * same bytes.
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
 * The records in an open file, if it is complete and each record passes its own checks; or why not.
 * Only what a list needs stays in memory: a text is read again when it is asked for.
 */
export function readArchive(fd: number, trusted?: TrustedKeys): Source | Refused {
  const hash = createHash('sha256');
  const records: StoredRecord[] = [];
  const places = new Map<string, Place>();
  const lines = linesOf(fd);
  const header = lines.next();
  const fault = header.done === true ? NOT_ONE : faultOfHeader(header.value.bytes);
  if (fault !== undefined) return { refused: fault };
  // The last line is not a record, and only the end of the file shows which one it is.
  let last: Line = header.value;
  let refused: string | undefined;
  for (const line of lines) {
    hash.update(last.bytes);
    if (last !== header.value && refused === undefined) {
      const record = recordIn(last.bytes, records, trusted);
      if ('refused' in record) ({ refused } = record);
      else {
        records.push(record);
        places.set(record.key, { position: last.position, length: last.bytes.length });
      }
    }
    last = line;
  }
  if (last.bytes.at(-1) !== NEWLINE || membersOf(parseJson(last.bytes))?.get('sha256') !== hash.digest('hex'))
    return { refused: 'it is damaged, or not whole' };
  if (refused !== undefined) return { refused };
  return { list: async () => records, get: async (key) => recordAt(fd, places.get(key))?.text };
}

const NOT_ONE = 'it does not begin as one';

function faultOfHeader(line: Buffer): string | undefined {
  const header = membersOf(parseJson(line));
  if (header?.get('format') !== FORMAT) return NOT_ONE;
  return header.get('version') === VERSION && header.get('records') === RECORD_FORMAT
    ? undefined
    : 'it is of another version';
}

/**
 * What a list needs of the record in a line that follows those before; or what is wrong with it.
 */
function recordIn(
  line: Buffer,
  before: readonly StoredRecord[],
  trusted: TrustedKeys | undefined,
): StoredRecord | Refused {
  const record = recordOf(parseJson(line));
  if (record === undefined) return { refused: 'one of its lines is no record' };
  const { text, ...known } = record;
  if (known.key <= (before.at(-1)?.key ?? '')) return { refused: 'its records are not in their order' };
  const read = readRecord(record, text, trusted);
  if ('refused' in read) return { refused: `of the record ${known.key}, ${read.refused}` };
  if (before.length === MOST_RECORDS) return { refused: `it has more than ${MOST_RECORDS} records` };
  return { ...known, bytes: Buffer.byteLength(text), made: 0, used: 0 };
}

/** A destination that keeps records in an open file until they are written by their keys. */
export interface Spool extends Destination {
  /** By ascending key. */
  records(): Iterable<NewRecord>;
}

export function spool(fd: number): Spool {
  const places = new Map<string, Place>();
  let end = 0;
  return {
    list: async () => [],
    get: async (key) => recordAt(fd, places.get(key))?.text,
    async set(key, text, { kind, label }) {
      const bytes = Buffer.from(JSON.stringify([kind, key, label, text]));
      places.set(key, { position: end, length: bytes.length });
      for (let done = 0; done < bytes.length;)
        done += writeSync(fd, bytes, done, bytes.length - done, end + done);
      end += bytes.length;
    },
    remove: async (keys) => keys.forEach((key) => places.delete(key)),
    *records() {
      for (const key of [...places.keys()].toSorted()) yield recordAt(fd, places.get(key))!;
    },
  };
}

/** A part of a file. */
interface Place {
  position: number;
  length: number;
}

interface Line {
  position: number;
  /** With its newline, if it has one. */
  bytes: Buffer;
}

/** The lines of a file. One that is too long comes in several pieces, which are not records. */
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

function recordAt(fd: number, place: Place | undefined): NewRecord | undefined {
  return place && recordOf(parseJson(readAt(fd, place)));
}

function recordOf(value: unknown): NewRecord | undefined {
  if (!Array.isArray(value) || value.length !== 4) return undefined;
  const [kind, key, label, text]: unknown[] = value;
  if ((kind !== 'alias' && kind !== 'object') || typeof key !== 'string') return undefined;
  if (typeof label !== 'string' || typeof text !== 'string') return undefined;
  return { kind, key, label: plainLabel(label), text };
}
