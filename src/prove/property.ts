/**
 * Properties of a filter, for every input: which calls of a set get an answer that they must not
 * get.
 */
import { abiOfCall } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { SeccompData } from '../bpf/instruction.ts';
import { runPrograms } from '../bpf/stack.ts';
import type { Bdd, Node } from './bdd/bdd.ts';
import { FALSE, TRUE, Undecided } from './bdd/bdd.ts';
import type { NamedCalls } from './bdd/difference.ts';
import { findInputs } from './bdd/difference.ts';
import { argWord, dataOf, variableOf, WORD_ARCH, WORD_BITS, WORD_NR } from './bdd/input-words.ts';
import { canonicalSpace } from './bdd/space.ts';
import type { Space } from './bdd/space.ts';
import type { Side } from './compare.ts';
import { referenceBdd } from './profile/profile-bdd.ts';
import { answerOf } from './profile/reference-answer.ts';
import { resolveReference } from './profile/reference.ts';
import { programsBdd } from './program/stack-bdd.ts';

/**
 * A test of an argument of which the kernel keeps the low `bits`; the others can have any value.
 */
export interface ArgumentTest {
  /** 0..5 */
  arg: number;
  bits: number;
  /** Ordered as a signed number of `bits` bits. */
  signed: boolean;
  /** `&`: one of the bits of `mask` is set. The others compare the bits of `mask` only. */
  comparator: '==' | '!=' | '<' | '<=' | '>' | '>=' | '&';
  /** Two's complement in `bits` bits, or all 64. */
  value: bigint;
  mask: bigint;
  /**
   * Only values as programs pass them: the bits above `bits` are zero, or copies of a signed
   * number's first bit.
   */
  extended: boolean;
}

/** Calls under one audit arch: numbers `from`..`to` (u32) for which all tests hold. */
export interface CallSet {
  auditArch: number;
  from: number;
  to: number;
  tests: readonly ArgumentTest[];
}

/** A call that gets an answer (u32) it must not get. */
export interface Counterexample {
  data: SeccompData;
  abi: ArchName | undefined;
  answer: number;
}

export type PropertyResult =
  | { verdict: 'holds' }
  | { verdict: 'fails'; call: Counterexample }
  | { verdict: 'undecided'; reason: string; isBudget: boolean };

/** Asks questions about one filter; its decision diagram is made once. */
export class PropertyProver {
  /** The answer (u32) to one call, found without a diagram. */
  readonly answer: (data: SeccompData) => number;
  readonly #space: Space;
  readonly #build: (space: Space) => Node;
  readonly #root: Node | Undecided;
  readonly #calls: readonly NamedCalls[];

  /** @param calls those of which a counterexample is looked for first */
  constructor(side: Side, calls: readonly NamedCalls[], nodeBudget?: number) {
    this.#space = canonicalSpace(nodeBudget);
    this.#calls = calls;
    if ('endian' in side) {
      this.answer = (data) => runPrograms(side, data).value;
      this.#build = (space) => programsBdd(space, side);
    } else {
      const arches = resolveReference(side);
      this.answer = (data) => answerOf(arches, data);
      this.#build = (space) => referenceBdd(space, arches);
    }
    try {
      this.#root = this.#build(this.#space);
    } catch (error) {
      if (!(error instanceof Undecided)) throw error;
      this.#root = error;
    }
  }

  /**
   * Whether every call in one of the sets gets an accepted answer (u32).
   *
   * @param accepted one of the accepted answers
   */
  decide(sets: readonly CallSet[], accepts: (answer: number) => boolean, accepted: number): PropertyResult {
    const { bdd } = this.#space;
    return this.#search(() => {
      const usual = bdd.terminal(accepted);
      let inside: Node = FALSE;
      for (const set of sets) inside = bdd.or(callSet(bdd, set), inside);
      const breaks = (answer: number) => !accepts(answer);
      return { first: bdd.ite(inside, this.#known(), usual), second: usual, breaks };
    });
  }

  /**
   * Whether the answers of this filter to all calls outside the sets stand in a relation to those
   * of another.
   */
  relate(
    other: PropertyProver,
    breaks: (answer: number, others: number) => boolean,
    except: readonly CallSet[] = [],
  ): PropertyResult {
    const { bdd } = this.#space;
    return this.#search(() => {
      let first = this.#known();
      let second = other.#build(this.#space);
      for (const set of except) {
        const outside = bdd.not(callSet(bdd, set));
        first = bdd.ite(outside, first, FALSE);
        second = bdd.ite(outside, second, FALSE);
      }
      return { first, second, breaks };
    });
  }

  #search(
    question: () => { first: Node; second: Node; breaks: (first: number, second: number) => boolean },
  ): PropertyResult {
    try {
      const { first, second, breaks } = question();
      const [input] = findInputs(this.#space, first, second, breaks, { limit: 1, calls: this.#calls });
      if (input === undefined) return { verdict: 'holds' };
      const data = dataOf(input);
      const answer = this.answer(data);
      if (answer !== this.#space.bdd.evaluate(this.#known(), input))
        throw new Error(`internal error: a counterexample does not replay (number ${data.nr})`);
      return { verdict: 'fails', call: { data, abi: abiOfCall(data.arch, data.nr), answer } };
    } catch (error) {
      if (error instanceof Undecided)
        return { verdict: 'undecided', reason: error.message, isBudget: error.isBudget };
      throw error;
    }
  }

  /** @throws Undecided if the filter's own diagram is too large */
  #known(): Node {
    if (this.#root instanceof Undecided) throw this.#root;
    return this.#root;
  }
}

const LAST_NUMBER = 0xffffffff;

function callSet(bdd: Bdd, { auditArch, from, to, tests }: CallSet): Node {
  let holds: Node = TRUE;
  for (const test of tests) holds = bdd.and(holds, argumentTest(bdd, test));
  return wordBetween(bdd, WORD_ARCH, [auditArch, auditArch], wordBetween(bdd, WORD_NR, [from, to], holds));
}

function wordBetween(bdd: Bdd, word: number, [from, to]: [number, number], inside: Node): Node {
  const steps = [
    { start: 0, node: FALSE },
    { start: from, node: inside },
    { start: to + 1, node: FALSE },
  ].slice(from === 0 ? 1 : 0, to === LAST_NUMBER ? 2 : 3);
  const [starts, nodes] = [steps.map(({ start }) => start), steps.map(({ node }) => node)];
  return bdd.steps(variableOf(word, WORD_BITS - 1), { starts, nodes });
}

/** Bit by bit from the least significant; each step puts a test above the last. */
function argumentTest(bdd: Bdd, test: ArgumentTest): Node {
  const { arg, bits, signed, comparator, value, mask, extended } = test;
  const [ifLess, ifGreater, ifEqual] = OUTCOMES[comparator];
  const at = (bit: number) => variableOf(argWord(arg, bit < 32 ? 'low' : 'high'), bit % 32);
  const isSet = (number: bigint, bit: number) => ((number >> BigInt(bit)) & 1n) === 1n;
  let result = ifEqual;
  for (let bit = 0; bit < bits; bit++) {
    if (!isSet(mask, bit)) continue;
    // A set sign bit makes a number smaller.
    const [above, below] = signed && bit === bits - 1 ? [ifLess, ifGreater] : [ifGreater, ifLess];
    result = isSet(value, bit) ? bdd.branch(at(bit), result, below) : bdd.branch(at(bit), above, result);
  }
  if (!extended) return result;
  let [zeros, ones]: [Node, Node] = [TRUE, TRUE];
  for (let bit = bits; bit < 64; bit++) {
    zeros = bdd.branch(at(bit), FALSE, zeros);
    ones = bdd.branch(at(bit), ones, FALSE);
  }
  const extension = signed ? bdd.ite(bdd.variable(at(bits - 1)), ones, zeros) : zeros;
  return bdd.and(result, extension);
}

/** What the most significant bit that differs decides: less, greater, and none differs. */
const OUTCOMES: Record<ArgumentTest['comparator'], readonly [Node, Node, Node]> = {
  '==': [FALSE, FALSE, TRUE],
  '!=': [TRUE, TRUE, FALSE],
  '<': [TRUE, FALSE, FALSE],
  '<=': [TRUE, FALSE, TRUE],
  '>': [FALSE, TRUE, FALSE],
  '>=': [FALSE, TRUE, TRUE],
  // Against the value 0: some bit is set.
  '&': [TRUE, TRUE, FALSE],
};
