/** Where two functions stand in the wrong relation, as concrete inputs. */
import type { Arch } from '../../arch.ts';
import { abiOfCall, allArches } from '../../arch.ts';
import type { SyscallTable } from '../../syscalls/tables.ts';
import type { Bdd, Node } from './bdd.ts';
import { WORD_ARCH, WORD_ARGS, WORD_NR, WORDS } from './input-words.ts';
import type { Breaks, Input, IsBroken } from './pair.ts';
import { fillBits, makeBrokenTest, split, topVariable } from './pair.ts';
import type { Space } from './space.ts';

export interface SearchOptions {
  /** Inputs to report, at most one for each call. */
  limit: number;
  /** Calls with names: each that differs gets an input of its own. */
  calls: readonly NamedCalls[];
}

/** The calls of one ABI that have a name. */
export interface NamedCalls {
  readonly abi: Arch;
  readonly table: SyscallTable;
}

/** Bits of arch and nr that a path fixed, and what is left of both functions behind it. */
interface Cube {
  values: Uint32Array;
  masks: Uint32Array;
  first: Node;
  second: Node;
}

const ALL_BITS = 0xffffffff;
/** Paths through arch and nr that are looked at before the list is cut off. */
const MOST_CUBES = 4096;

/**
 * Inputs for which the relation is broken; empty exactly if there are none. Bits that do not matter
 * are 0.
 */
export function findInputs(
  space: Space,
  first: Node,
  second: Node,
  breaks: Breaks,
  options: SearchOptions,
): Input[] {
  const isBroken = makeBrokenTest(space.bdd, breaks);
  const cubes = cubesOf(space.bdd, first, second, isBroken);
  const named: Input[] = [];
  const others: Input[] = [];
  const kinds = new Set<string>();
  for (const cube of cubes) {
    const input = new Uint32Array(WORDS);
    fillBits(space.bdd, cube.first, cube.second, isBroken, input);
    for (const { arch, nr, isNamed } of callsIn(cube, options.calls)) {
      const call = input.slice();
      call[WORD_ARCH] = arch;
      call[WORD_NR] = nr;
      if (isNamed) named.push(call);
      else if (isNewKind(cube, arch, options.calls, kinds)) others.push(call);
    }
    if (named.length >= options.limit) break;
  }
  return [...named, ...others].slice(0, options.limit);
}

/**
 * Of ranges of nameless numbers, one for each way in which an architecture of the filter differs
 * will do.
 */
function isNewKind(
  { masks, first, second }: Cube,
  auditArch: number,
  calls: readonly NamedCalls[],
  kinds: Set<string>,
): boolean {
  if (masks[WORD_ARCH] === ALL_BITS && masks[WORD_NR] === ALL_BITS) return true;
  const isListed = calls.some(({ abi }) => abi.auditArch === auditArch);
  const kind = `${isListed ? auditArch : 'outside'} ${first} ${second}`;
  const isNew = !kinds.has(kind);
  kinds.add(kind);
  return isNew;
}

/** Every path through arch and nr behind which the relation is broken. */
function cubesOf(bdd: Bdd, first: Node, second: Node, isBroken: IsBroken): Cube[] {
  const cubes: Cube[] = [];
  const values = new Uint32Array(WORD_ARGS);
  const masks = new Uint32Array(WORD_ARGS);
  const visit = (a: Node, b: Node): void => {
    if (cubes.length >= MOST_CUBES || !isBroken(a, b)) return;
    const variable = bdd.isTerminal(a) && bdd.isTerminal(b) ? Infinity : topVariable(bdd, a, b);
    const word = variable >>> 5;
    if (variable === Infinity || word >= WORD_ARGS) {
      cubes.push({ values: values.slice(), masks: masks.slice(), first: a, second: b });
      return;
    }
    const bit = 2 ** (31 - (variable & 31));
    const [lowA, highA, lowB, highB] = split(bdd, a, b);
    masks[word]! += bit;
    visit(lowA, lowB);
    values[word]! += bit;
    visit(highA, highB);
    values[word]! -= bit;
    masks[word]! -= bit;
  };
  visit(first, second);
  return cubes;
}

/** The named calls in a cube, or its lowest call where it has none. */
function* callsIn(
  { values, masks }: Cube,
  calls: readonly NamedCalls[],
): Generator<{ arch: number; nr: number; isNamed: boolean }> {
  const fits = (word: number, value: number) => (value & masks[word]!) >>> 0 === values[word]!;
  let found = false;
  for (const { abi, table } of calls) {
    if (!fits(WORD_ARCH, abi.auditArch)) continue;
    for (const [nr] of table.entries()) {
      if (!fits(WORD_NR, nr) || abiOfCall(abi.auditArch, nr) !== abi.name) continue;
      found = true;
      yield { arch: abi.auditArch, nr, isNamed: true };
      // Where the number does not matter, one example says it all.
      if (masks[WORD_NR] === 0) return;
    }
  }
  if (found) return;
  const known = allArches().find(({ auditArch }) => fits(WORD_ARCH, auditArch));
  yield { arch: known?.auditArch ?? values[WORD_ARCH]!, nr: values[WORD_NR]!, isNamed: false };
}
