import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { faultOf } from '../cache/index.ts';
import type { Cache } from '../cache/index.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { FromWorker, Job, Product, StoreAnswer, StoreRequest, ToWorker, WorkerSettings } from './messages.ts'; // prettier-ignore

export interface PoolSettings {
  /** Threads; each compiles one profile at a time. */
  size: number;
  /** Where filters are looked up and kept; used by this thread only, and not closed here. */
  cache?: Cache | undefined;
  /** Milliseconds after which a compilation is given up and its thread ended; never unless given. */
  deadline?: number;
  /** File of the threads' program; that of the package unless given. For tests. */
  worker?: string;
}

/** Threads that compile. */
export interface CompilerPool {
  /** @throws SeccompcError for a profile that is not acceptable; COMPILE_TOO_SLOW; INTERNAL_ERROR */
  compile(job: Job): Promise<Product>;
  /** Starts the threads now, so that the first job does not wait for the compiler to be loaded. */
  ready(): void;
  /** Ends the threads; a job that is not done is given up. */
  close(): Promise<void>;
}

interface Task {
  job: Job;
  resolve: (product: Product) => void;
  reject: (error: SeccompcError) => void;
}

/** Only warnings and notes are expected to be much; a thread that needs more than this has gone astray. */
const HEAP_MEGABYTES = 1024;

export function compilerPool({ size, cache, deadline, worker }: PoolSettings): CompilerPool {
  const queue: Task[] = [];
  const threads = new Set<CompilerThread>();
  const idle: CompilerThread[] = [];
  let running = 0;
  let closed = false;

  function next(): void {
    while (queue.length > 0 && running < size) {
      const task = queue.shift()!;
      running += 1;
      void run(task, takeIdle() ?? start());
    }
  }

  function takeIdle(): CompilerThread | undefined {
    for (let thread = idle.pop(); thread !== undefined; thread = idle.pop()) {
      if (thread.alive()) return thread;
      threads.delete(thread);
    }
    return undefined;
  }

  function start(): CompilerThread {
    const thread = compilerThread(cache, worker);
    threads.add(thread);
    return thread;
  }

  async function run({ job, resolve, reject }: Task, thread: CompilerThread): Promise<void> {
    try {
      resolve(await thread.compile(job, deadline));
    } catch (error) {
      reject(error instanceof SeccompcError ? error : unexpected());
    }
    if (thread.alive()) idle.push(thread);
    else threads.delete(thread);
    running -= 1;
    next();
  }

  return {
    compile: (job) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(unexpected());
        queue.push({ job, resolve, reject });
        next();
      }),
    ready() {
      while (threads.size < size) idle.push(start());
    },
    async close() {
      closed = true;
      for (const { reject } of queue.splice(0)) reject(unexpected());
      await Promise.all([...threads].map((thread) => thread.close()));
    },
  };
}

interface CompilerThread {
  compile(job: Job, deadline?: number): Promise<Product>;
  alive(): boolean;
  close(): Promise<void>;
}

function compilerThread(cache: Cache | undefined, file = workerFile()): CompilerThread {
  const stores = cache?.stores.map(({ tier, location, shared }) => ({ tier, location, shared }));
  const settings: WorkerSettings = { cache: stores && { stores, keys: cache?.keys?.texts ?? {} } };
  const worker = new Worker(file, {
    workerData: settings,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
  });
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- threads have none
  const tell = (message: ToWorker) => worker.postMessage(message);
  let task: Omit<Task, 'job'> | undefined;
  let alive = true;

  function settle(outcome: Product | SeccompcError): void {
    const current = task;
    task = undefined;
    if (outcome instanceof SeccompcError) current?.reject(outcome);
    else current?.resolve(outcome);
  }
  function end(error: SeccompcError): void {
    alive = false;
    settle(error);
  }
  worker.on('message', (message: FromWorker) => {
    if (message.kind === 'compiled') settle(message.product);
    else if (message.kind === 'refused') settle(new SeccompcError(message.diagnostics));
    else void askStore(cache!, message.request).then((answer) => alive && tell({ kind: 'stored', answer }));
  });
  worker.on('error', () => end(unexpected()));
  worker.on('exit', () => end(unexpected()));

  return {
    async compile(job, deadline) {
      const timer =
        deadline === undefined
          ? undefined
          : setTimeout(() => {
              end(tooSlow(deadline));
              void worker.terminate();
            }, deadline);
      try {
        return await new Promise<Product>((resolve, reject) => {
          task = { resolve, reject };
          tell({ kind: 'compile', ...job });
        });
      } finally {
        clearTimeout(timer);
      }
    },
    alive: () => alive,
    async close() {
      end(unexpected());
      await worker.terminate();
    },
  };
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

/** What a thread dies of is for nobody's eyes but its own: a stack names files of this machine. */
function unexpected(): SeccompcError {
  return new SeccompcError([internal('the compiler stopped')]);
}

function internal(reason: string): Diagnostic {
  return diagnostic('INTERNAL_ERROR', { reason }, { hint: 'please report it with the profile' });
}

function tooSlow(deadline: number): SeccompcError {
  return new SeccompcError([diagnostic('COMPILE_TOO_SLOW', { limit: `${deadline / 1000} s` })]);
}

const WORKER = join('workers', 'worker.js');

/**
 * The built worker, in the nearest folder above this module that has it: a thread is started from a file, and this
 * module may be a source, a built module, or a part of a bundle.
 */
function workerFile(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    for (const file of [join(folder, WORKER), join(folder, 'dist', WORKER)])
      if (existsSync(file)) return file;
    const above = dirname(folder);
    if (above === folder) throw new Error(`${WORKER} is missing from the package: build it first`);
    folder = above;
  }
}
