/**
 * Profiles with many rules on the arguments of one call, to see how costs grow with the rules. The
 * same family and number of rules always give the same profile.
 */

/**
 * One condition as it stands in a profile; values are decimal, since they may be larger than 2^53.
 */
interface Arg {
  readonly index: number;
  readonly op: string;
  readonly value: bigint;
  readonly valueTwo?: bigint;
}

/** A number below `limit` that looks random. */
type Random = (limit: number) => number;

function randomFrom(seed: number): Random {
  let state = seed;
  return (limit) => {
    // A linear congruence modulo 2^48; its upper bits are the better ones.
    state = Number((BigInt(state) * 25214903917n + 11n) & 0xffffffffffffn);
    return Math.floor((state / 2 ** 48) * limit);
  };
}

const arg = (index: number, op: string, value: number | bigint, valueTwo?: number | bigint): Arg => ({
  index,
  op: `SCMP_CMP_${op}`,
  value: BigInt(value),
  ...(valueTwo === undefined ? {} : { valueTwo: BigInt(valueTwo) }),
});

/** One bit of an argument, set. */
function bit(index: number, random: Random, bits = 32): Arg {
  const mask = 1n << BigInt(random(bits));
  return arg(index, 'MASKED_EQ', mask, mask);
}

/** `count` arguments, each by the same kind of condition. */
const each = (count: number, condition: (index: number) => Arg) =>
  Array.from({ length: count }, (_, index) => condition(index));

/** The conditions of rule number `at`. */
type Family = (at: number, random: Random) => Arg[];

const SMALL = 2 ** 16;
const WIDE = 2 ** 48;

export const FAMILIES: Readonly<Record<string, Family>> = {
  'one value': (_, random) => [arg(1, 'EQ', random(2 ** 32))],
  'one value of 64 bits': (_, random) => [arg(1, 'EQ', random(WIDE))],
  'two values': (_, random) => [arg(0, 'EQ', random(100)), arg(1, 'EQ', random(SMALL))],
  'a clear bit, >': (_, random) => [arg(1, 'MASKED_EQ', 2 ** random(32), 0), arg(2, 'GT', random(2 ** 20))],
  'a bit, >': (_, random) => [bit(1, random), arg(2, 'GT', random(2 ** 20))],
  'a value, >': (at, random) => [arg(0, 'EQ', at), arg(1, 'GT', random(2 ** 20))],
  '>=, <=': (at) => [arg(1, 'GE', 10 * at), arg(2, 'LE', 7 * at + 3)],
  '>': (_, random) => [arg(0, 'GT', random(SMALL))],
  '2 times >': (_, random) => each(2, (index) => arg(index, 'GT', random(SMALL))),
  '3 times >': (_, random) => each(3, (index) => arg(index, 'GT', random(SMALL))),
  '4 times >': (_, random) => each(4, (index) => arg(index, 'GT', random(SMALL))),
  '> of 64 bits': (_, random) => [arg(0, 'GT', random(WIDE))],
  '2 times > of 64 bits': (_, random) => each(2, (index) => arg(index, 'GT', random(WIDE))),
  '3 times > of 64 bits': (_, random) => each(3, (index) => arg(index, 'GT', random(WIDE))),
  '4 times > of 64 bits': (_, random) => each(4, (index) => arg(index, 'GT', random(WIDE))),
  '2 bits': (_, random) => each(2, (index) => bit(index, random)),
  '3 bits': (_, random) => each(3, (index) => bit(index, random)),
  '4 bits': (_, random) => each(4, (index) => bit(index, random)),
  '2 bits, >, <': (_, random) => [
    bit(0, random),
    bit(1, random),
    arg(2, 'GT', random(SMALL)),
    arg(3, 'LT', random(SMALL)),
  ],
  'a bit, 3 times > of 64 bits': (_, random) => [
    bit(0, random, 64),
    ...[1, 2, 3].map((index) => arg(index, 'GT', random(WIDE))),
  ],
  'a value, 2 times !=': (at, random) => [
    arg(0, 'EQ', at),
    arg(1, 'NE', random(SMALL)),
    arg(2, 'NE', random(WIDE)),
  ],
};

export interface Growth {
  readonly architectures?: readonly string[];
  readonly seed?: number;
  /** Each rule has an errno of its own, where it would otherwise allow the call. */
  readonly errnos?: boolean;
}

/** The text of a profile with some rules of a family, all on ioctl. */
export function growthProfile(family: string, rules: number, options: Growth = {}): string {
  const { architectures = ['SCMP_ARCH_X86_64'], seed = 1, errnos = false } = options;
  const random = randomFrom(seed);
  const syscalls = Array.from({ length: rules }, (_, at) => ({
    names: ['ioctl'],
    ...(errnos ? { action: 'SCMP_ACT_ERRNO', errnoRet: 2 + at } : { action: 'SCMP_ACT_ALLOW' }),
    args: FAMILIES[family]!(at, random),
  }));
  const marked = JSON.stringify(
    { defaultAction: 'SCMP_ACT_ERRNO', architectures, syscalls },
    (_, value: unknown) => (typeof value === 'bigint' ? `#${value}` : value),
  );
  return marked.replaceAll(/"#(\d+)"/g, '$1');
}
