/** Stores whose server goes away: each answer has to come, or be refused, in time. */
import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ANSWER_TIME } from '../../src/cache/stores/remote.ts';
import { CacheFault } from '../../src/cache/stores/store.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import type { Server } from './servers.ts';

const INFO = { kind: 'object', label: '' } as const;
/** For what comes true before long: only what hangs takes more, in milliseconds. */
const PATIENT = { timeout: 60_000, interval: 50 };

/** The package as it is installed. */
const LIBRARY = new URL('../../dist/cache/index.js', import.meta.url).href;

export interface LossCases {
  server(): Server;
  open(url: string): CacheStore;
  /** How many connections of stores the server has. */
  connections(): Promise<number>;
}

/** Another process with a store, in which some statements run. */
interface Running {
  /** Resolves when it has printed something. */
  printed: Promise<unknown>;
  closeInput: () => void;
  /** It ends by itself or after a minute. */
  ended: Promise<{ code: number | null; printed: string }>;
}

function runWithStore(url: string, statements: string): Running {
  const script = `
    import { openStore } from ${JSON.stringify(LIBRARY)};
    const store = openStore(process.argv[1]);
    ${statements}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, url], { timeout: 60_000 });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (printed += text));
  return {
    printed: new Promise((resolve) => child.stdout.once('data', resolve)),
    closeInput: () => child.stdin.end(),
    ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, printed }))),
  };
}

export function describeLosses(name: string, cases: LossCases): void {
  describe(`a process with a store on ${name}`, () => {
    const run = (statements: string) => runWithStore(cases.server().url, statements);

    it('has all it needs in the package, and ends when the store is closed', async () => {
      const { code, printed } = await run(`
        await store.set('a', 'x'.repeat(10), { kind: 'object', label: '' });
        console.log(await store.get('a'), (await store.list()).length, store.location);
        await store.remove(['a']);
        await store.clear();
        await store.close();`).ended;
      expect(printed).toBe(`xxxxxxxxxx 1 ${cases.open(cases.server().url).location}\n`);
      expect(code).toBe(0);
    });

    it('ends also when the server hangs', async () => {
      cases.server().freeze();
      try {
        const { code, printed } = await run(`
          await store.get('a').catch((cause) => console.log(cause.name));
          await store.close();`).ended;
        expect({ code, printed }).toEqual({ code: 0, printed: 'CacheFault\n' });
      } finally {
        cases.server().thaw();
      }
    });

    it('ends also when the server dies and the store is never closed', async () => {
      const server = cases.server();
      const { printed, closeInput, ended } = run(`
        await store.get('a');
        console.log('asked');
        process.stdin.resume().on('end', () => console.log('done'));`);
      await printed;
      await server.kill();
      await server.start();
      closeInput();
      expect(await ended).toEqual({ code: 0, printed: 'asked\ndone\n' });
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
        // Each time at another point of its work.
        for (let turn = 0; turn < 20 * round; turn += 1) await new Promise(setImmediate);
        await store.close();
        await ended;
      }
      await expect.poll(() => cases.connections(), PATIENT).toBe(0);
    });
  });

  describe(`${name} that goes away`, () => {
    let store: CacheStore;
    beforeEach(async () => {
      store = cases.open(cases.server().url);
      await store.set('a', 'x', INFO);
    });
    afterEach(() => store.close());

    it('rejects, and is found again when it is back', async () => {
      const server = cases.server();
      await server.kill();
      try {
        await expect(store.get('a')).rejects.toBeInstanceOf(CacheFault);
        await expect(store.set('a', 'y', INFO)).rejects.toBeInstanceOf(CacheFault);
        await expect(store.list()).rejects.toBeInstanceOf(CacheFault);
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

    it('rejects where it hangs, and the connection is free', async () => {
      const server = cases.server();
      server.freeze();
      try {
        await expect(store.get('a')).rejects.toThrow(`${ANSWER_TIME} ms`);
        // The next is a new connection, which a hanging system still takes, and nobody greets.
        await expect(store.get('a')).rejects.toBeInstanceOf(CacheFault);
        await store.close();
      } finally {
        server.thaw();
      }
      await eventually(() => store.set('a', 'z', INFO));
      expect(await store.get('a')).toBe('z');
    });
  });
}

/** A server that comes back may refuse for a moment. */
const eventually = (work: () => Promise<unknown>) => vi.waitFor(work, PATIENT);
