import { BPF_JSET, MAX_INSTRUCTIONS } from '../../bpf/instruction.ts';
import type { Decision } from '../../policy/types.ts';
import { instructionsOf, longestPath, reachable } from '../graph.ts';
import type { Node } from '../graph.ts';
import { Builder } from './builder.ts';
import type { Strategy, Tools } from './builder.ts';
import { Conditions } from './word-condition.ts';
import type { Condition, Outcome } from './word-condition.ts';
import { Problems } from './problem.ts';
import type { Block, Box, LooseBlock, Problem } from './problem.ts';
import { argsOf } from './splits.ts';

/**
 * All ways are tried out for this many levels of a problem with up to so many boxes, within so much
 * work.
 */
const TRIED = [
  { levels: 1, boxes: 40, effort: 10_000 },
  { levels: 2, boxes: 12, effort: 10_000 },
];
/** Work for that in all decisions of a filter together. */
const MOST_TRIED = 300_000;
/** What is longer may be lengthened where that makes its longest path shorter by this factor. */
const LONG = 40;
const WORTH = 2 / 3;
/** Instructions that are worth one less on the longest path. */
const PER_STEP = 2;
/**
 * Ways without a chain are estimated too long where what they leave joins later; and they have
 * shorter paths.
 */
const SHORTENING: readonly Strategy[] = [
  { slack: 1.25 },
  { slack: 1.6 },
  { slack: 1.5, gathers: true },
  { slack: 1000 },
];
/** Work for each of these, for each pair of rules; half of what is left is for other decisions. */
const SHORTENING_OF_PAIR = 64;

/**
 * The rules of a decision, joined as far as they can be, are more than the kernel takes
 * instructions.
 */
export class TooManyRules extends Error {
  readonly decision: Decision;

  constructor(decision: Decision) {
    super('more rules than instructions');
    this.decision = decision;
  }
}

/**
 * Turns the decisions of one filter into tests of arguments: the shortest form found, or nearly so.
 */
export class Decisions {
  readonly #tools: Tools;
  readonly #estimating: Builder;
  readonly #gathering: Builder;
  /** For shorter paths, which sometimes is shorter altogether. */
  readonly #shortening: readonly Builder[];
  readonly #chaining: Builder;
  /** Chains that run into what was found for earlier decisions. */
  readonly #joining: Builder;
  readonly #known = new Map<Decision, Node>();
  readonly #chains = new Map<Decision, Node>();
  /** The nodes of all decisions so far. */
  readonly #there = new Set<Node>();
  #leftToTry = MOST_TRIED;

  constructor(tools: Omit<Tools, 'problems'>) {
    this.#tools = { ...tools, problems: new Problems(new Conditions(), tools.effort) };
    this.#estimating = new Builder(this.#tools, {});
    this.#gathering = new Builder(this.#tools, { gathers: true });
    this.#shortening = SHORTENING.map((strategy) => new Builder(this.#tools, strategy));
    this.#chaining = new Builder(this.#tools, { chainsOnly: true });
    this.#joining = new Builder(this.#tools, { chainsOnly: true });
  }

  /**
   * Finds the nodes of all decisions of a filter: one by one, or chains for all where these have
   * more in common.
   * @throws TooManyRules
   */
  findAll(decisions: Iterable<Decision>): void {
    for (const decision of decisions) this.nodeOf(decision);
    const chains = [...this.#chains];
    const found = chains.map(([decision]) => this.#known.get(decision)!);
    const size = sizeOfAll(found);
    if (sizeOfAll(this.#chains.values()) >= size) return;
    // Not instead of what may be longer for its short paths.
    const isShort = ([, chain]: (typeof chains)[number], at: number) =>
      longestPath(found[at]!) <= WORTH * longestPath(chain);
    if (this.#tools.goal.shortPaths && size > LONG && chains.some(isShort)) return;
    for (const [decision, chain] of chains) this.#known.set(decision, chain);
  }

  /** @throws TooManyRules */
  nodeOf(decision: Decision): Node {
    let node = this.#known.get(decision);
    if (node === undefined) this.#known.set(decision, (node = this.#nodeOf(decision)));
    return node;
  }

  #nodeOf(decision: Decision): Node {
    const { graph, effort, goal, problems } = this.#tools;
    if (decision.rules.length === 0) return graph.ret(decision.otherwise);
    const blocks = this.#blocksOf(decision);
    const last = graph.ret(decision.otherwise);
    const asWritten = () => effort.unlimited(() => problems.make(blocks, last));
    const problem = effort.within(Infinity, () => problems.make(blocks, last, true)) ?? asWritten();
    const boxes = boxesOf(problem);
    if (testsOf(boxes) > MAX_INSTRUCTIONS) throw new TooManyRules(decision);

    const found = new Candidates(this.#there);
    const chain = effort.unlimited(() => this.#chaining.build(problem));
    this.#chains.set(decision, chain);
    found.add(chain);
    // A single condition leaves nothing to search.
    if (boxes.length > 1 || (boxes[0]?.conditions.length ?? 0) > 1) {
      if (this.#there.size > 0) found.add(effort.unlimited(() => this.#joining.build(problem)));
      found.add(effort.within(Infinity, () => this.#estimating.build(problem)));
      found.add(effort.within(effort.left / 2, () => this.#gathering.build(problem)));
    }
    if (boxes.length > 1 && argsOf(problem).length > 1)
      for (const { levels, boxes: most, effort: units } of TRIED)
        if (boxes.length <= most) found.add(this.#try(problem, units, { triedLevels: levels }));
    const reserve = effort.left / 2;
    for (const builder of this.#shortening) {
      if (found.leastSize <= LONG) break;
      const units = Math.min(effort.left - reserve, SHORTENING_OF_PAIR * decision.rules.length ** 2);
      found.add(effort.within(units, () => builder.build(problem)));
    }
    const node =
      goal.shortPaths && found.leastSize > LONG
        ? found.short(effort.unlimited(() => this.#chaining.build(asWritten())))
        : found.smallest();
    for (const builder of [this.#estimating, this.#gathering, ...this.#shortening, this.#joining])
      builder.remember(problem, node);
    for (const each of reachable(node)) this.#there.add(each);
    return node;
  }

  #try(problem: Problem, units: number, strategy: Strategy): Node | undefined {
    const { effort } = this.#tools;
    const before = effort.left;
    const node = effort.within(Math.min(units, this.#leftToTry), () =>
      new Builder(this.#tools, strategy).build(problem),
    );
    this.#leftToTry -= before - effort.left;
    return node;
  }

  #blocksOf({ rules }: Decision): LooseBlock[] {
    const { graph, problems } = this.#tools;
    const blocks: { action: number; answer: Block['answer']; boxes: (Box | false)[] }[] = [];
    for (const { conditions, action } of rules) {
      const outcomes = conditions.map((condition) => problems.conditions.of(condition));
      const box = outcomes.every((outcome) => outcome !== false) && problems.box(outcomes.filter(isOpen));
      const last = blocks.at(-1);
      if (last?.action === action) last.boxes.push(box);
      else blocks.push({ action, answer: graph.ret(action), boxes: [box] });
    }
    return blocks;
  }
}

/** Nodes for one problem. */
class Candidates {
  /**
   * By node: the instructions that come with it, but for return values and jumps, and a little for
   * each that is likely to become one more in eBPF.
   */
  readonly #sizes = new Map<Node, number>();
  readonly #there: ReadonlySet<Node>;

  /** @param there nodes that are in the program anyway */
  constructor(there: ReadonlySet<Node>) {
    this.#there = there;
  }

  add(root: Node | undefined): void {
    if (root !== undefined) this.#sizes.set(root, this.#sizeOf(root));
  }

  #sizeOf(root: Node): number {
    let size = 0;
    for (const node of reachable(root))
      if (node.kind !== 'ret' && !this.#there.has(node)) size += sizeOf(node);
    return size;
  }

  get leastSize(): number {
    return Math.min(...this.#sizes.values());
  }

  smallest(): Node {
    const least = this.leastSize;
    return [...this.#sizes].find(([, size]) => size === least)![0];
  }

  /**
   * The smallest, or one with a clearly shorter longest path that is no larger than chains.
   *
   * @param chain of the rules as they were written
   */
  short(chain: Node): Node {
    const [joined] = this.#sizes.values();
    let best = this.smallest();
    const most = Math.max(joined!, this.#sizeOf(chain));
    const longest = WORTH * longestPath(best);
    let lowest = Infinity;
    for (const [node, size] of this.#sizes) {
      const path = longestPath(node);
      const price = size + PER_STEP * path;
      if (size > most || path > longest || price >= lowest) continue;
      lowest = price;
      best = node;
    }
    return best;
  }
}

/** Less than an instruction, however many there are in a program. */
const MORE_IN_EBPF = 2 ** -13;

/**
 * A test that has nothing to fall into becomes two instructions; a JSET can only fall into its
 * false side.
 */
function sizeOf(node: Node): number {
  if (node.kind !== 'test') return instructionsOf(node);
  const falls = node.operation === BPF_JSET ? [node.no] : [node.yes, node.no];
  return falls.every(({ kind }) => kind === 'ret') ? 1 + MORE_IN_EBPF : 1;
}

/** Instructions of several nodes together, but for return values and jumps. */
function sizeOfAll(roots: Iterable<Node>): number {
  const nodes = new Set<Node>();
  for (const root of roots) for (const node of reachable(root)) nodes.add(node);
  let size = 0;
  for (const node of nodes) if (node.kind !== 'ret') size += sizeOf(node);
  return size;
}

function isOpen(outcome: Outcome): outcome is Condition {
  return typeof outcome !== 'boolean';
}

function boxesOf({ blocks }: Problem): Box[] {
  return blocks.flatMap(({ boxes }) => boxes);
}

/** Values of one argument that one test of bits can tell from others, where they lie well. */
const VALUES_PER_TEST = 4;

/**
 * Tests that a program for these boxes needs: one for each, and most of those of the longest list
 * of values.
 */
function testsOf(boxes: readonly Box[]): number {
  let tests = boxes.length;
  for (const { conditions } of boxes)
    for (const { cost } of conditions) tests = Math.max(tests, Math.floor(cost / VALUES_PER_TEST));
  return tests;
}
