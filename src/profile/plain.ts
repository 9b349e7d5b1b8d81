/**
 * The quick way to read a profile with which all is well, which is nearly every one: by the runtime's own
 * `JSON.parse`. It gives up wherever something might be lost or would have to be reported; then the exact reader
 * reads the text from its beginning, and says what is to be said.
 */
import { dockerProfileShape, ociSeccompShape } from './generated/shapes.ts';
import { DIALECT_ENTRY_MEMBERS, DIALECT_MEMBERS } from './recognise.ts';
import { fits, isObject } from './shape.ts';

/** Of larger texts the regular expressions here and in place.ts would want much memory. */
const MAX_PLAIN_LENGTH = 1024 * 1024;
/** Shorter ones are below 2^53. */
const LONG_NUMBER = /[0-9]{16}/;
const BLANKS = /[ \t\r\n]+/g;

/** A profile in a file of its own, of which the exact reader would find nothing to report. */
export interface PlainProfile {
  form: 'seccomp' | 'docker';
  /** What `JSON.parse` makes of it. */
  value: unknown;
}

export function plainProfile(source: string): PlainProfile | undefined {
  const value = plainJson(source);
  if (!isObject(value)) return undefined;
  const form = usesDialect(value) ? 'docker' : 'seccomp';
  return fits(form === 'docker' ? dockerProfileShape : ociSeccompShape, value) ? { form, value } : undefined;
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
