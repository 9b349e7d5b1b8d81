/** Answering a command line from an earlier run, before the compiler or a database is loaded. */
import { readFileSync, statSync } from 'node:fs';
import { folderAt, isServer, userCacheFolder } from '../location.ts';
import { readEntry, writeEntry } from './directory.ts';
import { readHotEntry, REPLACEMENT_CHARACTER, writeHotEntry } from './entry.ts';
import type { HotAnswer } from './entry.ts';
import type { HotRequest } from './hot-request.ts';

export const HOT_TIER = 'hot';

/** A larger input takes longer to compare than the program to load. Bytes. */
const LARGEST_INPUT = 1024 * 1024;

/** The kept answer to a request; undefined if there is none that can be used. @throws the system's error */
export function findAnswer(request: HotRequest): HotAnswer | undefined {
  const cache = cacheFolderOf(request);
  const input = cache === undefined ? undefined : readText(request.file);
  const found = input === undefined ? undefined : lookUp(cache!, request, input);
  return found === undefined || 'refused' in found ? undefined : found;
}

/**
 * Keeps what a successful run printed and produced.
 *
 * @returns why the entry that was there before was not used, if it should have been
 */
export function keepAnswer(
  request: HotRequest,
  input: Uint8Array,
  answer: Omit<HotAnswer, 'identity'>,
): string | undefined {
  const cache = cacheFolderOf(request);
  const text = Buffer.from(input.buffer, input.byteOffset, input.length).toString();
  if (cache === undefined || text.length > LARGEST_INPUT || text.includes(REPLACEMENT_CHARACTER))
    return undefined;
  const before = lookUp(cache, request, text);
  const { identity } = request;
  writeEntry(cache, nameOf(identity, text), writeHotEntry({ ...answer, identity }, text));
  return before !== undefined && 'refused' in before ? before.refused : undefined;
}

/** The directory of a request's cache; undefined if it has none, or no owners by which to trust it (Windows). */
export function cacheFolderOf({ cache }: Pick<HotRequest, 'cache'>): string | undefined {
  if (process.geteuid === undefined) return undefined;
  if (cache !== undefined && !isServer(cache)) return folderAt(cache);
  const { env, platform } = process;
  const home = env['HOME'];
  if (home?.startsWith('/')) return userCacheFolder(env, platform, () => home);
  return env['XDG_CACHE_HOME']?.startsWith('/') ? userCacheFolder(env, platform, () => '/') : undefined;
}

function lookUp(cache: string, { identity, file }: HotRequest, input: string) {
  const entry = readEntry(cache, nameOf(identity, input));
  return typeof entry === 'string' ? readHotEntry(entry, { identity, file, input }) : entry;
}

/** Undefined for what is not UTF-8 or no file of moderate size: reading a pipe would take its content away. */
function readText(file: string): string | undefined {
  const found = statSync(file);
  if (!found.isFile() || found.size > LARGEST_INPUT) return undefined;
  const text = readFileSync(file, 'utf8');
  return text.includes(REPLACEMENT_CHARACTER) ? undefined : text;
}

/** So many characters of an input, evenly spread, go into a name. */
const SAMPLES = 101;

/**
 * The name of the file for a question, 16 hex digits. It only has to spread: equality decides on a hit, and the owner of the
 * directory on who can write an entry.
 */
function nameOf(identity: string, input: string): string {
  const text = [identity, input.length];
  const step = Math.max(input.length / SAMPLES, 1);
  for (let at = 0; at < input.length; at += step) text.push(input.charCodeAt(at));
  return fnv1a(text.join(' '), 0x811c9dc5) + fnv1a(text.join('-'), 0x01234567);
}

/** FNV-1a over UTF-16 units, 8 hex digits (RFC 9923). */
function fnv1a(text: string, basis: number): string {
  let hash = basis;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
