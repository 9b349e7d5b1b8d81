/**
 * The built worker, except for profiles that name a fault: a test needs work that never ends, however quick the compiler
 * is. A thread that only waits leaves the processors to the others.
 */
import { parentPort } from 'node:worker_threads';

const wait = (milliseconds = Infinity) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

await import(new URL('../../dist/workers/worker.js', import.meta.url).href);

// After the worker's own: both get each message, and this one keeps the thread from going on.
let isStuckLater = false;
parentPort?.on('message', ({ kind, input }) => {
  if (kind === 'stored' && isStuckLater) wait();
  if (kind !== 'compile') return;
  const text = Buffer.from(input).toString();
  if (text.includes('"stuck"')) wait();
  // With the first answer of a store.
  isStuckLater = text.includes('"stuck later"');
  if (text.includes('"busy"')) for (;;);
  if (text.includes('"hungry"')) for (const kept = []; ;) kept.push(new Array(1e6).fill(0.5));
  const pause = /"pause:(\d+)"/.exec(text);
  if (pause) wait(Number(pause[1]));
});
