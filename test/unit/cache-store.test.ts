import { spawn } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DeadlinePassed, withDeadline } from '../../src/cache/stores/deadline.ts';
import { userCacheFolder } from '../../src/cache/location.ts';
import { openStore } from '../../src/cache/open.ts';
import { CacheFault } from '../../src/cache/stores/store.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { SeccompcError } from '../../src/errors.ts';
import { sqliteStore } from '../../src/cache/stores/sqlite.ts';
import { describeStore } from '../stores/conformance.ts';

const KEY = '0f'.repeat(32);
const INFO = { kind: 'object', label: 'a label' } as const;
const onPosix = process.platform !== 'win32';

let folder: string;
let open: CacheStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-cache-'));
  open = [];
});
afterEach(async () => {
  vi.useRealTimers();
  for (const store of open) await store.close().catch(() => {});
  rmSync(folder, { recursive: true, force: true });
});

function storeAt(location: string): CacheStore {
  const store = openStore(location);
  open.push(store);
  return store;
}

async function faultOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no fault',
    (error: unknown) => (error instanceof CacheFault ? error.diagnostic.code : error),
  );
}

const NOTHING = { aliases: 0, objects: 0, bytes: 0, oldest: null, leastUsed: null };

describeStore('the SQLite store, as every store,', {
  place: () => {
    const own = mkdtempSync(join(tmpdir(), 'seccompc-cache-'));
    return {
      open: () => sqliteStore(join(own, 'cache.sqlite')),
      end: () => rmSync(own, { recursive: true, force: true }),
    };
  },
  tier: 'sqlite',
  shared: false,
});

describe('the SQLite store', () => {
  it('gives back what was set, also to the next process', async () => {
    const first = storeAt(join(folder, 'deep', 'cache'));
    expect(await first.get(KEY)).toBeUndefined();
    await first.set(KEY, 'one', INFO);
    await first.set(KEY, 'two "quoted" \u{1f600}', INFO);
    await first.close();
    const second = storeAt(join(folder, 'deep', 'cache'));
    expect(await second.get(KEY)).toBe('two "quoted" \u{1f600}');
    expect(await second.get(KEY.toUpperCase())).toBeUndefined();
  });

  it('counts and forgets its entries', async () => {
    const store = storeAt(folder);
    await store.set(KEY, 'x'.repeat(1000), INFO);
    await store.set(`${KEY}2`, 'y', INFO);
    expect(await store.stats()).toMatchObject({ aliases: 0, objects: 2 });
    expect((await store.stats()).bytes).toBeGreaterThan(1000);
    await store.clear();
    expect(await store.stats()).toEqual(NOTHING);
    expect(await store.get(KEY)).toBeUndefined();
  });

  it('forgets what was not used for longest when it has too much, and what nobody used for too long', async () => {
    const file = join(folder, 'small.sqlite');
    const small = sqliteStore(file, { bytes: 10_000, age: Infinity });
    open.push(small);
    const keys = Array.from({ length: 12 }, (_, index) => `${index}`.padStart(64, '0'));
    vi.useFakeTimers({ toFake: ['Date'] });
    for (const key of keys) {
      await small.set(key, 'x'.repeat(1000), INFO);
      // So that there is an order.
      vi.setSystemTime(Date.now() + 1);
    }
    const kept = (await small.list()).map(({ key }) => key);
    expect(kept).toEqual(keys.slice(-kept.length));
    expect(kept.length).toBeGreaterThanOrEqual(7);
    expect((await small.stats()).bytes).toBeLessThanOrEqual(10_000);
    expect(await small.get(keys[0]!)).toBeUndefined();
    expect(await small.shrink({ bytes: Infinity, age: -1000 })).toBe(kept.length);
    expect(await small.stats()).toEqual(NOTHING);
  });

  it('compares itself with its limits only when a 64th of them was written, also by another process', async () => {
    const file = join(folder, 'counted.sqlite');
    const few = sqliteStore(file, { bytes: Infinity, age: Infinity, records: 128 });
    open.push(few);
    const counts: number[] = [];
    for (let index = 0; index < 134; index += 1) {
      await few.set(`${index}`.padStart(64, '0'), 'x', INFO);
      if (index >= 126) counts.push((await few.stats()).objects);
    }
    expect(counts).toEqual([127, 128, 129, 96, 97, 98, 99, 100]);
    const next = sqliteStore(file, { bytes: Infinity, age: Infinity, records: 64 });
    open.push(next);
    await next.set(KEY, 'x', INFO);
    expect((await next.stats()).objects).toBe(48);
  });

  it('clears away texts of which it knows nothing, and rows without a text', async () => {
    const { KeyvSqlite } = await import('@keyv/sqlite');
    const store = sqliteStore(join(folder, 'strays.sqlite'));
    open.push(store);
    for (const name of ['a', 'b', 'c']) await store.set(name.repeat(64), name, INFO);
    const other = new KeyvSqlite({ uri: `sqlite://${store.location}`, table: 'filters' });
    await other.query(`DELETE FROM filters WHERE key LIKE '%aaa'`);
    await other.query(`DELETE FROM records WHERE key LIKE '%bbb'`);
    await other.close();
    expect(await store.shrink({ bytes: Infinity, age: Infinity })).toBe(2);
    expect((await store.list()).map(({ key }) => key)).toEqual(['c'.repeat(64)]);
    expect(await store.get('b'.repeat(64))).toBeUndefined();
  });

  it.runIf(onPosix)('closes its folder and its files to others', async () => {
    const store = storeAt(join(folder, 'cache'));
    await store.set(KEY, 'x', INFO);
    expect(lstatSync(join(folder, 'cache')).mode & 0o777).toBe(0o700);
    const modes = ['', '-wal', '-shm'].map((suffix) => lstatSync(`${store.location}${suffix}`).mode & 0o777);
    expect(modes).toEqual([0o600, 0o600, 0o600]);
  });

  it('rejects, and does not end the process, where the file is no database; clear starts a new one', async () => {
    const store = storeAt(folder);
    writeFileSync(store.location, 'this is no database, but something much longer than a header'.repeat(40), {
      mode: 0o600,
    });
    await expect(store.get(KEY)).rejects.toThrow(/not a database/);
    const again = storeAt(folder);
    await again.clear();
    await again.set(KEY, 'new', INFO);
    expect(await again.get(KEY)).toBe('new');
  });

  it('rejects where the file is cut off', async () => {
    const store = storeAt(folder);
    for (let index = 0; index < 20; index += 1) await store.set(`${KEY}${index}`, 'x'.repeat(5000), INFO);
    await store.close();
    const { size } = lstatSync(store.location);
    for (const suffix of ['-wal', '-shm']) rmSync(`${store.location}${suffix}`, { force: true });
    truncateSync(store.location, size - 8192);
    const damaged = storeAt(folder);
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => damaged.get(`${KEY}${index}`)),
    );
    expect(answers.some(({ status }) => status === 'rejected')).toBe(true);
    const given = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : undefined));
    expect(given.filter((text) => text !== undefined && text !== 'x'.repeat(5000))).toEqual([]);
  });

  it('rejects where a folder cannot be made', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(storeAt(join(folder, 'file', 'cache')).get(KEY)).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  it('takes the writes of eight processes that find no cache yet', async () => {
    const script = `
      import { openStore } from ${JSON.stringify(new URL('../../dist/cache/index.js', import.meta.url).href)};
      const store = openStore(${JSON.stringify(folder)});
      const key = process.argv[1];
      await store.get(key);
      await store.set(key, 'of ' + key, { kind: 'alias', label: '' });
      await store.close();`;
    const codes = await Promise.all(
      Array.from(
        { length: 8 },
        (_, index) =>
          new Promise((resolve) =>
            spawn(process.execPath, ['--input-type=module', '-e', script, `key${index}`], {
              stdio: ['ignore', 'ignore', 'inherit'],
            }).on('exit', resolve),
          ),
      ),
    );
    expect(codes).toEqual(Array.from({ length: 8 }, () => 0));
    const store = storeAt(folder);
    for (let index = 0; index < 8; index += 1) expect(await store.get(`key${index}`)).toBe(`of key${index}`);
  });
});

describe.runIf(onPosix)('a place where others could put a filter is refused', () => {
  const UNSAFE = 'CACHE_FOLDER_UNSAFE';

  it('if the folder can be written by group or world', async () => {
    for (const mode of [0o770, 0o720, 0o702, 0o777]) {
      chmodSync(folder, mode);
      expect(await faultOf(storeAt(folder).get(KEY))).toBe(UNSAFE);
    }
    chmodSync(folder, 0o755);
    expect(await faultOf(storeAt(folder).get(KEY))).toBe('no fault');
  });

  it('if the file can', async () => {
    const store = storeAt(folder);
    await store.set(KEY, 'x', INFO);
    await store.close();
    chmodSync(store.location, 0o660);
    expect(await faultOf(storeAt(folder).get(KEY))).toBe(UNSAFE);
  });

  it('if anybody can replace a folder above', async () => {
    const above = join(folder, 'open');
    mkdirSync(above);
    chmodSync(above, 0o777);
    expect(await faultOf(storeAt(join(above, 'cache')).get(KEY))).toBe(UNSAFE);
    chmodSync(above, 0o1777);
    expect(await faultOf(storeAt(join(above, 'cache')).get(KEY))).toBe('no fault');
  });

  it('but not if it is reached through a link that nobody else can turn', async () => {
    const shared = join(folder, 'shared');
    mkdirSync(join(folder, 'real'), { mode: 0o700 });
    mkdirSync(shared);
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    symlinkSync(join(folder, 'real'), join(shared, 'link'));
    expect(await faultOf(storeAt(join(folder, 'link')).get(KEY))).toBe('no fault');
    expect(await faultOf(storeAt(join(folder, 'link', 'cache')).get(KEY))).toBe('no fault');
    chmodSync(shared, 0o777);
    expect(await faultOf(storeAt(join(shared, 'link', 'cache')).get(KEY))).toBe(UNSAFE);
    symlinkSync(shared, join(folder, 'way'));
    expect(await faultOf(storeAt(join(folder, 'way', 'cache')).get(KEY))).toBe(UNSAFE);
  });

  it('if its file, or one that SQLite keeps beside it, is a symbolic link', async () => {
    for (const name of ['cache.sqlite', 'cache.sqlite-wal', 'cache.sqlite-shm', 'cache.sqlite-journal']) {
      const place = join(folder, name);
      mkdirSync(place, { mode: 0o700 });
      writeFileSync(join(folder, 'elsewhere'), '');
      symlinkSync(join(folder, 'elsewhere'), join(place, name));
      expect(await faultOf(storeAt(place).get(KEY))).toBe(UNSAFE);
      expect(readFileSync(join(folder, 'elsewhere'), 'utf8')).toBe('');
    }
  });

  it.runIf(process.geteuid?.() === 0)('if it belongs to another user', async () => {
    const { chownSync } = await import('node:fs');
    chmodSync(folder, 0o700);
    chownSync(folder, 12345, 12345);
    expect(await faultOf(storeAt(folder).get(KEY))).toBe(UNSAFE);
  });
});

describe('a location', () => {
  it('is a folder or a sqlite file', () => {
    expect(openStore('/some/folder').location).toBe('/some/folder/cache.sqlite');
    expect(openStore('sqlite:/some/file.db').location).toBe('/some/file.db');
    expect(openStore('sqlite:///some/file.db').location).toBe('/some/file.db');
  });

  it('of another kind is refused, with the kinds there are', () => {
    for (const location of ['', 'http://x/', 'keyv:x', 'sqlite:', 'sqlite://host/x']) {
      expect(() => openStore(location)).toThrow(SeccompcError);
      expect(() => openStore(location)).toThrow(/unknown kind of cache/);
    }
  });

  it('is where the system keeps caches, and an odd variable is ignored', () => {
    const home = userCacheFolder({}, 'linux');
    expect(home).toMatch(/\.cache\/seccompc$/);
    expect(userCacheFolder({ XDG_CACHE_HOME: '/x' }, 'linux')).toBe('/x/seccompc');
    expect(userCacheFolder({ XDG_CACHE_HOME: 'relative' }, 'linux')).toBe(home);
    expect(userCacheFolder({ XDG_CACHE_HOME: '' }, 'linux')).toBe(home);
    expect(userCacheFolder({}, 'darwin')).toMatch(/Library\/Caches\/seccompc$/);
    expect(userCacheFolder({ LOCALAPPDATA: '/local' }, 'win32')).toBe('/local/seccompc/Cache');
  });
});

function lateFailure() {
  let failLater!: (error: Error) => void;
  const late = new Promise((_, reject) => (failLater = reject));
  return { late, failLater };
}

describe('a deadline', () => {
  it('ends the wait, and swallows what comes later', async () => {
    await expect(withDeadline(new Promise(() => {}), 10)).rejects.toThrow(DeadlinePassed);
    const { late, failLater } = lateFailure();
    await expect(withDeadline(late, 10)).rejects.toThrow(/10 ms/);
    failLater(new Error('too late'));
    // Node reports an unhandled rejection before this.
    await new Promise(setImmediate);
  });

  it('passes an answer and a rejection on', async () => {
    expect(await withDeadline(Promise.resolve(7), 1000)).toBe(7);
    await expect(withDeadline(Promise.reject(new Error('no')), 1000)).rejects.toThrow('no');
  });
});
