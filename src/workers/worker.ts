/**
 * The thread that compiles: one job after the other, so that the thread which started it stays
 * free.
 */
import { parentPort, workerData } from 'node:worker_threads';
// Not from cache/index.ts, which loads every kind of store: they stay with the main thread.
import { compileCached } from '../cache/compile-cached.ts';
import type { Cache } from '../cache/compile-cached.ts';
import { readKeys } from '../signature.ts';
import { CacheFault } from '../cache/stores/store.ts';
import type { CacheStore } from '../cache/stores/store.ts';
import { sha256 } from '../cache/records/sha256.ts';
import { compile } from '../compile.ts';
import type { Filter } from '../compile.ts';
import { SeccompcError } from '../errors.ts';
import { filterDocument } from '../format/filter-document.ts';
import type { FromWorker, Job, Product, StoreAnswer, StoreRequest, ToWorker, WorkerSettings } from './messages.ts'; // prettier-ignore

const port = parentPort!;
const { cache: settings } = workerData as WorkerSettings;
const cache: Cache | undefined = settings && {
  stores: settings.stores.map(distantStore),
  keys: readKeys(settings.keys),
};

/** Who waits for an answer of the store, by the number of the request. */
const waiting = new Map<number, (answer: StoreAnswer) => void>();
let requests = 0;

port.on('message', (message: ToWorker) => {
  if (message.kind === 'compile') void work(message).then(send);
  else {
    waiting.get(message.answer.id)?.(message.answer);
    waiting.delete(message.answer.id);
  }
});

send({ kind: 'ready' });

function send(message: FromWorker): void {
  port.postMessage(message);
}

async function work({ input, options }: Job): Promise<FromWorker> {
  try {
    return { kind: 'compiled', product: await compileJob(input, options) };
  } catch (error) {
    // Anything else is a bug: it ends the worker and is reported to the main thread.
    if (!(error instanceof SeccompcError)) throw error;
    return { kind: 'refused', diagnostics: error.diagnostics };
  }
}

async function compileJob(input: Uint8Array, given: Job['options']): Promise<Product> {
  const options = { ...given, allowUnconfined: true }; // the owner of the job decides
  if (cache === undefined) {
    const filter = await compile(input, options);
    return { ...productOf(filter, 'none', null), warnings: [] };
  }
  const { filter, tier, key, warnings } = await compileCached(input, options, cache);
  return { ...productOf(filter, tier, key), warnings };
}

function productOf(filter: Filter, tier: string, key: string | null): Omit<Product, 'warnings'> {
  const { bytes } = filter;
  const details = { sha256: sha256(bytes), cache: { tier, key }, warnings: [] };
  return { document: filterDocument(filter, details), bytes };
}

/** A store of the main thread, by messages. */
function distantStore(known: Pick<CacheStore, 'tier' | 'location' | 'shared'>, store: number): CacheStore {
  const ask = (request: Omit<StoreRequest, 'id' | 'store'>) =>
    new Promise<string | undefined>((resolve, reject) => {
      const id = requests++;
      waiting.set(id, (answer) => {
        if ('fault' in answer) reject(new CacheFault(answer.fault));
        else resolve(answer.text);
      });
      send({ kind: 'store', request: { id, store, ...request } });
    });
  const notHere = () => Promise.reject(new TypeError('only the main thread does this'));
  return {
    ...known,
    get: (key) => ask({ key }),
    set: async (key, text, info) => void (await ask({ key, kept: { ...info, text } })),
    remove: notHere,
    list: notHere,
    clear: notHere,
    stats: notHere,
    close: notHere,
  };
}
