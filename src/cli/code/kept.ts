import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { isSafe, readOwn } from '../../cache/hot/folder.ts';
import { quickHash } from '../../cache/hot/hash.ts';
import { cacheFolderOf } from '../../cache/hot/serve.ts';
import { folderAt } from '../../cache/location.ts';
import { makeFolder } from '../../cache/make-folder.ts';

/** Where the code that V8 has made of our chunks is kept, and what it is known by. */
export interface CodePlace {
  /** The cache folder, absolute. */
  folder: string;
  /** The build, and all that V8's code depends on beside the text it was made of. */
  identity: string;
  /** What decides which functions will run, as far as the words tell. */
  route: string;
}

/** First bytes of a file; the last digit is the version of the format. */
const MAGIC = 'seccompc code 1\n';

/**
 * The place for a command line: in the folder that its --cache names, or else in the user's own cache. Undefined where
 * code is not to be kept, or where somebody else could put it.
 */
export function codePlaceOf(args: readonly string[], build: string): CodePlace | undefined {
  const { env, execArgv, execPath, version, arch } = process;
  // Without an owner there is no telling whose a file is. What empties the cache leaves nothing in it.
  if (process.geteuid === undefined || env['SECCOMPC_NO_CODE_CACHE'] || args[0] === 'cache') return undefined;
  const folder = folderNamed(args) ?? cacheFolderOf({ cache: undefined });
  if (folder === undefined || !isUsable(folder)) return undefined;
  // V8 refuses code that was made under other options.
  const identity = [build, version, arch, execPath, ...execArgv, env['NODE_OPTIONS'] ?? ''].join('\0');
  const route = `${args[0]}${args.includes('--no-prove') ? ' --no-prove' : ''}`;
  return { folder, identity, route };
}

function isUsable(folder: string): boolean {
  const code = `${folder}/code`;
  try {
    if (!existsSync(code)) {
      // Root with the home of somebody else makes nothing there that they could then not use.
      if (statSync(nearestThere(code)).uid !== process.geteuid?.()) return false;
      makeFolder(code);
    }
    return isSafe(folder, 'code');
  } catch {
    return false;
  }
}

function nearestThere(path: string): string {
  return existsSync(path) ? path : nearestThere(path.slice(0, path.lastIndexOf('/')) || '/');
}

function folderNamed(args: readonly string[]): string | undefined {
  const at = args.indexOf('--cache');
  const end = args.indexOf('--');
  const value = at < 0 || (end >= 0 && end < at) ? undefined : args[at + 1];
  return value === undefined ? undefined : folderAt(value);
}

/** The name of the file in which a chunk's code is. */
export function codeSlot({ identity }: CodePlace, name: string): string {
  return `${quickHash(identity)}-${name}`;
}

/**
 * What an empty file says of runs of one kind: that the functions they need are in the code that is kept, when a cache
 * answers them (`answers`) or when they compile (`compiles`); or that one has compiled before (`met`).
 */
export type Mark = 'answers' | 'met' | 'compiles';

export function markSlot({ identity, route }: CodePlace, mark: Mark): string {
  return `${quickHash(`${identity}\0${route}`)}-${mark}`;
}

export function hasMark(place: CodePlace, mark: Mark): boolean {
  return existsSync(`${place.folder}/code/${markSlot(place, mark)}`);
}

export function isWritable(place: CodePlace): boolean {
  try {
    accessSync(`${place.folder}/code`, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The code that was made of this very text under this very Node, if it is there and whole.
 *
 * V8 itself looks at the length of the text only, and runs damaged code until it crashes. So the file has the text to be
 * compared, and the code twice: comparing is the one check of half a megabyte that takes no time worth mentioning.
 */
export function readCode(place: CodePlace, name: string, text: Uint8Array): Buffer | undefined {
  const file = readOwn(`${place.folder}/code/${codeSlot(place, name)}`);
  if (!(file instanceof Buffer)) return undefined;
  const head = headOf(place, name);
  const begin = head.length + text.length;
  const half = (file.length - begin) / 2;
  if (half <= 0 || !Number.isInteger(half)) return undefined;
  if (!file.subarray(0, head.length).equals(head) || !file.subarray(head.length, begin).equals(text))
    return undefined;
  const code = file.subarray(begin, begin + half);
  return code.equals(file.subarray(begin + half)) ? code : undefined;
}

/** The file for a chunk: magic, identity and name, the text, and the code two times. */
export function codeFile(place: CodePlace, name: string, text: Uint8Array, code: Uint8Array): Uint8Array {
  return Buffer.concat([headOf(place, name), text, code, code]);
}

function headOf({ identity }: CodePlace, name: string): Buffer {
  return Buffer.from(`${MAGIC}${identity}\0${name}\0`);
}
