#!/usr/bin/env node
import { BUILD } from '../cache/hot/build.ts';
import { serveHot } from '../cache/hot/serve.ts';
import type { Served } from '../cache/hot/serve.ts';

const args = process.argv.slice(2);
const served = serve();
if (served === undefined) void runProgram();
else if (served.rest !== undefined)
  void import('./program.ts').then(async ({ finishOutput }) => {
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
  const quick = args[0] === 'compile' ? (await import('./quick.ts')).runQuickly(args) : undefined;
  const code = (await quick) ?? (await (await import('./program.ts')).runCommandLine(args));
  // Not left to the event loop: a cache that hangs must not keep a finished command alive.
  process.exit(code);
}
