import { diagnostic, fail } from '../errors.ts';
import { withDeadline, DeadlinePassed } from './deadline.ts';
import { keyvStore } from './keyv-store.ts';
import type { KeyvLike } from './keyv-store.ts';
import { CacheFault } from './store.ts';
import type { CacheStore } from './store.ts';

/**
 * How long a server may take to let us in, and then for one record, in milliseconds: together less than STORE_DEADLINE
 * of compile-cached.ts.
 */
export const CONNECT_TIME = 900;
export const ANSWER_TIME = 1000;
/** The same for what goes through everything it holds. */
export const SWEEP_TIME = 30_000;

/** A connection to a server, in use. */
export interface Connection {
  keyv(namespace: string): KeyvLike;
  /** Whether asking it again can work. */
  alive(): boolean;
  /** Frees sockets and timers at once; what is still asked rejects. */
  close(): Promise<void>;
}

interface Remote {
  tier: string;
  location: string;
  /** Rejects with the cause, and leaves nothing open; needs no deadline of its own beyond CONNECT_TIME. */
  connect(): Promise<Connection>;
}

interface Opened {
  connection: Connection;
  store: CacheStore;
}

/**
 * Records on a server. It is connected to when it is first asked, and again when it is asked after a connection broke or
 * an answer did not come: never in between, so nothing keeps a process that is done. Every method rejects within
 * CONNECT_TIME and ANSWER_TIME, or SWEEP_TIME for `list`, `stats`, `clear` and `remove`.
 */
export function remoteStore({ tier, location, connect }: Remote): CacheStore {
  let opening: Promise<Opened> | undefined;

  async function open(): Promise<Opened> {
    try {
      const connection = await connect();
      return { connection, store: keyvStore({ tier, location, keyv: connection.keyv }) };
    } catch (cause) {
      throw unavailable(location, cause);
    }
  }

  /** Forgets a connection, unless another one is in its place already. */
  async function drop(broken: Promise<Opened>): Promise<void> {
    if (opening === broken) opening = undefined;
    const opened = await broken.catch(() => undefined);
    await opened?.connection.close();
  }

  async function ask<T>(time: number, work: (store: CacheStore) => Promise<T>): Promise<T> {
    const mine = (opening ??= open());
    try {
      const { store } = await mine;
      return await withDeadline(work(store), time);
    } catch (cause) {
      const alive = await mine.then(
        ({ connection }) => connection.alive(),
        () => false,
      );
      if (!alive || cause instanceof DeadlinePassed) await drop(mine);
      throw unavailable(location, cause);
    }
  }

  return {
    tier,
    location,
    shared: true,
    get: (key) => ask(ANSWER_TIME, (store) => store.get(key)),
    set: (key, text, info) => ask(ANSWER_TIME, (store) => store.set(key, text, info)),
    remove: (keys) => ask(SWEEP_TIME, (store) => store.remove(keys)),
    list: () => ask(SWEEP_TIME, (store) => store.list()),
    clear: () => ask(SWEEP_TIME, (store) => store.clear()),
    stats: () => ask(SWEEP_TIME, (store) => store.stats()),
    async close() {
      if (opening !== undefined) await drop(opening);
    },
  };
}

function unavailable(location: string, cause: unknown): CacheFault {
  if (cause instanceof CacheFault) return cause;
  return new CacheFault(diagnostic('CACHE_UNAVAILABLE', { location, reason: reasonOf(cause) }), cause);
}

/** An error of several addresses of one name has its messages further in. */
function reasonOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(reasonOf).join(', ');
  return cause instanceof Error ? cause.message : String(cause);
}

/** The parts of an address, and how it is named in messages: without name and password, wherever they stand. */
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

/** What a text that is no URL may be shown as: neither what stands before an @ nor what comes after a ?. */
function withoutSecrets(text: string): string {
  return text.replace(/\?.*/s, '').replace(/\/\/.*@/s, '//');
}
