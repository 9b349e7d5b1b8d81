import { describe, expect, it } from 'vitest';
import { Bdd, FALSE, TRUE, Undecided } from '../../src/prove/bdd/bdd.ts';
import { fingerprintBytes } from '../../src/prove/bdd/fingerprint.ts';
import { argWord, dataOf, variableOf, wordAt, wordsOf } from '../../src/prove/bdd/input-words.ts';
import { interleavedSpace } from '../../src/prove/bdd/space.ts';

const [a, b, c] = [variableOf(0, 31), variableOf(1, 7), variableOf(13, 0)];

/** The sixteen words in which exactly these variables are 1. */
function wordsWith(...variables: number[]): Uint32Array {
  const words = new Uint32Array(16);
  for (const variable of variables) words[variable >>> 5]! += 2 ** (31 - (variable & 31));
  return words;
}

/**
 * A function that tells 3000 numbers apart by bits of several words: larger than the first tables.
 */
function largeFunction(d: Bdd): number {
  let node = FALSE;
  for (let value = 0; value < 3000; value++) {
    let cube = TRUE;
    for (let bit = 11; bit >= 0; bit--) {
      const x = d.variable(variableOf(2 + (bit & 7), bit));
      cube = d.and(cube, (value >>> bit) & 1 ? x : d.not(x));
    }
    node = d.ite(cube, d.terminal(Math.imul(value, 0x9e3779b1) >>> 0), node);
  }
  return node;
}

describe('Bdd', () => {
  it('gives one function one node, however it is built', () => {
    const d = new Bdd();
    const [x, y, z] = [d.variable(a), d.variable(b), d.variable(c)];
    expect(d.not(d.and(x, y))).toBe(d.or(d.not(x), d.not(y)));
    expect(d.xor(x, d.xor(y, z))).toBe(d.xor(z, d.xor(x, y)));
    expect(d.ite(x, y, z)).toBe(d.or(d.and(x, y), d.and(d.not(x), z)));
    expect(d.or(x, d.not(x))).toBe(TRUE);
    expect(d.and(y, d.not(y))).toBe(FALSE);
    expect(d.not(d.not(z))).toBe(z);
  });

  it('agrees with a truth table', () => {
    const d = new Bdd();
    const [x, y, z] = [d.variable(a), d.variable(b), d.variable(c)];
    const node = d.ite(d.xor(x, y), d.terminal(0x7fff0000), d.ite(z, d.terminal(0x50001), d.terminal(0)));
    for (let row = 0; row < 8; row++) {
      const set = [a, b, c].filter((_, index) => (row >>> index) & 1);
      const expected = set.includes(a) !== set.includes(b) ? 0x7fff0000 : set.includes(c) ? 0x50001 : 0;
      expect(d.evaluate(node, wordsWith(...set))).toBe(expected);
    }
  });

  it('makes steps over a word', () => {
    const d = new Bdd();
    const inner = d.ite(d.variable(c), d.terminal(8), d.terminal(9));
    const starts = [0, 1, 5, 6, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];
    const nodes = [7, 8, 7, 9, 10, 7, 8, 9].map((value, index) => (index === 2 ? inner : d.terminal(value)));
    const steps = d.steps(variableOf(1, 31), { starts, nodes });
    for (const value of starts.flatMap((start) => [start, (start - 1) >>> 0, (start + 1) >>> 0])) {
      const words = wordsWith(c);
      words[1] = value;
      const at = starts.findLastIndex((start) => start <= value);
      expect(d.evaluate(steps, words)).toBe(d.evaluate(nodes[at]!, words));
    }
    // Every function has one node, so steps that change nothing leave none behind.
    expect(d.steps(variableOf(1, 31), { starts: [0, 3, 9], nodes: [inner, inner, inner] })).toBe(inner);
  });

  it('keeps values of all 32 bits', () => {
    const d = new Bdd();
    for (const value of [0, 1, 0x7fff0000, 0x80000000, 0xffffffff]) {
      expect(d.valueOf(d.terminal(value))).toBe(value);
      expect(d.terminal(value)).toBe(d.terminal(value));
    }
  });

  it('stays canonical while its tables grow', () => {
    const d = new Bdd();
    const first = largeFunction(d);
    expect(d.size).toBeGreaterThan(1 << 14);
    expect(largeFunction(d)).toBe(first);
  });

  it('gives up when the budget is used up, in nodes and in steps', () => {
    const d = new Bdd({ nodeBudget: 200 });
    const pairs = () => {
      let node = FALSE;
      for (let bit = 0; bit < 32; bit++)
        node = d.or(node, d.and(d.variable(variableOf(3, bit)), d.variable(variableOf(5, bit))));
      return node;
    };
    expect(pairs).toThrow(Undecided);
    expect(pairs).toThrow('more than 200 nodes');
  });
});

describe('fingerprintBytes', () => {
  it('depends on the function alone', () => {
    const one = new Bdd();
    const x = one.variable(a);
    const first = one.ite(one.and(x, one.variable(c)), one.terminal(7), one.terminal(9));
    const other = new Bdd();
    for (let bit = 0; bit < 32; bit++) other.xor(other.variable(variableOf(9, bit)), other.variable(b));
    const notBoth = other.or(other.not(other.variable(c)), other.not(other.variable(a)));
    const second = other.ite(notBoth, other.terminal(9), other.terminal(7));
    expect(fingerprintBytes(other, second)).toEqual(fingerprintBytes(one, first));
    expect(fingerprintBytes(other, notBoth)).not.toEqual(fingerprintBytes(one, first));
  });

  it('has the documented form', () => {
    const d = new Bdd();
    const bytes = fingerprintBytes(d, d.ite(d.variable(33), d.terminal(0x7fff0000), d.terminal(5)));
    const words = [...new Uint32Array(bytes.buffer)];
    expect(words).toEqual([1, 0xffffffff, 5, 0, 0xffffffff, 0x7fff0000, 0, 33, 0, 1]);
  });
});

describe('the input', () => {
  it('is sixteen words in either byte order', () => {
    expect([0, 4, 8, 12, 16, 20, 56, 60].map((at) => wordAt(at, 'little'))).toEqual([
      1, 0, 15, 14, 3, 2, 13, 12,
    ]);
    expect([0, 4, 8, 12, 16, 20, 56, 60].map((at) => wordAt(at, 'big'))).toEqual([
      1, 0, 14, 15, 2, 3, 12, 13,
    ]);
  });

  it('survives the way to words and back', () => {
    const data = {
      nr: 0xffffffff,
      arch: 0xc000003e,
      ip: 0x7fff_0123_4567_89abn,
      args: [0n, 1n, 0xffff_ffff_ffff_ffffn, 1n << 63n, 1n << 32n, 0xdead_beefn],
    };
    expect(dataOf(wordsOf(data))).toEqual(data);
    expect(wordsOf(data)[argWord(4, 'high')]).toBe(1);
    expect(wordsOf(data)[argWord(5, 'low')]).toBe(0xdeadbeef);
  });
});

describe('interleavedSpace', () => {
  it('has every variable once, arch and nr first, and tested bits of a group side by side', () => {
    const groups = [
      new Map([
        [3, 0x80000001],
        [5, 0x80000000],
      ]),
      new Map([
        [9, 0xff],
        [3, 1],
      ]),
    ];
    const { bdd } = interleavedSpace(undefined, groups);
    const levels = Array.from({ length: 512 }, (_, variable) => bdd.levelOf(bdd.variable(variable)));
    expect(levels.toSorted((x, y) => x - y)).toEqual(Array.from({ length: 512 }, (_, level) => level));
    expect(levels.slice(0, 64)).toEqual(Array.from({ length: 64 }, (_, level) => level));
    const wanted = [variableOf(3, 31), variableOf(5, 31), variableOf(3, 0), variableOf(9, 7)];
    expect(wanted.map((variable) => levels[variable])).toEqual([64, 65, 66, 67]);
    expect(bdd.variableOf(bdd.variable(variableOf(9, 7)))).toBe(variableOf(9, 7));
  });
});
