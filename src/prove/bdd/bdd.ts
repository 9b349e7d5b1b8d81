/**
 * Reduced ordered binary decision diagrams (BDDs) over the bits of a filter's input, with any
 * number of terminals: functions from inputs to 32-bit values.
 *
 * Nodes are hash-consed, so within one `BDD` two functions are equal exactly if their nodes are the
 * same number. The booleans are the functions with the values 0 and 1.
 *
 * Source: R. E. Bryant, "Graph-Based Algorithms for Boolean Function Manipulation" (1986).
 */
import { INPUT_BITS } from './input-words.ts';

/** A function: the number of a node in its BDD. */
export type Node = number;

export const FALSE: Node = 0;
export const TRUE: Node = 1;

/** The question has an answer, but not within the budget or the means of this prover. */
export class Undecided extends Error {
  override readonly name = 'Undecided';
  /** Whether a larger budget may decide it. */
  readonly isBudget: boolean;

  constructor(reason: string, isBudget = false) {
    super(reason);
    this.isBudget = isBudget;
  }
}

export const DEFAULT_NODE_BUDGET = 1 << 19;
/** No budget is larger, so that a pair of nodes fits one exact number. */
export const LARGEST_NODE_BUDGET = 2 ** 26;

const TERMINAL_LEVEL = 0xffff;
/** Recomputation after a lost cache entry makes no nodes, so steps are bounded as well. */
const STEPS_PER_NODE = 8;
const FIRST_CAPACITY = 1 << 11;

/**
 * Work, counted rather than timed: the same filters are decided, or not, on every machine. A step
 * computes one node, or finds it. BDDs of one question share it.
 */
export class Effort {
  #left: number;

  constructor(steps: number) {
    this.#left = steps;
  }

  get left(): number {
    return this.#left;
  }

  /** @throws Undecided when less is left than that */
  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new Undecided('the comparison takes more steps than it is given', true);
  }
}

/** What is given to a question whose BDDs may have so many nodes. */
export function effortFor(nodeBudget = DEFAULT_NODE_BUDGET): Effort {
  return new Effort(Math.min(nodeBudget, LARGEST_NODE_BUDGET) * STEPS_PER_NODE);
}

/** A function by the value of a word: from each start up to the next, one node. */
export interface Steps {
  readonly starts: readonly number[];
  readonly nodes: readonly Node[];
}

export class Bdd {
  readonly #budget: number;
  readonly #effort: Effort;
  /** Position of a variable in the order, and back. */
  readonly #levelOf: Uint16Array | undefined;
  readonly #variableAt: Uint16Array | undefined;

  // A node: its level and its two successors. A terminal: TERMINAL_LEVEL and, as `low`, its value.
  #level = new Uint16Array(FIRST_CAPACITY);
  #low = new Int32Array(FIRST_CAPACITY);
  #high = new Int32Array(FIRST_CAPACITY);
  #count = 0;
  readonly #terminals = new Map<number, Node>();

  /** Open addressing; 0 is free, since no inner node has the number 0. */
  #unique = new Int32Array(2 * FIRST_CAPACITY);
  /** Direct mapped, entries of (test, then, else, result); a test of 0 is free. */
  #cache = new Int32Array(4 * FIRST_CAPACITY);

  /** What `compareWord` finds beside its path, by bit. */
  readonly #sides = new Int32Array(32);

  /** `order`: all input variables, first tested first; by default as they are numbered. */
  constructor(
    options: {
      nodeBudget?: number | undefined;
      order?: readonly number[] | undefined;
      effort?: Effort | undefined;
    } = {},
  ) {
    this.#budget = Math.min(options.nodeBudget ?? DEFAULT_NODE_BUDGET, LARGEST_NODE_BUDGET);
    this.#effort = options.effort ?? effortFor(this.#budget);
    if (options.order) {
      this.#variableAt = Uint16Array.from(options.order);
      this.#levelOf = new Uint16Array(INPUT_BITS);
      options.order.forEach((variable, level) => (this.#levelOf![variable] = level));
    }
    this.terminal(0);
    this.terminal(1);
  }

  /** Nodes made so far, terminals included. */
  get size(): number {
    return this.#count;
  }

  /** The constant function; `value` u32. */
  terminal(value: number): Node {
    const known = this.#terminals.get(value);
    if (known !== undefined) return known;
    const node = this.#allocate();
    this.#level[node] = TERMINAL_LEVEL;
    this.#low[node] = value | 0;
    this.#terminals.set(value, node);
    return node;
  }

  /** The boolean function that is one variable. */
  variable(variable: number): Node {
    const level = this.#levelOf ? this.#levelOf[variable]! : variable;
    return this.#make(level, FALSE, TRUE);
  }

  isTerminal(node: Node): boolean {
    return this.#level[node] === TERMINAL_LEVEL;
  }

  /** The value (u32) of a terminal. */
  valueOf(node: Node): number {
    return this.#low[node]! >>> 0;
  }

  /** Where in the order a node tests; terminals are below everything. */
  levelOf(node: Node): number {
    return this.#level[node]!;
  }

  /** The variable that an inner node tests. */
  variableOf(node: Node): number {
    const level = this.#level[node]!;
    return this.#variableAt ? this.#variableAt[level]! : level;
  }

  /** The function that remains when the tested variable is 0. */
  low(node: Node): Node {
    return this.#low[node]!;
  }

  /** The function that remains when the tested variable is 1. */
  high(node: Node): Node {
    return this.#high[node]!;
  }

  not(a: Node): Node {
    return this.ite(a, FALSE, TRUE);
  }

  and(a: Node, b: Node): Node {
    return a < b ? this.ite(a, b, FALSE) : this.ite(b, a, FALSE);
  }

  or(a: Node, b: Node): Node {
    return a < b ? this.ite(a, TRUE, b) : this.ite(b, TRUE, a);
  }

  xor(a: Node, b: Node): Node {
    return this.ite(a, this.not(b), b);
  }

  /** The function that is `set` where a variable is 1 and `clear` where it is 0. */
  branch(variable: number, set: Node, clear: Node): Node {
    const level = this.#levelOf ? this.#levelOf[variable]! : variable;
    if (level < this.#level[set]! && level < this.#level[clear]!) return this.#make(level, clear, set);
    return this.ite(this.#make(level, FALSE, TRUE), set, clear);
  }

  /**
   * If-then-else: `then` where `test` (a boolean) holds, `otherwise` elsewhere.
   * @throws Undecided when the budget is used up.
   */
  ite(test: Node, then: Node, otherwise: Node): Node {
    if (test === TRUE) return then;
    if (test === FALSE) return otherwise;
    if (then === test) then = TRUE;
    if (otherwise === test) otherwise = FALSE;
    if (then === otherwise) return then;
    if (then === TRUE && otherwise === FALSE) return test;

    const level = this.#level;
    const testLevel = level[test]!;
    const thenLevel = level[then]!;
    const otherwiseLevel = level[otherwise]!;
    // A single variable above both branches is the common case when a comparison is built bit by
    // bit.
    if (testLevel < thenLevel && testLevel < otherwiseLevel) {
      if (this.#high[test] === TRUE && this.#low[test] === FALSE)
        return this.#make(testLevel, otherwise, then);
      if (this.#high[test] === FALSE && this.#low[test] === TRUE)
        return this.#make(testLevel, then, otherwise);
    }

    const hash =
      (Math.imul(test, 0x9e3779b1) ^ Math.imul(then, 0x85ebca6b) ^ Math.imul(otherwise, 0xc2b2ae35)) >>> 0;
    const slot = 4 * ((hash ^ (hash >>> 15)) & (this.#cache.length / 4 - 1));
    const cache = this.#cache;
    if (cache[slot] === test && cache[slot + 1] === then && cache[slot + 2] === otherwise)
      return cache[slot + 3]!;
    this.#effort.spend(1);

    const top = Math.min(testLevel, thenLevel, otherwiseLevel);
    const low = this.ite(
      testLevel === top ? this.#low[test]! : test,
      thenLevel === top ? this.#low[then]! : then,
      otherwiseLevel === top ? this.#low[otherwise]! : otherwise,
    );
    const high = this.ite(
      testLevel === top ? this.#high[test]! : test,
      thenLevel === top ? this.#high[then]! : then,
      otherwiseLevel === top ? this.#high[otherwise]! : otherwise,
    );
    const result = this.#make(top, low, high);
    // The cache may have been replaced by a larger one meanwhile; then this entry is not worth
    // keeping.
    if (cache === this.#cache) {
      cache[slot] = test;
      cache[slot + 1] = then;
      cache[slot + 2] = otherwise;
      cache[slot + 3] = result;
    }
    return result;
  }

  /**
   * The function whose values are made of those (u32) of two others.
   * @throws Undecided when the budget is used up.
   */
  combine(first: Node, second: Node, choose: (first: number, second: number) => number): Node {
    const known = new Map<number, Node>();
    const visit = (a: Node, b: Node): Node => {
      const level = Math.min(this.#level[a]!, this.#level[b]!);
      if (level === TERMINAL_LEVEL) return this.terminal(choose(this.valueOf(a), this.valueOf(b)));
      const key = a * LARGEST_NODE_BUDGET + b;
      let node = known.get(key);
      if (node !== undefined) return node;
      this.#effort.spend(1);
      const child = (of: Node, side: Int32Array) => (this.#level[of] === level ? side[of]! : of);
      node = this.#make(
        level,
        visit(child(a, this.#low), child(b, this.#low)),
        visit(child(a, this.#high), child(b, this.#high)),
      );
      known.set(key, node);
      return node;
    };
    return visit(first, second);
  }

  /**
   * The function that is `inside` for the words equal to `path`, `above` for larger and `below` for
   * smaller ones, without a BDD of the comparison: one walk down the path and one back. The 32
   * variables of the word follow each other from level `top` on and stand above nothing but the
   * three functions. Bits outside `mask` count as 0. Undefined when one of the functions depends on
   * such a bit: both of its values would have to be followed.
   */
  compareWord(
    top: number,
    { mask, path }: { mask: number; path: number },
    { below, inside, above }: { below: Node; inside: Node; above: Node },
  ): Node | undefined {
    const level = this.#level;
    const low = this.#low;
    const high = this.#high;
    const sides = this.#sides;
    let bit = 31;
    for (; bit >= 0; bit--) {
      const here = top + 31 - bit;
      const isBelow = level[below] === here;
      const isInside = level[inside] === here;
      const isAbove = level[above] === here;
      const wanted = (path >>> bit) & 1;
      if (((mask >>> bit) & 1) === 0) {
        if (isBelow || isInside || isAbove) return undefined;
        sides[bit] = -1;
        if (!wanted) continue;
        // The word has a 0 where the constant has a 1.
        inside = below;
        break;
      }
      // Where the word leaves the path, it is below or above for good.
      if (wanted) {
        sides[bit] = isBelow ? low[below]! : below;
        if (isBelow) below = high[below]!;
        if (isInside) inside = high[inside]!;
        if (isAbove) above = high[above]!;
      } else {
        sides[bit] = isAbove ? high[above]! : above;
        if (isBelow) below = low[below]!;
        if (isInside) inside = low[inside]!;
        if (isAbove) above = low[above]!;
      }
    }
    let result = inside;
    for (bit = Math.max(bit, 0); bit < 32; bit++) {
      const side = sides[bit]!;
      if (side < 0) continue;
      const here = top + 31 - bit;
      result = (path >>> bit) & 1 ? this.#make(here, side, result) : this.#make(here, result, side);
    }
    return result;
  }

  /**
   * The function of a word that is `nodes[i]` where the word under `mask` is at least `starts[i]`
   * (u32, ascending from 0) and below the next start. The 32 variables of the word follow each
   * other from level `top` on, and the nodes test nothing above them. Where nodes test the word
   * itself, each bit that the mask hides can cost twice.
   */
  steps(top: number, { starts, nodes }: Steps, mask = 0xffffffff): Node {
    return this.#stepsBelow(31, 0, 0, { top, mask, starts, nodes }, 0, starts.length - 1);
  }

  /**
   * The same for words whose bits above `bit` are those of `word`, and under the mask those of
   * `masked`; their steps are `first` to `last`.
   */
  #stepsBelow(
    bit: number,
    word: number,
    masked: number,
    all: Steps & { top: number; mask: number },
    first: number,
    last: number,
  ): Node {
    const { top, starts, nodes } = all;
    const here = top + 31 - bit;
    if (first === last) {
      let node = nodes[first]!;
      // What is known of the word answers the node's own tests of it.
      for (let level = this.#level[node]!; level < here; level = this.#level[node]!)
        node = (word >>> (top + 31 - level)) & 1 ? this.#high[node]! : this.#low[node]!;
      return node;
    }
    const half = masked + 2 ** bit;
    // The last step that starts below the upper half; of the high bits of a number, nearly always
    // the last of all.
    let split = starts[last]! < half ? last : first;
    for (let above = last; split < above;) {
      const middle = (split + above + 1) >> 1;
      if (starts[middle]! < half) split = middle;
      else above = middle - 1;
    }
    const low = this.#stepsBelow(bit - 1, word, masked, all, first, split);
    const upper = word + 2 ** bit;
    if ((all.mask >>> bit) & 1) {
      const next = split < last && starts[split + 1] === half ? split + 1 : split;
      return this.#make(here, low, this.#stepsBelow(bit - 1, upper, half, all, next, last));
    }
    for (let step = first; step <= split; step++)
      if (this.#level[nodes[step]!]! <= here)
        return this.#make(here, low, this.#stepsBelow(bit - 1, upper, masked, all, first, split));
    return low;
  }

  /** The value (u32) of the function for an input given as its sixteen words. */
  evaluate(node: Node, words: Uint32Array): number {
    while (this.#level[node] !== TERMINAL_LEVEL) {
      const variable = this.variableOf(node);
      const bit = (words[variable >>> 5]! >>> (31 - (variable & 31))) & 1;
      node = bit === 1 ? this.#high[node]! : this.#low[node]!;
    }
    return this.valueOf(node);
  }

  /** Hash-consing: the one node with these parts. */
  #make(level: number, low: Node, high: Node): Node {
    if (low === high) return low;
    this.#effort.spend(1);
    if (this.#count === this.#level.length) this.#grow();
    const mask = this.#unique.length - 1;
    let slot = hashNode(level, low, high) & mask;
    for (let node = this.#unique[slot]!; node !== 0; node = this.#unique[slot]!) {
      if (this.#low[node] === low && this.#high[node] === high && this.#level[node] === level) return node;
      slot = (slot + 1) & mask;
    }
    const node = this.#allocate();
    this.#level[node] = level;
    this.#low[node] = low;
    this.#high[node] = high;
    this.#unique[slot] = node;
    return node;
  }

  #allocate(): Node {
    if (this.#count >= this.#budget) throw this.#exceeded();
    if (this.#count === this.#level.length) this.#grow();
    return this.#count++;
  }

  /** Doubles the room for nodes, with it the hash table (at most half full) and the cache. */
  #grow(): void {
    const capacity = 2 * this.#level.length;
    this.#level = enlarge(this.#level, new Uint16Array(capacity));
    this.#low = enlarge(this.#low, new Int32Array(capacity));
    this.#high = enlarge(this.#high, new Int32Array(capacity));
    this.#unique = new Int32Array(2 * this.#level.length);
    this.#cache = new Int32Array(4 * this.#level.length);
    const mask = this.#unique.length - 1;
    for (let node = 0; node < this.#count; node++) {
      if (this.#level[node] === TERMINAL_LEVEL) continue;
      let slot = hashNode(this.#level[node]!, this.#low[node]!, this.#high[node]!) & mask;
      while (this.#unique[slot] !== 0) slot = (slot + 1) & mask;
      this.#unique[slot] = node;
    }
  }

  #exceeded(): Undecided {
    return new Undecided(
      `the decision diagram needs more than ${this.#budget} nodes`,
      this.#budget < LARGEST_NODE_BUDGET,
    );
  }
}

function hashNode(level: number, low: Node, high: Node): number {
  const hash = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(level, 0xc2b2ae35);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function enlarge<T extends Uint16Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
