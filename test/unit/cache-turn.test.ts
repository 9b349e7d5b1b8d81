import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { compileCached } from '../../src/cache/compile-cached.ts';
import { openCache } from '../../src/cache/open.ts';
import { takeTurn } from '../../src/cache/turn.ts';
import type { Turns } from '../../src/cache/turn.ts';
import { compile } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { TestStore } from './test-store.ts';

/** No test is so slow. Milliseconds. */
const LONG = 600_000;

const scratch = mkdtempSync(join(tmpdir(), 'seccompc-turn-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let folder: string;
let tests = 0;
beforeEach(() => {
  folder = join(scratch, String((tests += 1)), 'turns');
  mkdirSync(join(folder, '..'), { mode: 0o700 });
});

const SMALL = `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "syscalls": [{"names": ["read", "no_such_call"], "action": "SCMP_ACT_ALLOW"}]
}`;
const LARGE = SMALL.padEnd(32 * 1024);
const options = { target: makeTarget({ arch: 'X86_64' }), file: 'p.json' };
const files = () => (existsSync(folder) ? readdirSync(folder) : []);

/** Compiles so often at the same time, with one store, and tells where each filter came from. */
async function tiersOf(count: number, turns: Turns | undefined, input = LARGE): Promise<string[]> {
  const cache = { stores: [new TestStore()], turns };
  const expected = await compile(input, options);
  const all = await Promise.all(Array.from({ length: count }, () => compileCached(input, options, cache)));
  for (const { filter, warnings } of all) expect([filter, warnings]).toEqual([expected, []]);
  return all.map(({ tier }) => tier).toSorted();
}

describe('compiling a large profile several times at once', () => {
  it('is done once, and the others take the result', async () => {
    expect(await tiersOf(5, { folder, wait: LONG })).toEqual(['none', 'test', 'test', 'test', 'test']);
    expect(files()).toEqual([]);
  });

  it('is done by each without a folder, and for small profiles, which leave nothing', async () => {
    expect(await tiersOf(2, undefined)).toEqual(['none', 'none']);
    expect(await tiersOf(2, { folder, wait: LONG }, LARGE.slice(0, -1))).toEqual(['none', 'none']);
    expect(existsSync(folder)).toBe(false);
  });

  it.skipIf(process.platform === 'win32')('is done by each where others can write', async () => {
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    expect(await tiersOf(2, { folder, wait: LONG })).toEqual(['none', 'none']);
    expect(files()).toEqual([]);
  });

  it('is done by each when the cache is faulty, and leaves nothing', async () => {
    const store = new TestStore();
    store.get = () => Promise.reject(new Error('it is broken'));
    const cache = { stores: [store], turns: { folder, wait: LONG } };
    const { tier, warnings } = await compileCached(LARGE, options, cache);
    expect([tier, warnings.length, existsSync(folder)]).toEqual(['none', 1, false]);
  });

  it('is done by each where nothing can be written', async () => {
    writeFileSync(folder, 'a file');
    expect(await tiersOf(2, { folder, wait: LONG })).toEqual(['none', 'none']);
  });

  it('uses a folder beside its own cache, and none for a store that others use', () => {
    const { stores, turns } = openCache(folder);
    expect(turns?.folder).toBe(`${stores[0]!.location}-turns`);
    const shared = openCache('redis://127.0.0.1:1');
    expect(shared.turns?.folder).toBe(`${shared.stores[0]!.location}-turns`);
    expect(shared.stores).toMatchObject([{ shared: false }, { shared: true }]);
  });
});

describe('a turn', () => {
  const path = () => join(folder, 'key');
  const nothing = () => Promise.resolve(undefined);

  it('is had by one at a time, and ends when that one says so', async () => {
    const first = await takeTurn({ folder, wait: LONG }, 'key', nothing);
    expect(readFileSync(path(), 'utf8')).toBe(String(process.pid));
    let looked = false;
    const second = takeTurn({ folder, wait: LONG }, 'key', async () => {
      looked = true;
      return 'the result';
    });
    expect(await takeTurn({ folder, wait: LONG }, 'other', nothing)).toEqual({ end: expect.any(Function) });
    for (let rounds = 0; rounds < 20; rounds += 1) await setImmediate();
    expect(looked).toBe(false);
    first.end!();
    expect(await second).toEqual({ found: 'the result' });
    expect(files()).toEqual(['other']);
  });

  it.skipIf(process.platform === 'win32')(
    'is still waited for when it ends while it is looked at',
    async () => {
      mkdirSync(folder, { mode: 0o700 });
      // There when a file is to be made, and not when it is read.
      symlinkSync('missing', path());
      const turn = takeTurn({ folder, wait: LONG }, 'key', () => Promise.resolve('the result'));
      for (let rounds = 0; rounds < 20; rounds += 1) await setImmediate();
      rmSync(path());
      expect(await turn).toEqual({ found: 'the result' });
    },
  );

  it('is not taken by those who have waited for one that ended without a result', async () => {
    const first = await takeTurn({ folder, wait: LONG }, 'key', nothing);
    const waiting = Array.from({ length: 5 }, () => takeTurn({ folder, wait: LONG }, 'key', nothing));
    first.end!();
    for (const turn of waiting) expect(await turn).toEqual({});
    expect(files()).toEqual([]);
  });

  it('is taken by one of those who have waited for a process that is killed', async () => {
    const holder = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(path(), String(holder.pid));
    const waiting = Array.from({ length: 5 }, () => takeTurn({ folder, wait: LONG }, 'key', nothing));
    holder.kill('SIGKILL');
    const next = await Promise.race(waiting);
    expect(next).toEqual({ end: expect.any(Function) });
    next.end!();
    expect((await Promise.all(waiting)).filter(({ end }) => end !== undefined)).toEqual([next]);
  });

  it('passes on when its process has ended without a word', async () => {
    const ended = spawnSync(process.execPath, ['-e', '']);
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(path(), String(ended.pid));
    expect(await takeTurn({ folder, wait: LONG }, 'key', nothing)).toEqual({ end: expect.any(Function) });
    expect(readFileSync(path(), 'utf8')).toBe(String(process.pid));
  });

  it.each([
    ['is stopped', String(process.pid)],
    ['has written no number', ''],
    ['has written something else', 'x'],
  ])('is waited for in vain for a limited time when its process %s', async (_, text) => {
    mkdirSync(folder, { mode: 0o700 });
    writeFileSync(path(), text);
    expect(await takeTurn({ folder, wait: 30 }, 'key', nothing)).toEqual({});
    // Nobody waits for it again.
    expect(await takeTurn({ folder, wait: LONG }, 'key', nothing)).toEqual({ end: expect.any(Function) });
  });

  it.skipIf(process.platform === 'win32')('waits for no pipe or device for longer than that', async () => {
    mkdirSync(folder, { mode: 0o700 });
    expect(spawnSync('mkfifo', [path()]).status).toBe(0);
    symlinkSync('/dev/zero', join(folder, 'device'));
    for (const key of ['key', 'device'])
      expect(await takeTurn({ folder, wait: 30 }, key, nothing)).toEqual({});
    expect(files()).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')('is had although what is left over cannot be removed', async () => {
    mkdirSync(folder, { mode: 0o700 });
    symlinkSync('circle', join(folder, 'circle'));
    (await takeTurn({ folder, wait: LONG }, 'key', nothing)).end!();
    expect(files()).toEqual(['circle']);
  });

  it('is given up at once where something else than a file is in its place', async () => {
    mkdirSync(path(), { recursive: true, mode: 0o700 });
    expect(await takeTurn({ folder, wait: LONG }, 'key', nothing)).toEqual({});
  });
});
