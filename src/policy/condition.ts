import type { Comparator, Condition } from './types.ts';
import type { OperatorName, SyscallArg } from '../profile/types.ts';

const COMPARATORS: Record<OperatorName, Comparator> = {
  SCMP_CMP_NE: 'ne',
  SCMP_CMP_LT: 'lt',
  SCMP_CMP_LE: 'le',
  SCMP_CMP_EQ: 'eq',
  SCMP_CMP_GE: 'ge',
  SCMP_CMP_GT: 'gt',
  SCMP_CMP_MASKED_EQ: 'masked_eq',
};

/** All ones in the width of a comparison. */
export function fullMask(bits: 32 | 64): bigint {
  return (1n << BigInt(bits)) - 1n;
}

/**
 * A condition as an architecture compares it: constants cut to its width, the datum of MASKED_EQ
 * cut to its mask. docs/semantics.md section 8.
 */
export function normalise(arg: SyscallArg, bits: 32 | 64): Condition {
  const full = fullMask(bits);
  const comparator = COMPARATORS[arg.op];
  if (comparator === 'masked_eq') {
    const mask = arg.value & full;
    return { arg: arg.index, comparator, mask, value: arg.valueTwo & mask, bits };
  }
  return { arg: arg.index, comparator, mask: full, value: arg.value & full, bits };
}

/** Whether cutting a condition's constants to 32 bits changes them. */
export function losesBits(arg: SyscallArg): boolean {
  const cut = (value: bigint) => value !== (value & fullMask(32));
  return cut(arg.value) || (arg.op === 'SCMP_CMP_MASKED_EQ' && cut(arg.valueTwo & arg.value));
}

/** True or false where no argument can change the answer, else undefined. */
export function constantTruth(condition: Condition): boolean | undefined {
  if (condition.comparator === 'ne') return undefined;
  if (condition.comparator === 'masked_eq') return condition.mask === 0n ? true : undefined;
  const [low, high] = rangeOf(condition);
  if (low > high) return false;
  return low === 0n && high === fullMask(condition.bits) ? true : undefined;
}

/** Equal for equal conditions only. */
export function conditionKey({ arg, comparator, value, mask, bits }: Condition): string {
  return `${arg} ${comparator} ${value} ${mask} ${bits}`;
}

/** Inclusive bounds of the values that satisfy a condition; low is above high if none does. */
function rangeOf({ comparator, value, bits }: Condition): [low: bigint, high: bigint] {
  const full = fullMask(bits);
  switch (comparator) {
    case 'eq':
      return [value, value];
    case 'lt':
      return [0n, value - 1n];
    case 'le':
      return [0n, value];
    case 'ge':
      return [value, full];
    case 'gt':
      return [value + 1n, full];
    default:
      return [0n, full];
  }
}

export function holds(condition: Condition, value: bigint): boolean {
  const x = value & fullMask(condition.bits);
  switch (condition.comparator) {
    case 'eq':
      return x === condition.value;
    case 'ne':
      return x !== condition.value;
    case 'lt':
      return x < condition.value;
    case 'le':
      return x <= condition.value;
    case 'gt':
      return x > condition.value;
    case 'ge':
      return x >= condition.value;
    case 'masked_eq':
      return (x & condition.mask) === condition.value;
  }
}

/** A value that satisfies both conditions on one argument; undefined only if there is none. */
export function commonValue(a: Condition, b: Condition): bigint | undefined {
  const [[lowA, highA], [lowB, highB]] = [rangeOf(a), rangeOf(b)];
  const low = lowA > lowB ? lowA : lowB;
  const high = highA < highB ? highA : highB;

  let mask = 0n;
  let datum = 0n;
  for (const c of [a, b]) {
    if (c.comparator !== 'masked_eq') continue;
    if (((datum ^ c.value) & mask & c.mask) !== 0n) return undefined;
    mask |= c.mask;
    datum |= c.value;
  }
  // At most two values are excluded (NE), so three candidates in ascending order decide.
  let candidate = smallestMatch(low, mask, datum, a.bits);
  for (let tries = 0; tries < 3 && candidate !== undefined && candidate <= high; tries++) {
    if (holds(a, candidate) && holds(b, candidate)) return candidate;
    candidate = smallestMatch(candidate + 1n, mask, datum, a.bits);
  }
  return undefined;
}

/** The smallest x >= low with (x & mask) == datum, in `bits` bits. */
function smallestMatch(low: bigint, mask: bigint, datum: bigint, bits: 32 | 64): bigint | undefined {
  if (low > fullMask(bits)) return undefined;
  if ((low & mask) === datum) return low;
  // x leaves low at some bit that is 0 there and 1 in x; the lower that bit, the smaller x.
  for (let bit = 0n; bit < BigInt(bits); bit++) {
    const above = (fullMask(bits) >> (bit + 1n)) << (bit + 1n);
    const one = 1n << bit;
    if ((low & one) !== 0n) continue;
    const x = (low & above) | one | (datum & (one - 1n));
    if ((x & mask) === datum) return x;
  }
  return undefined;
}
