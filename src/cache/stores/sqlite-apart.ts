import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { remoteStore } from './remote.ts';
import type { StoreConnection, Times } from './remote.ts';
import type { StoreCall, StoreMethod, StoreReply } from './sqlite-process.ts';
import type { SqliteStore } from './sqlite.ts';
import { CacheFault } from './store.ts';
import type { CacheStore } from './store.ts';

/** How long one record may take, with the start of the process, in milliseconds: less than STORE_DEADLINE. */
export const ANSWER_TIME = 1900;

/**
 * Records in one SQLite file, asked by a process of its own, which is killed when it does not answer in time. A file from
 * somebody else can be made so that a query on it never ends, and SQLite cannot be stopped within a process.
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

type Asked = Pick<SqliteStore, StoreMethod>;

function startProcess(file: string): { connection: StoreConnection; store: Asked } {
  // Loading it takes milliseconds, and most databases do not need it.
  const { spawn } = process.getBuiltinModule('node:child_process');
  const child = spawn(process.execPath, [processFile(), file], {
    stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
    windowsHide: true,
  });
  // Pending requests have a timer, which keeps this process alive. Nothing else should.
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
  // A process that is busy with a query would not see that nobody waits for it any more.
  const kill = () => void child.kill('SIGKILL');
  process.on('exit', kill);
  child.on('message', (reply: StoreReply) => {
    const { resolve, reject } = waiting.get(reply.id) ?? {};
    waiting.delete(reply.id);
    if (reply.fault === undefined) resolve?.(reply.value);
    else reject?.(errorOf(reply.fault));
  });

  let calls = 0;
  function call<M extends StoreMethod>(method: M): Asked[M] {
    const ask = (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        const id = (calls += 1);
        waiting.set(id, { resolve, reject });
        const message: StoreCall = { id, method, args };
        child.send(message, (cause) => {
          if (cause !== null && waiting.delete(id)) reject(cause);
        });
      });
    return ask as Asked[M];
  }
  const store: Asked = {
    get: call('get'),
    peek: call('peek'),
    set: call('set'),
    remove: call('remove'),
    list: call('list'),
    clear: call('clear'),
    stats: call('stats'),
    shrink: call('shrink'),
  };
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

const PROCESS = join('cache', 'stores', 'sqlite-process.js');

/** The built module, from wherever this one runs: as a source, as a module of the library, or in the command. */
function processFile(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    for (const file of [join(folder, PROCESS), join(folder, 'dist', PROCESS)])
      if (existsSync(file)) return file;
    if (folder === dirname(folder)) throw new Error(`${PROCESS} is missing from the package: build it first`);
  }
}
