import type { Graph, Node } from '../graph.ts';
import type { Interval } from '../numbers/select.ts';

/** All x with (x & mask) == value. */
interface Cube {
  mask: number;
  value: number;
}

/** Sets of more values than this are left to the tree search. */
const MAX_POINTS = 64;
const ALL_BITS = 0xffffffff;

/**
 * Decides single values against everything else by few tests of bits: four values that differ in
 * two bits only are one test. Undefined where the intervals are not of that kind.
 *
 * Neighbouring values merge into cubes as in the method of Quine and McCluskey; the largest cubes
 * are then taken greedily until every value is covered.
 */
export function coverByCubes(graph: Graph, intervals: readonly Interval[]): Node | undefined {
  const leaves = new Set(intervals.map(({ leaf }) => leaf));
  if (leaves.size !== 2) return undefined;
  for (const inside of leaves) {
    const mine = intervals.filter(({ leaf }) => leaf === inside);
    const others = intervals.filter(({ leaf }) => leaf !== inside);
    const count = mine.reduce((sum, { from, to }) => sum + (to - from + 1), 0);
    if (count > MAX_POINTS || others.length === 0) continue;
    const values = mine.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i));
    return testsFor(graph, cover(values), inside, others[0]!.leaf);
  }
  return undefined;
}

function cover(values: readonly number[]): Cube[] {
  const primes = primeCubes(values);
  const chosen: Cube[] = [];
  let open = [...values];
  while (open.length > 0) {
    let best = primes[0]!;
    let most = 0;
    for (const candidate of primes) {
      const gain = open.filter((value) => isIn(value, candidate)).length;
      if (gain > most || (gain === most && price(candidate) < price(best))) {
        best = candidate;
        most = gain;
      }
    }
    chosen.push(best);
    open = open.filter((value) => !isIn(value, best));
  }
  return chosen;
}

/** The cubes inside a set of values that no larger one contains. */
function primeCubes(values: readonly number[]): Cube[] {
  const primes: Cube[] = [];
  let level: Cube[] = values.map((value) => ({ mask: ALL_BITS, value }));
  while (level.length > 0) {
    const merged = new Map<string, Cube>();
    const used = new Set<Cube>();
    for (let i = 0; i < level.length; i++)
      for (let j = i + 1; j < level.length; j++) {
        const a = level[i]!;
        const b = level[j]!;
        const bit = (a.value ^ b.value) >>> 0;
        if (a.mask !== b.mask || (bit & (bit - 1)) !== 0) continue;
        const mask = (a.mask & ~bit) >>> 0;
        merged.set(`${mask} ${a.value & mask}`, { mask, value: (a.value & mask) >>> 0 });
        used.add(a).add(b);
      }
    primes.push(...level.filter((cube) => !used.has(cube)));
    level = [...merged.values()];
  }
  return primes;
}

function isIn(value: number, cube: Cube): boolean {
  return (value & cube.mask) >>> 0 === cube.value;
}

/** Instructions: a test in place, or a mask, a test and a reload of the word for the next test. */
function price({ mask, value }: Cube): number {
  return value === 0 || mask === ALL_BITS ? 1 : 3;
}

/** Only cubes that leave the word in the accumulator; the last may spoil it. */
function testsFor(graph: Graph, cubes: readonly Cube[], inside: Node, outside: Node): Node | undefined {
  const ordered = cubes.toSorted((a, b) => price(a) - price(b) || a.mask - b.mask || a.value - b.value);
  if (ordered.slice(0, -1).some((cube) => price(cube) > 1)) return undefined;
  return ordered.reduceRight<Node>((rest, { mask, value }) => {
    if (mask === ALL_BITS) return graph.jeq(value, inside, rest);
    if (value === 0) return graph.jset(mask, rest, inside);
    return graph.and(mask, graph.jeq(value, inside, outside));
  }, outside);
}
