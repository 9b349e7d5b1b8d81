/** The store in a PostgreSQL database, against a real server. */
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { postgresStore } from '../../src/cache/stores/postgres.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { describeStore } from './conformance.ts';
import { describeLosses } from './losses.ts';
import { findPostgres, PASSWORD, startPostgres } from './servers.ts';
import type { Server } from './servers.ts';

const postgres = findPostgres();
const INFO = { kind: 'object', label: '' } as const;

describe.skipIf(skipWithout(postgres))('with PostgreSQL', () => {
  let server: Server;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres(available(postgres).folder);
  });
  afterAll(() => server?.remove());

  const connect = async () => {
    client = new pg.Client({ connectionString: server.url });
    client.on('error', () => {});
    await client.connect();
    await client.query('DROP TABLE IF EXISTS seccompc_cache, other');
  };
  const rowsOf = async (statement: string): Promise<unknown[]> => (await client.query(statement)).rows;

  const connections = async () => {
    await connect();
    const rows = await rowsOf(`SELECT pid FROM pg_stat_activity WHERE application_name = 'seccompc'`);
    await client.end();
    return rows.length;
  };

  describeStore('the store in a PostgreSQL database', {
    async place() {
      await connect();
      return {
        open: () => postgresStore(server.url),
        foreign: {
          async put() {
            await client.query(`CREATE TABLE other AS SELECT 'seccompc:x' AS key, 'x' AS value`);
            await client.query('CREATE TABLE seccompc_cache (key varchar(255) PRIMARY KEY, value text)');
            await client.query(
              `INSERT INTO seccompc_cache SELECT key, 'x' FROM unnest(ARRAY['seccompcx:y', 'x:seccompc:y', 'SECCOMPC:x']) AS key`,
            );
          },
          get: async () => [
            await rowsOf('SELECT * FROM other'),
            await rowsOf(`SELECT * FROM seccompc_cache WHERE key !~ '^seccompc(-index)?:' ORDER BY key`),
          ],
        },
        end: () => client.end(),
      };
    },
    tier: 'postgres',
    shared: true,
  });

  describe('the store in a PostgreSQL database', () => {
    const opened: CacheStore[] = [];
    const open = (url = server.url) => {
      const store = postgresStore(url);
      opened.push(store);
      return store;
    };
    beforeAll(connect);
    afterAll(() => client.end());
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      await client.query('DROP TABLE IF EXISTS seccompc_cache');
    });

    it('creates its table once, however many come at once', async () => {
      for (let round = 0; round < 10; round += 1) {
        await client.query('DROP TABLE IF EXISTS seccompc_cache');
        const stores = Array.from({ length: 12 }, () => open());
        await Promise.all(stores.map((store, number) => store.set(`${number}`, 'x', INFO)));
        expect(await open().list()).toHaveLength(12);
        for (const store of opened.splice(0)) await store.close();
      }
    });

    it('needs no right to create a table that is there', async () => {
      await open().set('a', 'x', INFO);
      await client.query(`DROP ROLE IF EXISTS guest`);
      await client.query(`CREATE ROLE guest LOGIN PASSWORD 'guest'`);
      const guest = server.url.replace(/\/\/.*@/, '//guest:guest@');
      await client.query('GRANT SELECT, INSERT, UPDATE, DELETE ON seccompc_cache TO guest');
      const store = open(guest);
      expect(await store.get('a')).toBe('x');
      await store.set('b', 'y', INFO);
      await client.query('REVOKE INSERT ON seccompc_cache FROM guest');
      await expect(store.set('c', 'z', INFO)).rejects.toThrow(/permission denied for table/);
      expect(await store.get('b')).toBe('y');
      await client.query('DROP TABLE seccompc_cache');
      await expect(open(guest).get('a')).rejects.toThrow(/permission denied for schema/);
    });

    it('is reached through a socket of the file system', async () => {
      await open().set('a', 'x', INFO);
      const { folder, port } = server;
      const query = new URLSearchParams({
        host: folder,
        port: `${port}`,
        user: 'seccompc',
        password: PASSWORD,
      });
      const store = open(`postgresql:///postgres?${query.toString().replaceAll('+', '%20')}`);
      expect(await store.get('a')).toBe('x');
      expect(store.location).toBe('postgresql:///postgres');
    });

    it('rejects a wrong password and a database that is not there, without telling a password', async () => {
      const wrong = open(server.url.replace(encodeURIComponent(PASSWORD), 'not-the-password'));
      const cause = await wrong.get('a').catch((error: unknown) => error);
      expect(String(cause)).toMatch(/password authentication failed/);
      expect(String(cause)).not.toContain('not-the-password');
      const nowhere = open(server.url.replace(/postgres$/, 'nowhere'));
      await expect(nowhere.list()).rejects.toThrow(/database "nowhere" does not exist/);
    });

    it('rejects where its table was taken away, and creates it for the next', async () => {
      const store = open();
      await store.set('a', 'x', INFO);
      await client.query('DROP TABLE seccompc_cache');
      await expect(store.get('a')).rejects.toThrow(/does not exist/);
      await expect(store.list()).rejects.toThrow(/does not exist/);
      await store.close();
      expect(await store.list()).toEqual([]);
    });

    it('has stores of two servers beside each other', async () => {
      const [one, other] = [open(), open(`${server.url}?application_name=other`)];
      await one.set('a', 'x', INFO);
      await other.set('b', 'y', INFO);
      await one.close();
      expect(await other.list()).toHaveLength(2);
    });
  });

  describeLosses('a PostgreSQL server', {
    server: () => server,
    open: postgresStore,
    connections,
  });
});
