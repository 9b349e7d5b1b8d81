/** The client of PostgreSQL. The build bundles its packages into this module. */
import { Socket } from 'node:net';
import { KeyvPostgres } from '@keyv/postgres';
import { Keyv } from 'keyv';
import pg from 'pg';
import type { KeyvConnection } from './remote.ts';

const SCHEMA = 'public';
const TABLE = 'seccompc_cache';
/** A command asks one question at a time, a server several. */
const CONNECTIONS = 4;

/**
 * Connections to a database, of which the first creates the table where it is missing.
 *
 * @param time milliseconds in which each has to come about
 */
export function postgresConnection(address: string, time: number): KeyvConnection {
  const sockets = new Set<Socket>();
  const pool = new pg.Pool({
    connectionString: address,
    max: CONNECTIONS,
    connectionTimeoutMillis: time,
    allowExitOnIdle: true,
    application_name: 'seccompc',
    // A socket of our own, because the pool would wait for the server to end it.
    stream: () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    },
  });
  // An idle connection that the server ended: the next query gets another one.
  pool.on('error', () => {});
  return {
    connect: () => createTable(pool),
    keyv: (namespace) => new Keyv({ store: new Adapter(pool), namespace }),
    alive: () => true,
    end: () => pool.end(),
    destroy() {
      if (!pool.ending) pool.end().catch(() => {});
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function createTable(pool: pg.Pool): Promise<void> {
  if (await tableIsThere(pool)) return;
  try {
    await pool.query(`CREATE TABLE ${SCHEMA}.${TABLE} (key varchar(255) PRIMARY KEY, value text)`);
  } catch (cause) {
    // If another process creates it at the same moment, the error depends on the moment.
    if (!(await tableIsThere(pool))) throw cause;
  }
}

async function tableIsThere(pool: pg.Pool): Promise<boolean> {
  const statement = 'SELECT to_regclass($1) IS NOT NULL AS there';
  const { rows } = await pool.query<{ there: boolean }>(statement, [`${SCHEMA}.${TABLE}`]);
  return rows[0]?.there === true;
}

/**
 * Keyv's adapter over a pool of our own: its own one is a single one for the whole process, which
 * the next address takes away. Also replaced: an iterator that ends early when it fails, and a
 * removal that first reads what it removes. Keys are `NAMESPACE:KEY`.
 */
class Adapter extends KeyvPostgres {
  constructor(pool: pg.Pool) {
    super({ schema: SCHEMA, table: TABLE });
    this.on('error', () => {});
    this.query = async (statement, values) => (await pool.query(statement, values as unknown[])).rows;
  }

  /** The adapter would make a pool and the table. */
  override async connect() {
    return async () => [];
  }

  override async disconnect(): Promise<void> {}

  /** In one statement, so that it is the state of one moment. */
  override async *iterator(namespace = ''): AsyncGenerator<string[], void, unknown> {
    const rows: { key: string; value: string }[] = await this.query(
      `SELECT key, value FROM ${SCHEMA}.${TABLE} WHERE key LIKE $1`,
      [`${namespace}:%`],
    );
    for (const { key, value } of rows) yield [key, value];
  }

  override async deleteMany(keys: string[]): Promise<boolean> {
    await this.query(`DELETE FROM ${SCHEMA}.${TABLE} WHERE key = ANY($1)`, [keys]);
    return true;
  }
}
