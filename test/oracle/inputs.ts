/**
 * The calls on which programs are compared: dense in the numbers, at the edges in the arguments.
 *
 * The same profile always gives the same calls in the same order.
 */
import type { Call } from './bpf.ts';
import { witness } from './conditions.ts';
import { ABIS } from './facts.ts';
import type { Abi } from './facts.ts';
import type { Evaluator, Rule } from './naive.ts';
import type { OciProfile } from './oci.ts';

const NONE: readonly bigint[] = [0n, 0n, 0n, 0n, 0n, 0n];
const MAX = 0xffffffffffffffffn;
const ALL: readonly bigint[] = [MAX, MAX, MAX, MAX, MAX, MAX];

/** Where a block of syscall numbers begins: all ABIs, mips o32, n64, n32, x32. */
const BASES = [0, 4000, 5000, 6000, 0x40000000];
const BLOCK = 1100;
const ODD_NUMBERS = [
  0x3fffffff, 0x7fffffff, 0x80000000, 0x80000001, 0xbfffffff, 0xc0000000, 0xc0000001, 0xfffffffe, 0xffffffff,
  0xeffff, 0xf0000, 0xf0001, 0xf0002, 0xf0003, 0xf0004, 0xf0005, 0xf0006, 0xf0007, 0x10000, 0x900000,
  0x80000000 + 102, 0x80000000 + 117, 0xc0000000 + 16, 0xc0000000 + 514,
]; // prettier-ignore

/**
 * Each listed audit value with every number and no arguments or all bits, then the edges of the
 * conditions.
 */
export function* denseCalls(profile: OciProfile, meaning: Evaluator): Generator<Call> {
  const numbers = [
    ...BASES.flatMap((base) => Array.from({ length: BLOCK + 1 }, (_, i) => base + i)),
    ...ODD_NUMBERS,
  ];
  const arches = new Map(meaning.abis.map((a) => [a.audit, meaning.abis.filter((b) => b.audit === a.audit)]));
  for (const [arch, abis] of arches) {
    for (const nr of numbers) {
      yield { arch, nr, args: NONE };
      yield { arch, nr, args: ALL };
      for (const abi of abis)
        for (const args of edgeArguments(profile, meaning.rules(abi, nr))) yield { arch, nr, args };
    }
  }
  yield* alienCalls(meaning.abis);
}

/** Every other architecture, and values near the listed ones that are none. */
function* alienCalls(abis: readonly Abi[]): Generator<Call> {
  const listed = new Set(abis.map((a) => a.audit));
  const near = abis.flatMap((a) => [
    a.audit ^ 0x80000000,
    a.audit ^ 0x40000000,
    a.audit + 1,
    a.audit & 0xffff,
  ]);
  for (const arch of new Set([
    ...ABIS.map((a) => a.audit),
    ...near.map((x) => x >>> 0),
    0,
    0x4000003e,
    MAX32,
  ])) {
    if (listed.has(arch)) continue;
    for (const nr of [0, 1, 39, 102, 0x40000000, arch, 0xffffffff]) yield { arch, nr, args: NONE };
  }
}

const MAX32 = 0xffffffff;

/** Argument vectors at and around every constant that the rules of one number compare with. */
export function edgeArguments(profile: OciProfile, rules: readonly Rule[]): bigint[][] {
  const conditions = rules.flatMap((rule) => rule.conditions);
  if (conditions.length === 0) return [];
  const edges = Array.from({ length: 6 }, () => new Set<bigint>());
  const add = (index: number, ...values: bigint[]) => {
    for (const value of values) edges[index]?.add(BigInt.asUintN(64, value));
  };
  for (const c of conditions) {
    add(c.index, 0n, 1n, MAX);
    around(c.value).forEach((value) => add(c.index, value));
    if (c.op === 'SCMP_CMP_MASKED_EQ') maskEdges(c.mask, c.value).forEach((value) => add(c.index, value));
  }
  // The constants as written too: on a 32-bit ABI the conditions hold only their low words.
  for (const entry of new Set(rules.map((rule) => profile.syscalls?.[rule.entry]))) {
    for (const arg of entry?.args ?? []) {
      if (!conditions.some((c) => c.index === Number(arg.index))) continue;
      add(Number(arg.index), arg.value, arg.value + 1n, arg.value - 1n, arg.valueTwo ?? 0n);
    }
  }

  const seeds = rules.map((rule) => witness(rule.conditions, rule.conditions) ?? [...NONE]);
  const vectors = new Map<string, bigint[]>();
  const keep = (vector: bigint[]) => vectors.set(vector.join(), vector);
  const values = edges.map((set) => [...set]);
  for (const seed of seeds.slice(0, 12)) {
    keep(seed);
    keep(seed.map((x) => x | 0xffffffff00000000n));
    values.forEach((list, index) => list.forEach((value) => keep(seed.with(index, value))));
  }
  const next = numbersFrom(values.flat().length * 31 + rules.length);
  const mixed = Math.min(
    200,
    values.reduce((n, list) => n * Math.max(1, list.length), 1),
  );
  for (let i = 0; i < mixed; i++)
    keep(values.map((list) => (list.length === 0 ? BigInt(next() % 3) : list[next() % list.length]!)));
  return [...vectors.values()];
}

const HIGH = 1n << 32n;

/** A constant, its neighbours, and the same with a changed high word. */
function around(value: bigint): bigint[] {
  const words = [value, value ^ HIGH, value | (MAX ^ (HIGH - 1n)), value & (HIGH - 1n), value ^ (1n << 63n)];
  return [value - 1n, value + 1n, value + HIGH, value - HIGH, ...words];
}

/** The datum with each bit of the mask flipped, and with the bits outside it set. */
function maskEdges(mask: bigint, value: bigint): bigint[] {
  const flipped = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)).filter(
    (bit) => (mask & bit) !== 0n,
  );
  return [...flipped.map((bit) => value ^ bit), value | (MAX ^ mask), ~value, mask];
}

/** A fixed sequence of 31-bit numbers (a linear congruence; high bits are the better ones). */
function numbersFrom(seed: number): () => number {
  let state = BigInt(seed);
  return () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & MAX;
    return Number(state >> 33n);
  };
}
