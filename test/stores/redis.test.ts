/** The store on a Redis server, against a real one. */
import { createClient } from '@keyv/redis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { redisStore } from '../../src/cache/stores/redis.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { describeStore } from './conformance.ts';
import { describeLosses } from './losses.ts';
import { findRedis, PASSWORD, startRedis } from './servers.ts';
import type { Server } from './servers.ts';

const redis = findRedis();
const INFO = { kind: 'object', label: '' } as const;

describe.skipIf(skipWithout(redis))('with Redis', () => {
  let server: Server;
  let client: ReturnType<typeof createClient>;
  beforeAll(async () => {
    server = await startRedis(available(redis).program);
  });
  afterAll(() => server?.remove());

  const connect = async () => {
    client = createClient({ url: server.url });
    await client.on('error', () => {}).connect();
    await client.flushAll();
  };

  /** Apart from the one that asks. */
  const connections = async () => {
    await connect();
    const clients = await client.clientList();
    client.destroy();
    return clients.length - 1;
  };

  describeStore('the store on a Redis server', {
    async place() {
      await connect();
      const names = ['other', 'seccompc', 'seccompc:x', 'seccompcx::y', 'seccompc-index-x::y', 'SECCOMPC::x'];
      return {
        open: () => redisStore(`${server.url}/3`),
        foreign: {
          async put() {
            await client.set('seccompc::of another database', 'x');
            await client.select(3);
            for (const name of names) await client.set(name, `of ${name}`);
            await client.hSet('a hash', 'x', 'y');
          },
          get: async () => [await client.mGet(names), await client.hGetAll('a hash')],
        },
        end: () => client.destroy(),
      };
    },
    tier: 'redis',
    shared: true,
  });

  describe('the store on a Redis server', () => {
    const opened: CacheStore[] = [];
    const open = (url = server.url) => {
      const store = redisStore(url);
      opened.push(store);
      return store;
    };
    beforeAll(connect);
    afterAll(() => client.destroy());
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      await client.select(0);
      await client.flushAll();
    });

    it('has the database that the address names', async () => {
      await open(`${server.url}/5`).set('a', 'x', INFO);
      expect(await open(server.url).get('a')).toBeUndefined();
      expect(await open(`${server.url.replace('redis:', 'valkey:')}/5`).get('a')).toBe('x');
      expect(await client.dbSize()).toBe(0);
      await client.select(5);
      expect((await client.keys('*')).toSorted()).toEqual(['seccompc-index::a', 'seccompc::a']);
    });

    it('rejects a number that the server has no database for', async () => {
      await expect(open(`${server.url}/99`).get('a')).rejects.toThrow(/DB index is out of range/);
    });

    it('rejects a wrong password, and none, without telling one', async () => {
      const wrong = open(server.url.replace(encodeURIComponent(PASSWORD), 'not-the-password'));
      const cause = await wrong.get('a').catch((error: unknown) => error);
      expect(String(cause)).toMatch(/WRONGPASS/);
      expect(String(cause)).not.toContain('not-the-password');
      await expect(open(`redis://127.0.0.1:${server.port}`).get('a')).rejects.toThrow(/NOAUTH/);
      await expect(open(`redis://127.0.0.1:${server.port}`).list()).rejects.toThrow(/NOAUTH/);
      await expect(open(`redis://127.0.0.1:${server.port}`).clear()).rejects.toThrow(/NOAUTH/);
      await expect(open(`redis://127.0.0.1:${server.port}`).remove(['a'])).rejects.toThrow(/NOAUTH/);
    });

    it('goes on reading from a server that is full', async () => {
      const store = open();
      await store.set('a', 'x', INFO);
      await client.configSet('maxmemory', '1');
      try {
        const answers = await Promise.allSettled([store.set('b', 'y', INFO), store.get('a'), store.list()]);
        expect(answers.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
        expect(String((answers[0] as PromiseRejectedResult).reason)).toMatch(/OOM/);
      } finally {
        await client.configSet('maxmemory', '0');
      }
      await store.set('b', 'y', INFO);
    });

    it('finds its keys among many of others', async () => {
      const others = Array.from({ length: 50_000 }, (_, number) => [`other:${number}`, 'x'] as const);
      await client.mSet(Object.fromEntries(others));
      const store = open();
      for (let number = 0; number < 30; number += 1) await store.set(`${number}`, 'x', INFO);
      expect(await store.list()).toHaveLength(30);
      await store.clear();
      expect(await client.dbSize()).toBe(50_000);
    });
  });

  describeLosses('a Redis server', {
    server: () => server,
    open: redisStore,
    connections,
  });
});
