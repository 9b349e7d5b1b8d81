import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import { DeadlinePassed, withDeadline } from './deadline.ts';
import { keyvStore } from './keyv-store.ts';
import type { KeyvLike } from './keyv-store.ts';
import { CacheFault, peek } from './store.ts';
import type { CacheStore } from './store.ts';

/** Milliseconds for a connection, and then for one record: together less than STORE_DEADLINE. */
export const CONNECT_TIME = 900;
export const ANSWER_TIME = 1000;
/** Milliseconds for what reads all records. */
const SWEEP_TIME = 30_000;

/** Milliseconds for ending a connection. */
const FAREWELL_TIME = 200;

/** A connection to what keeps the records. It has no deadlines: those are kept here. */
export interface StoreConnection {
  /** Resolves when the server has accepted the connection. */
  connect: () => Promise<void>;
  /** Whether asking it again can work. */
  alive: () => boolean;
  /** Ends the connection by the protocol of the server, if that is necessary. */
  end: () => Promise<void>;
  /** Frees sockets and timers; pending questions reject. */
  destroy: () => void;
}

/** A connection to a server, by which Keyv reads and writes. */
export interface KeyvConnection extends StoreConnection {
  keyv: (namespace: string) => KeyvLike;
}

/** In milliseconds. */
export interface Times {
  /** For one record; {@link ANSWER_TIME} unless given. */
  answerTime: number;
  /** For what reads all records; {@link SWEEP_TIME} unless given. */
  sweepTime: number;
}

interface Remote extends Partial<Times> {
  tier: string;
  location: string;
  /** Whether others than this user can write to it. */
  shared: boolean;
  /** A connection that is not connected yet, and the store behind it. */
  make: () => Promise<{ connection: StoreConnection; store: Asked }>;
}

type Asked = Omit<CacheStore, 'tier' | 'location' | 'shared' | 'close'>;

interface Opened {
  connection: StoreConnection;
  store: Asked;
  /** Rejects pending questions: a client forgets some of them when it is closed. */
  waiting: Set<(cause: Error) => void>;
}

/**
 * Records outside this process. A connection is made when the store is first asked, and again after
 * it broke or an answer did not come, so nothing keeps a finished process alive. Every method
 * rejects within CONNECT_TIME and the time for an answer, or SWEEP_TIME for `list`, `stats`,
 * `clear`, `remove` and `shrink`.
 */
export function remoteStore(remote: Remote): CacheStore {
  const { tier, location, shared, make, answerTime = ANSWER_TIME, sweepTime = SWEEP_TIME } = remote;
  let opening: Promise<Opened> | undefined;

  async function open(): Promise<Opened> {
    const { connection, store } = await make();
    try {
      await withDeadline(connection.connect(), CONNECT_TIME);
    } catch (cause) {
      connection.destroy();
      throw cause;
    }
    return { connection, store, waiting: new Set() };
  }

  async function ask<T>(time: number, work: (store: Asked) => Promise<T>): Promise<T> {
    const mine = (opening ??= open());
    let opened: Opened | undefined;
    try {
      opened = await mine;
      return await withDeadline(unlessLeft(opened, work), time);
    } catch (cause) {
      if (opened?.connection.alive() !== true || cause instanceof DeadlinePassed) {
        // Another question may have opened the next connection already.
        if (opening === mine) opening = undefined;
        if (opened !== undefined) leave(opened);
      }
      throw unavailable(remote, cause);
    }
  }

  return {
    tier,
    location,
    shared,
    get: (key) => ask(answerTime, (store) => store.get(key)),
    peek: (key) => ask(answerTime, (store) => peek(store, key)),
    set: (key, text, info) => ask(answerTime, (store) => store.set(key, text, info)),
    remove: (keys) => ask(sweepTime, (store) => store.remove(keys)),
    list: () => ask(sweepTime, (store) => store.list()),
    clear: () => ask(sweepTime, (store) => store.clear()),
    stats: () => ask(sweepTime, (store) => store.stats()),
    // Others use the records on a server too.
    ...(shared ? {} : { shrink: (limits) => ask(sweepTime, async (store) => store.shrink?.(limits) ?? 0) }),
    async close() {
      const closing = opening;
      opening = undefined;
      const opened = await closing?.catch(() => undefined);
      if (opened === undefined) return;
      await withDeadline(opened.connection.end(), FAREWELL_TIME).catch(() => {});
      leave(opened);
    },
  };
}

async function unlessLeft<T>({ store, waiting }: Opened, work: (store: Asked) => Promise<T>): Promise<T> {
  let stop!: (cause: Error) => void;
  const left = new Promise<never>((_, reject) => (stop = reject));
  waiting.add(stop);
  try {
    return await Promise.race([work(store), left]);
  } finally {
    waiting.delete(stop);
  }
}

function leave({ connection, waiting }: Opened): void {
  connection.destroy();
  for (const stop of waiting) stop(new Error('its connection was closed'));
}

const SERVER_HINT =
  'the result is right, only slower; look after the server, or go without by another --cache';

function unavailable({ location, shared }: Remote, cause: unknown): CacheFault {
  if (cause instanceof CacheFault) return cause;
  const reason = reasonOf(cause);
  const found = diagnostic('CACHE_UNAVAILABLE', { location, reason }, shared ? { hint: SERVER_HINT } : {});
  return new CacheFault(found, cause);
}

/** If a name has several addresses, each has an error of its own. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(reasonOf).join(', ');
  if (cause instanceof SeccompcError) return cause.diagnostics[0]!.message;
  return cause instanceof Error ? cause.message : String(cause);
}

/** A store on a server, by Keyv. Nothing is connected to yet; `client` loads the client first. */
export function serverStore(
  tier: string,
  location: string,
  client: () => Promise<KeyvConnection>,
): CacheStore {
  return remoteStore({
    tier,
    location,
    shared: true,
    async make() {
      const connection = await client();
      return { connection, store: keyvStore({ tier, location, keyv: connection.keyv }) };
    },
  });
}

/** The parts of an address, and its form for messages, without name and password. */
export interface Address {
  url: URL;
  location: string;
}

/** @throws SeccompcError CACHE_ADDRESS_WRONG */
export function parseAddress(text: string): Address {
  if (!URL.canParse(text)) return refuseAddress(withoutSecrets(text), 'it is no URL');
  const url = new URL(text);
  return { url, location: `${url.protocol}//${url.host}${url.pathname}` };
}

export function refuseAddress(location: string, reason: string): never {
  return fail('CACHE_ADDRESS_WRONG', { location, reason });
}

/** A text that is no URL, without what comes before an @ or after a ?. */
function withoutSecrets(text: string): string {
  return text.replace(/\?.*/s, '').replace(/\/\/.*@/s, '//');
}
