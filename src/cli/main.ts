#!/usr/bin/env node
import { BUILD } from '../cache/hot/build.ts';
import { serveHot } from '../cache/hot/serve.ts';
import type { Served } from '../cache/hot/serve.ts';
import { codePlaceOf } from './code/kept.ts';
import { makeLoader } from './code/loader.ts';
import type * as Start from './start.ts';

const args = process.argv.slice(2);
const served = serve();
if (served === undefined) void runProgram();
else if (served.rest === undefined) process.exit(); // All is written. To wait for the end takes Node 1 to 4 % longer.
else
  void start()
    .loadProgram()
    .then(async ({ finishOutput }) => {
      process.exitCode = await finishOutput(served.rest, args);
    });

/** Nothing is written before all that can go wrong has gone well; the program goes the whole way again, and says what. */
function serve(): Served | undefined {
  if (BUILD === undefined) return undefined;
  try {
    return serveHot(args, BUILD);
  } catch {
    return undefined;
  }
}

async function runProgram(): Promise<void> {
  const place = BUILD === undefined ? undefined : codePlaceOf(args, BUILD);
  const loader = place && makeLoader(__dirname, require, place);
  const { runQuickly, loadProgram, keepCode } = start(loader?.load);
  const mayChangeFlags = loader?.mayChangeFlags ?? (() => true);
  const quick = args[0] === 'compile' ? await runQuickly(args, mayChangeFlags) : undefined;
  const code = quick ?? (await (await loadProgram()).runCommandLine(args, mayChangeFlags));
  const kept = code === 0 ? loader?.toKeep() : undefined;
  if (kept !== undefined) keepCode(place!, kept);
  // Not left to the event loop: a cache that hangs must not keep a finished command alive.
  process.exit(code);
}

function start(load: (id: string) => unknown = require): typeof Start {
  return load('./start.cjs') as typeof Start;
}
