import type { Endian } from '../bpf/instruction.ts';
import type { Decision } from '../policy/types.ts';
import { assemble } from './assembler.ts';
import { coverByCubes } from './cubes.ts';
import { graphSize } from './graph.ts';
import type { Graph, Node } from './graph.ts';
import { contains, stretchesOf, whenClear, whenHit, whenIn } from './narrow.ts';
import type { Cube } from './narrow.ts';
import { ruleChain } from './rule-chain.ts';
import { select } from './select.ts';
import { clausesOf, isEverything, MAX_WORD, setKey, wordOffset } from './words.ts';
import type { Clause, WordIndex, WordSet } from './words.ts';

/** Beyond this many clauses, or this much work of the search, a decision becomes a plain chain of its rules. */
const MAX_CLAUSES = 4096;
const MAX_STEPS = 6000;
const MAX_COMPARED = 20_000_000;
/** All orders of the arguments are tried up to this many; beyond, ascending only. */
const MAX_PERMUTED_ARGS = 4;
/** Weight of a whole word against the price of an instruction: how much depth counts in an argument tree. */
const WORD_WEIGHT = 1;

/**
 * The tests that find a call's answer from its arguments, smallest form found: a diagram that tests one word
 * after the other and reads each at most once on a path, or a chain of the rules one after the other.
 */
export function leafOf(decision: Decision, graph: Graph, endian: Endian, price: number): Node {
  if (decision.rules.length === 0) return graph.ret(decision.otherwise);
  const chain = ruleChain(decision, graph, endian);
  const clauses = clausesOf(decision);
  if (clauses.length > MAX_CLAUSES) return chain;
  let best = chain;
  let shortest = assemble(chain).length;
  for (const order of wordOrders(clauses)) {
    const node = new Diagram(graph, endian, price, order, decision.otherwise).build(clauses);
    const length = node === undefined ? Infinity : assemble(node).length;
    // Of two that are as long the diagram is the faster one: it reads no word twice.
    if (node !== undefined && (length < shortest || (length === shortest && best === chain))) {
      best = node;
      shortest = length;
    }
  }
  return best;
}

/** Orders of the words to try: arguments permuted, the high half of each before its low one. */
function wordOrders(clauses: readonly Clause[]): WordIndex[][] {
  const used = new Set(clauses.flatMap(({ words }) => words.map(([word]) => word)));
  const args = [...new Set([...used].map((word) => word >> 1))].toSorted((a, b) => a - b);
  const orders = args.length <= MAX_PERMUTED_ARGS ? permutations(args) : [args];
  return orders.map((order) =>
    order.flatMap((arg) => [2 * arg, 2 * arg + 1]).filter((word) => used.has(word)),
  );
}

function permutations(items: readonly number[]): number[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

class OutOfSteps extends Error {}

/** What is left of the rules at one point of a path, over words not yet decided. */
interface Residual {
  clauses: readonly Clause[];
  key: string;
}

class Diagram {
  readonly #graph: Graph;
  readonly #endian: Endian;
  readonly #price: number;
  readonly #order: readonly WordIndex[];
  readonly #otherwise: number;
  readonly #known = new Map<string, Node>();
  #steps = 0;
  /** Pairs of clauses that were compared. */
  #compared = 0;

  constructor(graph: Graph, endian: Endian, price: number, order: readonly WordIndex[], otherwise: number) {
    this.#graph = graph;
    this.#endian = endian;
    this.#price = price;
    this.#order = order;
    this.#otherwise = otherwise;
  }

  /** Undefined when the search takes too many steps. */
  build(clauses: readonly Clause[]): Node | undefined {
    try {
      return this.#nextWord(this.#residual(clauses));
    } catch (error) {
      if (error instanceof OutOfSteps) return undefined;
      throw error;
    }
  }

  /** Loads the first word in order that still matters. */
  #nextWord({ clauses, key }: Residual): Node {
    const first = clauses[0];
    if (first === undefined) return this.#graph.ret(this.#otherwise);
    if (first.words.length === 0) return this.#graph.ret(first.action);
    const word = this.#order.find((w) =>
      clauses.some((clause) => clause.words.some(([index]) => index === w)),
    )!;
    return this.#load(word, this.#testWord(word, { clauses, key }));
  }

  #load(word: WordIndex, next: Node): Node {
    return this.#graph.load(wordOffset(word, this.#endian), next);
  }

  /** Tests a word that is in the accumulator until it matters no more. */
  #testWord(word: WordIndex, residual: Residual): Node {
    const memo = `${word} ${residual.key}`;
    const known = this.#known.get(memo);
    if (known) return known;
    if (++this.#steps > MAX_STEPS) throw new OutOfSteps();
    const sets = distinctSets(word, residual.clauses);
    const cubes = sets.filter((set) => set.kind === 'cube');
    const node =
      sets.length === 0
        ? this.#nextWord(residual)
        : cubes.length === 0
          ? this.#testRanges(word, residual, sets)
          : this.#testCubes(word, residual, sets, cubes);
    this.#known.set(memo, node);
    return node;
  }

  /** All sets are stretches: cut the values at their ends, and let the search find the tree. */
  #testRanges(word: WordIndex, residual: Residual, sets: readonly WordSet[]): Node {
    return this.#testStretches(stretchesOf(sets, MAX_WORD), (value) =>
      this.#nextWord(this.#narrowed(residual, word, (set) => contains(set, value))),
    );
  }

  #testStretches(stretches: readonly (readonly [number, number])[], leafFor: (value: number) => Node): Node {
    const weight = WORD_WEIGHT / stretches.length;
    const intervals = stretches.map(([from, to]) => ({ from, to, leaf: leafFor(from), weight }));
    const tree = select(this.#graph, intervals, this.#price).node;
    const covered = coverByCubes(this.#graph, intervals);
    return covered !== undefined && graphSize(covered) < graphSize(tree) ? covered : tree;
  }

  /**
   * Some sets are masked. A test of "all these bits clear" or of one bit leaves the word in the accumulator, so those
   * come first; any other mask is applied once and all its values are told apart together, and what still needs
   * the whole word then loads it again.
   */
  #testCubes(word: WordIndex, residual: Residual, sets: readonly WordSet[], cubes: readonly Cube[]): Node {
    const inPlace = mostFrequent(cubes.filter(isBitTest), word, residual.clauses);
    if (inPlace !== undefined) {
      const { mask } = inPlace;
      const clear = this.#testWord(
        word,
        this.#narrowed(residual, word, (set) => whenClear(set, mask)),
      );
      const hit = this.#testWord(
        word,
        this.#narrowed(residual, word, (set) => whenHit(set, mask)),
      );
      return this.#graph.jset(mask, hit, clear);
    }
    const { mask } = mostFrequent(cubes, word, residual.clauses)!;
    const sameMask = cubes.filter((set) => set.mask === mask);
    const alone = sameMask.length === sets.length;
    const values = stretchesOf(
      sameMask.map(({ value }) => ({ kind: 'ranges', ranges: [[value, value]] })),
      mask,
    );
    const masked = this.#testStretches(values, (value) => {
      const matched = sameMask.find((set) => set.value === value);
      const rest = this.#narrowed(residual, word, (set) => {
        if (set.kind !== 'cube' || set.mask !== mask) return matched ? whenIn(set, matched) : set;
        return set.value === matched?.value;
      });
      return alone ? this.#nextWord(rest) : this.#reload(word, rest);
    });
    return this.#graph.and(mask, masked);
  }

  #reload(word: WordIndex, residual: Residual): Node {
    const stillNeeded = residual.clauses.some(({ words }) => words.some(([index]) => index === word));
    return stillNeeded ? this.#load(word, this.#testWord(word, residual)) : this.#nextWord(residual);
  }

  /** The rules left when it is known of each set on a word that it holds, fails, or becomes a simpler one. */
  #narrowed(residual: Residual, word: WordIndex, judge: (set: WordSet) => boolean | WordSet): Residual {
    const clauses: Clause[] = [];
    for (const clause of residual.clauses) {
      const at = clause.words.findIndex(([index]) => index === word);
      if (at < 0) {
        clauses.push(clause);
        continue;
      }
      const verdict = judge(clause.words[at]![1]);
      if (verdict === false) continue;
      const words =
        verdict === true
          ? clause.words.toSpliced(at, 1)
          : clause.words.with(at, [word, verdict]).filter(([, set]) => !isEverything(set));
      clauses.push({ words, action: clause.action });
    }
    return this.#residual(clauses);
  }

  /** The rules that can still decide, in a canonical form. */
  #residual(clauses: readonly Clause[]): Residual {
    const kept: { clause: Clause; tests: Set<string> }[] = [];
    for (const clause of clauses) {
      const tests = new Set(clause.words.map(([word, set]) => `${word}${setKey(set)}`));
      this.#compared += kept.length;
      if (this.#compared > MAX_COMPARED) throw new OutOfSteps();
      // Whatever satisfies this clause has been answered by an earlier one with fewer tests.
      if (kept.some((earlier) => [...earlier.tests].every((test) => tests.has(test)))) continue;
      kept.push({ clause, tests });
      if (tests.size === 0) break;
    }
    while (kept.length > 0 && kept.at(-1)!.clause.action === this.#otherwise) kept.pop();
    const lines = kept.map(({ clause, tests }) => `${[...tests].join(' ')}>${clause.action}`);
    return { clauses: kept.map(({ clause }) => clause), key: lines.join(';') };
  }
}

function distinctSets(word: WordIndex, clauses: readonly Clause[]): WordSet[] {
  const sets = new Map<string, WordSet>();
  for (const { words } of clauses)
    for (const [index, set] of words) if (index === word) sets.set(setKey(set), set);
  return [...sets.values()];
}

/** Whether one JSET decides the set and keeps the word: all of some bits clear, or a single bit either way. */
function isBitTest({ mask, value }: Cube): boolean {
  return value === 0 || (mask & (mask - 1)) === 0;
}

function mostFrequent(cubes: readonly Cube[], word: WordIndex, clauses: readonly Clause[]): Cube | undefined {
  let best: Cube | undefined;
  let most = 0;
  for (const candidate of cubes) {
    let count = 0;
    for (const { words } of clauses)
      for (const [index, set] of words)
        if (index === word && set.kind === 'cube' && set.mask === candidate.mask) count++;
    if (count > most) {
      most = count;
      best = candidate;
    }
  }
  return best;
}
