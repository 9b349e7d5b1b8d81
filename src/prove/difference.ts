/** Where two functions stand in the wrong relation, as concrete inputs. */
import type { Arch } from '../arch.ts';
import { allArches } from '../arch.ts';
import type { SyscallTable } from '../syscalls/tables.ts';
import { abiOfCall } from './abi.ts';
import type { Atoms } from './atoms.ts';
import { atomOverBits } from './atoms.ts';
import type { Node } from './diagram.ts';
import { Diagram, FALSE, TRUE, Undecided } from './diagram.ts';
import { WORD_ARCH, WORD_ARGS, WORD_NR, WORDS } from './input.ts';
import type { Space } from './space.ts';

/** Whether two return values of one input break the relation; false for equal values. */
export type Breaks = (first: number, second: number) => boolean;

/** Inputs as their sixteen words. */
export type Input = Uint32Array;

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
/** Steps of the search where tests on one word may contradict each other. */
const MOST_ATOM_STEPS = 50_000;
const ATOM_NODE_BUDGET = 1 << 18;

/**
 * Inputs for which the relation is broken; empty exactly if there are none. Bits that do not matter are 0.
 * @throws Undecided only where arguments are tests instead of bits.
 */
export function findInputs(
  space: Space,
  first: Node,
  second: Node,
  breaks: Breaks,
  options: SearchOptions,
): Input[] {
  const isBroken = makeBrokenTest(space.diagram, breaks);
  const cubes = cubesOf(space.diagram, first, second, isBroken);
  const named: Input[] = [];
  const others: Input[] = [];
  const kinds = new Set<string>();
  const searchAtoms = space.atoms && new AtomSearch(space.diagram, space.atoms, breaks, isBroken);
  for (const cube of cubes) {
    const input = new Uint32Array(WORDS);
    if (searchAtoms) {
      if (!searchAtoms.fill(cube.first, cube.second, input)) continue;
    } else {
      fillBits(space.diagram, cube.first, cube.second, isBroken, input);
    }
    for (const { arch, nr, isNamed } of callsIn(cube, options.calls)) {
      const call = input.slice();
      call[WORD_ARCH] = arch;
      call[WORD_NR] = nr;
      if (isNamed) named.push(call);
      else if (isNewKind(cube, arch, options.calls, kinds)) others.push(call);
    }
    if (named.length >= options.limit) break;
  }
  const inputs = [...named, ...others].slice(0, options.limit);
  if (inputs.length === 0 && cubes.length === MOST_CUBES)
    throw new Undecided('the functions differ only where tests may contradict each other');
  return inputs;
}

/** Of ranges of nameless numbers, one for each way in which an architecture of the filter differs will do. */
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

/** Whether some input below a pair of nodes breaks the relation, remembered for every pair. */
function makeBrokenTest(diagram: Diagram, breaks: Breaks): (first: Node, second: Node) => boolean {
  const known = new Map<number, boolean>();
  const isBroken = (first: Node, second: Node): boolean => {
    if (first === second) return false;
    if (diagram.isTerminal(first) && diagram.isTerminal(second))
      return breaks(diagram.valueOf(first), diagram.valueOf(second));
    const key = first * 2 ** 26 + second;
    let broken = known.get(key);
    if (broken === undefined) {
      const [lowFirst, highFirst, lowSecond, highSecond] = split(diagram, first, second);
      broken = isBroken(lowFirst, lowSecond) || isBroken(highFirst, highSecond);
      known.set(key, broken);
    }
    return broken;
  };
  return isBroken;
}

/** Both functions with the uppermost variable 0, then 1: first low, first high, second low, second high. */
function split(diagram: Diagram, first: Node, second: Node): [Node, Node, Node, Node] {
  const a = diagram.levelOf(first);
  const b = diagram.levelOf(second);
  return [
    a <= b ? diagram.low(first) : first,
    a <= b ? diagram.high(first) : first,
    b <= a ? diagram.low(second) : second,
    b <= a ? diagram.high(second) : second,
  ];
}

function topVariable(diagram: Diagram, first: Node, second: Node): number {
  return diagram.variableOf(diagram.levelOf(first) <= diagram.levelOf(second) ? first : second);
}

/** Every path through arch and nr behind which the relation is broken. */
function cubesOf(
  diagram: Diagram,
  first: Node,
  second: Node,
  isBroken: (a: Node, b: Node) => boolean,
): Cube[] {
  const cubes: Cube[] = [];
  const values = new Uint32Array(WORD_ARGS);
  const masks = new Uint32Array(WORD_ARGS);
  const visit = (a: Node, b: Node): void => {
    if (cubes.length >= MOST_CUBES || !isBroken(a, b)) return;
    const variable = diagram.isTerminal(a) && diagram.isTerminal(b) ? Infinity : topVariable(diagram, a, b);
    const word = variable >>> 5;
    if (variable === Infinity || word >= WORD_ARGS) {
      cubes.push({ values: values.slice(), masks: masks.slice(), first: a, second: b });
      return;
    }
    const bit = 2 ** (31 - (variable & 31));
    const [lowA, highA, lowB, highB] = split(diagram, a, b);
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

/** Follows a broken path down to terminals, low side first, and sets the bits on it. */
function fillBits(
  diagram: Diagram,
  first: Node,
  second: Node,
  isBroken: (a: Node, b: Node) => boolean,
  input: Input,
): void {
  let [a, b] = [first, second];
  while (!diagram.isTerminal(a) || !diagram.isTerminal(b)) {
    const variable = topVariable(diagram, a, b);
    const [lowA, highA, lowB, highB] = split(diagram, a, b);
    if (isBroken(lowA, lowB)) {
      [a, b] = [lowA, lowB];
    } else {
      input[variable >>> 5]! += 2 ** (31 - (variable & 31));
      [a, b] = [highA, highB];
    }
  }
}

/** The search where variables are tests: a path counts only if some word satisfies all tests on it. */
class AtomSearch {
  readonly #diagram: Diagram;
  readonly #atoms: Atoms;
  readonly #breaks: Breaks;
  readonly #isBroken: (a: Node, b: Node) => boolean;
  readonly #bits = new Diagram({ nodeBudget: ATOM_NODE_BUDGET });
  readonly #overBits = new Map<number, Node>();
  #stepsLeft = MOST_ATOM_STEPS;

  constructor(diagram: Diagram, atoms: Atoms, breaks: Breaks, isBroken: (a: Node, b: Node) => boolean) {
    this.#diagram = diagram;
    this.#atoms = atoms;
    this.#breaks = breaks;
    this.#isBroken = isBroken;
  }

  /** Sets the words of one input that breaks the relation; false when there is none. */
  fill(first: Node, second: Node, input: Input): boolean {
    return this.#visit(first, second, new Map(), input);
  }

  #visit(first: Node, second: Node, possible: Map<number, Node>, input: Input): boolean {
    if (!this.#isBroken(first, second)) return false;
    const diagram = this.#diagram;
    if (--this.#stepsLeft < 0)
      throw new Undecided('the functions differ only where tests may contradict each other');
    if (diagram.isTerminal(first) && diagram.isTerminal(second)) {
      if (!this.#breaks(diagram.valueOf(first), diagram.valueOf(second))) return false;
      for (const values of possible.values()) fillBits(this.#bits, values, FALSE, (a, b) => a !== b, input);
      return true;
    }
    const variable = topVariable(diagram, first, second);
    const { word } = this.#atoms.atomOf(variable);
    const test = this.#testOf(variable);
    const before = possible.get(word) ?? TRUE;
    const [lowFirst, highFirst, lowSecond, highSecond] = split(diagram, first, second);
    const sides = [
      { a: lowFirst, b: lowSecond, left: this.#bits.and(before, this.#bits.not(test)) },
      { a: highFirst, b: highSecond, left: this.#bits.and(before, test) },
    ];
    return sides.some(
      ({ a, b, left }) => left !== FALSE && this.#visit(a, b, new Map(possible).set(word, left), input),
    );
  }

  #testOf(variable: number): Node {
    let test = this.#overBits.get(variable);
    if (test === undefined) {
      test = atomOverBits(this.#bits, this.#atoms.atomOf(variable));
      this.#overBits.set(variable, test);
    }
    return test;
  }
}
