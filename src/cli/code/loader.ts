import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Script } from 'node:vm';
import { hasMark, isWritable, readCode } from './kept.ts';
import type { CodePlace, Mark } from './kept.ts';

/** A chunk that was run: its text, and the script, which knows all code that V8 has made of it since. */
export interface Chunk {
  name: string;
  text: Uint8Array;
  script: Script;
}

/** What stands in for Node's `require` in our chunks. */
export interface Loader {
  load: (id: string) => unknown;
  /** What is to be kept of this run, and how it is then to be marked; undefined for nothing. */
  toKeep: () => { chunks: readonly Chunk[]; mark: Mark } | undefined;
  /**
   * To be asked before the compiler runs, and before V8's flags are changed for it: under changed flags no kept code can
   * be used, nor any be made that others can use.
   *
   * True, and no code is looked for any more, if all that such a run needs is there. Otherwise a run without the flags
   * has to be made once, which is slower; the very first one is spared that, for it may be the only one.
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
  let mark: Mark = 'answers';
  let usesCode = true;
  const { Script } = process.getBuiltinModule('node:vm');

  const load = (id: string): unknown => {
    if (!id.startsWith('./')) return require(id);
    const known = modules.get(id);
    if (known !== undefined) return known.exports;
    const module = { exports: {} };
    modules.set(id, module);

    const name = id.slice(2);
    const filename = `${folder}/${name}`;
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

  const hasAll = () => complete && hasMark(place, mark);
  return {
    load,
    toKeep() {
      if (mark === 'met') return { chunks: [], mark };
      return !usesCode || hasAll() ? undefined : { chunks, mark };
    },
    mayChangeFlags() {
      // Of several compilations the first one has decided.
      if (mark === 'answers') {
        mark = 'compiles';
        usesCode &&= !hasAll() && isWritable(place);
        if (usesCode && !hasMark(place, 'met')) {
          mark = 'met';
          usesCode = false;
        }
      }
      return !usesCode;
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
