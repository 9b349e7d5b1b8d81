/**
 * The built worker, except for profiles that name a fault: a test needs work that never ends, however quick the compiler
 * is. A thread that only waits leaves the processors to the others.
 *
 * In the environment, STUCK_LOG names a file that gets a line for each thread, STUCK_START says for how many milliseconds
 * a thread waits before it is ready.
 */
import { appendFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

const wait = (milliseconds = Infinity) =>
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);

if (process.env['STUCK_LOG']) appendFileSync(process.env['STUCK_LOG'], 'started\n');
wait(Number(process.env['STUCK_START'] ?? 0));
await import('../../dist/workers/worker.js');

// After the worker's own: both get each message, and this one keeps the thread from going on.
parentPort?.on('message', ({ kind, input }) => {
  if (kind !== 'compile') return;
  const text = Buffer.from(input).toString();
  if (text.includes('"stuck"')) wait();
  if (text.includes('"busy"')) for (;;);
  if (text.includes('"hungry"')) for (const kept = []; ;) kept.push(new Array(1e6).fill(0.5));
  const pause = /"pause:(\d+)"/.exec(text);
  if (pause) wait(Number(pause[1]));
});
