import { fail } from '../errors.ts';

/** A number, or constants of the argument joined by `|`: `'AF_UNIX'`, `'PROT_WRITE|PROT_EXEC'`. */
export type Value = number | bigint | string;

/** The values x with `(x & mask) === value`. */
export interface Cube {
  readonly mask: bigint;
  readonly value: bigint;
}

/** An argument as one architecture has it. */
export interface ArgumentView {
  /** How many low bits the kernel reads. */
  readonly bits: number;
  readonly signed: boolean;
  /** Bits of flags that are one value together; 0 without. */
  readonly field: bigint;
  /** The low bits of a value. @throws SeccompcError */
  readonly read: (value: Value) => bigint;
  /** @throws SeccompcError */
  readonly refuse: (reason: string, hint?: string) => never;
}

/** A comparison of all 64 bits, which OCI has besides that under a mask. */
export type Native = 'SCMP_CMP_NE' | 'SCMP_CMP_LT' | 'SCMP_CMP_LE' | 'SCMP_CMP_GE' | 'SCMP_CMP_GT';

/** A condition on one argument of a call, made by {@link arg}. */
export interface Condition {
  /** Position, 0 to 5, or the name that the kernel's sources give the argument. */
  readonly argument: number | string;
  /** As it is written. */
  readonly text: string;
}

export interface MadeCondition extends Condition {
  /** The values that meet it. @throws SeccompcError */
  readonly cubes: (view: ArgumentView) => Cube[];
  readonly native?: readonly [op: Native, value: Value];
}

export function isMade(condition: Condition): condition is MadeCondition {
  return typeof (condition as Partial<MadeCondition>).cubes === 'function';
}

const ALL: readonly Cube[] = [{ mask: 0n, value: 0n }];
/** No condition that people write comes near. */
const MOST_CUBES = 4096;

export function intersect(first: readonly Cube[], second: readonly Cube[]): Cube[] {
  return first.flatMap((a) =>
    second.filter((b) => meet(a, b)).map((b) => ({ mask: a.mask | b.mask, value: a.value | b.value })),
  );
}

/** Whether some value is in both. */
export function meet(a: Cube, b: Cube): boolean {
  return ((a.value ^ b.value) & a.mask & b.mask) === 0n;
}

function complement(cubes: readonly Cube[], { refuse }: ArgumentView): Cube[] {
  let left: Cube[] = [...ALL];
  for (const cube of cubes) {
    left = intersect(left, outside(cube));
    if (left.length > MOST_CUBES) refuse('this condition is too long for a profile', 'use fewer values');
  }
  return left;
}

/** Disjoint: equal in the higher bits of the mask, different in one. */
function outside({ mask, value }: Cube): Cube[] {
  const bits = bitsOf(mask).toReversed();
  return bits.map((bit) => {
    const above = mask & ~(bit - 1n);
    return { mask: above, value: (value ^ bit) & above };
  });
}

function bitsOf(mask: bigint): bigint[] {
  const bits: bigint[] = [];
  for (let bit = 1n; bit <= mask; bit <<= 1n) if ((mask & bit) !== 0n) bits.push(bit);
  return bits;
}

/** The values from one to another, as unsigned numbers of so many bits. */
function between(low: bigint, high: bigint, bits: number): Cube[] {
  const cubes: Cube[] = [];
  const full = (1n << BigInt(bits)) - 1n;
  for (let from = low; from <= high;) {
    let size = from === 0n ? full + 1n : from & -from;
    while (from + size - 1n > high) size >>= 1n;
    cubes.push({ mask: full & ~(size - 1n), value: from });
    from += size;
  }
  return cubes;
}

/**
 * The values from one to another, as numbers of the argument's type; without one, to the end of
 * that.
 */
function range({ bits, signed }: ArgumentView, low?: bigint, high?: bigint): Cube[] {
  const size = 1n << BigInt(bits);
  const from = low ?? (signed ? -size / 2n : 0n);
  const to = high ?? (signed ? size / 2n : size) - 1n;
  if (from >= 0n) return between(from, to, bits);
  const negative = between(from + size, (to < 0n ? to : -1n) + size, bits);
  return [...negative, ...(to < 0n ? [] : between(0n, to, bits))];
}

/** With the sign of the argument's type. */
function numberOf({ bits, signed, read }: ArgumentView, value: Value): bigint {
  return signed ? BigInt.asIntN(bits, read(value)) : read(value);
}

function isExactly(view: ArgumentView, values: readonly Value[]): Cube[] {
  const mask = (1n << BigInt(view.bits)) - 1n;
  return values.map((each) => {
    const value = view.read(each);
    if (typeof each === 'string' && view.field !== 0n && (value & ~view.field) === 0n && !/^-?\d/.test(each))
      view.refuse(
        `the argument has flags besides the field of ${each}, and "is" compares all of it`,
        'compare the field with fieldIs, or give "is" a number',
      );
    return { mask, value };
  });
}

function inField(view: ArgumentView, values: readonly Value[]): Cube[] {
  const mask = view.field;
  if (mask === 0n) view.refuse('no field is known in this argument', 'use maskedIs(mask, value)');
  return values.map((each) => {
    const value = view.read(each);
    if ((value & ~mask) !== 0n) view.refuse(`${each} has bits outside the field 0x${mask.toString(16)}`);
    return { mask, value };
  });
}

function union(view: ArgumentView, flags: readonly Value[]): bigint {
  const mask = flags.reduce((sum: bigint, flag) => sum | view.read(flag), 0n);
  if (mask === 0n) view.refuse('there is no bit in the flags');
  return mask;
}

/**
 * Conditions on an argument, compared as the kernel does: only the bits that it reads, with the
 * sign of the C type.
 */
export interface ArgumentConditions {
  /** Equal to one of the values. */
  is(...values: Value[]): Condition;
  /** Equal to none of the values. */
  isNot(...values: Value[]): Condition;
  /**
   * The field beside the flags, such as the type of a socket beside SOCK_CLOEXEC, is one of the
   * values.
   */
  fieldIs(...values: Value[]): Condition;
  fieldIsNot(...values: Value[]): Condition;
  /** Less than a value. */
  lt(value: Value): Condition;
  le(value: Value): Condition;
  gt(value: Value): Condition;
  ge(value: Value): Condition;
  /** From one value to another, both included. */
  between(low: Value, high: Value): Condition;
  /** At least one of the bits is set. */
  hasAny(...flags: Value[]): Condition;
  /** All of the bits are set. */
  hasAll(...flags: Value[]): Condition;
  /** None of the bits is set. */
  hasNone(...flags: Value[]): Condition;
  /** The bits of the mask are those of the value. */
  maskedIs(mask: Value, value: Value): Condition;
}

/**
 * An argument of a call: its position, 0 to 5, or its name, such as `'family'`.
 *
 * @throws SeccompcError POLICY_RULE for what cannot be an argument
 */
export function arg(argument: number | string): ArgumentConditions {
  const isArgument =
    typeof argument === 'string' || (Number.isInteger(argument) && argument >= 0 && argument < 6);
  if (!isArgument) fail('POLICY_RULE', { rule: `arg(${argument})`, reason: 'a call has arguments 0 to 5' });
  const make =
    (name: string, cubes: (view: ArgumentView, values: readonly Value[]) => Cube[], native?: Native) =>
    (...values: Value[]): MadeCondition => {
      const text = `arg(${shown(argument)}).${name}(${values.map(shown).join(', ')})`;
      const refuse = (reason: string): never => fail('POLICY_RULE', { rule: text, reason });
      if (values.length === 0) refuse('there is no value');
      // A value that is ignored could make a weaker rule.
      const count = COUNTS[name] ?? values.length;
      if (values.length !== count) refuse(`${name} takes ${count === 1 ? 'one value' : 'two values'}`);
      for (const value of values)
        if (!['number', 'bigint', 'string'].includes(typeof value))
          refuse(`${String(value)} is no number and no name of a constant`);
      const whole =
        native !== undefined && values.length === 1 ? { native: [native, values[0]!] as const } : {};
      return { argument, text, cubes: (view) => cubes(view, values), ...whole };
    };
  const not =
    (cubes: (view: ArgumentView, values: readonly Value[]) => Cube[]) =>
    (view: ArgumentView, values: readonly Value[]) =>
      complement(cubes(view, values), view);
  const any = (view: ArgumentView, flags: readonly Value[]) =>
    bitsOf(union(view, flags)).map((bit) => ({ mask: bit, value: bit }));
  return {
    is: make('is', isExactly),
    isNot: make('isNot', not(isExactly), 'SCMP_CMP_NE'),
    fieldIs: make('fieldIs', inField),
    fieldIsNot: make('fieldIsNot', not(inField)),
    lt: make('lt', (view, [value]) => range(view, undefined, numberOf(view, value!) - 1n), 'SCMP_CMP_LT'),
    le: make('le', (view, [value]) => range(view, undefined, numberOf(view, value!)), 'SCMP_CMP_LE'),
    gt: make('gt', (view, [value]) => range(view, numberOf(view, value!) + 1n), 'SCMP_CMP_GT'),
    ge: make('ge', (view, [value]) => range(view, numberOf(view, value!)), 'SCMP_CMP_GE'),
    between: make('between', (view, [low, high]) => range(view, numberOf(view, low!), numberOf(view, high!))),
    hasAny: make('hasAny', any),
    hasAll: make('hasAll', (view, flags) => {
      const mask = union(view, flags);
      return [{ mask, value: mask }];
    }),
    hasNone: make('hasNone', (view, flags) => [{ mask: union(view, flags), value: 0n }]),
    maskedIs: make('maskedIs', (view, [bits, value]) => {
      const cube = { mask: union(view, [bits!]), value: view.read(value!) };
      if ((cube.value & ~cube.mask) !== 0n) view.refuse('the value has bits outside the mask');
      return [cube];
    }),
  };
}

/** Of the values of a condition that does not take any number of them. */
const COUNTS: Readonly<Record<string, number>> = { lt: 1, le: 1, gt: 1, ge: 1, between: 2, maskedIs: 2 };

function shown(value: Value): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
