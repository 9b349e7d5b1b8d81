import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { readTrustedKeys } from '../../src/signature.ts';
import { archiveOf, exportOf, read, recordsOf } from './archive-files.ts';
import { damaged, makeKey, makePair, makeRecords, mapStore } from './cache-records.ts';

const textOf = (file: Uint8Array) => Buffer.from(file).toString();

/** The lines, with the digest that belongs to them. */
function sealed(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join('');
  return `${text}{"sha256":"${createHash('sha256').update(text).digest('hex')}"}\n`;
}

describe('an archive', () => {
  it('gives back its records, and is the same in whatever order they came', async () => {
    const records = makeRecords(5);
    const file = await exportOf(mapStore(records));
    expect(await exportOf(mapStore(records.toReversed()))).toEqual(file);
    expect(archiveOf(records)).toEqual(file);
    const sorted = records.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expect(await recordsOf(file)).toEqual(sorted);
    expect(await recordsOf(await exportOf(mapStore()))).toEqual([]);
  });

  it('is the same file as ever', () => {
    const file = archiveOf(makeRecords(20));
    expect(createHash('sha256').update(file).digest('hex')).toBe(
      '74c1e7ff210337794e5d3fd623e88fcf035b237892e9d0719359de4f75426514',
    );
  });

  it('may be larger than what is read at once', async () => {
    const records = makeRecords(5000).toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const file = archiveOf(records);
    expect(file.length).toBeGreaterThan(2 * 2 ** 20);
    expect(await recordsOf(file)).toEqual(records);
  });

  it('is refused, and not held in memory, if a line of it does not end', () => {
    const [header] = textOf(archiveOf([])).split('\n');
    expect(read(sealed([header!, `["object","${'x'.repeat(70 * 2 ** 20)}","",""]`]))).toEqual({
      refused: 'one of its lines is no record',
    });
  });

  it('says what it is, and has a record in a line', () => {
    const [header, first, ...rest] = textOf(archiveOf(makeRecords(1)))
      .trimEnd()
      .split('\n');
    expect(header).toBe('{"format":"seccompc cache","version":1,"records":2}');
    expect(JSON.parse(first!)).toEqual([
      expect.any(String),
      expect.any(String),
      expect.any(String),
      expect.any(String),
    ]);
    expect(rest.at(-1)).toMatch(/^\{"sha256":"[0-9a-f]{64}"\}$/);
  });

  it('is refused when any byte of it is another, or it is cut off anywhere', () => {
    const file = archiveOf(makeRecords(1));
    for (let at = 0; at < file.length; at += 1) {
      const changed = Uint8Array.from(file);
      changed[at]! ^= 1;
      expect(read(changed), `byte ${at}`).toHaveProperty('refused');
      expect(read(file.subarray(0, at)), `${at} bytes`).toHaveProperty('refused');
    }
    expect(read(Buffer.concat([file, file]))).toHaveProperty('refused');
    expect(read(Buffer.concat([file, Buffer.from('\n')]))).toHaveProperty('refused');
  });

  it('is refused when it is of another format or version', () => {
    expect(read('')).toEqual({ refused: 'it does not begin as one' });
    expect(read('{"defaultAction":"SCMP_ACT_ALLOW"}')).toEqual({ refused: 'it does not begin as one' });
    for (const header of [
      { version: 2, records: 2 },
      { version: 1, records: 1 },
    ])
      expect(read(sealed([JSON.stringify({ format: 'seccompc cache', ...header })]))).toEqual({
        refused: 'it is of another version',
      });
  });

  it('is refused when one record in it is not what it should be, though the whole is', async () => {
    const [header] = textOf(archiveOf([])).split('\n');
    const [object, alias] = makePair(1);
    const line = (record: typeof object) =>
      JSON.stringify([record.kind, record.key, record.label, record.text]);
    const both = [object, alias].toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(line);
    expect(await recordsOf(sealed([header!, ...both]))).toHaveLength(2);
    for (const wrong of [
      [both[1]!, both[0]!],
      [both[0]!, both[0]!],
      [line({ ...object, text: damaged(object.text) })],
      [line({ ...alias, kind: 'object' })],
      [line({ ...alias, key: object.key })],
      ['["alias"]'],
      ['not JSON'],
      ['["hot","a","b","c"]'],
    ])
      expect(read(sealed([header!].concat(wrong)))).toHaveProperty('refused');
  });

  it('is refused when a signature in it claims a trusted key and is not of it', async () => {
    const [mine, other] = [makeKey(), makeKey()];
    const forging = { id: mine.signer.id, sign: (bytes: Uint8Array) => other.signer.sign(bytes) };
    const trusted = readTrustedKeys([mine.publicPem]);
    expect(read(archiveOf(makePair(1, forging)), trusted)).toHaveProperty('refused');
    expect(await recordsOf(archiveOf(makePair(1, mine.signer)), trusted)).toHaveLength(2);
  });

  it('is a source, and the export of it is the same file', async () => {
    const file = archiveOf(makeRecords(4));
    const source = read(file);
    if ('refused' in source) throw new Error(source.refused);
    expect(await exportOf(source)).toEqual(file);
  });
});
