import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { Script } from 'node:vm';
import { readCode } from './kept.ts';
import type { CodePlace } from './kept.ts';

/** A chunk that was run: its text, and the script, which knows all code that V8 has made of it since. */
export interface Chunk {
  name: string;
  text: Uint8Array;
  script: Script;
}

/** What stands in for Node's `require` in our chunks. */
export interface Loader {
  load: (id: string) => unknown;
  /** Every chunk so far, if the code of one of them was not there; otherwise none. */
  toKeep: () => Chunk[];
  /**
   * To be asked before V8's flags are changed, which makes all kept code useless: true if all was there, and from then
   * on no code is looked for. False in a run that has code to keep, which under changed flags nobody could use.
   */
  mayChangeFlags: () => boolean;
}

type Wrapper = (
  exports: unknown,
  require: Loader['load'],
  module: unknown,
  file: string,
  folder: string,
) => void;

/**
 * Loads the chunks of a folder as Node would, and with the code that V8 made of them in an earlier run.
 *
 * @param folder where the chunks are
 * @param require for everything else
 */
export function makeLoader(folder: string, require: Loader['load'], place: CodePlace): Loader {
  const modules = new Map<string, { exports: unknown }>();
  const chunks: Chunk[] = [];
  let complete = true;
  let usesCode = true;
  const { Script } = process.getBuiltinModule('node:vm');

  const load = (id: string): unknown => {
    if (!id.startsWith('./')) return require(id);
    const known = modules.get(id);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    modules.set(id, module);

    const name = id.slice(2);
    const filename = join(folder, name);
    const source = readSource(filename);
    const text = source.subarray(HEAD.length, -TAIL.length);
    const cachedData = usesCode ? readCode(place, name, text) : undefined;
    // Chunks are ASCII (rolldown.config.ts), for which latin1 is quickest.
    const script = new Script(source.toString('latin1'), { filename, ...(cachedData && { cachedData }) });
    if (usesCode) {
      chunks.push({ name, text, script });
      complete &&= script.cachedDataRejected === false;
    }
    const run = script.runInThisContext() as Wrapper;
    run.call(module.exports, module.exports, load, module, filename, folder);
    return module.exports;
  };

  return {
    load,
    toKeep: () => (complete ? [] : chunks),
    mayChangeFlags() {
      if (complete) usesCode = false;
      return complete;
    },
  };
}

/** A chunk's text as the function that Node would make of it. */
function readSource(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const { size } = fstatSync(fd);
    const source = Buffer.allocUnsafe(HEAD.length + size + TAIL.length);
    source.write(HEAD, 'latin1');
    source.write(TAIL, HEAD.length + size, 'latin1');
    for (let done = 0; done < size;) {
      const read = readSync(fd, source, HEAD.length + done, size - done, null);
      if (read === 0) throw new Error(`${file} is cut off`);
      done += read;
    }
    return source;
  } finally {
    closeSync(fd);
  }
}

const HEAD = '(function(exports,require,module,__filename,__dirname){';
const TAIL = '\n})';
