/** Calls, conditions and arguments as people write them in C, in both directions. */
import { distance } from 'fastest-levenshtein';
import type { Arch, ArchName } from '../arch.ts';
import { constantsOf, type Constants } from './constants.ts';
import { signatureOf } from './signatures.ts';

/** The condition of a rule, in the terms of libseccomp; for MASKED_EQ `value` is the mask. */
export interface Comparison {
  readonly index: number;
  readonly op: string;
  readonly value: bigint;
  readonly valueTwo: bigint;
}

/**
 * `socket(AF_VSOCK, SOCK_STREAM, 0)`; all arguments if one is not 0, else none: `read()`. Load the
 * call facts first.
 */
export function describeCall(
  arch: Arch | ArchName | undefined,
  call: string,
  args: readonly bigint[],
): string {
  const last = args.findLastIndex((arg) => arg !== 0n);
  const known = arch === undefined ? 0 : (signatureOf(arch, call)?.args.length ?? 0);
  const count = last < 0 ? 0 : Math.max(last + 1, known);
  const shown = Array.from({ length: count }, (_, index) =>
    describeArgument(arch, call, index, args[index] ?? 0n),
  );
  return `${call}(${shown.join(', ')})`;
}

/**
 * `AF_VSOCK`, `CLONE_NEWUSER|SIGCHLD`, `0x1f`, `7`: what parseArgument reads back to the same 64
 * bits.
 */
export function describeArgument(
  arch: Arch | ArchName | undefined,
  call: string,
  index: number,
  value: bigint,
): string {
  return (arch === undefined ? undefined : constantText(arch, call, index, value)) ?? plain(value);
}

/** The same where a constant says something about the value, else undefined. */
export function constantText(
  arch: Arch | ArchName,
  call: string,
  index: number,
  value: bigint,
): string | undefined {
  const constants = constantsOf(arch, call, index);
  return constants && nameOf(constants, value);
}

/** Decimal below 10, where both notations agree; else hexadecimal. */
function plain(value: bigint): string {
  return value < 10n ? String(value) : `0x${value.toString(16)}`;
}

/**
 * Undefined if no name says anything about the value. Bits above the 32 that constants have are
 * told of first.
 */
function nameOf({ kind, field, entries, names }: Constants, value: bigint): string | undefined {
  const low = BigInt.asUintN(32, value);
  const parts = low === value ? [] : [plain(value - low)];
  const named = names.get(low & field);
  const whole = names.get(low);
  // O_RDONLY is said beside O_CLOEXEC, though it is 0.
  const isUnsaid = low !== 0n && (low & field) === 0n && field !== 0n && named !== undefined;
  if (whole !== undefined && !isUnsaid) return [...parts, whole].join('|');
  // All ones are a question, as in personality, or an error, and no union.
  if (kind === 'values' || low === 0xffffffffn) return undefined;
  if (field !== 0n && named !== undefined) parts.push(named);
  let rest = named === undefined ? low : low & ~field;
  for (const [name, bits] of bySize(entries)) {
    if (bits === 0n || (rest & bits) !== bits || (bits & ~field) === 0n) continue;
    parts.push(name);
    rest &= ~bits;
  }
  if (low !== 0n && rest === low) return undefined;
  return [...parts, ...(rest === 0n ? [] : [plain(rest)])].join('|') || undefined;
}

/** Unions of flags before their parts, else in the order of the table. */
function bySize(entries: Constants['entries']): [string, bigint][] {
  const size = (bits: bigint) => bits.toString(2).replaceAll('0', '').length;
  return [...entries].toSorted(([, a], [, b]) => size(b) - size(a));
}

const OPERATORS: Readonly<Record<string, string>> = {
  NE: '!=',
  LT: '<',
  LE: '<=',
  EQ: '==',
  GE: '>=',
  GT: '>',
};

/**
 * `family == AF_VSOCK`, `(clone_flags & CLONE_NEWUSER) != 0`, `args[2] < 0x10`. Load the call facts
 * first.
 */
export function describeCondition(
  arch: Arch | ArchName | undefined,
  call: string,
  condition: Comparison,
): string {
  const { index, op, value, valueTwo } = condition;
  const name =
    (arch === undefined ? undefined : signatureOf(arch, call)?.args[index]?.name) ?? `args[${index}]`;
  const text = (of: bigint) => describeArgument(arch, call, index, of);
  const operator = OPERATORS[op.replace('SCMP_CMP_', '')];
  if (operator !== undefined) return `${name} ${operator} ${text(value)}`;
  // A single bit is set or not.
  const isBit = value === valueTwo && (value & (value - 1n)) === 0n && value !== 0n;
  if (isBit) return `(${name} & ${text(value)}) != 0`;
  const mask = text(value);
  return `(${name} & ${mask.includes('|') ? `(${mask})` : mask}) == ${valueTwo === 0n ? '0' : text(valueTwo)}`;
}

/** Why a text is no argument, with names that may have been meant. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/**
 * Reads an argument: decimal, 0x hex, negative (two's complement of 64 bits), a constant of this
 * argument, or several of these joined by `|`. Unsigned 64 bits.
 * @throws ArgumentError. Load the call facts first.
 */
export function parseArgument(arch: Arch | ArchName, call: string, index: number, text: string): bigint {
  const parts = text.split('|').map((part) => part.trim());
  return parts.reduce((sum, part) => sum | parsePart(arch, call, index, part, text), 0n);
}

function parsePart(arch: Arch | ArchName, call: string, index: number, part: string, whole: string): bigint {
  if (/^-?(?:[0-9]+|0x[0-9a-f]+)$/i.test(part)) {
    const value = part.startsWith('-') ? -BigInt(part.slice(1)) : BigInt(part);
    if (value >= 1n << 64n || value < -(1n << 63n))
      throw new ArgumentError(`"${whole}" does not fit 64 bits`);
    return BigInt.asUintN(64, value);
  }
  const entries = constantsOf(arch, call, index)?.entries;
  const value = entries?.get(part);
  if (value !== undefined) return value;
  const parameter = signatureOf(arch, call)?.args[index]?.name;
  const place = `argument ${index}${parameter === undefined ? '' : ` (${parameter})`} of ${call}`;
  if (!/^[a-z_]\w*$/i.test(part))
    throw new ArgumentError(`"${whole}" is no number and no constant of ${place}`);
  const near = nearestConstants(part, [...(entries?.keys() ?? [])]);
  const hint =
    near.length > 0
      ? `did you mean ${near.join(' or ')}?`
      : `give a number${entries === undefined ? '' : `, or a name such as ${[...entries.keys()].slice(0, 3).join(', ')}`}`;
  throw new ArgumentError(
    entries === undefined
      ? `no constants are known for ${place}, so not "${part}"`
      : `${part} is no constant of ${place}`,
    hint,
  );
}

/** At most three names, best first: those that differ in case, in the prefix or in few letters. */
function nearestConstants(wrong: string, names: readonly string[]): string[] {
  const upper = wrong.toUpperCase().slice(0, 64);
  const edits = (name: string) => {
    const bare = name.slice(name.indexOf('_') + 1);
    return bare === upper ? 0 : Math.min(distance(upper, name), distance(upper, bare) + 1);
  };
  return names
    .map((name) => ({ name, edits: edits(name) }))
    .filter((each) => each.edits <= Math.max(1, Math.floor(upper.length / 4)))
    .toSorted((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ name }) => name);
}
