/** Differences where variables are tests of words instead of bits. */
import type { Atoms } from './atoms.ts';
import { atomOverBits } from './atoms.ts';
import type { Node } from './bdd.ts';
import { Bdd, FALSE, TRUE, Undecided } from './bdd.ts';
import type { Breaks, Input, IsBroken } from './pair.ts';
import { fillBits, split, topVariable } from './pair.ts';

/** Steps of the search where tests on one word may contradict each other. */
const MOST_ATOM_STEPS = 50_000;
const ATOM_NODE_BUDGET = 1 << 18;

/** The search where variables are tests: a path counts only if some word satisfies all tests on it. */
export class AtomSearch {
  readonly #bdd: Bdd;
  readonly #atoms: Atoms;
  readonly #breaks: Breaks;
  readonly #isBroken: IsBroken;
  readonly #bits = new Bdd({ nodeBudget: ATOM_NODE_BUDGET });
  readonly #overBits = new Map<number, Node>();
  #stepsLeft = MOST_ATOM_STEPS;

  constructor(bdd: Bdd, atoms: Atoms, breaks: Breaks, isBroken: IsBroken) {
    this.#bdd = bdd;
    this.#atoms = atoms;
    this.#breaks = breaks;
    this.#isBroken = isBroken;
  }

  /**
   * Sets the words of one input that breaks the relation; false when there is none, or when there is `another`
   * already and this one is too hard to find.
   */
  fill(first: Node, second: Node, input: Input, another: boolean): boolean {
    if (this.#guess(first, second, input)) return true;
    try {
      return this.#visit(first, second, new Map(), input);
    } catch (error) {
      if (error instanceof Undecided && another) return false;
      throw error;
    }
  }

  /** Tries 0 everywhere, then every constant of the tests in its word: most differences show there already. */
  #guess(first: Node, second: Node, input: Input): boolean {
    const shows = () => this.#breaks(this.#follow(first, input), this.#follow(second, input));
    if (shows()) return true;
    for (const { word, mask, value } of this.#atoms.all())
      for (const guess of [value, value + 1, (value | ~mask) >>> 0]) {
        input[word] = guess;
        if (shows()) return true;
        input[word] = 0;
      }
    return false;
  }

  /** The value (u32) of a function of tests for one input. */
  #follow(node: Node, input: Input): number {
    const bdd = this.#bdd;
    while (!bdd.isTerminal(node)) {
      const { kind, word, mask, value } = this.#atoms.atomOf(bdd.variableOf(node));
      const masked = (input[word]! & mask) >>> 0;
      node = (kind === 'equal' ? masked === value : masked > value) ? bdd.high(node) : bdd.low(node);
    }
    return bdd.valueOf(node);
  }

  #visit(first: Node, second: Node, possible: Map<number, Node>, input: Input): boolean {
    if (!this.#isBroken(first, second)) return false;
    const bdd = this.#bdd;
    if (--this.#stepsLeft < 0)
      throw new Undecided('the functions differ only where tests may contradict each other');
    if (bdd.isTerminal(first) && bdd.isTerminal(second)) {
      if (!this.#breaks(bdd.valueOf(first), bdd.valueOf(second))) return false;
      for (const values of possible.values()) fillBits(this.#bits, values, FALSE, (a, b) => a !== b, input);
      return true;
    }
    const variable = topVariable(bdd, first, second);
    const { word } = this.#atoms.atomOf(variable);
    const test = this.#testOf(variable);
    const before = possible.get(word) ?? TRUE;
    const [lowFirst, highFirst, lowSecond, highSecond] = split(bdd, first, second);
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
