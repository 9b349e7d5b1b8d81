#!/usr/bin/env node
import { BUILD } from '../cache/hot/build.ts';
import { serveHot } from '../cache/hot/serve.ts';
import type { Served } from '../cache/hot/serve.ts';
import { codePlaceOf } from './code/kept.ts';
import { makeLoader } from './code/loader.ts';

const args = process.argv.slice(2);
const served = serve();
if (served === undefined) void runProgram();
else if (served.rest !== undefined)
  void (require('./program.cjs') as typeof import('./program.ts'))
    .finishOutput(served.rest, args)
    .then((code) => (process.exitCode = code));

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
  const load = loader?.load ?? require;
  const mayChangeFlags = loader?.mayChangeFlags ?? (() => true);
  const quick =
    args[0] === 'compile'
      ? (load('./quick.cjs') as typeof import('./quick.ts')).runQuickly(args, mayChangeFlags)
      : undefined;
  const code =
    (await quick) ??
    (await (load('./program.cjs') as typeof import('./program.ts')).runCommandLine(args, mayChangeFlags));
  const chunks = loader?.toKeep() ?? [];
  // What empties the cache leaves nothing in it.
  if (place !== undefined && chunks.length > 0 && code === 0 && args[0] !== 'cache')
    (load('./keep.cjs') as typeof import('./code/keep.ts')).keepCode(place, chunks);
  // Not left to the event loop: a cache that hangs must not keep a finished command alive.
  process.exit(code);
}
