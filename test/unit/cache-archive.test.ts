import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { collector, readArchive, sourceOf, writeArchive } from '../../src/cache/archive.ts';
import { readTrustedKeys } from '../../src/cache/signature.ts';
import { transfer } from '../../src/cache/transfer.ts';
import { damaged, makeKey, makePair, makeRecords } from './cache-records.ts';

const textOf = (file: Uint8Array) => Buffer.from(file).toString();
const refusedOf = (file: Uint8Array | string) => readArchive(Buffer.from(file));

/** The lines, with the digest that belongs to them. */
function sealed(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\n`).join('');
  return `${text}{"sha256":"${createHash('sha256').update(text).digest('hex')}"}\n`;
}

describe('an archive', () => {
  it('gives back its records, and is the same in whatever order they came', () => {
    const records = makeRecords(5);
    const file = writeArchive(records);
    expect(writeArchive(records.toReversed())).toEqual(file);
    const sorted = records.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    expect(readArchive(file)).toEqual(sorted);
    expect(readArchive(writeArchive([]))).toEqual([]);
  });

  it('says what it is, and has a record in a line', () => {
    const [header, first, ...rest] = textOf(writeArchive(makeRecords(1)))
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
    const file = writeArchive(makeRecords(1));
    for (let at = 0; at < file.length; at += 1) {
      const changed = Uint8Array.from(file);
      changed[at]! ^= 1;
      expect(readArchive(changed), `byte ${at}`).toHaveProperty('refused');
      expect(readArchive(file.subarray(0, at)), `${at} bytes`).toHaveProperty('refused');
    }
    expect(readArchive(Buffer.concat([file, file]))).toHaveProperty('refused');
    expect(readArchive(Buffer.concat([file, Buffer.from('\n')]))).toHaveProperty('refused');
  });

  it('is refused when it is of another format or version', () => {
    expect(refusedOf('')).toEqual({ refused: 'it does not begin as one' });
    expect(refusedOf('{"defaultAction":"SCMP_ACT_ALLOW"}')).toEqual({ refused: 'it does not begin as one' });
    for (const header of [
      { version: 2, records: 2 },
      { version: 1, records: 1 },
    ])
      expect(refusedOf(sealed([JSON.stringify({ format: 'seccompc cache', ...header })]))).toEqual({
        refused: 'it is of another version',
      });
  });

  it('is refused when one record in it is not what it should be, though the whole is', () => {
    const [header] = textOf(writeArchive([])).split('\n');
    const [object, alias] = makePair(1);
    const line = (record: typeof object) =>
      JSON.stringify([record.kind, record.key, record.label, record.text]);
    const both = [object, alias].toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(line);
    expect(refusedOf(sealed([header!, ...both]))).toHaveLength(2);
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
      expect(refusedOf(sealed([header!].concat(wrong)))).toHaveProperty('refused');
  });

  it('is refused when a signature in it claims a trusted key and is not of it', () => {
    const [mine, other] = [makeKey(), makeKey()];
    const forging = { id: mine.signer.id, sign: (bytes: Uint8Array) => other.signer.sign(bytes) };
    const trusted = readTrustedKeys([mine.publicPem]);
    expect(readArchive(writeArchive(makePair(1, forging)), trusted)).toHaveProperty('refused');
    expect(readArchive(writeArchive(makePair(1, mine.signer)), trusted)).toHaveLength(2);
  });

  it('is a source, and what is collected becomes one', async () => {
    const file = writeArchive(makeRecords(4));
    const records = readArchive(file);
    if ('refused' in records) throw new Error(records.refused);
    const collected = collector();
    const { sent } = await transfer(sourceOf(records), collected, { signedOnly: false });
    expect(sent).toBe(8);
    expect(writeArchive(collected.records())).toEqual(file);
  });
});
