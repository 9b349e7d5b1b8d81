import { ACTION_NAMES } from '../action.ts';
import { errnoNumber } from '../errno.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { JsonDocument, JsonNode } from './json.ts';
import { quote } from './json-text.ts';
import { Suggestions } from './nearest.ts';
import { find, tokensOf } from './pointer.ts';
import { FLAG_NAMES, OPERATOR_NAMES } from './types.ts';

/** What a compiled schema reports; the part of ajv's ErrorObject that is used here. */
export interface ValidationError {
  instancePath: string;
  keyword: string;
  params: { type?: string | string[]; missingProperty?: string; limit?: number };
}

/** A schema compiled by ajv. `errors` holds what the last call found. */
export interface Validator {
  (data: unknown): boolean;
  errors?: ValidationError[] | null;
}

export interface Faults {
  diagnostics: Diagnostic[];
  /** Pointers from the root of the tree to the parts that cannot be used. */
  pointers: string[];
}

/** Faults after which the rest of a document is not looked at, nor a profile made of it. */
export const MAX_FAULTS = 1000;

/**
 * Checks a tree of known members against its schema. The policy stage, which knows the target,
 * checks an absent (null, empty) defaultAction and absent names.
 *
 * @param prefix pointer of the tree in the user's document.
 */
export function validate(
  tree: JsonNode,
  validator: Validator,
  at: { document: JsonDocument; prefix: string },
): Faults {
  const faults: Faults = { diagnostics: [], pointers: [] };
  if (validator(plainValue(tree))) return faults;
  const firstAt = new Map<string, ValidationError>();
  for (const error of validator.errors ?? []) {
    const id = error.instancePath + (error.keyword === 'required' ? `?${error.params.missingProperty}` : '');
    const before = firstAt.get(id);
    if (before === undefined || error.keyword === 'type') firstAt.set(id, error);
  }
  const suggestions = new Suggestions();
  for (const error of firstAt.values()) {
    if (faults.pointers.length === MAX_FAULTS) break;
    const { node } = find(tree, error.instancePath);
    if (isLeftToPolicy(error, node)) continue;
    const { pointer } = find(at.document.root!, at.prefix + error.instancePath);
    const label = labelOf(at.prefix + error.instancePath);
    const found = describe(error, node, label, pointer, suggestions);
    faults.diagnostics.push({ ...found, ...at.document.positionAt(node.offset) });
    faults.pointers.push(error.instancePath);
  }
  return faults;
}

function plainValue(node: JsonNode): unknown {
  switch (node.kind) {
    case 'object':
      return Object.fromEntries(node.members.map(({ key, value }) => [key, plainValue(value)]));
    case 'array':
      return node.items.map(plainValue);
    case 'number':
      return numberForSchema(node.text);
    case 'null':
      return null;
    default:
      return node.value;
  }
}

const PLAIN_INTEGER = /^-?\d+$/;
const MAX_U64 = 0xffff_ffff_ffff_ffffn;

/**
 * A double for which the schema gives the answer for the written number. As a double, the bound
 * 2^64-1 is 2^64, so larger numbers become much larger. `1e3` is not an integer to the runtimes.
 */
function numberForSchema(text: string): number {
  if (!PLAIN_INTEGER.test(text)) return 0.5;
  if (text.startsWith('-')) return -1;
  return isAboveU64(text) ? 2 ** 65 : Number(text);
}

function isAboveU64(text: string): boolean {
  // JSON has no leading zeros, so the length decides, and BigInt never sees megabytes of digits.
  return text.length > 20 || (text.length === 20 && BigInt(text) > MAX_U64);
}

function isLeftToPolicy({ keyword, instancePath, params }: ValidationError, node: JsonNode): boolean {
  if (keyword === 'required')
    return params.missingProperty === 'defaultAction' || params.missingProperty === 'names';
  return instancePath === '/defaultAction' && isAbsentAction(node);
}

/** Null and the empty string: what Go's zero value makes of an action that is not there. */
export function isAbsentAction(node: JsonNode): boolean {
  return node.kind === 'null' || (node.kind === 'string' && node.value === '');
}

/** `member` is the proper name; in `pointer` the key may be in another case. */
function describe(
  error: ValidationError,
  node: JsonNode,
  member: string,
  pointer: string,
  suggestions: Suggestions,
): Diagnostic {
  switch (error.keyword) {
    case 'required':
      return diagnostic(
        'MISSING_MEMBER',
        { owner: ownerOf(pointer), member: error.params.missingProperty ?? '' },
        { pointer },
      );
    case 'enum':
      return unknownWord(node, member, pointer, suggestions);
    case 'minLength':
      return diagnostic('EMPTY_NAME', { member }, { pointer });
    case 'minimum':
    case 'maximum':
      return outOfRange(node, member, pointer);
    default:
      return wrongType(expectedTypes(error), node, member, pointer);
  }
}

function expectedTypes({ params }: ValidationError): string[] {
  return [params.type ?? []].flat().filter((type) => type !== 'null');
}

function unknownWord(node: JsonNode, member: string, pointer: string, suggestions: Suggestions): Diagnostic {
  const word = node.kind === 'string' ? node.value : '';
  const [code, candidates] =
    member === 'op'
      ? (['UNKNOWN_OPERATOR', OPERATOR_NAMES] as const)
      : /action$/i.test(member)
        ? (['UNKNOWN_ACTION', ACTION_NAMES] as const)
        : (['UNKNOWN_FLAG', FLAG_NAMES] as const);
  const hint = suggestions.didYouMean(word, candidates) ?? `known are ${candidates.join(', ')}`;
  return diagnostic(code, { value: quote(word) }, { pointer, hint });
}

function outOfRange(node: JsonNode, member: string, pointer: string): Diagnostic {
  const value = shorten(node.kind === 'number' ? node.text : '');
  if (member === 'index') return diagnostic('ARG_INDEX_RANGE', { value }, { pointer });
  const isErrno = /errno/i.test(member);
  const largest = isErrno ? '4294967295' : '18446744073709551615';
  const twosComplement = !isErrno && /^-\d{1,19}$/.test(value) && -BigInt(value) <= MAX_U64 / 2n + 1n;
  const hint = twosComplement ? `as 64 bits that is ${BigInt.asUintN(64, BigInt(value))}` : undefined;
  return diagnostic('NUMBER_RANGE', { member, largest, value }, { pointer, hint });
}

function wrongType(expected: string[], node: JsonNode, member: string, pointer: string): Diagnostic {
  const wantsNumber = expected.includes('integer');
  if (wantsNumber && node.kind === 'number') {
    const whole = Number(node.text);
    const hint = Number.isSafeInteger(whole) ? `write ${whole}` : undefined;
    return diagnostic('NUMBER_FORM', { member, value: shorten(node.text) }, { pointer, hint });
  }
  let hint: string | undefined;
  if (wantsNumber && node.kind === 'string') hint = numberHint(node.value, member);
  else if (node.kind === 'number' && /^(default)?errno$/i.test(member))
    hint = `write it as a string, or give the number in ${member}Ret`;
  const found = node.kind === 'string' ? `the string ${quote(node.value)}` : (TYPES[node.kind] ?? 'null');
  const wanted = expected.map((type) => TYPES[type] ?? type).join(' or ');
  return diagnostic('WRONG_TYPE', { member, expected: wanted, found }, { pointer, hint });
}

/** What to write instead of a string. */
function numberHint(text: string, member: string): string | undefined {
  if (/^\d{1,20}$/.test(text)) return `write ${BigInt(text)}, without quotes`;
  if (/^0x[\da-f]{1,16}$/i.test(text)) return `write ${BigInt(text)}: JSON has decimal numbers only`;
  const errno = /errno/i.test(member) ? errnoNumber(text.toUpperCase(), 'generic') : undefined;
  return errno === undefined ? undefined : `write ${errno}, or use Podman's ${member.replace(/Ret$/i, '')}`;
}

const TYPES: Record<string, string> = {
  array: 'an array',
  object: 'an object',
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'a boolean',
};

/** `names[2]` for `/syscalls/0/names/2`. */
function labelOf(pointer: string): string {
  const tokens = tokensOf(pointer);
  const index = tokens.findLastIndex((token) => !/^\d+$/.test(token));
  if (index < 0) return 'the profile';
  return (
    tokens[index]! +
    tokens
      .slice(index + 1)
      .map((n) => `[${n}]`)
      .join('')
  );
}

function ownerOf(pointer: string): string {
  const [list] = /(\w+)\/\d+$/.exec(pointer)?.slice(1) ?? [];
  if (list === undefined) return 'the profile';
  return { args: 'the argument', archmap: 'the archMap entry' }[list.toLowerCase()] ?? 'the entry';
}

function shorten(digits: string): string {
  return digits.length > 40 ? `${digits.slice(0, 40)}…` : digits;
}
