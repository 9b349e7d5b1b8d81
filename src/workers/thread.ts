import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { faultOf } from '../cache/tiers.ts';
import type { Cache } from '../cache/compile-cached.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import { builtFile } from '../fs/built-file.ts';
import type { FromWorker, Job, Product, StoreAnswer, StoreRequest, ToWorker, WorkerSettings } from './messages.ts'; // prettier-ignore

export interface ThreadSettings {
  /** Where filters are looked up and kept; used by this thread only, and not closed here. */
  cache?: Cache | undefined;
  /** File of the thread's program; that of the package unless given. For tests. */
  worker?: string | undefined;
}

/** A thread that compiles one profile at a time. */
export interface CompilerThread {
  /**
   * @param onWork Called when the thread begins to compile (true), and whenever it waits for a
   *   store (false)
   * @throws SeccompcError for a profile that is not acceptable, COMPILE_TOO_LARGE, INTERNAL_ERROR
   */
  compile(job: Job, onWork: (works: boolean) => void): Promise<Product>;
  /** False for a thread that has ended, by {@link end} or by a fault. */
  alive(): boolean;
  /** Whether the compiler is loaded. */
  ready(): boolean;
  /** Ends the thread at once, whatever it does; a job that is not done rejects with `reason`. */
  end(reason: SeccompcError): Promise<void>;
}

/** Old generation of a thread's heap; a profile that needs more is refused. */
const HEAP_MEGABYTES = 512;

const WORKER = join('workers', 'worker.js');

/** @param onReady Called when the compiler is loaded. */
export function startThread({ cache, worker: file }: ThreadSettings, onReady: () => void): CompilerThread {
  const stores = cache?.stores.map(({ tier, location, shared }) => ({ tier, location, shared }));
  const settings: WorkerSettings = { cache: stores && { stores, keys: cache?.keys?.texts ?? {} } };
  const worker = new Worker(file ?? builtFile(WORKER), {
    workerData: settings,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
  });
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- threads have none
  const tell = (message: ToWorker) => worker.postMessage(message);
  let task: Task | undefined;
  let ready = false;
  let alive = true;

  function settle(outcome: Product | SeccompcError): void {
    const current = task;
    task = undefined;
    if (outcome instanceof SeccompcError) current?.reject(outcome);
    else current?.resolve(outcome);
  }
  function stopped(error: SeccompcError): void {
    alive = false;
    settle(error);
  }
  async function answer(request: StoreRequest): Promise<void> {
    const asking = task;
    asking?.onWork(false);
    const found = await askStore(cache!, request);
    if (!alive) return;
    if (asking === task) asking?.onWork(true);
    tell({ kind: 'stored', answer: found });
  }
  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'ready') {
      ready = true;
      task?.onWork(true);
      onReady();
    } else if (message.kind === 'compiled') settle(message.product);
    else if (message.kind === 'refused') settle(new SeccompcError(message.diagnostics));
    else void answer(message.request);
  });
  worker.on('error', (cause) => stopped(isOutOfMemory(cause) ? tooLarge() : crashed()));
  worker.on('exit', () => stopped(crashed()));

  return {
    compile: (job, onWork) =>
      new Promise<Product>((resolve, reject) => {
        task = { resolve, reject, onWork };
        if (ready) onWork(true);
        tell({ kind: 'compile', ...job });
      }),
    alive: () => alive,
    ready: () => ready,
    async end(reason) {
      stopped(reason);
      await worker.terminate();
    },
  };
}

interface Task {
  resolve: (product: Product) => void;
  reject: (error: SeccompcError) => void;
  onWork: (works: boolean) => void;
}

async function askStore(cache: Cache, request: StoreRequest): Promise<StoreAnswer> {
  const { id, key, kept } = request;
  const store = cache.stores[request.store]!;
  try {
    if (kept === undefined) return { id, text: await store.get(key) };
    await store.set(key, kept.text, kept);
    return { id, text: undefined };
  } catch (cause) {
    return { id, fault: faultOf(cause, store) };
  }
}

function isOutOfMemory(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
}

function tooLarge(): SeccompcError {
  return new SeccompcError([diagnostic('COMPILE_TOO_LARGE', { limit: `${HEAP_MEGABYTES} MiB` })]);
}

/** Without the cause: its stack names files of this machine. */
export function crashed(): SeccompcError {
  const hint = 'please report it with the profile';
  return new SeccompcError([diagnostic('INTERNAL_ERROR', { reason: 'the compiler stopped' }, { hint })]);
}
