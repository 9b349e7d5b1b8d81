/** A process that asks one SQLite file and can be killed, which is the only way to stop SQLite. */
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
