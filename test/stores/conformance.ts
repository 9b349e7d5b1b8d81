/** What every store has to do, as one set of cases. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CacheStore, RecordInfo } from '../../src/cache/stores/store.ts';
import { runs } from '../runs.ts';

/** Where records are kept: empty when a case begins. */
export interface Place {
  /** A store at this place, one more at each call. */
  open(): CacheStore;
  /** Data of others in the same file or server, which no store may touch. */
  foreign?: { put(): Promise<void>; get(): Promise<unknown> };
  end?(): Promise<void> | void;
}

export interface StoreCases {
  /** A new empty place, asked for before each case. */
  place(): Promise<Place> | Place;
  tier: string;
  shared: boolean;
  /** Nobody else can see what a store holds. */
  alone?: boolean;
  /** Every record takes several requests: hundreds are many. */
  slow?: boolean;
}

const OBJECT: RecordInfo = { kind: 'object', label: 'x86_64, 176 instructions' };
const ALIAS: RecordInfo = { kind: 'alias', label: 'profile "default.json" \u{1f600} \'; --' };
const EMPTY = { aliases: 0, objects: 0, bytes: 0, oldest: null, leastUsed: null };

/** 64 hex digits that end in a number. */
const keyOf = (number: number) => number.toString(16).padStart(64, '0');
const KEY = keyOf(0xabc);

/**
 * Texts that have gone wrong somewhere: quotes, escapes, forms that Keyv gives a meaning, and
 * everything beyond ASCII.
 */
const TEXTS: Record<string, string> = {
  empty: '',
  json: '{"format":1,"body":"{\\"bytes\\":\\"AAAA\\"}"}',
  'quotes and statements': `'"\`\\ \\u0000 \${x} '); DROP TABLE filters; --`,
  'lines and controls': 'a\r\nb\tc\u0001\u001f\u007f\u2028',
  'a NUL': 'before\u0000after',
  unicode: 'äß\u0301 \u{1f600} \u{10ffff} \ufeff \uffff',
  'an unpaired surrogate': 'a\ud800b',
  'what Keyv takes for bytes': ':base64:AAAA',
  'a leading colon': '::x',
  null: 'null',
  'a mebibyte': 'é0"\\'.repeat(2 ** 18).slice(0, 2 ** 20),
};

export function describeStore(name: string, cases: StoreCases): void {
  describe(`as every store, ${name}`, () => {
    let place: Place;
    let opened: CacheStore[];
    const unhandled: unknown[] = [];
    const note = (cause: unknown) => void unhandled.push(cause);
    beforeEach(async () => {
      place = await cases.place();
      opened = [];
      for (const event of ['unhandledRejection', 'uncaughtException', 'warning']) process.on(event, note);
    });
    afterEach(async () => {
      for (const store of opened) await store.close().catch(() => {});
      await place.end?.();
      // Node tells of an unhandled rejection after the microtasks.
      await new Promise(setImmediate);
      for (const event of ['unhandledRejection', 'uncaughtException', 'warning']) process.off(event, note);
      expect(unhandled.splice(0)).toEqual([]);
    });

    function open(): CacheStore {
      const store = place.open();
      opened.push(store);
      return store;
    }

    it('says what it is', () => {
      const { tier, shared, location } = open();
      expect({ tier, shared }).toEqual({ tier: cases.tier, shared: cases.shared });
      expect(location).not.toBe('');
    });

    it('is empty at first', async () => {
      const store = open();
      expect(await store.get(KEY)).toBeUndefined();
      expect(await store.list()).toEqual([]);
      expect(await store.stats()).toEqual(EMPTY);
    });

    it.each(Object.entries(TEXTS))('gives back what was set: %s', async (_, text) => {
      const store = open();
      await store.set(KEY, text, OBJECT);
      expect((await store.get(KEY)) === text).toBe(true);
      expect(await store.list()).toMatchObject([{ key: KEY, ...OBJECT, bytes: Buffer.byteLength(text) }]);
    });

    it('takes a second text in the place of the first', async () => {
      const store = open();
      await store.set(KEY, 'one', OBJECT);
      await store.set(KEY, 'zweiundzwanzig', ALIAS);
      expect(await store.get(KEY)).toBe('zweiundzwanzig');
      expect(await store.list()).toMatchObject([{ key: KEY, ...ALIAS, bytes: 14 }]);
      expect(await store.stats()).toMatchObject({ aliases: 1, objects: 0, bytes: 14 });
    });

    it('lists by key, with what is known of each', async () => {
      const store = open();
      const before = Date.now();
      for (const number of [0xf0, 0x9, 0xa, 0x10, 0x0]) {
        const info = number % 2 === 1 ? ALIAS : OBJECT;
        await store.set(keyOf(number), 'ü'.repeat(number), info);
      }
      const after = Date.now();
      const list = await store.list();
      expect(list).toMatchObject([
        { key: keyOf(0x0), ...OBJECT, bytes: 0 },
        { key: keyOf(0x9), ...ALIAS, bytes: 18 },
        { key: keyOf(0xa), ...OBJECT, bytes: 20 },
        { key: keyOf(0x10), ...OBJECT, bytes: 32 },
        { key: keyOf(0xf0), ...OBJECT, bytes: 480 },
      ]);
      for (const row of list) {
        expect(Object.keys(row).toSorted()).toEqual(['bytes', 'key', 'kind', 'label', 'made', 'used']);
        expect(row.made).toBeGreaterThanOrEqual(before);
        expect(row.made).toBeLessThanOrEqual(after);
        expect(row.used).toBeGreaterThanOrEqual(row.made);
      }
    });

    it('sums up what it lists', async () => {
      const store = open();
      for (let number = 0; number < 5; number += 1)
        await store.set(keyOf(number), 'x'.repeat(100 + number), number < 2 ? ALIAS : OBJECT);
      const list = await store.list();
      expect(await store.stats()).toEqual({
        aliases: 2,
        objects: 3,
        bytes: 510,
        oldest: Math.min(...list.map(({ made }) => made)),
        leastUsed: Math.min(...list.map(({ used }) => used)),
      });
    });

    it('removes what it is told to, there or not', async () => {
      const store = open();
      for (let number = 0; number < 4; number += 1) await store.set(keyOf(number), `${number}`, OBJECT);
      await store.remove([]);
      await store.remove([keyOf(77)]);
      await store.remove([keyOf(1), keyOf(78), keyOf(3)]);
      await store.remove([keyOf(1)]);
      expect((await store.list()).map(({ key }) => key)).toEqual([keyOf(0), keyOf(2)]);
      expect(await store.get(keyOf(1))).toBeUndefined();
      expect(await store.get(keyOf(2))).toBe('2');
      await store.set(keyOf(1), 'again', OBJECT);
      expect(await store.get(keyOf(1))).toBe('again');
    });

    it('forgets everything of its own, and nothing of others', async () => {
      await place.foreign?.put();
      const store = open();
      await store.clear();
      for (let number = 0; number < 20; number += 1) await store.set(keyOf(number), `${number}`, OBJECT);
      expect(await store.list()).toHaveLength(20);
      const before = await place.foreign?.get();
      await store.clear();
      expect(await store.get(keyOf(7))).toBeUndefined();
      expect(await store.list()).toEqual([]);
      expect(await store.stats()).toEqual(EMPTY);
      expect(await place.foreign?.get()).toEqual(before);
      await store.set(KEY, 'after', OBJECT);
      expect(await store.get(KEY)).toBe('after');
    });

    it('keeps keys apart that look alike', async () => {
      const keys = [
        KEY,
        KEY.toUpperCase(),
        KEY.slice(1),
        `${KEY}0`,
        KEY.replace('0', '%'),
        KEY.replace('0', '*'),
      ];
      const store = open();
      for (const key of keys) await store.set(key, `of ${key}`, OBJECT);
      for (const key of keys) expect(await store.get(key)).toBe(`of ${key}`);
      expect((await store.list()).map(({ key }) => key)).toEqual(keys.toSorted());
      await store.remove([KEY.replace('0', '%'), KEY.replace('0', '*')]);
      expect(await store.get(KEY)).toBe(`of ${KEY}`);
      expect(await store.list()).toHaveLength(4);
    });

    it('takes many writes at once', async () => {
      const store = open();
      const numbers = Array.from({ length: 50 }, (_, number) => number);
      await Promise.all([
        ...numbers.map((number) => store.set(keyOf(number), `${number}`, OBJECT)),
        ...numbers.map(() => store.set(KEY, 'the same', ALIAS)),
        ...numbers.map((number) => store.get(keyOf(number))),
      ]);
      const texts = await Promise.all(numbers.map((number) => store.get(keyOf(number))));
      expect(texts).toEqual(numbers.map(String));
      expect(await store.get(KEY)).toBe('the same');
      expect(await store.stats()).toMatchObject({ aliases: 1, objects: 50 });
    });

    it('keeps one of the texts that are set under one key at once', async () => {
      const store = open();
      const texts = Array.from({ length: 20 }, (_, number) => `${number}`.repeat(1000));
      await Promise.all(texts.map((text) => store.set(KEY, text, OBJECT)));
      expect(texts).toContain(await store.get(KEY));
      expect(await store.list()).toHaveLength(1);
    });

    it.skipIf(cases.alone)('shows one instance what another one did', async () => {
      const [one, other] = [open(), open()];
      await Promise.all([one.get(KEY), other.get(KEY)]);
      await one.set(KEY, 'of one', OBJECT);
      expect(await other.get(KEY)).toBe('of one');
      expect(await other.list()).toEqual(await one.list());
      await other.set(KEY, 'of the other', ALIAS);
      expect(await one.get(KEY)).toBe('of the other');
      await one.remove([KEY]);
      expect(await other.get(KEY)).toBeUndefined();
      await one.close();
      await other.set(KEY, 'still open', OBJECT);
      await other.clear();
      expect(await open().list()).toEqual([]);
    });

    it.skipIf(cases.alone)('keeps what it has beyond its closing', async () => {
      const store = open();
      await store.set(KEY, 'kept', OBJECT);
      await store.close();
      const next = open();
      expect(await next.get(KEY)).toBe('kept');
      expect(await next.list()).toMatchObject([{ key: KEY, ...OBJECT }]);
    });

    it('may be closed unused, twice, and used again or not', async () => {
      const store = open();
      await store.close();
      await store.close();
      await store.set(KEY, 'x', OBJECT).catch(() => {});
      await Promise.all([store.close(), store.close()]);
      const answer = await store.get(KEY).catch(() => 'x');
      expect(answer).toBe('x');
      await store.close();
    });

    it('may be closed while it is asked', async () => {
      const store = open();
      const asked = Promise.allSettled([store.get(KEY), store.set(KEY, 'x', OBJECT), store.list()]);
      await store.close();
      expect(await asked).toHaveLength(3);
    });

    it('lists thousands, and what it lists can be removed at once', async () => {
      const store = open();
      const count = cases.slow ? runs(100, 300) : runs(2000, 10_000);
      const numbers = Array.from({ length: count }, (_, number) => number);
      for (let at = 0; at < numbers.length; at += 500)
        await Promise.all(numbers.slice(at, at + 500).map((n) => store.set(keyOf(n), `${n}`, OBJECT)));
      const list = await store.list();
      expect(list.map(({ key }) => key)).toEqual(numbers.map(keyOf));
      expect(await store.stats()).toMatchObject({ objects: count, bytes: numbers.join('').length });
      await store.remove(list.map(({ key }) => key));
      expect(await store.list()).toEqual([]);
    });
  });
}
