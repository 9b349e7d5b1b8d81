import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filesStore } from '../../src/cache/stores/files.ts';
import { CacheFault } from '../../src/cache/stores/store.ts';
import { describeStore } from '../stores/conformance.ts';

const KEY = '0f'.repeat(32);
const OBJECT = { kind: 'object', label: 'a label' } as const;
const NO_LIMITS = { bytes: Infinity, age: Infinity };
const DAY = 24 * 60 * 60;
const onPosix = process.platform !== 'win32';

let folder: string;
let records: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seccompc-files-'));
  records = join(folder, 'deep', 'records');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Makes a file as old as this many days. */
function age(name: string, days: number): void {
  const time = Date.now() / 1000 - days * DAY;
  utimesSync(join(records, name), time, time);
}

describeStore('the store of plain files', {
  place: () => {
    const own = mkdtempSync(join(tmpdir(), 'seccompc-files-'));
    return {
      open: () => filesStore(join(own, 'records')),
      end: () => rmSync(own, { recursive: true, force: true }),
    };
  },
  tier: 'files',
  shared: false,
});

describe('the store of plain files', () => {
  it('says once, when it begins, that there is no SQLite', async () => {
    const first = filesStore(records);
    expect(first.takeNotice?.()).toBeUndefined();
    await first.get(KEY);
    expect(first.takeNotice?.()).toMatchObject({ code: 'CACHE_WITHOUT_SQLITE', severity: 'warning' });
    expect(first.takeNotice?.()).toBeUndefined();
    const second = filesStore(records);
    await second.set(KEY, 'text', OBJECT);
    expect(second.takeNotice?.()).toBeUndefined();
  });

  it.runIf(onPosix)('closes its directory and its files to others', async () => {
    await filesStore(records).set(KEY, 'text', OBJECT);
    expect(statSync(records).mode & 0o777).toBe(0o700);
    expect(statSync(join(records, KEY)).mode & 0o777).toBe(0o600);
  });

  it('takes a file that is cut off, too large or something else for damaged', async () => {
    const store = filesStore(records);
    await store.set(KEY, 'text', OBJECT);
    const { size } = statSync(join(records, KEY));
    for (let length = 0; length < size; length += 1) {
      truncateSync(join(records, KEY), length);
      expect(await store.get(KEY)).toBe('');
      await store.set(KEY, 'text', OBJECT);
    }
    truncateSync(join(records, KEY), 2 ** 34);
    expect(await store.get(KEY)).toBe('');
    expect(await store.list()).toHaveLength(1);
    for (const content of ['', '\n', '{}\n""', 'null\n"text"', '"text"']) {
      writeFileSync(join(records, KEY), content);
      expect(await store.get(KEY)).toBe('');
      expect(await store.list()).toEqual([]);
    }
  });

  it('lists only what has the name of a record', async () => {
    const store = filesStore(records);
    await store.set(KEY, 'text', OBJECT);
    for (const name of ['other', `${KEY}.txt`, '.hidden', `.${KEY}.1-abc`])
      writeFileSync(join(records, name), '');
    expect((await store.list()).map(({ key }) => key)).toEqual([KEY]);
    await store.clear();
    expect(readdirSync(records)).toEqual([]);
  });

  it('notes once a day that a record was used', async () => {
    const store = filesStore(records);
    await store.set(KEY, 'text', OBJECT);
    age(KEY, 0.5);
    const before = statSync(join(records, KEY)).mtimeMs;
    await store.get(KEY);
    expect(statSync(join(records, KEY)).mtimeMs).toBe(before);
    age(KEY, 3);
    await store.peek?.(KEY);
    expect(statSync(join(records, KEY)).mtimeMs).toBeLessThan(before);
    await store.get(KEY);
    expect(statSync(join(records, KEY)).mtimeMs).toBeGreaterThan(before);
  });

  it('removes what was not used for longest, and what an interrupted write left over', async () => {
    const store = filesStore(records);
    const keys = Array.from({ length: 8 }, (_, number) => `${number}`.repeat(64));
    for (const key of keys) await store.set(key, 'x'.repeat(1000), OBJECT);
    // Nothing is listed as used before it was made, so the age counts from then.
    expect(await store.shrink!({ bytes: 4000, age: Infinity })).toBe(5);
    expect(await store.list()).toHaveLength(3);
    writeFileSync(join(records, `.${KEY}.1-abc`), '');
    await store.shrink!(NO_LIMITS);
    expect(readdirSync(records)).toContain(`.${KEY}.1-abc`);
    age(`.${KEY}.1-abc`, 1);
    await store.shrink!(NO_LIMITS);
    expect(readdirSync(records)).not.toContain(`.${KEY}.1-abc`);
  });

  it('looks at its limits once a day', async () => {
    const store = filesStore(records, { bytes: 2000, age: Infinity });
    const keys = Array.from({ length: 4 }, (_, number) => `${number}`.repeat(64));
    for (const key of keys) await store.set(key, 'x'.repeat(1000), OBJECT);
    expect(await store.list()).toHaveLength(4);
    age('limits-checked', 2);
    await store.set(KEY, 'x', OBJECT);
    expect((await store.list()).length).toBeLessThan(3);
  });

  it('does not keep a text that nobody would read back', async () => {
    const store = filesStore(records);
    await store.set(KEY, 'x'.repeat(9 * 1024 * 1024), OBJECT);
    expect(await store.get(KEY)).toBeUndefined();
  });
});

describe.runIf(onPosix)('the store of plain files does not read', () => {
  const faultOf = (work: Promise<unknown>) =>
    work.then(
      () => 'no fault',
      (error: unknown) => (error instanceof CacheFault ? error.diagnostic.code : error),
    );

  it('a link, a pipe or a directory in the place of a record', async () => {
    const store = filesStore(records);
    await store.set(KEY, 'text', OBJECT);
    const path = join(records, KEY);
    for (const replace of [
      () => symlinkSync(join(folder, 'other'), path),
      () => execFileSync('mkfifo', [path]),
      () => mkdirSync(path),
    ]) {
      rmSync(path);
      replace();
      expect(await faultOf(store.get(KEY))).toBe('CACHE_FOLDER_UNSAFE');
      rmSync(path, { recursive: true });
      await store.set(KEY, 'text', OBJECT);
    }
  });

  it('what others can write to', async () => {
    const store = filesStore(records);
    await store.set(KEY, 'text', OBJECT);
    chmodSync(join(records, KEY), 0o622);
    expect(await faultOf(store.get(KEY))).toBe('CACHE_FOLDER_UNSAFE');
    chmodSync(join(records, KEY), 0o600);
    chmodSync(records, 0o777);
    expect(await faultOf(store.get(KEY))).toBe('CACHE_FOLDER_UNSAFE');
    expect(await faultOf(store.set(KEY, 'text', OBJECT))).toBe('CACHE_FOLDER_UNSAFE');
    expect(await faultOf(store.clear())).toBe('CACHE_FOLDER_UNSAFE');
  });
});
