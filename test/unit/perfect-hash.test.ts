import { readdirSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { buildPerfectHash, type NameIndex, positionOf } from '../../src/syscalls/perfect-hash.ts';
import { ALL_NAMES, TABLE_NAMES, TABLES } from './syscalls-tsv.ts';
import { runs } from '../runs.ts';

function indexOf(names: readonly string[]): NameIndex {
  return { ...buildPerfectHash(names), names, longest: Math.max(0, ...names.map((name) => name.length)) };
}

const UNION = [...ALL_NAMES].toSorted();

describe('a perfect hash', () => {
  it.each<[string, string[]]>([
    ['union', UNION],
    ...TABLE_NAMES.map((name): [string, string[]] => [name, [...TABLES.get(name)!.keys()]]),
  ])('%s: minimal, with one slot for each name', (_, names) => {
    const { slots } = buildPerfectHash(names);
    expect(slots.toSorted((a, b) => a - b)).toEqual(names.map((__, position) => position));
    const index = indexOf(names);
    expect(names.map((name) => positionOf(index, name))).toEqual(names.map((__, position) => position));
  });

  it('is the one in the generated modules, of all 18 tables and the union', async () => {
    const { index }: { index: NameIndex } = await import('../../src/syscalls/generated/union.ts');
    expect(index).toEqual(indexOf(UNION));
    const folder = new URL('../../src/syscalls/generated/', import.meta.url);
    const modules = readdirSync(folder).filter(
      (file) =>
        !['call-name.ts', 'constants.ts', 'errno.ts', 'signatures.ts', 'since.ts', 'union.ts'].includes(file),
    );
    expect(modules).toHaveLength(18);
    for (const file of modules) {
      const table: { ids: number[]; hash: Omit<NameIndex, 'names'> } = await import(
        new URL(file, folder).href
      );
      const names = table.ids.map((id) => index.names[id]!);
      expect({ ...table.hash, names }).toEqual(indexOf(names));
    }
  });

  it('holds any list of distinct names and nothing else', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 12 }), { maxLength: 80 }),
        fc.array(fc.string({ unit: 'binary', maxLength: 14 }), { maxLength: 40 }),
        (names, others) => {
          const index = indexOf(names);
          expect(names.map((name) => positionOf(index, name))).toEqual([...names.keys()]);
          for (const other of others) expect(positionOf(index, other)).toBe(names.indexOf(other));
        },
      ),
      { numRuns: runs(20, 100) },
    );
  });

  it('depends on the list alone', () => {
    expect(buildPerfectHash([...UNION])).toEqual(buildPerfectHash(UNION));
  });

  it('refuses a repeated name', () => {
    expect(() => buildPerfectHash(['read', 'write', 'read'])).toThrow('distinct names');
  });

  it('has no position in an empty list', () => {
    expect(positionOf(indexOf([]), '')).toBe(-1);
    expect(positionOf(indexOf(['']), '')).toBe(0);
  });
});

describe('positionOf', () => {
  const index = indexOf(UNION);

  it('compares code units, not looks', () => {
    const names = indexOf(['\u00e9', 'e\u0301', '\ud800', '\ud83d\ude00']);
    expect(
      ['\u00e9', 'e\u0301', '\ud800', '\ud83d\ude00', '\udc00', '\ud83d', 'e'].map((n) =>
        positionOf(names, n),
      ),
    ).toEqual([0, 1, 2, 3, -1, -1, -1]);
  });

  it('gives a value that is no string no position', () => {
    const values: unknown[] = [undefined, null, 0, 1, NaN, true, 1n, Symbol('read'), ['read'], new String('read'), {}, () => 'read',
      { length: 4, charCodeAt: (i: number) => 'read'.charCodeAt(i), toString: () => 'read' }]; // prettier-ignore
    expect(values.map((value) => positionOf(index, value))).toEqual(values.map(() => -1));
  });

  it('refuses 20 MB without reading a character of it', () => {
    const long = ['read'.repeat(5_000_000), `read${'\0'.repeat(20_000_000)}`, 'x'.repeat(29)];
    let reads = 0;
    const spy = vi.spyOn(String.prototype, 'charCodeAt').mockImplementation(function (this: string, at) {
      if (++reads > 4) throw new Error('more than four characters were read');
      return this.codePointAt(at)!;
    });
    try {
      for (const text of long) expect(positionOf(index, text)).toBe(-1);
      expect(reads).toBe(0);
      expect(positionOf(index, 'read')).toBe(UNION.indexOf('read'));
      expect(reads).toBe(4);
    } finally {
      spy.mockRestore();
    }
  });
});
