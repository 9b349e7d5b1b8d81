#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { BUILD } from '../cache/hot/build.ts';
import { serveHot } from '../cache/hot/serve.ts';
import type { Served } from '../cache/hot/serve.ts';
import type * as Run from './run.ts';

const args = process.argv.slice(2);
const served = serve();
if (served === undefined) void run().runProgram(args);
else if (served.rest === undefined) process.exit(); // All is written. To wait for the end takes Node 1 to 4 % longer.
else void run().finishAnswer(served.rest, args);

/** Nothing is written before all that can go wrong has gone well; the program goes the whole way again, and says what. */
function serve(): Served | undefined {
  if (BUILD === undefined) return undefined;
  try {
    return serveHot(args, BUILD);
  } catch {
    return undefined;
  }
}

/** As `require` would load it, but without looking for it first, which takes 0.4 ms. */
function run(): typeof Run {
  const filename = `${__dirname}/run.cjs`;
  const { Script } = process.getBuiltinModule('node:vm');
  const script = new Script(`(function(exports,require,__dirname){${readFileSync(filename, 'utf8')}\n})`, {
    filename,
  });
  const exports = {} as typeof Run;
  (script.runInThisContext() as Wrapper)(exports, require, __dirname);
  return exports;
}

type Wrapper = (exports: object, require: (id: string) => unknown, folder: string) => void;
