/** Answering a command line from an earlier run, before the compiler or a database is loaded. */
import { readFileSync, statSync } from 'node:fs';
import { hotDirectory, readEntry, writeEntry } from './directory.ts';
import { readHotEntry, REPLACEMENT_CHARACTER, writeHotEntry } from './entry.ts';
import type { HotAnswer } from './entry.ts';
import type { HotRequest } from './hot-request.ts';

export const HOT_TIER = 'hot';

/** A larger input takes longer to compare than the program to load. Bytes. */
const LARGEST_INPUT = 1024 * 1024;

/**
 * The kept answer to a request, with the bytes of its input; undefined without a usable one.
 * @throws the system's error
 */
export function findAnswer(request: HotRequest): (HotAnswer & { input: Buffer }) | undefined {
  const directory = hotDirectory(request.cache);
  const input = directory === undefined ? undefined : readFile(request.file);
  const found = input === undefined ? undefined : lookUp(directory!, request, textOf(input));
  return found === undefined || 'refused' in found ? undefined : { ...found, input: input! };
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
  const directory = hotDirectory(request.cache);
  const text = textOf(Buffer.from(input.buffer, input.byteOffset, input.length));
  if (directory === undefined || input.length > LARGEST_INPUT) return undefined;
  const before = lookUp(directory, request, text);
  const identity = identityOf(request, text);
  writeEntry(directory, nameOf(identity, text.text), writeHotEntry({ ...answer, identity }, text.text));
  return before !== undefined && 'refused' in before ? before.refused : undefined;
}

function lookUp(directory: string, request: HotRequest, input: InputText) {
  const identity = identityOf(request, input);
  const { text } = input;
  const entry = readEntry(directory, nameOf(identity, text));
  return typeof entry === 'string'
    ? readHotEntry(entry, { identity, file: request.file, input: text })
    : entry;
}

/** An input as a text that no other input of the same coding has. */
interface InputText {
  text: string;
  coding: '' | 'latin1';
}

/** A filter is not UTF-8. */
function textOf(input: Buffer): InputText {
  const text = input.toString();
  return text.includes(REPLACEMENT_CHARACTER)
    ? { text: input.toString('latin1'), coding: 'latin1' }
    : { text, coding: '' };
}

function identityOf({ identity }: HotRequest, { coding }: InputText): string {
  return coding === '' ? identity : `${identity}\0${coding}`;
}

/** Undefined for other than a file of moderate size: reading a pipe would empty it. */
function readFile(file: string): Buffer | undefined {
  const found = statSync(file);
  return found.isFile() && found.size <= LARGEST_INPUT ? readFileSync(file) : undefined;
}

/** Characters of an input that are hashed, evenly spread. Loading node:crypto takes too long. */
const SAMPLES = 500;

/**
 * The file name of an entry, 8 hex digits: FNV-1a (RFC 9923) over UTF-16 units. Two questions can
 * have one name, because equality decides on a hit.
 */
function nameOf(identity: string, input: string): string {
  let hash = 0x811c9dc5;
  const add = (text: string, step: number) => {
    for (let at = 0; at < text.length; at += step) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  };
  add(`${identity} ${input.length} `, 1);
  add(input, Math.max(input.length / SAMPLES, 1));
  return (hash >>> 0).toString(16).padStart(8, '0');
}
