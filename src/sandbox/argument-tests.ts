/** What the conditions of a rule compare on each architecture, and how an OCI profile says that. */
import type { Arch } from '../arch.ts';
import { fail } from '../errors.ts';
import type { SyscallArg } from '../profile/types.ts';
import { ArgumentError, parseArgument } from '../syscalls/call-text.ts';
import { constantsOf } from '../syscalls/constants.ts';
import { signatureOf } from '../syscalls/signatures.ts';
import { intersect, isMade, meet } from './condition.ts';
import type { ArgumentView, Condition, Cube, Native, Value } from './condition.ts';

/** More entries for one rule are a mistake, or need another rule. */
const MOST_ENTRIES = 1000;

/** Conditions on one argument together. */
interface Test {
  cubes: Cube[];
  /**
   * The kernel reads more bits than a filter compares on this architecture, so it also matches
   * other values.
   */
  wider: boolean;
  native?: { op: Native; value: bigint; cubes(bits: number): Cube[] };
}
/** By the position of the argument. */
export type Tests = ReadonlyMap<number, Test>;

/** The conditions of a rule on one architecture, joined for each argument. */
export function testsOn(arch: Arch, call: string, conditions: readonly Condition[], rule: string): Tests {
  const tests = new Map<number, Test>();
  for (const condition of conditions) {
    if (!isMade(condition)) fail('POLICY_RULE', { rule, reason: 'a condition is made by arg()' });
    const { argument, text, cubes: cubesFor, native } = condition;
    const refuse = (reason: string, hint?: string): never =>
      fail('POLICY_RULE', { rule, reason: `${text}: ${reason}` }, hint === undefined ? {} : { hint });
    const { index, view, read } = viewOf(arch, call, argument, refuse);
    const cubes = cubesFor(view);
    const meant = read > view.bits ? cubesFor({ ...view, bits: read }) : cubes;
    // Refusing 5 refuses what ends in 5, too; refusing all but 5 would allow it.
    if (read > view.bits && (view.signed || key(cut(meant, view.bits)) !== key(cubes)))
      refuse(halfOf(arch), HALF_HINT);
    const first = tests.get(index);
    const both = first === undefined ? cubes : intersect(first.cubes, cubes);
    if (both.length === 0) refuse('no value meets the conditions');
    if (cubes.some(({ mask }) => mask === 0n)) refuse('every value meets the condition');
    // A comparison of all bits is one entry, and many under masks.
    const whole = first === undefined && native !== undefined && view.bits === 64 && !view.signed;
    tests.set(index, {
      cubes: both,
      wider: (first?.wider ?? false) || meant.some(({ mask }) => mask >> BigInt(view.bits) !== 0n),
      ...(whole && {
        native: {
          op: native[0],
          value: view.read(native[1]),
          cubes: (bits: number) => cubesFor({ ...view, bits }),
        },
      }),
    });
  }
  return tests;
}

function viewOf(
  arch: Arch,
  call: string,
  argument: number | string,
  refuse: ArgumentView['refuse'],
): { index: number; view: ArgumentView; read: number } {
  const { args, form } = signatureOf(arch, call) ?? { args: [] };
  const index = typeof argument === 'number' ? argument : args.findIndex(({ name }) => name === argument);
  const found = args[index];
  if (found === undefined || found.bits === 0) {
    const names = args.filter(({ bits }) => bits > 0).map(({ name }) => name);
    const inside = form?.kind === 'struct' && form.members.includes(String(argument));
    return refuse(
      inside
        ? `on ${arch.name} it is in memory behind argument ${form.argument}, which no filter can read`
        : `${call} has no such argument on ${arch.name}`,
      inside
        ? 'refuse the call as a whole, or leave the architecture out'
        : `it has ${names.length === 0 ? 'none' : names.join(', ')}`,
    );
  }
  const bits = Math.min(found.bits, arch.wordBits);
  const read = (value: Value): bigint => {
    const number = numberFor(arch, call, index, value, refuse);
    const size = 1n << BigInt(bits);
    if (number >= size || number < -size / 2n)
      refuse(
        `${value} does not fit: on ${arch.name} the kernel reads ${bits} bits of this argument`,
        'other bits make no difference to the kernel, so no condition can be on them',
      );
    return BigInt.asUintN(bits, number);
  };
  const field = constantsOf(arch, call, index)?.field ?? 0n;
  const view = { bits, signed: found.signed, field, read, refuse };
  return { index, view, read: found.bits };
}

function numberFor(
  arch: Arch,
  call: string,
  index: number,
  value: Value,
  refuse: ArgumentView['refuse'],
): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number')
    return Number.isSafeInteger(value)
      ? BigInt(value)
      : refuse(`${value} is no whole number`, 'use a bigint');
  try {
    const number = parseArgument(arch, call, index, value);
    return value.trim().startsWith('-') ? BigInt.asIntN(64, number) : number;
  } catch (error) {
    if (error instanceof ArgumentError) return refuse(error.message, error.hint);
    throw error;
  }
}

/**
 * The conditions as all architectures of the filter read them.
 * @throws SeccompcError if they cannot be the same for all
 */
export function argsFor(on: ReadonlyMap<Arch, Tests>, rule: string): SyscallArg[][] {
  const [[widest, tests] = [undefined, new Map<number, Test>()]] = [...on].toSorted(
    ([a], [b]) => b.wordBits - a.wordBits,
  );
  for (const [arch, own] of on) {
    const same =
      own.size === tests.size &&
      [...tests].every(([index, test]) => {
        const other = own.get(index);
        const seen = test.native?.cubes(arch.wordBits) ?? cut(test.cubes, arch.wordBits);
        return other !== undefined && key(other.cubes) === key(seen);
      });
    if (!same)
      fail(
        'POLICY_RULE',
        {
          rule,
          reason: `${widest!.name} and ${arch.name} need different conditions, and a profile has the same for both`,
        },
        { hint: "leave the conditions out, or compile for architectures: 'native'" },
      );
  }
  let lists: SyscallArg[][] = [[]];
  for (const [index, { cubes, native }] of tests) {
    const choices: Omit<SyscallArg, 'index'>[] =
      native === undefined
        ? cubes.map(({ mask, value }) =>
            mask === (1n << 64n) - 1n
              ? { value, valueTwo: 0n, op: 'SCMP_CMP_EQ' }
              : { value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' },
          )
        : [{ value: native.value, valueTwo: 0n, op: native.op }];
    lists = lists.flatMap((list) => choices.map((choice) => [...list, { index, ...choice }]));
    if (lists.length > MOST_ENTRIES)
      fail('POLICY_RULE', { rule, reason: `more than ${MOST_ENTRIES} entries of a profile` });
  }
  return lists;
}

export const HALF_HINT = 'leave the architecture or the condition out';
export function halfOf({ name }: Arch): string {
  return `on ${name} a filter compares 32 of the 64 bits that the kernel reads, so other values would be allowed`;
}

/** What an architecture makes of values under masks: it compares the low bits only. */
function cut(cubes: readonly Cube[], bits: number): Cube[] {
  const full = (1n << BigInt(bits)) - 1n;
  return cubes.map(({ mask, value }) => ({ mask: mask & full, value: value & full }));
}

function key(cubes: readonly Cube[]): string {
  return [...new Set(cubes.map(({ mask, value }) => `${mask}:${value}`))].toSorted().join();
}

/** Whether a call can meet both. */
export function overlap(first: Tests, second: Tests | undefined): boolean {
  return (
    second !== undefined &&
    [...first].every(([index, { cubes }]) => {
      const others = second.get(index)?.cubes;
      return others === undefined || cubes.some((a) => others.some((b) => meet(a, b)));
    })
  );
}
