/** A process that asks one SQLite file and can be killed, which is the only way to stop SQLite. */
import { sqliteStore } from './sqlite.ts';
import type { SqliteStore } from './sqlite.ts';
import { CacheFault } from './store.ts';
import type { Diagnostic } from '../errors.ts';

export type Method = 'get' | 'peek' | 'set' | 'remove' | 'list' | 'clear' | 'stats' | 'shrink';

export interface Call {
  id: number;
  method: Method;
  args: unknown[];
}

export interface Reply {
  id: number;
  value?: unknown;
  fault?: { message: string; diagnostic?: Diagnostic };
}

const store = sqliteStore(process.argv[2]!);

process.on('message', (call: Call) => void answer(call));
process.once('disconnect', () => void store.close().catch(() => {}));

async function answer({ id, method, args }: Call): Promise<void> {
  const work = store[method] as (this: SqliteStore, ...values: unknown[]) => Promise<unknown>;
  const reply = await work.apply(store, args).then(
    (value): Reply => ({ id, value }),
    (cause: unknown): Reply => ({ id, fault: faultOf(cause) }),
  );
  process.send?.(reply);
}

function faultOf(cause: unknown): NonNullable<Reply['fault']> {
  const message = cause instanceof Error ? cause.message : String(cause);
  return cause instanceof CacheFault ? { message, diagnostic: cause.diagnostic } : { message };
}
