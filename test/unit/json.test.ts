import { describe, expect, it } from 'vitest';
import { MAX_DEPTH, MAX_LENGTH, parseJson } from '../../src/profile/json.ts';
import type { JsonNode } from '../../src/profile/json.ts';
import { quote } from '../../src/profile/json-text.ts';
import { find } from '../../src/profile/pointer.ts';
import { marked } from '../fixtures/profile/marked.ts';

/** What JSON.parse would give, with numbers as their text. */
function plain(node: JsonNode): unknown {
  if (node.kind === 'object')
    return Object.fromEntries(node.members.map(({ key, value }) => [key, plain(value)]));
  if (node.kind === 'array') return node.items.map(plain);
  if (node.kind === 'number') return { number: node.text };
  return node.kind === 'null' ? null : node.value;
}

function read(text: string): unknown {
  const { root, diagnostics } = parseJson(text);
  expect(diagnostics).toEqual([]);
  return plain(root!);
}

describe('JSON', () => {
  it('keeps the text of every number', () => {
    const numbers = [
      '0',
      '-0',
      '18446744073709551615',
      '18446744073709551616',
      '1e3',
      '1000.0',
      '-1',
      '0.5E-7',
    ];
    expect(read(`[${numbers.join(', ')}]`)).toEqual(numbers.map((number) => ({ number })));
  });

  it('reads every kind of value, and escapes', () => {
    expect(read('\r\n{"a\\u0041\\n\\/": [true, false, null, "", {}], "": "\\ud83d\\ude00"}\t')).toEqual({
      'aA\n/': [true, false, null, '', {}],
      '': '😀',
    });
  });

  it('is no place for a key that changes the prototype', () => {
    const { root } = parseJson('{"__proto__": {"polluted": true}}');
    expect(root).toMatchObject({ kind: 'object', members: [{ key: '__proto__' }] });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([
    ['a line comment', '{ ‸// why\n "a": 1 }', 'JSON_COMMENT'],
    ['a block comment', '[1, ‸/* why */ 2]', 'JSON_COMMENT'],
    ['a hash comment', '‸# docker run: a "b" {c}\n{}', 'JSON_COMMENT'],
    ['a trailing comma in an array', '[1‸,\r\n]', 'JSON_TRAILING_COMMA'],
    ['a trailing comma in an object', '{"a": 1‸, }', 'JSON_TRAILING_COMMA'],
    ['a duplicate key', '{"a": 1, "b": {},\n  ‸"a": 2}', 'JSON_DUPLICATE_KEY'],
    ['the same key, escaped', '{"a": 1, ‸"\\u0061": 2}', 'JSON_DUPLICATE_KEY'],
    ['a forgotten comma', '{"a": 1 ‸"b": 2}', 'JSON_SYNTAX'],
    ['a control character in a string', '[‸"a\tb"]', 'JSON_SYNTAX'],
    ['a NUL in a key', '{‸"a\\u0000": 1}', 'JSON_NUL'],
    ['a NUL in a string', '[1, ‸"a\\u0000b"]', 'JSON_NUL'],
    ['a NUL that is not escaped', '[‸"a\0"]', 'JSON_NUL'],
    ['half a surrogate pair in a key', '{‸"\\ud83d": 1}', 'JSON_SURROGATE'],
    ['half a surrogate pair in a string', '[‸"\\ude00\\ud83d"]', 'JSON_SURROGATE'],
    ['half a surrogate pair that is not escaped', '[‸"\ud83d"]', 'JSON_SURROGATE'],
    ['an unknown escape', '[‸"\\x41"]', 'JSON_SYNTAX'],
    ['a short unicode escape', '[‸"\\u12"]', 'JSON_SYNTAX'],
  ])('goes on after %s', (_, text, code) => {
    const { source, position } = marked(text);
    const { root, diagnostics } = parseJson(source);
    expect(diagnostics).toMatchObject([{ code, severity: 'error', ...position }]);
    expect(root).toBeDefined();
  });

  it.each([
    ['nothing', '‸'],
    ['a word', '{"a": ‸nul}'],
    ['upper case', '‸TRUE'],
    ['NaN', '[‸NaN]'],
    ['hexadecimal', '[0‸x10]'],
    ['a plus sign', '[‸+1]'],
    ['a lone minus', '[‸-]'],
    ['a lone point', '[‸.5]'],
    ['an unfinished fraction', '[‸1.]'],
    ['an unfinished exponent', '[‸1e]'],
    ['single quotes', "{‸'a': 1}"],
    ['a bare key', '{‸a: 1}'],
    ['no colon', '{"a"‸, 1}'],
    ['two commas', '[1,‸, 2]'],
    ['a comma first', '[‸, 1]'],
    ['the wrong bracket', '{"a": [1‸}}'],
    ['an open object', '{"a": 1‸'],
    ['an open string', '[‸"a\n"]'],
    ['an open comment', '{}‸/* '],
  ])('stops at %s', (_, text) => {
    const { source, position } = marked(text);
    const { root, diagnostics } = parseJson(source);
    expect(root).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code: 'JSON_SYNTAX', ...position }]);
  });

  it('refuses leading zeros', () => {
    const { diagnostics } = parseJson('[01]');
    expect(diagnostics).toMatchObject([{ code: 'JSON_SYNTAX', line: 1, column: 3 }]);
  });

  it('refuses anything after the document', () => {
    const { source, position } = marked('{}\n\n‸{}');
    expect(parseJson(source).diagnostics).toMatchObject([{ code: 'JSON_AFTER_END', ...position }]);
  });

  it('reports all faults it can read over, in the order of the text', () => {
    const { diagnostics } = parseJson('# a\n{"a": [1,],\n"a": 2, // b\n}');
    expect(diagnostics.map(({ code, line }) => [code, line])).toEqual([
      ['JSON_COMMENT', 1],
      ['JSON_TRAILING_COMMA', 2],
      ['JSON_DUPLICATE_KEY', 3],
      ['JSON_TRAILING_COMMA', 3],
      ['JSON_COMMENT', 3],
    ]);
  });

  it('stops after a hundred faults', () => {
    expect(parseJson(`[${'1 '.repeat(1000)}]`).diagnostics).toHaveLength(100);
  });

  it('has a depth limit', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJson(nested(MAX_DEPTH)).diagnostics).toEqual([]);
    expect(parseJson(nested(MAX_DEPTH + 1)).diagnostics).toMatchObject([
      { code: 'JSON_TOO_DEEP', line: 1, column: MAX_DEPTH + 1 },
    ]);
    const wide = `[${Array(MAX_DEPTH + 1)
      .fill('[]')
      .join()}]`;
    expect(parseJson(wide).diagnostics).toEqual([]);
    expect(parseJson('{"a":'.repeat(100_000)).diagnostics).toMatchObject([{ code: 'JSON_TOO_DEEP' }]);
  });

  it('has a size limit', () => {
    expect(parseJson(' '.repeat(MAX_LENGTH - 2) + '{}').diagnostics).toEqual([]);
    expect(parseJson(' '.repeat(MAX_LENGTH - 1) + '{}').diagnostics).toMatchObject([
      { code: 'JSON_TOO_LARGE' },
    ]);
  });
});

describe('a position', () => {
  it('counts lines by LF and CRLF, columns by UTF-16 units', () => {
    const { root, positionAt } = parseJson('{\r\n  "😀": 1,\n\n"b": 2}');
    const at = (pointer: string) => positionAt(find(root!, pointer).node.offset);
    expect(at('')).toEqual({ line: 1, column: 1 });
    expect(at('/😀')).toEqual({ line: 2, column: 9 });
    expect(at('/b')).toEqual({ line: 4, column: 6 });
  });
});

describe('a pointer', () => {
  const { root } = parseJson('{"a/b": [10, {"m~n": 20}], "": 30, "Names": 40, "01": [50]}');
  it.each([
    ['', ''],
    ['/a~1b/0', '/a~1b/0'],
    ['/a~1b/1/m~0n', '/a~1b/1/m~0n'],
    ['/', '/'],
    ['/names', '/Names'],
    ['/a~1b/2', '/a~1b'],
    ['/a~1b/00', '/a~1b'],
    ['/a~1b/-', '/a~1b'],
    ['/nothing/here', ''],
    ['/01/0', '/01/0'],
  ])('%j finds %j', (pointer, actual) => {
    expect(find(root!, pointer).pointer).toBe(actual);
  });
});

describe('a quotation', () => {
  it('is short and moves no cursor', () => {
    expect(quote('a"b\u001b[2J')).toBe('"a\\"b\\u001b[2J"');
    expect(quote('\u009b31m\u202e')).toBe('"\\u009b31m\\u202e"');
    expect(quote('x'.repeat(1000)).length).toBeLessThan(70);
  });
});
