import type { Socket } from 'node:net';
import { join } from 'node:path';
import { builtFile } from '../../fs/built-file.ts';
import { remoteStore } from './remote.ts';
import type { StoreConnection, Times } from './remote.ts';
import type { StoreCall, StoreMethod, StoreReply } from './sqlite-process.ts';
import type { SqliteStore } from './sqlite.ts';
import { CacheFault } from './store.ts';
import type { CacheStore } from './store.ts';

/** Milliseconds for one record, with the start of the process: less than STORE_DEADLINE. */
const ANSWER_TIME = 1900;

/**
 * Records in one SQLite file that another process reads, which is killed if it does not answer in
 * time. On a file from somebody else a query may never end, and a process cannot stop its own
 * SQLite.
 */
export function sqliteStoreApart(file: string, times: Partial<Times> = {}): CacheStore {
  return remoteStore({
    tier: 'sqlite',
    location: file,
    shared: false,
    make: async () => startProcess(file),
    answerTime: ANSWER_TIME,
    ...times,
  });
}

const PROCESS = join('cache', 'stores', 'sqlite-process.js');
const METHODS: StoreMethod[] = ['get', 'peek', 'set', 'remove', 'list', 'clear', 'stats', 'shrink'];

type Asked = Pick<SqliteStore, StoreMethod>;

function startProcess(file: string): { connection: StoreConnection; store: Asked } {
  // Loading it takes milliseconds, and most databases do not need it.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(process.execPath, [builtFile(PROCESS), file], {
    stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
    windowsHide: true,
  });
  // Only the timers of pending questions keep this process alive.
  child.unref();
  child.channel?.unref();
  (child.stdin as Socket | null)?.unref();
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (cause: Error) => void }>();
  let alive = true;
  const ended = new Promise<void>((resolve) => {
    const end = (cause: Error) => {
      alive = false;
      process.off('exit', kill);
      for (const { reject } of waiting.values()) reject(cause);
      waiting.clear();
      resolve();
    };
    child.on('error', end);
    child.on('exit', (code, signal) => end(new Error(`the process that reads it ended (${signal ?? code})`)));
  });
  // While a query runs, the process would not notice that this one has ended.
  const kill = () => void child.kill('SIGKILL');
  process.on('exit', kill);
  child.on('message', (reply: StoreReply) => {
    const { resolve, reject } = waiting.get(reply.id) ?? {};
    waiting.delete(reply.id);
    if (reply.fault === undefined) resolve?.(reply.value);
    else reject?.(errorOf(reply.fault));
  });

  let calls = 0;
  const call =
    (method: StoreMethod) =>
    (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        const id = (calls += 1);
        waiting.set(id, { resolve, reject });
        const message: StoreCall = { id, method, args };
        child.send(message, (cause) => {
          if (cause !== null && waiting.delete(id)) reject(cause);
        });
      });
  const store = Object.fromEntries(METHODS.map((method) => [method, call(method)])) as unknown as Asked;
  const connection: StoreConnection = {
    connect: async () => {},
    alive: () => alive,
    async end() {
      if (child.connected) child.disconnect();
      await ended;
    },
    destroy() {
      if (alive) kill();
    },
  };
  return { connection, store };
}

function errorOf({ message, diagnostic }: NonNullable<StoreReply['fault']>): Error {
  return diagnostic === undefined ? new Error(message) : new CacheFault(diagnostic);
}
