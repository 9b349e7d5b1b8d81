/** What leads to a program in a store: from an input and its options, or from a lowered profile. */
import { archOf, parseArch } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { checkProgram, convertedLength } from '../../bpf/check.ts';
import { decode } from '../../bpf/instruction.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import type { Filter } from '../../compile.ts';
import { codeTable } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { FLAG_NAMES } from '../../profile/types.ts';
import { openEnvelope, writeEnvelope } from './envelope.ts';
import type { Opened, Refused } from './envelope.ts';
import { membersOf } from '../json-object.ts';
import type { Signer, TrustedKeys } from '../../signature.ts';

/** A filter without its program, what can be derived from that, and the name of the input. */
interface InputAlias extends Pick<Filter, 'endian' | 'arches' | 'listenerPath' | 'target' | 'proved'> {
  /** Digest of the program; null if the input asks for none. */
  object: string | null;
  /** null: the profile has none. */
  flags: Filter['flags'] | null;
  /** `file` is null if it was the name of the input. */
  diagnostics: (Omit<Diagnostic, 'file'> & { file?: null })[];
}

/** The digest of a lowered profile's program, and whether it was proved. */
export interface LoweredAlias {
  object: string;
  proved: boolean;
}

/** A text that was read, with what its envelope says of its signature. */
export type Read<T> = { alias: T } & Omit<Opened, 'body'>;

/** What a caller expects of an alias of an input. */
export interface Expectation {
  /** Only a proved filter will do. */
  proved: boolean;
  /** The native architecture. */
  arch: ArchName;
}

/** The text to keep for a filter; undefined for one that would not come back the same. */
export function writeInputAlias(
  key: string,
  { filter, file, object }: { filter: Filter; file: string; object: string },
  signer?: Signer,
): string | undefined {
  if (filter.diagnostics.some((d) => d.file !== undefined && d.file !== file)) return undefined;
  const { confined, endian, arches, flags, listenerPath, target, proved } = filter;
  const alias: InputAlias = {
    object: confined ? object : null,
    endian,
    arches,
    flags: flags ?? null,
    ...(listenerPath === undefined ? {} : { listenerPath }),
    target,
    proved,
    diagnostics: filter.diagnostics.map(({ file: named, ...rest }) =>
      named === undefined ? rest : { ...rest, file: null },
    ),
  };
  return writeEnvelope(key, alias, signer);
}

/** The alias that was kept under a key, or the reason why the text is not that alias. */
export function readInputAlias(
  text: string,
  key: string,
  expected: Expectation,
  trusted?: TrustedKeys,
): Read<InputAlias> | Refused {
  const read = readAs((body) => (isInputAlias(body) ? body : undefined), 'a filter', text, key, trusted);
  if ('refused' in read) return read;
  const { alias } = read;
  const foreign = alias.object !== null && alias.endian !== archOf(expected.arch).endian;
  if (foreign || alias.target.arch !== expected.arch)
    return { refused: 'its program is for another architecture' };
  if (expected.proved && alias.object !== null && !alias.proved)
    return { refused: 'its program is not proved' };
  return read;
}

export function writeLoweredAlias(key: string, alias: LoweredAlias, signer?: Signer): string {
  return writeEnvelope(key, alias, signer);
}

/** The alias that was kept under a key, or the reason why the text is not that alias. */
export function readLoweredAlias(
  text: string,
  key: string,
  trusted?: TrustedKeys,
): Read<LoweredAlias> | Refused {
  return readAs(loweredAliasOf, 'a lowered profile', text, key, trusted);
}

/** An alias of either kind. */
export type Alias = ({ of: 'input' } & InputAlias) | ({ of: 'lowered profile' } & LoweredAlias);

/** The same for an alias of either kind, to maintain a store without a profile. */
export function readAlias(text: string, key: string, trusted?: TrustedKeys): Read<Alias> | Refused {
  return readAs(aliasOf, 'an alias', text, key, trusted);
}

function readAs<T>(
  parse: (body: unknown) => T | undefined,
  kind: string,
  text: string,
  key: string,
  trusted: TrustedKeys | undefined,
): Read<T> | Refused {
  const opened = openEnvelope(text, key, trusted);
  if ('refused' in opened) return opened;
  const { body, ...signature } = opened;
  const alias = parse(body);
  return alias === undefined ? { refused: `its content is not that of ${kind}` } : { alias, ...signature };
}

function aliasOf(body: unknown): Alias | undefined {
  if (isInputAlias(body)) return { of: 'input', ...body };
  const lowered = loweredAliasOf(body);
  return lowered && { of: 'lowered profile', ...lowered };
}

function loweredAliasOf(value: unknown): LoweredAlias | undefined {
  const body = membersOf(value);
  const [object, proved] = [body?.get('object'), body?.get('proved')];
  return isDigest(object) && typeof proved === 'boolean' ? { object, proved } : undefined;
}

/** The instructions of a program for `endian`, if it is one that the kernel would take. */
export function readProgram(bytes: Uint8Array, endian: Endian): SockFilter[] | Refused {
  if (bytes.length === 0 || bytes.length % 8 !== 0) return { refused: 'its program is damaged' };
  const instructions = decode(bytes, endian);
  return checkProgram(instructions).length > 0
    ? { refused: 'its program is not one that the kernel would take' }
    : instructions;
}

/** The filter of an alias and its program (empty without one), or why they are refused. */
export function filterOf(alias: InputAlias, bytes: Uint8Array, file: string): Filter | Refused {
  const confined = alias.object !== null;
  const instructions = confined ? readProgram(bytes, alias.endian) : [];
  if ('refused' in instructions) return instructions;
  const { endian, arches, flags, listenerPath, target, proved, diagnostics } = alias;
  return {
    instructions,
    bytes,
    convertedLength: confined ? convertedLength(instructions) : 0,
    endian,
    arches,
    confined,
    flags: flags ?? undefined,
    ...(listenerPath === undefined ? {} : { listenerPath }),
    target,
    proved,
    diagnostics: diagnostics.map(({ file: named, ...rest }) => (named === null ? { ...rest, file } : rest)),
  };
}

/** Made for the first diagnostic: most filters have none. */
let knownCodes: Set<unknown> | undefined;
const KNOWN_FLAGS = new Set<unknown>(FLAG_NAMES);

/** The checksum shows that the bytes are undamaged; this, that they are a filter of this build. */
function isInputAlias(value: unknown): value is InputAlias {
  const alias = membersOf(value);
  if (alias === undefined) return false;
  const object = alias.get('object');
  const endian = alias.get('endian');
  const flags = alias.get('flags');
  const listenerPath = alias.get('listenerPath');
  return (
    (object === null || isDigest(object)) &&
    (endian === 'little' || endian === 'big') &&
    isListOf(alias.get('arches'), (name) => typeof name === 'string' && parseArch(name) === name) &&
    (flags === null || isListOf(flags, (flag) => KNOWN_FLAGS.has(flag))) &&
    (listenerPath === undefined || typeof listenerPath === 'string') &&
    membersOf(alias.get('target')) !== undefined &&
    typeof alias.get('proved') === 'boolean' &&
    isListOf(alias.get('diagnostics'), isDiagnostic)
  );
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

/** A kept filter has warnings and notes only: what fails is not kept. */
function isDiagnostic(value: unknown): boolean {
  const found = membersOf(value);
  const severity = found?.get('severity');
  knownCodes ??= new Set(codeTable().map(({ code }) => code));
  return (
    knownCodes.has(found?.get('code')) &&
    (severity === 'warning' || severity === 'note') &&
    typeof found?.get('message') === 'string'
  );
}

function isListOf(value: unknown, test: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}
