/**
 * Argument conditions on plain integers: do they hold, are they the same, can two hold at once.
 *
 * docs/semantics.md sections 7.5, 7.6 and 8, done with BigInt on one word of 32 or 64 bits.
 */
import type { OciArg } from './oci.ts';

/** A condition cut to a word of `bits`; for MASKED_EQ `value` is inside `mask`. */
export interface Condition {
  index: number;
  op: string;
  value: bigint;
  mask: bigint;
  bits: bigint;
}

export function condition(arg: OciArg, bits: bigint): Condition {
  const value = BigInt.asUintN(Number(bits), arg.value);
  const base = { index: Number(arg.index), op: arg.op, bits };
  if (arg.op !== 'SCMP_CMP_MASKED_EQ') return { ...base, value, mask: ones(bits) };
  return { ...base, value: (arg.valueTwo ?? 0n) & value, mask: value };
}

const ones = (bits: bigint) => (1n << bits) - 1n;

/** A mask without bits asks nothing. */
export function asksNothing(c: Condition): boolean {
  return c.mask === 0n;
}

export function holds(c: Condition, args: readonly bigint[]): boolean {
  const x = (args[c.index] ?? 0n) & ones(c.bits);
  switch (c.op) {
    case 'SCMP_CMP_EQ':
      return x === c.value;
    case 'SCMP_CMP_NE':
      return x !== c.value;
    case 'SCMP_CMP_LT':
      return x < c.value;
    case 'SCMP_CMP_LE':
      return x <= c.value;
    case 'SCMP_CMP_GT':
      return x > c.value;
    case 'SCMP_CMP_GE':
      return x >= c.value;
    case 'SCMP_CMP_MASKED_EQ':
      return (x & c.mask) === c.value;
    default:
      throw new Error(`no operator ${c.op}`);
  }
}

/**
 * Same text for the same set of conditions: what libseccomp refuses to add twice with two actions.
 */
export function identity(conditions: readonly Condition[]): string {
  const one = (c: Condition) => `${c.index} ${c.op} ${c.value} ${c.mask}`;
  return conditions.map(one).toSorted().join(' & ');
}

/** The values a condition accepts as ranges, both ends included; MASKED_EQ is not one of these. */
function ranges(c: Condition): (readonly [bigint, bigint])[] {
  const max = ones(c.bits);
  const all: Record<string, (readonly [bigint, bigint])[]> = {
    SCMP_CMP_EQ: [[c.value, c.value]],
    SCMP_CMP_NE: [[0n, c.value - 1n], [c.value + 1n, max]], // prettier-ignore
    SCMP_CMP_LT: [[0n, c.value - 1n]],
    SCMP_CMP_LE: [[0n, c.value]],
    SCMP_CMP_GT: [[c.value + 1n, max]],
    SCMP_CMP_GE: [[c.value, max]],
  };
  return (all[c.op] ?? []).filter(([low, high]) => low <= high);
}

/** Smallest x >= low with (x & mask) == value; undefined when there is none below 2^bits. */
function nextMatch(low: bigint, { mask, value, bits }: Condition): bigint | undefined {
  if ((low & mask) === value) return low;
  for (let bit = 0n; bit < bits; bit++) {
    if (((low >> bit) & 1n) === 1n) continue;
    const above = ((low >> bit) | 1n) << bit;
    const candidate = above | (value & ones(bit));
    if ((candidate & mask) === value) return candidate;
  }
  return undefined;
}

const masked = (c: Condition) => c.op === 'SCMP_CMP_MASKED_EQ';

/** A value of the argument that both conditions accept, or undefined. */
function common(a: Condition, b: Condition): bigint | undefined {
  if (masked(a) && masked(b)) {
    if (((a.value ^ b.value) & a.mask & b.mask) !== 0n) return undefined;
    return a.value | b.value;
  }
  if (masked(b)) return common(b, a);
  for (const [low, high] of ranges(b)) {
    if (masked(a)) {
      const x = nextMatch(low, a);
      if (x !== undefined && x <= high) return x;
    } else {
      for (const [low2, high2] of ranges(a)) {
        const x = low > low2 ? low : low2;
        if (x <= high && x <= high2) return x;
      }
    }
  }
  return undefined;
}

/**
 * Six arguments that satisfy both rules, or undefined. Each rule tests an argument at most once.
 */
export function witness(a: readonly Condition[], b: readonly Condition[]): bigint[] | undefined {
  const args: bigint[] = [];
  for (let index = 0; index < 6; index++) {
    const of = [...a, ...b].filter((c) => c.index === index);
    const [first, second = first] = of;
    if (first === undefined || second === undefined) args.push(0n);
    else {
      const x = common(first, second);
      if (x === undefined) return undefined;
      args.push(x);
    }
  }
  return args;
}
