/** A process that asks one SQLite file and can be killed, which is the only way to stop SQLite. */
import { Worker } from 'node:worker_threads';
import { sqliteStore } from './sqlite.ts';
import type { SqliteStore } from './sqlite.ts';
import { CacheFault } from './store.ts';
import type { Diagnostic } from '../../errors.ts';

export type StoreMethod = 'get' | 'peek' | 'set' | 'remove' | 'list' | 'clear' | 'stats' | 'shrink';

export interface StoreCall {
  id: number;
  method: StoreMethod;
  args: unknown[];
}

export interface StoreReply {
  id: number;
  value?: unknown;
  fault?: { message: string; diagnostic?: Diagnostic };
}

/**
 * Standard input closes when the parent is gone, however it ended. A thread watches it: this one
 * sees nothing in a query.
 */
const WATCH = `const { Socket } = require('node:net');
new Socket({ fd: 0 }).resume().once('close', () => process.kill(process.pid, 'SIGKILL'));`;
new Worker(WATCH, { eval: true }).unref();

const store = sqliteStore(process.argv[2]!);

process.on('message', (call: StoreCall) => void answer(call));
process.once('disconnect', () => void store.close().catch(() => {}));

async function answer({ id, method, args }: StoreCall): Promise<void> {
  const work = store[method] as (this: SqliteStore, ...values: unknown[]) => Promise<unknown>;
  const reply = await work.apply(store, args).then(
    (value): StoreReply => ({ id, value }),
    (cause: unknown): StoreReply => ({ id, fault: faultOf(cause) }),
  );
  process.send?.(reply);
}

function faultOf(cause: unknown): NonNullable<StoreReply['fault']> {
  const message = cause instanceof Error ? cause.message : String(cause);
  return cause instanceof CacheFault ? { message, diagnostic: cause.diagnostic } : { message };
}
