import { Keyv } from 'keyv';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { keyvStore } from '../../src/cache/stores/keyv-store.ts';
import { memoryStore } from '../../src/cache/stores/memory.ts';
import { describeStore } from '../stores/conformance.ts';

const INFO = { kind: 'object', label: '' } as const;
const DAY = 24 * 60 * 60 * 1000;

describeStore('the store in memory', {
  place: () => ({ open: () => memoryStore() }),
  tier: 'memory',
  shared: false,
  alone: true,
});

/** Keyv keeps what it is given in a Map where it is given no adapter. */
function mapsOfNamespaces() {
  const maps = new Map<string, Map<string, unknown>>();
  const mapOf = (namespace: string) => {
    const map = maps.get(namespace) ?? new Map<string, unknown>();
    maps.set(namespace, map);
    return map;
  };
  const open = () =>
    keyvStore({
      tier: 'map',
      location: 'here',
      keyv: (namespace) => new Keyv({ store: mapOf(namespace), namespace }),
    });
  return { open, mapOf };
}

describeStore('a store over a Keyv of the user', {
  place: mapsOfNamespaces,
  tier: 'map',
  shared: true,
});

describe('the store in memory', () => {
  it('forgets what was not used for longest', async () => {
    const store = memoryStore({ maxBytes: 10 });
    await store.set('a', 'aaaa', INFO);
    await store.set('b', 'ääbb', INFO);
    await store.get('a');
    await store.set('c', 'c', INFO);
    expect((await store.list()).map(({ key }) => key)).toEqual(['a', 'c']);
    await store.set('d', 'longer than all', INFO);
    expect(await store.get('d')).toBeUndefined();
    expect(await store.stats()).toMatchObject({ objects: 2, bytes: 5 });
  });
});

describe('the time of use', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['Date'], now: 1000 * DAY }));
  afterEach(() => vi.useRealTimers());

  it.each([
    ['in memory', () => memoryStore()],
    ['of a Keyv', () => mapsOfNamespaces().open()],
  ])('is written again after a day: %s', async (_, open) => {
    const store = open();
    const times = async () => (await store.list()).map(({ made, used }) => [made / DAY, used / DAY]);
    await store.set('a', 'x', INFO);
    vi.setSystemTime(1000.9 * DAY);
    await store.get('a');
    expect(await times()).toEqual([[1000, 1000]]);
    vi.setSystemTime(1001.5 * DAY);
    expect(await times()).toEqual([[1000, 1000]]);
    await store.get('a');
    expect(await times()).toEqual([[1000, 1001.5]]);
    vi.setSystemTime(1002 * DAY);
    await store.set('a', 'y', INFO);
    expect(await times()).toEqual([[1002, 1002]]);
  });
});

describe('a store over a Keyv', () => {
  it('mends a row without its record, and gives a record without its row', async () => {
    const { open, mapOf } = mapsOfNamespaces();
    const store = open();
    await store.set('a', 'x', INFO);
    mapOf('seccompc').clear();
    expect(await store.get('a')).toBeUndefined();
    await store.set('a', 'x', INFO);
    expect(await store.get('a')).toBe('x');
    mapOf('seccompc-index').clear();
    expect(await store.get('a')).toBe('x');
    expect(await store.list()).toEqual([]);
  });

  it('writes the row first, and removes the record first', async () => {
    const { open, mapOf } = mapsOfNamespaces();
    const store = open();
    vi.spyOn(mapOf('seccompc'), 'set').mockImplementation(() => {
      throw new Error('full');
    });
    await expect(store.set('a', 'x', INFO)).rejects.toThrow('full');
    expect([mapOf('seccompc').size, mapOf('seccompc-index').size]).toEqual([0, 1]);
    vi.restoreAllMocks();
    await store.set('a', 'x', INFO);
    vi.spyOn(mapOf('seccompc-index'), 'delete').mockImplementation(() => {
      throw new Error('away');
    });
    await expect(store.remove(['a'])).rejects.toThrow('away');
    expect([mapOf('seccompc').size, mapOf('seccompc-index').size]).toEqual([0, 1]);
  });

  it('takes what is there and no text for an empty one, and leaves a damaged row out', async () => {
    const { open, mapOf } = mapsOfNamespaces();
    const store = open();
    const wrong = ['', 'x', '{', 'null', '[]', '7', '"text"', '{"value":7}', '{"value":{"kind":"object"}}'];
    for (const [at, raw] of wrong.entries()) {
      mapOf('seccompc').set(`seccompc:${at}`, raw);
      mapOf('seccompc-index').set(`seccompc-index:${at}`, raw);
      expect([raw, await store.get(`${at}`)]).toEqual([raw, '']);
    }
    await store.set('good', 'x', INFO);
    expect((await store.list()).map(({ key }) => key)).toEqual(['good']);
    await store.clear();
    expect(await store.get('0')).toBeUndefined();
  });

  it('rejects where an adapter only says that it failed', async () => {
    const refusing = {
      get: async () => {},
      set: async () => false,
      delete: async () => false,
      clear: async () => {},
    };
    const store = keyvStore({
      tier: 'odd',
      location: 'here',
      keyv: (namespace) => new Keyv({ store: refusing, namespace }),
    });
    await expect(store.set('a', 'x', INFO)).rejects.toThrow(/did not take/);
    await expect(store.list()).rejects.toThrow(/odd cannot list/);
  });
});
