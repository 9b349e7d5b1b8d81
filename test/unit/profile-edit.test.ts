import { describe, expect, test } from 'vitest';
import { countItems, editJson } from '../../src/profile/edit.ts';

const add = (text: string, path: string, value: unknown) => editJson(text, [{ op: 'add', path, value }]);
const remove = (text: string, path: string) => editJson(text, [{ op: 'remove', path }]);

describe('an edit of JSON', () => {
  test('adds to a list in the style of the list', () => {
    expect(add('{"a":["x","z"]}', '/a/1', 'y')).toBe('{"a":["x","y","z"]}');
    expect(add('{"a": [ "x", "z" ]}', '/a/2', 'y')).toBe('{"a": [ "x", "z", "y" ]}');
    expect(add('{"a": [\n\t"x",\n\t"z"\n]}', '/a/0', 'y')).toBe('{"a": [\n\t"y",\n\t"x",\n\t"z"\n]}');
    expect(add('{"a": [\n  "x"\n]}', '/a/1', 'y')).toBe('{"a": [\n  "x",\n  "y"\n]}');
    expect(add('{"a": ["x"]}', '/a/1', 'y')).toBe('{"a": ["x", "y"]}');
    expect(add('{"a": [ ]}', '/a/0', 'y')).toBe('{"a": ["y"]}');
  });

  test('adds objects on as many lines as their neighbour has, with numbers exact', () => {
    const entry = { n: ['y'], skipped: undefined, v: 2n ** 64n - 1n };
    expect(add('[{"n":["x"]}]', '/1', entry)).toBe('[{"n":["x"]}, {"n":["y"],"v":18446744073709551615}]');
    expect(add('[\n   {\n      "n": 1\n   }\n]', '/1', entry)).toBe(
      '[\n   {\n      "n": 1\n   },\n   {\n      "n": [\n         "y"\n      ],\n      "v": 18446744073709551615\n   }\n]',
    );
  });

  test('adds members and replaces their values', () => {
    expect(add('{"a": 1}', '/b', [])).toBe('{"a": 1, "b": []}');
    expect(add('{\n  "a": 1,\n  "c": 2\n}', '/b', 3)).toBe('{\n  "a": 1,\n  "c": 2,\n  "b": 3\n}');
    expect(add('{"a": null, "b": 2}', '/a', [1])).toBe('{"a": [1], "b": 2}');
  });

  test('removes an element with its comma, and nothing else', () => {
    const text = '[ "a",\n  "b" ,\n  "c" ]';
    expect(remove(text, '/0')).toBe('[ "b" ,\n  "c" ]');
    expect(remove(text, '/1')).toBe('[ "a" ,\n  "c" ]');
    expect(remove(text, '/2')).toBe('[ "a",\n  "b" ]');
    expect(remove('{"a": ["x"]}', '/a/0')).toBe('{"a": []}');
  });

  test('keeps a byte order mark and finds keys in another case', () => {
    expect(add('\uFEFF{"Names": ["x"]}', '/names/1', 'y')).toBe('\uFEFF{"Names": ["x", "y"]}');
    expect(countItems('\uFEFF{"Names": ["x"]}', '/names')).toBe(1);
    expect(countItems('{"names": null}', '/names')).toBe(undefined);
    expect(countItems('{}', '/names')).toBe(undefined);
  });

  test('refuses a place that does not exist', () => {
    for (const path of ['/b/0', '/a/5', '']) expect(() => remove('{"a": ["x"]}', path)).toThrow('no place');
  });
});
