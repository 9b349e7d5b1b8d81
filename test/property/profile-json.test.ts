import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from '../../src/profile/json.ts';
import type { JsonNode } from '../../src/profile/json.ts';
import { find } from '../../src/profile/pointer.ts';
import { runs } from '../runs.ts';

/** What JSON.parse gives. */
function plain(node: JsonNode): unknown {
  switch (node.kind) {
    case 'object':
      return Object.fromEntries(node.members.map(({ key, value }) => [key, plain(value)]));
    case 'array':
      return node.items.map(plain);
    case 'number':
      return Number(node.text);
    case 'null':
      return null;
    default:
      return node.value;
  }
}

/** Duplicate keys are the one thing that JSON.parse allows and we do not. */
function accepts(text: string): boolean {
  return parseJson(text).diagnostics.every(({ code }) => code === 'JSON_DUPLICATE_KEY');
}

function platformAccepts(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const TOKENS = [
  '{', '}', '[', ']', ',', ':', '"a"', '"', '0', '-', '1', '.', 'e', '+', 'true', 'null', ' ', '\n', '\t', '\r', '\\',
  '\\u0041', '/', '//', '/*', '*/', '#', "'", '\u00a0', '\u2028', '\u0000', '\ufeff', 'é', '\u0001',
]; // prettier-ignore

describe('parseJson', () => {
  test('accepts exactly what JSON.parse accepts, on soup of tokens', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...TOKENS), { maxLength: 12 }), (tokens) => {
        const text = tokens.join('');
        expect(accepts(text)).toBe(platformAccepts(text));
      }),
      { numRuns: runs(4000, 20_000) },
    );
  });

  test('accepts exactly what JSON.parse accepts, on damaged JSON, and reads the same from it', () => {
    const damaged = fc
      .tuple(fc.jsonValue({ maxDepth: 4 }), fc.nat(), fc.nat(3), fc.constantFrom('', ...TOKENS))
      .map(([value, at, length, insert]) => {
        const text = JSON.stringify(value, null, at % 3);
        const start = at % (text.length + 1);
        return text.slice(0, start) + insert + text.slice(start + length);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        expect(accepts(text)).toBe(platformAccepts(text));
        const { root, diagnostics } = parseJson(text);
        if (diagnostics.length === 0) expect(plain(root!)).toEqual(JSON.parse(text));
      }),
      { numRuns: runs(1000, 5000) },
    );
  });

  test('knows the position of every value', () => {
    const space = fc.constantFrom('', ' ', '\t', '\n', '\r\n', '  \n ');
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 4 }),
        fc.array(space, { minLength: 1, maxLength: 20 }),
        (value, spaces) => {
          const { text, places } = print(value, spaces);
          const { root, positionAt } = parseJson(text);
          for (const [pointer, place] of places) {
            const found = find(root!, pointer);
            expect(found.pointer).toBe(pointer);
            expect(positionAt(found.node.offset)).toEqual(place);
          }
        },
      ),
    );
  });

  test('keeps the text of numbers', () => {
    const digits = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String);
    const decimal = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n));
    fc.assert(
      fc.property(fc.array(fc.oneof(digits, decimal)), (numbers) => {
        const { root } = parseJson(`[${numbers.join(',')}]`);
        const texts =
          root?.kind === 'array' ? root.items.map((item) => item.kind === 'number' && item.text) : [];
        expect(texts).toEqual(numbers);
      }),
    );
  });
});

/** Prints a value with odd spacing and notes line and column of each part, counting as it goes. */
function print(value: unknown, spaces: readonly string[]) {
  const places = new Map<string, { line: number; column: number }>();
  let text = '';
  let line = 1;
  let column = 1;
  let turn = 0;
  const put = (piece: string) => {
    for (const unit of piece.split('')) {
      column = unit === '\n' ? 1 : column + 1;
      line += unit === '\n' ? 1 : 0;
    }
    text += piece;
  };
  const space = () => put(spaces[turn++ % spaces.length]!);
  const visit = (part: unknown, pointer: string): void => {
    space();
    places.set(pointer, { line, column });
    if (typeof part !== 'object' || part === null) put(JSON.stringify(part));
    else {
      const isArray = Array.isArray(part);
      put(isArray ? '[' : '{');
      Object.entries(part).forEach(([key, child], index) => {
        if (index > 0) put(',');
        space();
        if (!isArray) put(`${JSON.stringify(key)}:`);
        visit(child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`);
        space();
      });
      put(isArray ? ']' : '}');
    }
  };
  visit(value, '');
  space();
  return { text, places };
}
