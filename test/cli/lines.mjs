/**
 * Runs the command of `main` for each of the command lines, one after the other in this process, from modules that are
 * loaded anew, and prints what came of each.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';

const [, , main = '', lines = ''] = process.argv;
const require = createRequire(import.meta.url);

const results = [];
for (const args of JSON.parse(lines)) {
  /** @type {Record<number, Uint8Array[]>} */
  const written = { 1: [], 2: [] };
  /** @param {number} fd @param {any} bytes */
  const keep = (fd, bytes, from = 0) => {
    const part = Buffer.from(bytes).subarray(from);
    written[fd]?.push(part);
    return part.length;
  };
  Object.assign(fs, { writeSync: keep });
  // The parser writes by itself what it says of a command without an action.
  process.stderr.write = (/** @type {any} */ part) => keep(2, part) >= 0;
  process.argv.splice(1, Infinity, main, ...args);
  for (const path of Object.keys(require.cache)) delete require.cache[path];
  const code = await new Promise((resolve) => {
    Object.assign(process, { exit: resolve });
    require(main);
  });
  const [stdout, stderr] = [written[1], written[2]].map((parts) => Buffer.concat(parts ?? []).toString());
  results.push({ code, stdout, stderr });
}
process.stdout.write(JSON.stringify(results));
