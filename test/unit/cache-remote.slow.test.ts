/** Stores on servers that are not there, or are none. The real ones are in test/stores. */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { STORE_DEADLINE } from '../../src/cache/compile-cached.ts';
import { postgresStore } from '../../src/cache/stores/postgres.ts';
import { redisStore } from '../../src/cache/stores/redis.ts';
import { ANSWER_TIME, CONNECT_TIME } from '../../src/cache/stores/remote.ts';
import { CacheFault } from '../../src/cache/stores/store.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { SeccompcError } from '../../src/errors.ts';

const INFO = { kind: 'object', label: '' } as const;

const STORES: [string, (port: number) => CacheStore][] = [
  ['Redis', (port) => redisStore(`redis://user:secret@127.0.0.1:${port}/1`)],
  ['Redis by TLS', (port) => redisStore(`rediss://user:secret@127.0.0.1:${port}/1`)],
  ['PostgreSQL', (port) => postgresStore(`postgres://user:secret@127.0.0.1:${port}/database`)],
  [
    'PostgreSQL by TLS',
    (port) => postgresStore(`postgres://user:secret@127.0.0.1:${port}/database?sslmode=no-verify`),
  ],
];

let server: Server;
let port: number;
let connections: Set<Socket>;
let greet: (socket: Socket) => void;
beforeEach(async () => {
  connections = new Set();
  greet = () => {};
  server = createServer((socket) => {
    connections.add(socket);
    socket.on('error', () => {}).on('close', () => connections.delete(socket));
    socket.resume();
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterEach(async () => {
  for (const socket of connections) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

/** What keeps a process alive, except for what the test's own server and reporter have. */
const heldOpen = () =>
  process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS|Timeout)/.test(name)).length;

/** Waits until it is true; what never becomes true fails the test. */
const until = (test: () => boolean) => vi.waitUntil(test, { timeout: 60_000, interval: 10 });

describe.each(STORES)('a store on %s', (_, open) => {
  it('does nothing until it is asked', async () => {
    const store = open(port);
    await store.close();
    expect(connections.size).toBe(0);
  });

  it('rejects with the reason where no server is', async () => {
    await new Promise((resolve) => server.close(resolve));
    const store = open(port);
    await expect(store.get('a')).rejects.toBeInstanceOf(CacheFault);
    const cause = await store.set('a', 'x', INFO).catch((error: unknown) => error);
    expect(cause).toBeInstanceOf(CacheFault);
    expect((cause as CacheFault).diagnostic.code).toBe('CACHE_UNAVAILABLE');
    expect(String(cause)).toMatch(/ECONNREFUSED/);
    expect(String(cause)).not.toContain('secret');
    await expect(store.list()).rejects.toThrow(/ECONNREFUSED/);
    await expect(store.stats()).rejects.toThrow(/ECONNREFUSED/);
    await expect(store.clear()).rejects.toThrow(/ECONNREFUSED/);
    await expect(store.remove(['a'])).rejects.toThrow(/ECONNREFUSED/);
    await store.close();
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  it('rejects where the server never answers, and leaves nothing open', async () => {
    const before = heldOpen();
    const store = open(port);
    await expect(store.get('a')).rejects.toThrow(/no answer within \d+ ms|timeout/i);
    await until(() => connections.size === 0);
    await store.close();
    await until(() => heldOpen() <= before);
  });

  it('rejects all that was asked of a server that hangs up', async () => {
    greet = (socket) => socket.end();
    const store = open(port);
    const answers = await Promise.allSettled([store.get('a'), store.set('a', 'x', INFO), store.list()]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await store.close();
    await until(() => connections.size === 0);
  });

  it('rejects what is no answer', async () => {
    greet = (socket) => socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'.repeat(20));
    const store = open(port);
    await expect(store.get('a')).rejects.toBeInstanceOf(CacheFault);
    await store.close();
    await until(() => connections.size === 0);
  });

  it('can be closed while it connects', async () => {
    const store = open(port);
    const asked = store.get('a').catch(() => 'rejected');
    await until(() => connections.size > 0);
    await store.close();
    expect(await asked).toBe('rejected');
    await until(() => connections.size === 0);
  });
});

describe('the times of a server', () => {
  it('are together below the deadline of a store', () => {
    expect(CONNECT_TIME + ANSWER_TIME).toBeLessThan(STORE_DEADLINE);
  });
});

describe('the address of a server', () => {
  it.each([
    ['redis://host', 'redis://host'],
    ['redis://:secret@host:7000/3', 'redis://host:7000/3'],
    ['rediss://user:secret@[::1]:7000', 'rediss://[::1]:7000'],
    ['valkey://secret@host/0', 'valkey://host/0'],
    ['valkeys://host/', 'valkeys://host/'],
  ])('%s is shown as %s', (address, location) => {
    expect(redisStore(address)).toMatchObject({ tier: 'redis', shared: true, location });
  });

  it.each([
    ['postgres://host/db', 'postgres://host/db'],
    ['postgresql://user:secret@host:1234/db?sslmode=require&password=secret', 'postgresql://host:1234/db'],
    ['postgres:///db?host=/run/secret&password=secret', 'postgres:///db'],
  ])('%s is shown as %s', (address, location) => {
    expect(postgresStore(address)).toMatchObject({ tier: 'postgres', shared: true, location });
  });

  it.each([
    ['redis://', /names no host/],
    ['redis:', /names no host/],
    ['redis://host/secret', /not the number of a database/],
    ['redis://host/1/2', /not the number of a database/],
    ['redis://host/-1', /not the number of a database/],
    ['redis://host?password=secret', /query/],
    ['redis://host#secret', /fragment/],
    ['redis://:secret%@host', /begins no byte/],
    ['redis://:secr et@ho st', /no URL/],
    ['redis://:secret@host:port', /no URL/],
    ['http://secret@host', /no scheme of Redis/],
  ])('%s is refused', (address, reason) => {
    const refused = refusalOf(() => redisStore(address));
    expect(refused).toMatch(reason);
    if (!reason.source.includes('number')) expect(refused).not.toContain('secret');
  });

  it.each([
    ['postgres://:secret@host:port/db', /no URL/],
    ['postgres://user:secret@host :1/db?password=secret', /no URL/],
    ['mysql://user:secret@host/db', /no scheme of PostgreSQL/],
  ])('%s is refused', (address, reason) => {
    const refused = refusalOf(() => postgresStore(address));
    expect(refused).toMatch(reason);
    expect(refused).not.toContain('secret');
  });
});

function refusalOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    expect(error.diagnostics.map(({ code }) => code)).toEqual(['CACHE_ADDRESS_WRONG']);
    return error.message;
  }
  return 'taken';
}
