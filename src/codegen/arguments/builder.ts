import { argOffset, BPF_MISC, BPF_TXA } from '../../bpf/instruction.ts';
import type { Endian, SockFilter } from '../../bpf/instruction.ts';
import type { Effort } from '../effort.ts';
import { graphSize } from '../graph.ts';
import type { Graph, Node } from '../graph.ts';
import type { ArgumentGoal } from '../numbers/weights.ts';
import type { Gathered } from './gather.ts';
import { argOf, MAX_WORD } from './word-condition.ts';
import type { Condition, Outcome, Word } from './word-condition.ts';
import type { Problem, Problems } from './problem.ts';
import { argsOf, byChain, byGathering, byMask, byRanges, chainSize, masksOf, wordsOf } from './splits.ts';
import type { ChainWay, Means, Part, Way } from './splits.ts';
import { testValues } from './test-values.ts';
import type { Values } from './test-values.ts';

/** What a builder works with. */
export interface Tools {
  readonly graph: Graph;
  readonly endian: Endian;
  readonly goal: ArgumentGoal;
  readonly problems: Problems;
  readonly effort: Effort;
}

/** Brings back what was gathered. */
const BACK: readonly SockFilter[] = [{ code: BPF_MISC | BPF_TXA, jt: 0, jf: 0, k: 0 }];

/** How a builder looks for the way to take a problem apart. */
export interface Strategy {
  /** Chains only, without a search. */
  readonly chainsOnly?: boolean;
  /** Down to this depth all ways are tried out; below, the one with the best estimate is taken. */
  readonly triedLevels?: number;
  /** Bits of several words may be gathered in one. */
  readonly gathers?: boolean;
  /** How much larger than one with long paths another way may be, as a factor; 1 unless given. */
  readonly slack?: number;
}

/**
 * Turns problems into tests, the best way first that estimates show. What it found for a problem
 * serves all decisions of a filter: much of a condition on 64 bits is the same on 32.
 */
export class Builder {
  readonly #tools: Tools;
  readonly #strategy: Strategy;
  readonly #means: Means;
  /**
   * By depth while all ways are tried out, then one for all depths: nodes by the key of their
   * problem.
   */
  readonly #known: Map<string, Node>[] = [];
  readonly #estimates = new Map<string, number>();
  #depth = 0;

  constructor(tools: Tools, strategy: Strategy) {
    this.#tools = tools;
    this.#strategy = strategy;
    const { problems, effort, endian } = tools;
    this.#means = { problems, effort, endian, estimate: (problem) => this.#estimate(problem) };
  }

  build(problem: Problem): Node {
    if (problem.blocks.length === 0) return problem.otherwise;
    const triedLevels = this.#strategy.triedLevels ?? 0;
    const depth = Math.min(this.#depth, triedLevels);
    const known = (this.#known[depth] ??= new Map<string, Node>());
    let node = known.get(problem.key);
    if (node !== undefined) return node;
    this.#depth++;
    try {
      node = depth < triedLevels ? this.#smallest(problem) : this.#make(this.#best(problem), problem);
    } finally {
      this.#depth--;
    }
    known.set(problem.key, node);
    return node;
  }

  /** Takes a node for a problem wherever that comes up from now on. */
  remember(problem: Problem, node: Node): void {
    (this.#known[this.#strategy.triedLevels ?? 0] ??= new Map<string, Node>()).set(problem.key, node);
  }

  /** All ways to take a problem apart that take no more instructions than `limit` says. */
  *#ways(problem: Problem, limit: () => number): Generator<Way> {
    if (!this.#strategy.chainsOnly) {
      if (this.#strategy.gathers) yield* byGathering(problem, this.#means);
      for (const word of wordsOf(problem)) {
        const ranges = byRanges(problem, word, this.#means, limit());
        if (ranges !== undefined) yield ranges;
        for (const mask of masksOf(problem, word)) {
          const masked = byMask(problem, word, mask, this.#means, limit());
          if (masked !== undefined) yield masked;
        }
      }
    }
    for (const arg of argsOf(problem)) yield byChain(problem, arg, this.#means);
  }

  #best(problem: Problem): Way {
    let best: Way | undefined;
    let least = Infinity;
    const slack = this.#strategy.slack ?? 1;
    for (const way of this.#ways(problem, () => least)) {
      const size = isLong(way) ? way.size * slack : way.size;
      if (size >= least) continue;
      least = size;
      best = way;
    }
    return best!;
  }

  /** The node for a problem that is smallest of all that the ways lead to. */
  #smallest(problem: Problem): Node {
    let best: Node | undefined;
    let least = Infinity;
    for (const way of this.#ways(problem, () => Infinity)) {
      const node = this.#make(way, problem);
      const size = graphSize(node);
      this.#tools.effort.spend(size);
      if (size >= least) continue;
      least = size;
      best = node;
    }
    return best!;
  }

  /** Instructions for a problem as a chain; none where its node is there already. */
  #estimate(problem: Problem): number {
    if (problem.blocks.length === 0 || this.#known.at(-1)?.has(problem.key)) return 0;
    let size = this.#estimates.get(problem.key);
    if (size === undefined) {
      size = Math.min(...argsOf(problem).map((arg) => chainSize(problem, arg)));
      this.#estimates.set(problem.key, size);
    }
    return size;
  }

  #make(way: Way, { otherwise }: Problem): Node {
    const { graph } = this.#tools;
    switch (way.kind) {
      case 'chain':
        return this.#chain(way, otherwise);
      case 'gather':
        return way.gathered.reduceRight<Node>(
          (rest, gathered) => this.#gathered(gathered, way.answer, rest),
          this.build(way.left),
        );
      case 'bits': {
        const { word, mask, hit, clear } = way;
        // The word may turn out not to matter.
        if (hit.key === clear.key) return this.build(hit);
        return this.#load(word, graph.jset(mask, this.#enter(hit, word), this.#enter(clear, word)));
      }
      case 'ranges': {
        const { word, parts } = way;
        if (parts.length === 1) return this.build(parts[0]!.problem);
        return this.#load(
          word,
          this.#parts(parts, (problem) => this.#enter(problem, word)),
        );
      }
      case 'mask': {
        const { word, mask, parts } = way;
        const tests = this.#parts(parts, (problem) => this.build(problem));
        return this.#load(word, graph.and(mask, tests));
      }
    }
  }

  #gathered({ steps, tests }: Gathered, answer: Node, rest: Node): Node {
    const { graph } = this.#tools;
    const first = tests.reduceRight((next, { mask, others, isWidest }) => {
      const again = next === rest ? rest : graph.gather(BACK, next);
      const holds = others.reduceRight<Node>(
        (yes, condition) => this.#test(condition, yes, yes === answer && isWidest ? rest : again),
        answer,
      );
      return graph.jset(mask, next, holds);
    }, rest);
    return graph.gather(steps, first);
  }

  #parts(parts: readonly Part[], nodeOf: (problem: Problem) => Node): Node {
    const nodes = new Map<string, Node>();
    const leafOf = (problem: Problem): Node => {
      let node = nodes.get(problem.key);
      if (node === undefined) nodes.set(problem.key, (node = nodeOf(problem)));
      return node;
    };
    return this.#values(parts.map(({ from, to, problem }) => ({ from, to, leaf: leafOf(problem) })));
  }

  #chain({ groups }: ChainWay, otherwise: Node): Node {
    let rest = otherwise;
    for (const { condition, answer, boxes } of groups.toReversed()) {
      this.#tools.effort.spend(boxes.length);
      const behind = this.build(this.#tools.problems.make([{ answer, boxes }], rest));
      rest = condition === undefined ? behind : this.#test(condition, behind, rest);
    }
    return rest;
  }

  /** Tests a condition: one node where it holds, another where not. */
  #test(condition: Condition, yes: Node, no: Node): Node {
    const { graph } = this.#tools;
    const { word } = condition;
    const nodeOf = (outcome: Outcome): Node => {
      if (typeof outcome === 'boolean') return outcome ? yes : no;
      return this.#test(outcome, yes, no);
    };
    if (condition.kind === 'mask') {
      const { mask, value, equal, other } = condition;
      const [onEqual, onOther] = [nodeOf(equal), nodeOf(other)];
      if (value !== 0) return this.#load(word, graph.and(mask, graph.jeq(value, onEqual, onOther)));
      return this.#load(
        word,
        graph.jset(mask, this.#behindLoad(onOther, word), this.#behindLoad(onEqual, word)),
      );
    }
    const { starts, outcomes } = condition;
    const values = starts.map((from, at) => ({
      from,
      to: (starts[at + 1] ?? MAX_WORD + 1) - 1,
      leaf: this.#behindLoad(nodeOf(outcomes[at]!), word),
    }));
    return this.#load(word, this.#values(values));
  }

  #values(values: readonly Values[]): Node {
    const { graph, goal, effort } = this.#tools;
    return testValues(values, graph, goal, effort);
  }

  /** The tests of a problem while a word is in the accumulator. */
  #enter(problem: Problem, word: Word): Node {
    return this.#behindLoad(this.build(problem), word);
  }

  /** The node behind a load of a word that is in the accumulator already. */
  #behindLoad(node: Node, word: Word): Node {
    return node.kind === 'load' && node.offset === this.#offset(word) ? node.next : node;
  }

  #load(word: Word, next: Node): Node {
    return this.#tools.graph.load(this.#offset(word), next);
  }

  #offset(word: Word): number {
    return argOffset(argOf(word), word % 2 === 0 ? 'high' : 'low', this.#tools.endian);
  }
}

/** Whether a way has many loads one after the other. */
function isLong(way: Way): boolean {
  if (way.kind !== 'gather') return way.kind === 'chain';
  return way.gathered.some(({ tests }) => tests.some(({ others }) => others.length > 1));
}
