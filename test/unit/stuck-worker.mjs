/**
 * The built worker, except for profiles that name a fault: a test needs work that never ends, however quick the compiler
 * is. A thread that only waits leaves the processors to the others.
 */
import { parentPort } from 'node:worker_threads';
// oxlint-disable-next-line import/no-unassigned-import -- it listens for messages too, before this file does
import '../../dist/workers/worker.js';

parentPort?.on('message', ({ kind, input }) => {
  if (kind !== 'compile') return;
  const text = Buffer.from(input).toString();
  if (text.includes('"stuck"')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (text.includes('"busy"')) for (;;);
  if (text.includes('"hungry"')) for (const kept = []; ;) kept.push(new Array(1e6).fill(0.5));
  const pause = /"pause:(\d+)"/.exec(text);
  if (pause) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(pause[1]));
});
