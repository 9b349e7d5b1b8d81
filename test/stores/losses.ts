/** Stores whose server goes away: each answer has to come, or be refused, in time. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ANSWER_TIME, CONNECT_TIME } from '../../src/cache/remote.ts';
import type { CacheStore } from '../../src/cache/store.ts';
import type { Server } from './servers.ts';

const INFO = { kind: 'object', label: '' } as const;
/** What a loaded machine may take longer than stated, in milliseconds. */
const PATIENCE = 3000;

export interface LossCases {
  server(): Server;
  open(url: string): CacheStore;
}

export function describeLosses(name: string, cases: LossCases): void {
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
  await expect(work()).rejects.toThrow();
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
