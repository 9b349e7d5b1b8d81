import type { Endian } from '../bpf/instruction.ts';
import { coverByCubes } from './cubes.ts';
import { OutOfEffort } from './effort.ts';
import type { Effort } from './effort.ts';
import { graphSize } from './graph.ts';
import type { Graph, Node } from './graph.ts';
import { contains, stretchesOf, whenClear, whenHit, whenIn } from './narrow.ts';
import type { Cube } from './narrow.ts';
import { mergeNeighbours, select } from './select.ts';
import type { Prices } from './select.ts';
import { isEverything, MAX_WORD, setKey, wordOffset } from './words.ts';
import type { Clause, WordIndex, WordSet } from './words.ts';

/** Words tested: more are not put into one diagram. */
const MAX_STEPS = 6000;
/** Weight of a whole word against the price of an instruction: how much depth counts in an argument tree. */
const WORD_WEIGHT = 1;
/** Fewest intervals that tests of bits can tell apart in fewer instructions than a tree of comparisons. */
const MIN_COVERED = 4;

/** Nodes by what they decide: a word, the rules that are left, and the answer where none holds. */
export type KnownNodes = Map<string, Node>;

/** What is left of the rules at one point of a path, over words not yet decided. */
interface Residual {
  clauses: readonly Clause[];
  key: string;
}

/** Tests one word after the other, in a given order, each read at most once on a path. */
export class Diagram {
  readonly #graph: Graph;
  readonly #endian: Endian;
  readonly #prices: Prices;
  readonly #order: readonly WordIndex[];
  readonly #otherwise: number;
  readonly #known: KnownNodes;
  readonly #effort: Effort;
  #steps = 0;

  /** @param known nodes of diagrams with the same order of words */
  constructor(
    graph: Graph,
    endian: Endian,
    prices: Prices,
    order: readonly WordIndex[],
    otherwise: number,
    known: KnownNodes,
    effort: Effort,
  ) {
    this.#graph = graph;
    this.#endian = endian;
    this.#prices = prices;
    this.#order = order;
    this.#otherwise = otherwise;
    this.#known = known;
    this.#effort = effort;
  }

  /** Undefined when the search takes too much work. */
  build(clauses: readonly Clause[]): Node | undefined {
    try {
      return this.#nextWord(this.#residual(clauses));
    } catch (error) {
      if (error instanceof OutOfEffort) return undefined;
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
    const memo = `${this.#otherwise} ${word} ${residual.key}`;
    const known = this.#known.get(memo);
    if (known) return known;
    if (++this.#steps > MAX_STEPS) throw new OutOfEffort();
    this.#effort.spend(4 * residual.clauses.length);
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
    const intervals = mergeNeighbours(
      stretches.map(([from, to]) => ({ from, to, leaf: leafFor(from), weight })),
    );
    this.#effort.spend(intervals.length ** 2);
    const tree = select(this.#graph, intervals, this.#prices).node;
    if (intervals.length < MIN_COVERED) return tree;
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
    this.#effort.spend(residual.clauses.length);
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
      this.#effort.spend(5 * tests.size + kept.length);
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
  const counts = new Map<number, number>();
  for (const { words } of clauses)
    for (const [index, set] of words)
      if (index === word && set.kind === 'cube') counts.set(set.mask, (counts.get(set.mask) ?? 0) + 1);
  let best: Cube | undefined;
  let most = 0;
  for (const candidate of cubes) {
    const count = counts.get(candidate.mask)!;
    if (count > most) {
      most = count;
      best = candidate;
    }
  }
  return best;
}
