/** Stores whose server goes away: each answer has to come, or be refused, in time. */
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_TIME, CONNECT_TIME } from '../../src/cache/stores/remote.ts';
import { CacheFault } from '../../src/cache/stores/store.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import type { Server } from './servers.ts';

const INFO = { kind: 'object', label: '' } as const;
/** What a loaded machine may take longer than stated, in milliseconds. */
const PATIENCE = 3000;

/** The package as it is installed. */
const LIBRARY = new URL('../../dist/cache/index.js', import.meta.url).href;

export interface LossCases {
  server(): Server;
  open(url: string): CacheStore;
  /** How many connections of stores the server has. */
  connections(): Promise<number>;
}

export interface Ended {
  code: number | null;
  printed: string;
  /** Milliseconds. */
  took: number;
}

/** Another process with a store, in which some statements run; it ends by itself or after a minute. */
async function runWithStore(url: string, statements: string): Promise<Ended> {
  const script = `
    import { openStore } from ${JSON.stringify(LIBRARY)};
    const store = openStore(process.argv[1]);
    ${statements}`;
  const begin = performance.now();
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, url], { timeout: 60_000 });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, printed, took: performance.now() - begin };
}

export function describeLosses(name: string, cases: LossCases): void {
  describe(`a process with a store on ${name}`, () => {
    const run = (statements: string) => runWithStore(cases.server().url, statements);

    it('has all it needs in the package, and ends when the store is closed', async () => {
      const { code, printed, took } = await run(`
        await store.set('a', 'x'.repeat(10), { kind: 'object', label: '' });
        console.log(await store.get('a'), (await store.list()).length, store.location);
        await store.remove(['a']);
        await store.clear();
        await store.close();`);
      expect(printed).toBe(`xxxxxxxxxx 1 ${cases.open(cases.server().url).location}\n`);
      expect(code).toBe(0);
      expect(took).toBeLessThan(20_000);
    });

    it('ends also when the server hangs', async () => {
      cases.server().freeze();
      try {
        const { code, printed } = await run(`
          await store.get('a').catch((cause) => console.log(cause.name));
          await store.close();`);
        expect({ code, printed }).toEqual({ code: 0, printed: 'CacheFault\n' });
      } finally {
        cases.server().thaw();
      }
    });

    it('ends also when the server dies and the store is never closed', async () => {
      const server = cases.server();
      const ended = run(`
        await store.get('a');
        setTimeout(() => console.log('done'), 3000);`);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await server.kill();
      await server.start();
      expect(await ended).toMatchObject({ code: 0, printed: 'done\n' });
    });
  });

  describe(`a store on ${name} that is closed`, () => {
    it('leaves no connection, whatever it was doing', async () => {
      const open = () => cases.open(cases.server().url);
      const first = open();
      await first.set('a', 'x', INFO);
      await first.close();
      for (let round = 0; round < 40; round += 1) {
        const store = open();
        const asked = [store.get('a'), store.set('b', 'y', INFO), store.list(), store.remove(['c'])];
        const ended = Promise.allSettled(asked);
        const until = performance.now() + round / 2;
        while (performance.now() < until) await new Promise((resolve) => setImmediate(resolve));
        await store.close();
        await ended;
      }
      for (let attempt = 0; attempt < 100 && (await cases.connections()) > 0; attempt += 1)
        await new Promise((resolve) => setTimeout(resolve, 20));
      expect(await cases.connections()).toBe(0);
    });
  });

  describe(`${name} that goes away`, () => {
    let store: CacheStore;
    beforeEach(async () => {
      store = cases.open(cases.server().url);
      await store.set('a', 'x', INFO);
    });
    afterEach(() => store.close());

    it('rejects, at once, and is found again when it is back', async () => {
      const server = cases.server();
      await server.kill();
      try {
        expect(await timeToReject(() => store.get('a'))).toBeLessThan(CONNECT_TIME + PATIENCE);
        expect(await timeToReject(() => store.set('a', 'y', INFO))).toBeLessThan(CONNECT_TIME + PATIENCE);
        expect(await timeToReject(() => store.list())).toBeLessThan(CONNECT_TIME + PATIENCE);
      } finally {
        await server.start();
      }
      await eventually(() => store.set('a', 'y', INFO));
      expect(await store.get('a')).toBe('y');
    });

    it('rejects what it was asked before', async () => {
      const server = cases.server();
      server.freeze();
      const asked = Promise.allSettled([
        store.get('a'),
        store.set('b', 'y', INFO),
        store.list(),
        store.clear(),
        store.remove(['a']),
      ]);
      await server.kill();
      try {
        const answers = await asked;
        expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
      } finally {
        await server.start();
      }
    });

    it('rejects in time where it hangs, and the connection is free', async () => {
      const server = cases.server();
      server.freeze();
      try {
        const took = await timeToReject(() => store.get('a'));
        expect(took).toBeGreaterThan(ANSWER_TIME - 50);
        expect(took).toBeLessThan(CONNECT_TIME + ANSWER_TIME + PATIENCE);
        // The next is a new connection, which a hanging system still takes, and nobody greets.
        expect(await timeToReject(() => store.get('a'))).toBeLessThan(CONNECT_TIME + ANSWER_TIME + PATIENCE);
        await store.close();
      } finally {
        server.thaw();
      }
      await eventually(() => store.set('a', 'z', INFO));
      expect(await store.get('a')).toBe('z');
    });
  });
}

/** How long a promise takes to reject, in milliseconds. */
export async function timeToReject(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await expect(work()).rejects.toBeInstanceOf(CacheFault);
  return performance.now() - begin;
}

/** A server that comes back may refuse for a moment. */
async function eventually(work: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (cause) {
      if (attempt === 20) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
