import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync, chmodSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { collect } from '../../src/cache/records/collect.ts';
import { writeEnvelope } from '../../src/cache/records/envelope.ts';
import { writeHotEntry } from '../../src/cache/hot/entry.ts';
import { sweepHot, verifyHot } from '../../src/cache/hot/directory.ts';
import { openStore } from '../../src/cache/open.ts';
import { closeStore } from '../../src/cache/tiers.ts';
import { readTrustedKeys } from '../../src/signature.ts';
import { verifyStore } from '../../src/cache/records/verify-store.ts';
import { damaged, keyOf, makeKey, makePair, makeRecords, mapStore } from './cache-records.ts';

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-upkeep-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('verifying a store', () => {
  it('finds nothing in a good one', async () => {
    expect(await verifyStore(mapStore(makeRecords(20)))).toEqual({ checked: 40, signed: 0, findings: [] });
  });

  it('finds what is damaged, moved, missing, of another kind, or no program', async () => {
    const [object, alias] = makePair(1);
    const [other, otherAlias] = makePair(2);
    const [third, thirdAlias] = makePair(3);
    const bytes = Buffer.from('{"not":"a program"}     ').toString('base64');
    const noProgram = { key: '', kind: 'object' as const, label: '', text: bytes };
    const reasons = async (...records: (typeof object)[]) =>
      new Map((await verifyStore(mapStore(records))).findings.map(({ key, reason }) => [key, reason]));
    const found = await reasons(
      { ...object, text: damaged(object.text) },
      alias,
      other,
      { ...otherAlias, key: keyOf('elsewhere') },
      thirdAlias,
      { ...third, key: keyOf('no digest') },
      { ...noProgram, key: 'no key' },
    );
    expect(Object.fromEntries(found)).toEqual({
      [object.key]: expect.stringContaining('program'),
      [alias.key]: 'it leads to an object that is not there, or is damaged',
      [keyOf('elsewhere')]: 'it belongs to another key',
      [thirdAlias.key]: 'it leads to an object that is not there, or is damaged',
      [keyOf('no digest')]: 'its program is not the one that it names',
      'no key': 'its key is none',
    });
    const key = keyOf('strange');
    const strange = { key, kind: 'alias' as const, label: '', text: writeEnvelope(key, { object: 7 }) };
    expect([...(await reasons(strange)).values()]).toEqual(['its content is not that of an alias']);
    const gone = mapStore([object], { get: async () => undefined });
    expect((await verifyStore(gone)).findings).toMatchObject([{ reason: 'it is not there' }]);
  });

  it('counts signatures, and finds false ones, if it is told whom to trust', async () => {
    const [mine, other] = [makeKey(), makeKey()];
    const forging = { id: mine.signer.id, sign: (bytes: Uint8Array) => other.signer.sign(bytes) };
    const [, forged] = makePair(3, forging);
    const store = mapStore([
      ...makePair(1, mine.signer),
      ...makePair(2, other.signer),
      makePair(3)[0],
      forged,
    ]);
    expect((await verifyStore(store)).findings).toEqual([]);
    expect(await verifyStore(store, readTrustedKeys([mine.publicPem]))).toEqual({
      checked: 6,
      signed: 1,
      findings: [{ key: forged.key, kind: 'alias', reason: 'its signature is wrong' }],
    });
  });

  it('does not count as use', async () => {
    const [object, alias] = makePair(1);
    const store = openStore(folder);
    for (const { key, text, ...info } of [object, alias]) await store.set(key, text, info);
    const { KeyvSqlite } = await import('@keyv/sqlite');
    const database = new KeyvSqlite({ uri: `sqlite://${join(folder, 'cache.sqlite')}`, table: 'filters' });
    await database.query('UPDATE records SET used = 1000');
    await database.close();
    expect(await verifyStore(store)).toMatchObject({ checked: 2, findings: [] });
    expect((await store.list()).map(({ used }) => used)).toEqual([1000, 1000]);
    await store.get(object.key);
    expect((await store.list()).filter(({ used }) => used === 1000)).toHaveLength(1);
    await closeStore(store);
  });

  it('rejects when the store does', async () => {
    const store = mapStore(makeRecords(1), { get: () => Promise.reject(new Error('lost')) });
    await expect(verifyStore(store)).rejects.toThrow('lost');
  });
});

describe('collecting', () => {
  it('removes aliases that lead nowhere, and objects that none leads to, but no young ones', async () => {
    const [[one, toOne], [two], [, toThree]] = [makePair(1), makePair(2), makePair(3)];
    const store = mapStore([one, toOne, two, toThree], { shared: true });
    expect(await collect(store, {})).toEqual({ exceeding: 0, dangling: 1, orphans: 1 });
    expect([...store.kept.keys()]).toEqual([one.key, toOne.key]);
    store.kept.set(two.key, { ...two, made: Date.now() - HOUR / 2 });
    expect(await collect(store, {})).toEqual({ exceeding: 0, dangling: 0, orphans: 0 });
  });

  it("leaves a shared store's objects that aliases of another version may lead to", async () => {
    const [[one], [two, toTwo]] = [makePair(1), makePair(2)];
    const records = [one, two, { ...toTwo, text: '{"format":99}' }];
    expect(await collect(mapStore(records, { shared: true }), {})).toMatchObject({ orphans: 0 });
    expect(await collect(mapStore(records), {})).toMatchObject({ orphans: 2 });
  });

  it('removes from a server the oldest, by when they were made', async () => {
    const records = [1, 2, 3, 4].map((number) => makePair(number)[0]);
    const filled = () => {
      const store = mapStore(records, { shared: true });
      records.forEach(({ key }, days) => (store.kept.get(key)!.made = Date.now() - days * DAY + HOUR));
      return store;
    };
    const aged = filled();
    expect(await collect(aged, { age: 2 * DAY })).toMatchObject({ exceeding: 1 });
    expect(aged.kept.has(records[3]!.key)).toBe(false);
    const full = filled();
    const { bytes } = (await full.list())[0]!;
    expect(await collect(full, { bytes: 4 * bytes })).toMatchObject({ exceeding: 0 });
    const fuller = filled();
    expect(await collect(fuller, { bytes: 2 * bytes })).toMatchObject({ exceeding: 3 });
  });

  it('shrinks a store of SQLite, and does not make its records used', async () => {
    const store = openStore(folder);
    for (const { key, text, kind, label } of makeRecords(4)) await store.set(key, text, { kind, label });
    const before = await store.list();
    expect(await collect(store, {})).toEqual({ exceeding: 0, dangling: 0, orphans: 0 });
    expect(await store.list()).toEqual(before);
    const { exceeding, dangling } = await collect(store, { bytes: 600 });
    expect(exceeding).toBeGreaterThan(0);
    expect((await store.list()).length).toBe(8 - exceeding - dangling);
    expect((await verifyStore(store)).findings).toEqual([]);
    await closeStore(store);
  });
});

describe.runIf(process.platform !== 'win32')('looking after hot answers', () => {
  const entry = () =>
    Buffer.from(
      writeHotEntry(
        { identity: 'words', file: null, diagnostics: '', summary: '', product: 'cHJvZHVjdA==' },
        'subject',
      ),
    );

  it('finds those that are damaged, cut off, or could be of others', () => {
    mkdirSync(join(folder, 'hot'), { mode: 0o700 });
    chmodSync(folder, 0o700);
    const put = (name: string, bytes: Uint8Array, mode = 0o600) => {
      writeFileSync(join(folder, 'hot', name), bytes);
      chmodSync(join(folder, 'hot', name), mode);
    };
    const bytes = entry();
    put('a', bytes);
    put('b', bytes.subarray(0, -1));
    put(
      'c',
      Uint8Array.from(bytes, (byte, index) => (index === 50 ? byte ^ 1 : byte)),
    );
    put('d', bytes, 0o666);
    put('.e.1-x', bytes.subarray(0, 5));
    expect(verifyHot(join(folder, 'hot'))).toEqual({
      checked: 4,
      findings: [
        { key: 'b', kind: 'hot', reason: 'it is damaged' },
        { key: 'c', kind: 'hot', reason: 'it is damaged' },
        { key: 'd', kind: 'hot', reason: expect.stringContaining('everybody can write to it') },
      ],
    });
    expect(verifyHot(join(folder, 'none'))).toEqual({ checked: 0, findings: [] });
  });

  it('removes what was left over, and what is old', () => {
    const hot = join(folder, 'hot');
    mkdirSync(hot);
    for (const [name, age] of [
      ['.old.1-a', 2 * HOUR],
      ['.new.1-a', 0],
      ['old', 3 * DAY],
      ['new', 0],
    ] as const) {
      writeFileSync(join(hot, name), entry());
      const time = (Date.now() - age) / 1000;
      utimesSync(join(hot, name), time, time);
    }
    expect(sweepHot(hot, 2 * DAY)).toEqual({ leftOver: 1, old: 1 });
    expect(readdirSync(hot).toSorted()).toEqual(['.new.1-a', 'new']);
    expect(sweepHot(join(folder, 'none'), 0)).toEqual({ leftOver: 0, old: 0 });
  });
});
