import { closeSync, fchmodSync, fstatSync, lstatSync, openSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeSync } from 'node:fs'; // prettier-ignore
import { folderAt, isServer, userCacheFolder } from '../location.ts';
import { LOST, readHotEntry } from './entry.ts';
import type { HotAnswer } from './entry.ts';
import { addAnswer, readSlot, readWhole } from './folder.ts';
import { quickHash, sampleHash } from './hash.ts';
import { hotRequest, KEEP_FOR_SH } from './request.ts';
import type { HotRequest } from './request.ts';
import { configSubject } from './subject.ts';

export const HOT_TIER = 'hot';

/** Larger inputs take longer to compare than the program to load. */
const LARGEST_INPUT = 1024 * 1024;

/** How it went: done, or done up to a fault in writing to standard output, which has not had `rest` yet. */
export type Served = { rest?: undefined } | { rest: Uint8Array; cause: unknown };

/**
 * Answers a command line from the hot tier: writes all that the command would write, or nothing at all and gives
 * undefined. Whatever is out of the ordinary is left to the program, which knows how to say so.
 */
export function serveHot(args: readonly string[], build: string): Served | undefined {
  // Not performance.now(): asking it for the first time takes 0.7 ms.
  const begin = Date.now();
  if (process.geteuid === undefined || process.env[KEEP_FOR_SH] !== undefined) return undefined;
  const request = hotRequest(args, build);
  if (request === undefined) return undefined;
  const folder = cacheFolderOf(request);
  if (folder === undefined || !isPlace(request)) return undefined;
  const input = readText(request.file);
  const answer = input === undefined ? undefined : findHot(folder, request, input);
  if (answer === undefined || 'refused' in answer) return undefined;
  if (answer.words !== '' && mayBeTerminal(2)) return undefined;
  const product = Buffer.from(answer.product, 'base64');
  if (request.output !== undefined && !replaceFile(request.output, product)) return undefined;

  addAnswer(folder, HOT_TIER);
  say(answer.words);
  if (request.output === undefined) {
    const fault = writeAll(1, product);
    if (fault !== undefined) return fault;
  }
  if (answer.summary !== '')
    say(`${answer.summary}from the cache (${HOT_TIER}) in ${Date.now() - begin} ms\n`);
  return {};
}

/** The folder that a request's cache is in; undefined where there is none with a hot tier. */
export function cacheFolderOf({ cache }: Pick<HotRequest, 'cache'>): string | undefined {
  if (cache !== undefined && !isServer(cache)) return folderAt(cache);
  const { HOME: home } = process.env;
  const { env, platform } = process;
  if (home?.startsWith('/')) return userCacheFolder(env, platform, () => home);
  return env['XDG_CACHE_HOME']?.startsWith('/') ? userCacheFolder(env, platform, () => '/') : undefined;
}

/** Counts what another tier has answered, or none. */
export function countAnswer(request: HotRequest, tier: string): void {
  const folder = cacheFolderOf(request);
  if (folder !== undefined && process.geteuid !== undefined) addAnswer(folder, tier);
}

/** The answer to a request, or why the entry in its slot is not to be used. */
export function findHot(
  folder: string,
  request: HotRequest,
  input: string,
): HotAnswer | undefined | { refused: string } {
  const part = request.json ? undefined : configSubject(input);
  const found = part === undefined ? undefined : findSubject(folder, request, part);
  return found ?? findSubject(folder, request, input);
}

function findSubject(
  folder: string,
  request: HotRequest,
  subject: string,
): HotAnswer | undefined | { refused: string } {
  const entry = readSlot(folder, slotOf(request, subject));
  if (typeof entry !== 'string') return entry;
  return readHotEntry(entry, { identity: request.identity, file: request.file, subject });
}

/** The name of the file for a question. */
export function slotOf({ identity }: HotRequest, subject: string): string {
  return sampleHash(subject, Number.parseInt(quickHash(identity).slice(0, 8), 16));
}

/** Whether the product goes to an ordinary place: a raw filter is refused to a terminal, a link is followed, ... */
function isPlace({ output }: HotRequest): boolean {
  if (output === undefined) return !mayBeTerminal(1);
  const found = lstatSync(output, { throwIfNoEntry: false });
  if (found === undefined) return true;
  const standard = fstatSync(1);
  return found.isFile() && (found.dev !== standard.dev || found.ino !== standard.ino);
}

/** Errs towards yes: to ask the system, more would have to be loaded than this whole file. */
export function mayBeTerminal(fd: number): boolean {
  const found = fstatSync(fd);
  return found.isCharacterDevice() && !(process.platform === 'linux' && found.rdev === LINUX_DEV_NULL);
}

const LINUX_DEV_NULL = 0x103;

/**
 * Undefined for what is no UTF-8, and for what is no file of a moderate size: a pipe must not even be opened before it is
 * read. Node reads text 0.3 ms quicker than bytes, if it has read nothing before.
 */
function readText(file: string): string | undefined {
  const found = statSync(file);
  if (!found.isFile() || found.size > LARGEST_INPUT) return undefined;
  const text = readFileSync(file, 'utf8');
  return text.includes(LOST) ? undefined : text;
}

/**
 * As src/cli/output.ts does it: under another name, then one rename. False where that fails; then nothing is left.
 * A file that has these bytes only gets a new time: to replace a file takes longer than all the rest of an answer.
 */
function replaceFile(file: string, product: Uint8Array): boolean {
  const old = lstatSync(file, { throwIfNoEntry: false });
  if (old?.size === product.length && renewed(file, product)) return true;
  const mode = old === undefined ? 0o666 : old.mode & 0o777;
  const random = process.hrtime.bigint().toString(36);
  const at = file.lastIndexOf('/') + 1;
  const temporary = `${file.slice(0, at)}.${file.slice(at)}.${process.pid}-${random}`;
  const fd = openSync(temporary, 'wx', mode);
  try {
    // Not by writeFileSync, which nothing else here needs: half of what writing a file takes is making Node's functions.
    if (writeAll(fd, product) !== undefined) throw new Error('not written');
    if (old !== undefined) fchmodSync(fd, mode);
    closeSync(fd);
    renameSync(temporary, file);
    return true;
  } catch {
    unlinkSync(temporary);
    return false;
  }
}

function renewed(file: string, product: Uint8Array): boolean {
  try {
    const fd = openSync(file, 'r');
    try {
      if (!readWhole(fd, product.length)?.equals(product)) return false;
    } finally {
      closeSync(fd);
    }
    const now = Date.now() / 1000;
    utimesSync(file, now, now);
    return true;
  } catch {
    return false; // Not ours to read or to touch; it may still be ours to replace.
  }
}

/** Words that nobody reads any more are no reason to fail. */
function say(words: string): void {
  if (words !== '') writeAll(2, Buffer.from(words));
}

function writeAll(fd: number, bytes: Uint8Array): Served | undefined {
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (cause) {
      if (!isFull(cause)) return { rest: bytes.subarray(done), cause };
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return undefined;
}

/** A pipe that does not block, and whose reader is slower. */
function isFull(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN';
}
