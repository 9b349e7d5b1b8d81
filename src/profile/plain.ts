/**
 * The quick way to read a profile with which all is well, which is nearly every one: by the runtime's own
 * `JSON.parse`. It gives up wherever something might be lost or would have to be reported; then the exact reader
 * reads the text from its beginning, and says what is to be said.
 */
import { dockerProfileShape, ociSeccompShape } from './generated/shapes.ts';
import { FILTER_MEMBER } from './foreign.ts';
import { MAX_DEPTH } from './json.ts';
import { foldKey } from './pointer.ts';
import { DIALECT_ENTRY_MEMBERS, DIALECT_MEMBERS } from './recognise.ts';
import { fits, isObject } from './shape.ts';

/** Of larger texts the regular expressions here and in place.ts would want much memory. */
const MAX_PLAIN_LENGTH = 1024 * 1024;
/** Shorter ones are below 2^53. */
const LONG_NUMBER = /[0-9]{16}/;
const BLANKS = /[ \t\r\n]+/g;

/** A profile of which the exact reader would find nothing to report. */
export interface PlainProfile {
  form: 'seccomp' | 'docker' | 'config';
  /** What `JSON.parse` makes of the object of the profile. */
  value: unknown;
}

export function plainProfile(source: string): PlainProfile | undefined {
  const document = plainJson(source);
  if (!isObject(document)) return undefined;
  if (Object.hasOwn(document, 'linux')) {
    const value = seccompOf(document);
    return fits(ociSeccompShape, value) ? { form: 'config', value } : undefined;
  }
  const form = usesDialect(document) ? 'docker' : 'seccomp';
  const shape = form === 'docker' ? dockerProfileShape : ociSeccompShape;
  return fits(shape, document) ? { form, value: document } : undefined;
}

/**
 * The value of a text that is JSON and survives `JSON.parse`; undefined for every other one.
 *
 * A text that has lost nothing is written again as it was, but for blanks. A key that stood twice is missing then,
 * a number is another one, and keys that look like numbers have moved.
 */
function plainJson(source: string): unknown {
  if (source.length > MAX_PLAIN_LENGTH || LONG_NUMBER.test(source)) return undefined;
  try {
    const value: unknown = JSON.parse(source);
    return source.replaceAll(BLANKS, '') === JSON.stringify(value).replaceAll(BLANKS, '') ? value : undefined;
  } catch {
    // No JSON, or nested so deeply that writing it runs out of stack.
    return undefined;
  }
}

/** As `recognise` tells the two forms of a profile apart, for one without keys that neither form knows. */
function usesDialect(profile: Record<string, unknown>): boolean {
  if (DIALECT_MEMBERS.some((key) => Object.hasOwn(profile, key))) return true;
  const { syscalls } = profile;
  if (!Array.isArray(syscalls)) return false;
  return syscalls.some(
    (entry: unknown) => isObject(entry) && DIALECT_ENTRY_MEMBERS.some((key) => Object.hasOwn(entry, key)),
  );
}

/** Members of a config.json on Linux (config.md of the runtime-spec). */
const CONFIG_MEMBERS = [
  'ociVersion', 'process', 'root', 'hostname', 'domainname', 'mounts', 'hooks', 'annotations', 'linux',
]; // prettier-ignore

/** `linux.seccomp` of a document that can be nothing but a config.json, and has no other place for a profile. */
function seccompOf(document: Record<string, unknown>): unknown {
  const { linux } = document;
  if (!isObject(linux) || isDeeperThan(document, MAX_DEPTH)) return undefined;
  const looksForeign = (key: string): boolean => {
    const value = document[key];
    return !CONFIG_MEMBERS.includes(key) || (isObject(value) && Object.hasOwn(value, FILTER_MEMBER));
  };
  if (Object.keys(document).some(looksForeign)) return undefined;
  const isStray = (key: string): boolean => key !== 'seccomp' && foldKey(key) === 'seccomp';
  return Object.keys(linux).some(isStray) ? undefined : linux['seccomp'];
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(inner, levels - 1));
}
