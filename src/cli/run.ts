/** What the first file (main.ts) loads when it cannot answer by itself: the way to all the rest. */
import { BUILD } from '../cache/hot/build.ts';
import { codePlaceOf } from './code/kept.ts';
import { makeLoader } from './code/loader.ts';
import type * as Start from './start.ts';

/** Runs the command line and ends the process. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const place = BUILD === undefined ? undefined : codePlaceOf(args, BUILD);
  const loader = place && makeLoader(__dirname, require, place);
  const { runQuickly, loadProgram, keepCode } = start(loader?.load);
  const mayChangeFlags = loader?.mayChangeFlags ?? (() => true);
  const quick = args[0] === 'compile' ? await runQuickly(args, mayChangeFlags) : undefined;
  const code = quick ?? (await (await loadProgram()).runCommandLine([...args], mayChangeFlags));
  const kept = code === 0 ? loader?.toKeep() : undefined;
  if (kept !== undefined) keepCode(place!, kept);
  // Not left to the event loop: a cache that hangs must not keep a finished command alive.
  process.exit(code);
}

/** Writes what is left of an answer when standard output has a fault, and says so. */
export async function finishAnswer(rest: Uint8Array, args: readonly string[]): Promise<void> {
  const { finishOutput } = await start().loadProgram();
  process.exitCode = await finishOutput(rest, [...args]);
}

function start(load: (id: string) => unknown = require): typeof Start {
  return load('./start.cjs') as typeof Start;
}
