import { diagnostic, SeccompcError } from '../errors.ts';
import { FairQueue } from './fair-queue.ts';
import type { Job, Product } from './messages.ts';
import { crashed, startThread } from './thread.ts';
import type { CompilerThread, ThreadSettings } from './thread.ts';

export interface PoolSettings extends ThreadSettings {
  /**
   * Threads; each compiles one profile at a time. With a quantum there is another one for owners
   * without long work.
   */
  size: number;
  /**
   * Milliseconds of one compilation after which it is given up and its thread ended; unlimited
   * unless given.
   */
  deadline?: number;
  /**
   * Milliseconds for which waiting work lets running work go on; unlimited unless given. Work that
   * waits longer replaces the work that has run longest, whose thread ends. That one starts again
   * later, and its owner is a level higher: it waits behind all on lower levels, and four times as
   * long before it interrupts others, until some of its work takes less time again. So endless work
   * can delay other work by little, however much of it there is.
   */
  quantum?: number;
}

/** Work that was handed to a pool. */
export interface Work {
  /**
   * Rejects with WorkDropped, or SeccompcError as {@link CompilerThread.compile} does, and
   * COMPILE_TOO_SLOW.
   */
  readonly result: Promise<Product>;
  /** Another owner waits for the result too. */
  join(owner: object): void;
  /** The owner no longer waits. Work without an owner is dropped, unless it runs. */
  leave(owner: object): void;
}

/** Everybody who waited for some work has left before it began. */
export class WorkDropped extends Error {
  override readonly name = 'WorkDropped';
}

/** Threads that compile. */
export interface CompilerPool {
  /** Owners take turns: the work of one must not delay the others'. */
  submit(job: Job, owner: object): Work;
  /** The result of a job whose owner does not matter. */
  compile(job: Job): Promise<Product>;
  /** Starts threads now, so that the first jobs do not wait until the compiler is loaded. */
  ready(): void;
  /** Ends the threads; jobs that are not done are given up. */
  close(): Promise<void>;
}

interface Task {
  job: Job;
  owners: Set<object>;
  /** When it began to wait, by performance.now(). */
  waitsSince: number;
  resolve: (product: Product) => void;
  reject: (error: Error) => void;
}

interface Run {
  task: Task;
  thread: CompilerThread;
  /**
   * Since when it works; Infinity while the compiler is loaded, or a store is asked, which costs no
   * time of the thread.
   */
  since: number;
  /** Milliseconds that it had worked before that. */
  before: number;
}

/**
 * Threads that are started before there is work for them. To start one takes longer than to compile
 * most profiles, and when many begin with long work at once, each interruption needs one.
 */
const SPARE = 5;

export function compilerPool(settings: PoolSettings): CompilerPool {
  const { size, deadline, quantum } = settings;
  /** Of owners whose work took long; 0 for all others. */
  const levels = new WeakMap<object, number>();
  const levelOf = (owner: object) => levels.get(owner) ?? 0;
  const queue = new FairQueue<Task>(levelOf);
  const idle: CompilerThread[] = [];
  const runs = new Set<Run>();
  const ending = new Set<Promise<void>>();
  let interruption: NodeJS.Timeout | undefined;
  let closed = false;

  function schedule(): void {
    for (let next = queue.peek(); next !== undefined && runs.size < threadsFor(next); next = queue.peek()) {
      const thread = idleThread() ?? start();
      if (thread === undefined) break;
      void run(queue.take()!, thread);
    }
    // What waits, or comes next, may take the place of what runs: threads for it are loaded
    // meanwhile.
    if (quantum !== undefined) loadSpares();
    planInterruption();
  }

  /** Those who send no long work have a thread more, which is theirs at once. */
  function threadsFor({ level }: { level: number }): number {
    return quantum !== undefined && level === 0 ? size + 1 : size;
  }

  function loadSpares(): void {
    while (idle.length < SPARE) {
      const thread = start();
      if (thread === undefined) return;
      idle.push(thread);
    }
  }

  /** One that is ready, else one that will be. */
  function idleThread(): CompilerThread | undefined {
    const alive = idle.filter((thread) => thread.alive());
    const chosen = alive.find((thread) => thread.ready()) ?? alive[0];
    idle.splice(0, idle.length, ...alive.filter((thread) => thread !== chosen));
    return chosen;
  }

  /** Undefined while too many threads are about to end, which have their memory until then. */
  function start(): CompilerThread | undefined {
    if (ending.size >= size) return undefined;
    return startThread(settings, planInterruption);
  }

  async function run(task: Task, thread: CompilerThread): Promise<void> {
    const own: Run = { task, thread, since: Infinity, before: 0 };
    runs.add(own);
    const timer =
      deadline === undefined ? undefined : setTimeout(() => end(own, tooSlow(deadline)), deadline);
    const onWork = (works: boolean) => {
      own.before += Math.max(0, performance.now() - own.since);
      own.since = works ? performance.now() : Infinity;
      planInterruption();
    };
    try {
      const product = await thread.compile(task.job, onWork);
      const level = quantum === undefined ? 0 : levelOfRun(own);
      for (const owner of task.owners) levels.set(owner, Math.min(levelOf(owner), level));
      task.resolve(product);
    } catch (error) {
      if (error === INTERRUPTED) wait(task);
      else task.reject(error instanceof SeccompcError ? error : crashed());
    }
    clearTimeout(timer);
    runs.delete(own);
    if (thread.alive()) idle.push(thread);
    if (!closed) schedule();
  }

  function end({ thread }: Run, reason: SeccompcError): void {
    const ended = thread.end(reason).finally(() => {
      ending.delete(ended);
      if (!closed) schedule();
    });
    ending.add(ended);
  }

  function wait(task: Task): void {
    if (task.owners.size === 0) return task.reject(new WorkDropped());
    task.waitsSince = performance.now();
    for (const owner of task.owners) queue.add(task, owner);
  }

  /**
   * Waiting work is due when it has waited, and the longest work has run, for the time of its
   * level.
   */
  function planInterruption(): void {
    clearTimeout(interruption);
    const next = queue.peek();
    if (quantum === undefined || next === undefined || closed) return;
    // Ending a thread helps only if another one is ready to go on.
    if (!idle.some((thread) => thread.alive() && thread.ready())) return;
    const longest = [...runs].reduce<Run | undefined>(
      (best, one) => (best === undefined || one.since < best.since ? one : best),
      undefined,
    );
    if (longest === undefined || longest.since === Infinity) return;
    const due = Math.max(next.item.waitsSince, longest.since) + timeAt(next.level);
    interruption = setTimeout(() => interrupt(longest), Math.max(0, due - performance.now()));
  }

  /** How long work may go on while work of a level waits, in milliseconds. */
  function timeAt(level: number): number {
    return quantum! * 4 ** level;
  }

  /**
   * The first level whose time is more than that of a run. A timer may be early by part of a
   * millisecond.
   */
  function levelOfRun({ since, before }: Run): number {
    const ran = before + Math.max(0, performance.now() - since) + 1;
    let level = 0;
    while (timeAt(level) <= ran) level += 1;
    return level;
  }

  function interrupt(longest: Run): void {
    const level = levelOfRun(longest);
    for (const owner of longest.task.owners) levels.set(owner, Math.max(levelOf(owner), level));
    end(longest, INTERRUPTED);
  }

  function submit(job: Job, owner: object): Work {
    const { promise: result, resolve, reject } = deferred<Product>();
    const task: Task = { job, owners: new Set([owner]), waitsSince: 0, resolve, reject };
    if (closed) reject(crashed());
    else {
      wait(task);
      schedule();
    }
    return {
      result,
      join(other) {
        task.owners.add(other);
        if (queue.has(task)) queue.add(task, other);
      },
      leave(other) {
        task.owners.delete(other);
        const waited = queue.has(task);
        queue.leave(task, other);
        if (waited && !queue.has(task)) reject(new WorkDropped());
      },
    };
  }

  return {
    submit,
    compile: (job) => submit(job, {}).result,
    ready: loadSpares,
    async close() {
      closed = true;
      clearTimeout(interruption);
      for (let task = queue.take(); task !== undefined; task = queue.take()) task.reject(crashed());
      for (const { task, thread } of runs) {
        task.owners.clear();
        ending.add(thread.end(crashed()));
      }
      for (const thread of idle.splice(0)) ending.add(thread.end(crashed()));
      await Promise.all(ending);
    },
  };
}

/** Why a job rejects that is to be started again. */
const INTERRUPTED = new SeccompcError([]);

function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}

function tooSlow(deadline: number): SeccompcError {
  return new SeccompcError([diagnostic('COMPILE_TOO_SLOW', { limit: `${deadline / 1000} s` })]);
}
