import { BPF_JSET, MAX_INSTRUCTIONS } from '../../bpf/instruction.ts';
import type { Decision } from '../../policy/types.ts';
import { longestPath, reachable } from '../graph.ts';
import type { Node } from '../graph.ts';
import { Builder } from './builder.ts';
import type { Strategy, Tools } from './builder.ts';
import { Conditions } from './word-condition.ts';
import type { Condition, Outcome } from './word-condition.ts';
import { Problems } from './problem.ts';
import type { Block, Box, Problem } from './problem.ts';
import { argsOf } from './splits.ts';

/** All ways are tried out for this many levels of a problem with up to so many boxes, within so much work. */
const TRIED = [
  { levels: 1, boxes: 40, effort: 10_000 },
  { levels: 2, boxes: 12, effort: 10_000 },
];
/** Work for that in all decisions of a filter together. */
const MOST_TRIED = 300_000;
/** Longer programs may be lengthened where that makes their longest path shorter by this factor. */
const LONG = 40;
const WORTH = 0.5;
/** Ways without a chain are estimated too long where what they leave joins later. */
const CHAIN_SLACK = 1.25;

/** The rules of a decision, joined as far as they can be, are more than the kernel takes instructions. */
export class TooManyRules extends Error {
  readonly decision: Decision;

  constructor(decision: Decision) {
    super('more rules than instructions');
    this.decision = decision;
  }
}

/** Turns the decisions of one filter into tests of arguments: the shortest form found, or nearly so. */
export class Decisions {
  readonly #tools: Tools;
  readonly #estimating: Builder;
  /** For shorter paths, which sometimes is shorter altogether. */
  readonly #shortening: Builder;
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
    this.#shortening = new Builder(this.#tools, { slack: CHAIN_SLACK });
    this.#chaining = new Builder(this.#tools, { chainsOnly: true });
    this.#joining = new Builder(this.#tools, { chainsOnly: true });
  }

  /**
   * Finds the nodes of all decisions of a filter: one by one, or chains for all where these have more in common.
   * @throws TooManyRules
   */
  findAll(decisions: Iterable<Decision>): void {
    for (const decision of decisions) this.nodeOf(decision);
    const found = [...this.#chains.keys()].map((decision) => this.#known.get(decision)!);
    if (sizeOfAll(this.#chains.values()) >= sizeOfAll(found)) return;
    for (const [decision, chain] of this.#chains) this.#known.set(decision, chain);
  }

  /** @throws TooManyRules */
  nodeOf(decision: Decision): Node {
    let node = this.#known.get(decision);
    if (node === undefined) this.#known.set(decision, (node = this.#nodeOf(decision)));
    return node;
  }

  #nodeOf(decision: Decision): Node {
    const { graph, effort, goal } = this.#tools;
    if (decision.rules.length === 0) return graph.ret(decision.otherwise);
    const problem = this.#problemOf(decision);
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
    }
    if (boxes.length > 1 && argsOf(problem).length > 1)
      for (const { levels, boxes: most, effort: units } of TRIED)
        if (boxes.length <= most) found.add(this.#try(problem, units, { triedLevels: levels }));
    if (found.leastSize > LONG) found.add(effort.within(Infinity, () => this.#shortening.build(problem)));
    const node = found.best(goal.slack);
    this.#estimating.remember(problem, node);
    this.#shortening.remember(problem, node);
    this.#joining.remember(problem, node);
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

  #problemOf({ rules, otherwise }: Decision): Problem {
    const { graph, problems, effort } = this.#tools;
    const blocks: { action: number; answer: Block['answer']; boxes: (Box | false)[] }[] = [];
    for (const { conditions, action } of rules) {
      const outcomes = conditions.map((condition) => problems.conditions.of(condition));
      const box = outcomes.every((outcome) => outcome !== false) && problems.box(outcomes.filter(isOpen));
      const last = blocks.at(-1);
      if (last?.action === action) last.boxes.push(box);
      else blocks.push({ action, answer: graph.ret(action), boxes: [box] });
    }
    const last = graph.ret(otherwise);
    return (
      effort.within(Infinity, () => problems.make(blocks, last, true)) ??
      effort.unlimited(() => problems.make(blocks, last))
    );
  }
}

/** Nodes for one problem. */
class Candidates {
  /**
   * By node: the instructions that come with it, but for return values and jumps, and a little for each that is likely to
   * become one more in eBPF.
   */
  readonly #sizes = new Map<Node, number>();
  readonly #there: ReadonlySet<Node>;

  /** @param there nodes that are in the program anyway */
  constructor(there: ReadonlySet<Node>) {
    this.#there = there;
  }

  add(root: Node | undefined): void {
    if (root === undefined) return;
    let size = 0;
    for (const node of reachable(root))
      if (node.kind !== 'ret' && !this.#there.has(node)) size += sizeOf(node);
    this.#sizes.set(root, size);
  }

  get leastSize(): number {
    return Math.min(...this.#sizes.values());
  }

  /**
   * The smallest; or, of those that a factor allows and that are no larger than the first one, which took no search, one
   * with a clearly shorter longest path.
   */
  best(slack: number): Node {
    const least = this.leastSize;
    const sizes = [...this.#sizes];
    const [, first] = sizes[0]!;
    let [best] = sizes.find(([, size]) => size === least)!;
    if (slack === 1 || least <= LONG) return best;
    let most = WORTH * longestPath(best);
    for (const [node, size] of sizes) {
      if (size > Math.min(slack * least, first)) continue;
      const path = longestPath(node);
      if (path > most) continue;
      most = path;
      best = node;
    }
    return best;
  }
}

/** Less than an instruction, however many there are in a program. */
const MORE_IN_EBPF = 2 ** -13;

/** A test that has nothing to fall into becomes two instructions; a JSET can only fall into its false side. */
function sizeOf(node: Node): number {
  if (node.kind !== 'test') return 1;
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

/** Tests that a program for these boxes needs: one for each, and most of those of the longest list of values. */
function testsOf(boxes: readonly Box[]): number {
  let tests = boxes.length;
  for (const { conditions } of boxes)
    for (const { cost } of conditions) tests = Math.max(tests, Math.floor(cost / VALUES_PER_TEST));
  return tests;
}
