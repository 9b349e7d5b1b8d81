import { diagnostic, fail } from '../../errors.ts';
import { DeadlinePassed, withDeadline } from './deadline.ts';
import type { KeyvLike } from './keyv-store.ts';
import { CacheFault, peek } from './store.ts';
import type { CacheStore } from './store.ts';

/**
 * How long a server may take to let us in, and then for one record, in milliseconds: together less than STORE_DEADLINE
 * of compile-cached.ts.
 */
export const CONNECT_TIME = 900;
export const ANSWER_TIME = 1000;
/** The same for what goes through everything it holds. */
export const SWEEP_TIME = 30_000;

/** How long a server may take to hear our farewell. */
const FAREWELL_TIME = 200;

/** A connection to what keeps the records. It has no deadlines: those are kept here. */
export interface StoreConnection {
  /** Resolves when the server has let us in. */
  connect: () => Promise<void>;
  /** Whether asking it again can work. */
  alive: () => boolean;
  /** Says goodbye, where the server wants it. */
  end: () => Promise<void>;
  /** Frees sockets and timers; what is still asked rejects. */
  destroy: () => void;
}

/** One to a server, as the modules with the clients make it. */
export interface KeyvConnection extends StoreConnection {
  keyv: (namespace: string) => KeyvLike;
}

/** In milliseconds. */
export interface Times {
  /** What one record may take; {@link ANSWER_TIME} unless given. */
  answerTime: number;
  /** What going through all records may take; {@link SWEEP_TIME} unless given. */
  sweepTime: number;
}

interface Remote extends Partial<Times> {
  tier: string;
  location: string;
  /** Whether others than this user can write to it. */
  shared: boolean;
  /** A connection that is not connected yet, and what is asked by way of it. */
  make: () => Promise<{ connection: StoreConnection; store: Asked }>;
  /** What helps when it cannot be used, if it is not what helps with a file. */
  hint?: string;
}

type Asked = Omit<CacheStore, 'tier' | 'location' | 'shared' | 'close'>;

interface Opened {
  connection: StoreConnection;
  store: Asked;
  /** Rejects what is still waited for; a client forgets some of it when it is closed. */
  waiting: Set<(cause: Error) => void>;
}

/**
 * Records outside this process. What keeps them is connected to when it is first asked, and again when it is asked after a connection broke or
 * an answer did not come: never in between, so nothing keeps a process that is done. Every method rejects within
 * CONNECT_TIME and the time for an answer, or SWEEP_TIME for `list`, `stats`, `clear`, `remove` and `shrink`.
 */
export function remoteStore(remote: Remote): CacheStore {
  const { tier, location, shared, make, answerTime = ANSWER_TIME, sweepTime = SWEEP_TIME, hint } = remote;
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
        // Another one may be in its place already.
        if (opening === mine) opening = undefined;
        if (opened !== undefined) leave(opened);
      }
      throw unavailable(location, hint, cause);
    }
  }

  function take(): Promise<Opened> | undefined {
    const taken = opening;
    opening = undefined;
    return taken;
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
    // What is on a server is not only ours to remove.
    ...(shared ? {} : { shrink: (limits) => ask(sweepTime, async (store) => store.shrink?.(limits) ?? 0) }),
    async close() {
      const opened = await take()?.catch(() => undefined);
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

export const SERVER_HINT =
  'the result is right, only slower; look after the server, or go without by another --cache';

function unavailable(location: string, hint: string | undefined, cause: unknown): CacheFault {
  if (cause instanceof CacheFault) return cause;
  const found = diagnostic(
    'CACHE_UNAVAILABLE',
    { location, reason: reasonOf(cause) },
    hint === undefined ? {} : { hint },
  );
  return new CacheFault(found, cause);
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
