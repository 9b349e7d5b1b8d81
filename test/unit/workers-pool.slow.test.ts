import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CacheFault } from '../../src/cache/stores/store.ts';
import type { Cache } from '../../src/cache/compile-cached.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { compile } from '../../src/compile.ts';
import { diagnostic, SeccompcError } from '../../src/errors.ts';
import type { Job } from '../../src/workers/messages.ts';
import { compilerPool, WorkDropped } from '../../src/workers/pool.ts';
import type { CompilerPool, PoolSettings } from '../../src/workers/pool.ts';
import { makeTarget } from '../../src/target.ts';
import { TestStore } from './test-store.ts';

const pools: CompilerPool[] = [];
afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function open(settings: PoolSettings): CompilerPool {
  const pool = compilerPool(settings);
  pools.push(pool);
  return pool;
}

const target = makeTarget({ arch: 'X86_64' });

function text(errno: number): string {
  return `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":${errno},"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}`;
}

function job(errno: number): Job {
  return { input: Buffer.from(text(errno)), options: { target } };
}

/** At which the compiler stumbles, as at a fault of its own. */
const BROKEN = { input: null, options: { target } } as unknown as Job;

async function codes(work: Promise<unknown>): Promise<string[]> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof SeccompcError)) throw new Error('it did not fail as it should', { cause: error });
  return error.diagnostics.map(({ code }) => code);
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void;
  const promise = new Promise<void>((settle) => (resolve = settle));
  return { promise, resolve };
}

const worker = fileURLToPath(new URL('stuck-worker.mjs', import.meta.url));
const endless = (number: number) => named('stuck', number);
function named(what: string, number: number): Job {
  return { input: Buffer.from(text(number).replace('"read"', `"read","${what}"`)), options: { target } };
}

/** A cache of one store in memory. */
function cacheWith(changes: Partial<CacheStore> = {}): Cache {
  return { stores: [Object.assign(new TestStore(), changes)] };
}

describe.each([1, 3])('a pool of %i', (size) => {
  it('gives each job its own result', async () => {
    const pool = open({ size });
    if (size === 3) pool.ready();
    const errnos = Array.from({ length: 12 }, (_, index) => index + 1);
    const products = await Promise.all(errnos.map((errno) => pool.compile(job(errno))));
    for (const [index, { document, bytes }] of products.entries()) {
      const own = await compile(text(index + 1), { target });
      expect(Buffer.from(bytes)).toEqual(Buffer.from(own.bytes));
      expect(document.cache).toEqual({ tier: 'none', key: null });
    }
  });

  it('goes on after a fault of the compiler, of which it says no more than that it happened', async () => {
    const pool = open({ size });
    const work = [BROKEN, job(1), BROKEN, BROKEN, job(2)].map((one) =>
      pool.compile(one).then(
        () => 'compiled',
        (error: unknown) => String(error),
      ),
    );
    const stopped = expect.stringMatching(/^SeccompcError: seccompc itself failed: the compiler stopped/);
    expect(await Promise.all(work)).toEqual([stopped, 'compiled', stopped, stopped, 'compiled']);
  });

  it('refuses a profile with all that is wrong with it', async () => {
    const pool = open({ size });
    const faulty = '{"defaultAction":"SCMP_ACT_X","syscalls":[{"names":["read"],"action":"SCMP_ACT_Y"}]}';
    const work = pool.compile({ input: Buffer.from(faulty), options: { target } });
    expect(await codes(work)).toEqual(['UNKNOWN_ACTION', 'UNKNOWN_ACTION']);
  });

  it('gives up what takes too long', async () => {
    const pool = open({ size, deadline: 1, worker });
    expect(await codes(pool.compile(endless(1)))).toEqual(['COMPILE_TOO_SLOW']);
    expect(await codes(pool.compile(endless(2)))).toEqual(['COMPILE_TOO_SLOW']);
  });

  it('gives up everything when it is closed', async () => {
    const pool = open({ size });
    const work = Promise.all([1, 2, 3, 4, 5].map((errno) => codes(pool.compile(job(errno)))));
    await pool.close();
    expect(new Set((await work).flat())).toEqual(new Set(['INTERNAL_ERROR']));
    expect(await codes(pool.compile(job(1)))).toEqual(['INTERNAL_ERROR']);
  });
});

describe('a pool with a store', () => {
  it('looks there first, and keeps there what it compiled', async () => {
    const store = new TestStore();
    const pool = open({ size: 1, cache: { stores: [store] } });
    const first = await pool.compile(job(1));
    const second = await pool.compile(job(1));
    expect([first.document.cache.tier, second.document.cache.tier]).toEqual(['none', 'test']);
    expect(second.bytes).toEqual(first.bytes);
    // The alias of the input, and of the meaning; both and the program; the alias, and the program.
    expect([store.gets, store.sets]).toEqual([4, 3]);
  });

  it('does without one that fails, and passes on what was wrong', async () => {
    const found = diagnostic('CACHE_FOLDER_UNSAFE', { location: 'nowhere', reason: 'it is not' });
    const cache = cacheWith({ get: () => Promise.reject(new CacheFault(found)) });
    const { warnings, document } = await open({ size: 1, cache }).compile(job(1));
    expect(warnings).toEqual([found]);
    expect(document.diagnostics).toEqual([]);
  });

  it('does not take a late answer for that of another question', async () => {
    let release: ((text: string) => void) | undefined;
    const get = (key: string) =>
      release === undefined
        ? new Promise<string>((resolve) => (release = resolve))
        : new Promise<undefined>((resolve) => {
            // The first question is answered now, with nonsense, and only then this one.
            release?.(`late, and not for ${key}`);
            setImmediate(() => resolve(undefined));
          });
    const pool = open({ size: 1, cache: cacheWith({ get }) });
    const first = await pool.compile(job(1));
    expect(first.warnings.map(({ code }) => code)).toEqual(['CACHE_UNAVAILABLE']);
    const second = await pool.compile(job(2));
    expect(second.warnings).toEqual([]);
  });
});

describe('a pool with endless work', () => {
  it('still does the short work of others, however many threads would be needed for the endless', async () => {
    const pool = open({ size: 2, quantum: 20, worker });
    let ended = 0;
    const count = () => void (ended += 1);
    for (let number = 0; number < 4; number += 1) pool.submit(endless(number), {}).result.then(count, count);
    const greedy = {};
    for (let number = 4; number < 8; number += 1)
      pool.submit(endless(number), greedy).result.then(count, count);
    const own = await compile(text(1), { target });
    for (let round = 0; round < 3; round += 1) {
      const { bytes } = await pool.submit(job(1), {}).result;
      expect(Buffer.from(bytes)).toEqual(Buffer.from(own.bytes));
    }
    expect(ended).toBe(0);
  });

  it('interrupts a thread that computes as well as one that waits', async () => {
    const pool = open({ size: 1, quantum: 20, worker });
    const spinning = Promise.all(
      [1, 2].map((number) => codes(pool.submit(named('busy', number), {}).result)),
    );
    await pool.submit(job(1), {}).result;
    await pool.close();
    expect(await spinning).toEqual([['INTERNAL_ERROR'], ['INTERNAL_ERROR']]);
  });

  it('finishes work that was interrupted', async () => {
    const pool = open({ size: 1, quantum: 5, worker });
    const jobs = ['pause:1', 'pause:30', 'pause:60', 'pause:2', 'pause:120', 'pause:3'];
    const works = jobs.map((what, number) => pool.submit(named(what, 1 + number), {}).result);
    const done = await Promise.all(works);
    expect(done.map(({ document }) => document.confined)).toEqual(jobs.map(() => true));
  });

  it('interrupts an owner less often once it is known how long its work takes', async () => {
    let threads = 0;
    const count = () => void (threads += 1);
    process.on('worker', count);
    const pool = open({ size: 2, quantum: 5, worker });
    const owners = [1, 2, 3, 4, 5].map(async (number) => {
      const owner = {};
      for (let round = 0; round < 10; round += 1)
        await pool.submit(named('pause:50', 10 * number + round), owner).result;
    });
    await Promise.all(owners).finally(() => process.off('worker', count));
    // Each piece of work would be interrupted after 5 and after 20 ms: 100 threads.
    expect(threads).toBeLessThan(50);
  });

  it('gives up what exceeds its time or memory, and says which', async () => {
    const pool = open({ size: 2, deadline: 100, worker });
    expect(await codes(pool.submit(endless(1), {}).result)).toEqual(['COMPILE_TOO_SLOW']);
    const patient = open({ size: 1, worker });
    expect(await codes(patient.submit(named('hungry', 1), {}).result)).toEqual(['COMPILE_TOO_LARGE']);
    expect((await patient.submit(job(1), {}).result).document.confined).toBe(true);
  });

  it('drops work without an owner', async () => {
    const pool = open({ size: 1, worker });
    const [first, second] = [{}, {}];
    const running = codes(pool.submit(endless(1), first).result);
    const waiting = pool.submit(endless(2), first);
    waiting.join(second);
    const other = pool.submit(endless(3), second);
    waiting.leave(first);
    other.leave(second);
    await expect(other.result).rejects.toBeInstanceOf(WorkDropped);
    waiting.leave(second);
    await expect(waiting.result).rejects.toBeInstanceOf(WorkDropped);
    await pool.close();
    expect(await running).toEqual(['INTERNAL_ERROR']);
  });

  it('drops interrupted work without an owner', async () => {
    const pool = open({ size: 1, quantum: 20, worker });
    const dropped = [1, 2].map((number) => {
      const owner = {};
      const left = pool.submit(endless(number), owner);
      left.leave(owner);
      return left.result.catch((error: unknown) => error);
    });
    await pool.submit(job(1), {}).result;
    expect(await Promise.race(dropped)).toBeInstanceOf(WorkDropped);
  });

  it('does not plan to interrupt work that only waits for a slow store', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const answered = deferred();
    const seen = { asked: 0, ready: 0 };
    const get = async () => {
      seen.asked += 1;
      await answered.promise;
      return undefined;
    };
    // The first message of a thread is that it is ready.
    const watch = (thread: Worker) => void thread.once('message', () => (seen.ready += 1));
    process.on('worker', watch);
    const pool = open({ size: 1, quantum: 20, cache: cacheWith({ get }), worker });
    for (const number of [1, 2]) pool.submit(named('stuck later', number), {}).result.catch(() => {});
    pool.submit(job(3), {}).result.catch(() => {});
    // Two that wait for the store, and two that could replace them.
    while (seen.asked < 2 || seen.ready < 4) await new Promise(setImmediate);
    process.off('worker', watch);
    expect(vi.getTimerCount()).toBe(0);
    answered.resolve();
    while (vi.getTimerCount() === 0) await new Promise(setImmediate);
  });
});
