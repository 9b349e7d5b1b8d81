import { describe, expect, it } from 'vitest';
import { openEnvelope } from '../../src/cache/records/envelope.ts';
import { readTrustedKeys } from '../../src/signature.ts';
import { mustBeSigned, transfer } from '../../src/cache/records/transfer.ts';
import { damaged, makeKey, makePair, makeRecords, mapStore } from './cache-records.ts';

const ALL = { signedOnly: false };

describe('a transfer', () => {
  it('sends what is missing, and in a second run nothing', async () => {
    const records = makeRecords(500);
    const from = mapStore(records);
    const to = mapStore(records.filter((_, index) => index % 4 < 2));
    expect(await transfer(from, to, ALL)).toEqual({ sent: 500, present: 500, unsigned: 0, refused: [] });
    expect(await to.list()).toEqual(await from.list());
    expect(await transfer(from, to, ALL)).toEqual({ sent: 0, present: 1000, unsigned: 0, refused: [] });
  });

  it('sends no alias before its object', async () => {
    const to = mapStore([], {
      set: async (key, text, info) => {
        await new Promise((resolve) => setImmediate(resolve));
        const opened = info.kind === 'alias' ? openEnvelope(text, key) : undefined;
        const { object } = (opened as { body: { object: string } } | undefined)?.body ?? {};
        if (object !== undefined) expect([...to.kept.keys()]).toContain(object);
        to.kept.set(key, { key, text, ...info, made: 0 });
      },
    });
    expect(await transfer(mapStore(makeRecords(20)), to, ALL)).toMatchObject({ sent: 40 });
  });

  it('keeps eight records under way, and no more', async () => {
    let underWay = 0;
    let most = 0;
    const to = mapStore([], {
      set: async (key, text, info) => {
        most = Math.max(most, (underWay += 1));
        await new Promise((resolve) => setImmediate(resolve));
        underWay -= 1;
        to.kept.set(key, { key, text, ...info, made: 0 });
      },
    });
    const seen: number[] = [];
    const progress = (done: number, total: number) => seen.push(done / total);
    await transfer(mapStore(makeRecords(30)), to, { ...ALL, progress });
    expect(most).toBe(8);
    expect(seen).toEqual(Array.from({ length: 60 }, (_, index) => (index + 1) / 60));
  });

  it('asks without counting as use, where the store can tell', async () => {
    const from = mapStore(makeRecords(2), {
      get: () => Promise.reject(new Error('used')),
      peek: async (key) => from.kept.get(key)?.text,
    });
    expect(await transfer(from, mapStore(), ALL)).toMatchObject({ sent: 4 });
  });
});

describe('a transfer that breaks off', () => {
  it('in the destination says how much was sent, and the next run sends the rest', async () => {
    const from = mapStore(makeRecords(500));
    let left = 700;
    const to = mapStore([], {
      set: async (key, text, info) => {
        if ((left -= 1) < 0) throw new Error('connection lost');
        to.kept.set(key, { key, text, ...info, made: 0 });
      },
    });
    const broken = await transfer(from, to, ALL);
    expect(broken).toMatchObject({
      sent: 700,
      fault: { side: 'destination', cause: new Error('connection lost') },
    });
    left = Infinity;
    expect(await transfer(from, to, ALL)).toEqual({ sent: 300, present: 700, unsigned: 0, refused: [] });
  });

  it('in the source, or before there was a list', async () => {
    let left = 5;
    const from = mapStore(makeRecords(10), {
      get: async (key) => ((left -= 1) < 0 ? Promise.reject(new Error('gone')) : from.kept.get(key)?.text),
    });
    expect(await transfer(from, mapStore(), ALL)).toMatchObject({ sent: 5, fault: { side: 'source' } });
    const silent = mapStore([], { list: () => Promise.reject(new Error('no list')) });
    expect(await transfer(mapStore(makeRecords(1)), silent, ALL)).toMatchObject({
      sent: 0,
      fault: { side: 'destination', cause: new Error('no list') },
    });
  });

  it('as the destination damages what it gets: that is not there in the next run', async () => {
    const from = mapStore(makeRecords(3));
    let damage = true;
    const to = mapStore([], {
      set: async (key, text, info) =>
        void to.kept.set(key, { key, text: damage ? damaged(text) : text, ...info, made: 0 }),
    });
    const broken = await transfer(from, to, ALL);
    expect(broken).toMatchObject({ sent: 0, fault: { side: 'destination' } });
    expect(to.kept.size).toBe(0);
    damage = false;
    expect(await transfer(from, to, ALL)).toMatchObject({ sent: 6, present: 0 });
  });

  it('as the destination keeps nothing', async () => {
    const to = mapStore([], { set: async () => {} });
    const { fault } = await transfer(mapStore(makeRecords(1)), to, ALL);
    expect(String(fault?.cause)).toContain('it is not there');
  });
});

describe('a transfer leaves out', () => {
  it('what is damaged, and the alias of what is damaged', async () => {
    const [object, alias] = makePair(1);
    const [other, otherAlias] = makePair(2);
    const from = mapStore([
      { ...object, text: damaged(object.text) },
      alias,
      other,
      { ...otherAlias, text: damaged(otherAlias.text) },
    ]);
    const to = mapStore();
    const { sent, refused } = await transfer(from, to, ALL);
    expect(sent).toBe(1);
    expect([...to.kept.keys()]).toEqual([other.key]);
    const reasons = new Map(refused.map(({ key, reason }) => [key, reason]));
    expect(reasons.get(object.key)).toMatch(/program/);
    expect(reasons.get(alias.key)).toBe('it leads to an object that is not there');
    expect(reasons.has(otherAlias.key)).toBe(true);
  });

  it('what a foreign list calls by another kind, or by no key', async () => {
    const [object, alias] = makePair(1);
    const from = mapStore([
      { ...alias, kind: 'object' },
      { ...object, key: 'short' },
    ]);
    expect(await transfer(from, mapStore(), ALL)).toMatchObject({ sent: 0, refused: [{}, {}] });
  });

  it('aliases that no trusted key has signed, if so told', async () => {
    const [mine, stranger] = [makeKey(), makeKey()];
    const trusted = readTrustedKeys([mine.publicPem]);
    const [object, alias] = makePair(1, mine.signer);
    const [, unsigned] = makePair(2);
    const [, strange] = makePair(3, stranger.signer);
    const [, forged] = makePair(4, { id: mine.signer.id, sign: (bytes) => stranger.signer.sign(bytes) });
    const from = mapStore([object, alias, unsigned, strange, forged, makePair(2)[0], makePair(3)[0]]);
    const to = mapStore();
    const result = await transfer(from, to, { signedOnly: true, trusted });
    expect(result).toMatchObject({ sent: 4, unsigned: 2 });
    expect(result.refused).toEqual([{ key: forged.key, reason: 'its signature is wrong' }]);
    expect(to.kept.has(alias.key)).toBe(true);
    const untrusting = await transfer(from, mapStore(), { signedOnly: true });
    expect(untrusting).toMatchObject({ sent: 3, unsigned: 4 });
  });
});

it("must have signatures where the word of others would become one's own", () => {
  const [own, shared] = [{ shared: false }, { shared: true }];
  for (const into of ['own', 'shared', 'file'] as const)
    for (const signs of [false, true]) {
      expect(mustBeSigned(own, into, signs)).toBe(false);
      expect(mustBeSigned(shared, into, signs)).toBe(into === 'own' || signs);
    }
});

describe('a transfer that signs', () => {
  it('gives every alias its signature, and changes nothing else', async () => {
    const { signer, publicPem } = makeKey();
    const trusted = readTrustedKeys([publicPem]);
    const from = mapStore([...makePair(1), ...makePair(2, makeKey().signer)]);
    const to = mapStore();
    await transfer(from, to, { ...ALL, signer });
    for (const { key, kind, text } of to.kept.values()) {
      if (kind === 'object') expect(text).toBe(from.kept.get(key)?.text);
      else {
        const { body } = openEnvelope(from.kept.get(key)!.text, key) as { body: unknown };
        expect(openEnvelope(text, key, trusted)).toEqual({ body, signed: true, by: signer.id });
      }
    }
  });
});

it('makes one line of a label', async () => {
  const [object] = makePair(1);
  const to = mapStore();
  await transfer(mapStore([{ ...object, label: `a\n\u001b[31mb${'x'.repeat(300)}` }]), to, ALL);
  expect(to.kept.get(object.key)?.label).toMatch(/^a {2}\[31mbx{192}$/);
});
