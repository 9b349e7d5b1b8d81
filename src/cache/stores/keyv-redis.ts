/** The client of Redis. The build bundles its packages into this module. */
import { isIP } from 'node:net';
import KeyvRedis, { createClient } from '@keyv/redis';
import { Keyv } from 'keyv';
import type { KeyvConnection } from './remote.ts';

/** The address of a server, and the account there. */
export interface RedisServer {
  host: string;
  port: number;
  tls: boolean;
  /** Number of the database. */
  database: number;
  username?: string;
  password?: string;
}

/**
 * Keys that the server reads for one answer to a scan. Its default of 10 takes too many answers.
 */
const PAGE = 5000;

/**
 * A connection to a server, once and never again by itself.
 *
 * @param time milliseconds in which it has to come about
 */
export function redisConnection(server: RedisServer, time: number): KeyvConnection {
  const client = clientOf(server, time);
  // What it emits it also rejects with.
  client.on('error', () => {});
  return {
    async connect() {
      await client.connect();
    },
    keyv: (namespace) => new Keyv({ store: new Adapter(client, namespace), namespace, useKeyPrefix: false }),
    alive: () => client.isReady,
    // The client would wait for pending answers.
    async end() {},
    destroy() {
      if (client.isOpen) client.destroy();
    },
  };
}

type Client = ReturnType<typeof clientOf>;

function clientOf({ host, port, tls, database, username, password }: RedisServer, time: number) {
  const socket = {
    host,
    port,
    // Earlier than the deadline, because only this closes a socket that does not get through.
    connectTimeout: time - 100,
    reconnectStrategy: false as const,
  };
  return createClient({
    // The certificate is asked for by name, but not by address.
    socket: tls ? { ...socket, tls, ...(isIP(host) === 0 ? { servername: host } : {}) } : socket,
    database,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  });
}

/**
 * Keyv's adapter, with some of its methods replaced: its iterator goes ten keys at a time and fails
 * at one that is removed meanwhile, and its `clear` tells nobody that it failed. Keys are
 * `NAMESPACE::KEY`.
 */
class Adapter extends KeyvRedis<string> {
  readonly #client: Client;

  constructor(client: Client, namespace: string) {
    super(client, { namespace, throwOnErrors: true });
    this.on('error', () => {});
    this.#client = client;
  }

  /** The adapter would connect again, and nothing would end that. */
  override async getClient() {
    return this.#client as never;
  }

  override async *iterator<Value>(
    namespace?: string,
  ): AsyncGenerator<[string, Value | undefined], void, unknown> {
    for await (const keys of this.#pages(namespace)) {
      const values = await this.#client.mGet(keys);
      for (const [at, key] of keys.entries()) {
        const value = values[at];
        if (typeof value === 'string') yield [this.getKeyWithoutPrefix(key, namespace), value as Value];
      }
    }
  }

  override async clear(): Promise<void> {
    for await (const keys of this.#pages(this.namespace)) await this.#client.unlink(keys);
  }

  /** All keys of a namespace, of which some may come twice. */
  async *#pages(namespace = ''): AsyncGenerator<string[]> {
    const pattern = this.createKeyPrefix('*', namespace);
    let cursor = '0';
    do {
      const page = await this.#client.scan(cursor, { MATCH: pattern, COUNT: PAGE });
      cursor = page.cursor;
      if (page.keys.length > 0) yield page.keys;
    } while (cursor !== '0');
  }
}
