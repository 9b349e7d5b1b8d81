import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTables, nameId } from '../../src/syscalls/load.ts';
import { ALL_NAMES, TABLE_NAMES, TABLES } from '../unit/syscalls-tsv.ts';
import { runs } from '../runs.ts';

const tables = await loadTables(TABLE_NAMES);
const NAMES = [...ALL_NAMES].toSorted();
const ALPHABET = [
  ...Array.from('abcdefghijklmnopqrstuvwxyz0123456789_'),
  'A',
  '-',
  ' ',
  '\0',
  '\u0301',
  '\u017f',
  '\u0130',
];

/** What the look-up says against what the .tsv files say; the texts on which they differ. */
function wrongAnswers(texts: Iterable<string>): { tried: number; wrong: string[] } {
  const tried = new Set(texts);
  const wrong = [...tried].filter((text) => {
    const id = nameId(text);
    if (ALL_NAMES.has(text) !== tables.isKnown(text) || (id >= 0 && NAMES[id] !== text)) return true;
    return ALL_NAMES.has(text) !== id >= 0;
  });
  return { tried: tried.size, wrong };
}

function wrongInTables(text: string): string[] {
  return TABLE_NAMES.filter((name) => tables.table(name).numberOf(text) !== TABLES.get(name)!.get(text));
}

function* oneEdit(name: string): Generator<string> {
  for (let i = 0; i <= name.length; i++) {
    const [before, after] = [name.slice(0, i), name.slice(i)];
    for (const character of ALPHABET) {
      yield before + character + after;
      if (after !== '') yield before + character + after.slice(1);
    }
    yield before + after.slice(1);
    if (after.length > 1) yield before + after[1]! + after[0]! + after.slice(2);
  }
}

describe('nothing but the names resolves', () => {
  it('no proper prefix or suffix', () => {
    const parts = NAMES.flatMap((name) =>
      Array.from(name, (_, i) => [name.slice(0, i), name.slice(i + 1)]).flat(),
    );
    const { tried, wrong } = wrongAnswers(parts);
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(4000);
    expect(parts.filter((part) => wrongInTables(part).length > 0)).toEqual([]);
  });

  it('no edit of one character', () => {
    for (const name of NAMES) expect(wrongAnswers(oneEdit(name)).wrong).toEqual([]);
    const edits = new Set(oneEdit('read'));
    expect(edits.size).toBeGreaterThan(300);
    expect([...edits].filter((edit) => ALL_NAMES.has(edit)).toSorted()).toEqual(['read', 'readv']);
  });

  it('no edit of two characters', () => {
    const edit = fc.record({ at: fc.nat(28), remove: fc.nat(1), insert: fc.constantFrom('', ...ALPHABET) });
    fc.assert(
      fc.property(fc.constantFrom(...NAMES), edit, edit, (name, ...edits) => {
        let text = name;
        for (const { at, remove, insert } of edits)
          text = text.slice(0, at) + insert + text.slice(at + remove);
        expect(wrongAnswers([text]).wrong).toEqual([]);
        expect(wrongInTables(text)).toEqual([]);
      }),
      { numRuns: runs(500, 5000) },
    );
    for (const name of NAMES) {
      const shorter = Array.from(name).flatMap((_, i) => {
        const rest = name.slice(0, i) + name.slice(i + 1);
        return Array.from(rest).map((__, j) => rest.slice(0, j) + rest.slice(j + 1));
      });
      expect(wrongAnswers(shorter).wrong).toEqual([]);
    }
  });

  it('no two names joined', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...NAMES),
        fc.constantFrom('', ' ', ',', '\0', '_', '\n'),
        fc.constantFrom(...NAMES),
        (a, between, b) => {
          expect(wrongAnswers([a + between + b, b + between + a]).wrong).toEqual([]);
        },
      ),
      { numRuns: runs(400, 2000) },
    );
  });

  it('no other case, and nothing added', () => {
    const variants = NAMES.flatMap((name) => [
      name.toUpperCase(), name[0]!.toUpperCase() + name.slice(1), `${name}\0`, `\0${name}`, `${name} `, ` ${name}`,
      `${name}\t`, `${name}\n`, `${name}\u0301`, `\ufeff${name}`, `${name}\u200b`, `${name}\ud800`, `\udc00${name}`,
      name.replace('s', '\u017f'), name.replace('i', '\u0130'), name.replace('i', '\u0131'),
      name.replace('a', '\u0430'), name.replace('e', '\u0435'), name.replace('_', '\uff3f'), `__NR_${name}`, `sys_${name}`,
    ]); // prettier-ignore
    const { tried, wrong } = wrongAnswers(variants);
    expect(wrong).toEqual([]);
    expect(tried).toBeGreaterThan(7000);
  });

  it('no property of objects, no empty or random text', () => {
    const odd = ['', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'length', '0', '-1', 'NaN',
      'undefined', 'null', '\0', '\ud800', '\udfff', '\ud83d\ude00']; // prettier-ignore
    for (const text of odd) {
      expect(tables.isKnown(text)).toBe(false);
      expect(TABLE_NAMES.filter((name) => tables.table(name).numberOf(text) !== undefined)).toEqual([]);
    }
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.string({ maxLength: 30 })),
        (text) => {
          expect(wrongAnswers([text]).wrong).toEqual([]);
          expect(wrongInTables(text)).toEqual([]);
        },
      ),
      { numRuns: runs(400, 3000) },
    );
  });
});

describe('numbers', () => {
  it('any u32 has the name the table gives it, or none', () => {
    const byNumber = TABLE_NAMES.map(
      (name) => [name, new Map([...TABLES.get(name)!].map(([call, nr]) => [nr, call]))] as const,
    );
    const nr = fc.oneof(fc.nat(600), fc.integer({ min: 3900, max: 6600 }), fc.integer({ min: 0x40000000, max: 0x40000400 }),
      fc.integer({ min: 0xf0000, max: 0xf0010 }), fc.integer({ min: 0, max: 0xffffffff })); // prettier-ignore
    fc.assert(
      fc.property(nr, (number) => {
        for (const [name, names] of byNumber)
          expect(tables.table(name).nameOf(number)).toBe(names.get(number));
      }),
      { numRuns: runs(400, 2000) },
    );
  });
});
