import { createHash } from 'node:crypto';
import { archOf, parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { checkProgram, convertedLength } from '../bpf/check.ts';
import { decode } from '../bpf/instruction.ts';
import type { Filter } from '../compile.ts';
import { codeTable } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { FLAG_NAMES } from '../profile/types.ts';
import { canonicalBytes } from './canonical.ts';
import { membersOf } from './members.ts';

/** Version of the text below; part of every key, so an older entry is never even found. */
export const ENTRY_FORMAT = 1;

/** What stands in a store under a key. `body` is the JSON text of {@link Body}; the checksum covers the rest. */
interface Envelope {
  format: number;
  key: string;
  body: string;
  checksum: string;
}

/** A filter without what can be derived from its bytes, and without the name of the file it came from. */
interface Body {
  bytes: string;
  convertedLength: number;
  endian: Filter['endian'];
  arches: ArchName[];
  confined: boolean;
  /** null: the profile has none. */
  flags: Filter['flags'] | null;
  listenerPath?: string;
  target: Filter['target'];
  proved: boolean;
  /** `file` is null where it was the name of the input. */
  diagnostics: (Omit<Diagnostic, 'file'> & { file?: null })[];
}

/** What a caller expects of the entry under `key`. */
export interface Expectation {
  key: string;
  /** Name of the input, for the diagnostics. */
  file: string;
  /** Only a proved filter will do. */
  proved: boolean;
  /** The native architecture. */
  arch: ArchName;
}

/** The text to keep for a filter; undefined for one that would not come back the same. */
export function writeEntry(filter: Filter, key: string, file: string): string | undefined {
  if (filter.diagnostics.some((d) => d.file !== undefined && d.file !== file)) return undefined;
  const { convertedLength: converted, endian, arches, confined, listenerPath, target, proved } = filter;
  const body: Body = {
    bytes: Buffer.from(filter.bytes).toString('base64'),
    convertedLength: converted,
    endian,
    arches,
    confined,
    flags: filter.flags ?? null,
    ...(listenerPath === undefined ? {} : { listenerPath }),
    target,
    proved,
    diagnostics: filter.diagnostics.map(({ file: named, ...rest }) =>
      named === undefined ? rest : { ...rest, file: null },
    ),
  };
  const text = JSON.stringify(body);
  const envelope: Envelope = { format: ENTRY_FORMAT, key, body: text, checksum: checksumOf(key, text) };
  return JSON.stringify(envelope);
}

/** The filter that was kept, or, in a word, why this text is not it. Nothing unchecked gets out. */
export function readEntry(text: string, expected: Expectation): Filter | { refused: string } {
  const envelope = membersOf(parseJson(text));
  if (envelope === undefined) return { refused: 'it is damaged' };
  if (envelope.get('format') !== ENTRY_FORMAT) return { refused: 'it has another format' };
  if (envelope.get('key') !== expected.key) return { refused: 'it belongs to another key' };
  const content = envelope.get('body');
  if (typeof content !== 'string' || envelope.get('checksum') !== checksumOf(expected.key, content))
    return { refused: 'its checksum is wrong' };
  const body = parseJson(content);
  if (!isBody(body)) return { refused: 'its content is not that of a filter' };
  return readBody(body, expected);
}

function readBody(body: Body, expected: Expectation): Filter | { refused: string } {
  const bytes = Uint8Array.from(Buffer.from(body.bytes, 'base64'));
  if (bytes.length % 8 !== 0 || Buffer.from(bytes).toString('base64') !== body.bytes)
    return { refused: 'its program is damaged' };
  const foreign = body.confined && body.endian !== archOf(expected.arch).endian;
  if (foreign || body.target.arch !== expected.arch)
    return { refused: 'its program is for another architecture' };
  if (expected.proved && body.confined && !body.proved) return { refused: 'its program is not proved' };
  const instructions = decode(bytes, body.endian);
  if (body.confined ? checkProgram(instructions).length > 0 : instructions.length > 0)
    return { refused: 'its program is not one that the kernel would take' };
  const converted = body.confined ? convertedLength(instructions) : 0;
  if (body.convertedLength !== converted) return { refused: 'its counts are wrong' };

  const { listenerPath } = body;
  return {
    instructions,
    bytes,
    convertedLength: converted,
    endian: body.endian,
    arches: body.arches,
    confined: body.confined,
    flags: body.flags ?? undefined,
    ...(listenerPath === undefined ? {} : { listenerPath }),
    target: body.target,
    proved: body.proved,
    diagnostics: body.diagnostics.map(({ file, ...rest }) =>
      file === null ? { ...rest, file: expected.file } : rest,
    ),
  };
}

function checksumOf(key: string, body: string): string {
  return createHash('sha256')
    .update(canonicalBytes([ENTRY_FORMAT, key, body]))
    .digest('hex');
}

/** undefined for text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const KNOWN_CODES = new Set<unknown>(codeTable().map(({ code }) => code));
const KNOWN_FLAGS = new Set<unknown>(FLAG_NAMES);

/** The checksum says that these are the bytes that were written; this says that this build can read them. */
function isBody(value: unknown): value is Body {
  const body = membersOf(value);
  if (body === undefined) return false;
  const endian = body.get('endian');
  const flags = body.get('flags');
  const listenerPath = body.get('listenerPath');
  return (
    typeof body.get('bytes') === 'string' &&
    typeof body.get('convertedLength') === 'number' &&
    (endian === 'little' || endian === 'big') &&
    isListOf(body.get('arches'), (name) => typeof name === 'string' && parseArch(name) === name) &&
    typeof body.get('confined') === 'boolean' &&
    (flags === null || isListOf(flags, (flag) => KNOWN_FLAGS.has(flag))) &&
    (listenerPath === undefined || typeof listenerPath === 'string') &&
    membersOf(body.get('target')) !== undefined &&
    typeof body.get('proved') === 'boolean' &&
    isListOf(body.get('diagnostics'), isDiagnostic)
  );
}

/** A kept filter has warnings and notes only: what fails is not kept. */
function isDiagnostic(value: unknown): boolean {
  const found = membersOf(value);
  const severity = found?.get('severity');
  return (
    KNOWN_CODES.has(found?.get('code')) &&
    (severity === 'warning' || severity === 'note') &&
    typeof found?.get('message') === 'string'
  );
}

function isListOf(value: unknown, test: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}
