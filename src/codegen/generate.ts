import { BPF_JEQ, BPF_JGE, MAX_INSTRUCTIONS, OFFSET_ARCH, OFFSET_NR } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { X32_SYSCALL_BIT } from '../arch.ts';
import type { ArchPolicy, Decision, DecisionRange, Policy } from '../policy/types.ts';
import type { SyscallTables } from '../syscalls/tables.ts';
import { Decisions, TooManyRules } from './arguments/decision.ts';
import { assemble } from './assembler.ts';
import { Effort } from './effort.ts';
import { Graph, graphSize } from './graph.ts';
import type { Node } from './graph.ts';
import { cut, join, overlapsOf, resembles } from './numbers/leaf-ranges.ts';
import type { LeafRange } from './numbers/leaf-ranges.ts';
import { select } from './numbers/select.ts';
import type { Interval, Selection } from './numbers/select.ts';
import { depthOf } from './numbers/shared-tree.ts';
import type { SharedTree } from './numbers/shared-tree.ts';
import { weightsFor } from './numbers/weights.ts';
import type { Weights } from './numbers/weights.ts';
import type { Optimize } from './goal.ts';

export { TooManyRules };

/**
 * The program of a policy. One that is longer than the kernel takes is made for size, whatever it
 * should be made for.
 *
 * @throws TooManyRules
 */
export function generateProgram(policy: Policy, optimize: Optimize, tables: SyscallTables): SockFilter[] {
  const program = shortest(policy, weightsFor(optimize, tables));
  if (program.length <= MAX_INSTRUCTIONS || isHopeless(program) || optimize === 'size') return program;
  const shorter = generate(policy, weightsFor('size', tables), new Effort(MAX_EFFORT / 4));
  return shorter.length < program.length ? shorter : program;
}

/**
 * A program that is never longer than one made without any search. A search sees single decisions,
 * so it can lose what decisions would have in common, or jumps of the layout.
 */
function shortest(policy: Policy, weights: Weights): SockFilter[] {
  const program = generate(policy, weights);
  if (!policy.arches.some(({ ranges }) => ranges.some(({ decision }) => isSearched(decision))))
    return program;
  const unsearched = generate(policy, weights, new Effort(0));
  return unsearched.length < program.length ? unsearched : program;
}

/** Whether a program is so long that no other form of it can fit. */
function isHopeless({ length }: readonly SockFilter[]): boolean {
  return length > MAX_INSTRUCTIONS * MOST_SAVED;
}

/** Whether some of its rules compare several arguments. */
function isSearched({ rules }: Decision): boolean {
  return rules.length > 1 && rules.some(({ conditions }) => conditions.length > 1);
}

/**
 * How many times as long a program for attach is as one for size, at most: 1.2 was the most that
 * was measured.
 */
const MOST_SAVED = 1.25;

/** Work put into the search for short programs, see {@link Effort}: some 300 ms. */
const MAX_EFFORT = 2_000_000;

/**
 * Turns a policy into a program: one tree of tests on the syscall number for each audit arch,
 * behind a test of the audit arch, with the argument tests of each decision at its leaves.
 *
 * Where two numberings are nearly the same (x32 and x86_64; the asm-generic architectures), the
 * second becomes a tree of exceptions that runs into the first. docs/codegen.md.
 */
export function generate(policy: Policy, weights: Weights, effort = new Effort(MAX_EFFORT)): SockFilter[] {
  const graph = new Graph();
  const decisions = new Decisions({ graph, endian: policy.endian, goal: weights.arguments, effort });
  // Those on 32 bits first: they are part of what is left of those on 64 once the high words are
  // known.
  decisions.findAll(narrowFirst(policy));
  const leaf = (decision: Decision) => decisions.nodeOf(decision);
  const numberings = policy.arches.map((arch) => ({ arch, ranges: leafRanges(arch.ranges, leaf) }));
  const context: Context = {
    graph,
    weights,
    isJumpTarget: areJumpTargets(numberings.map(({ ranges }) => ranges)),
    sharedTrees: new Map(),
  };

  const trees: { arch: ArchPolicy; tree: Tree }[] = [];
  for (const { arch, ranges } of numberings) {
    const earlier = trees.map(({ tree }) => tree);
    const tree = archTree(arch, ranges, earlier, context);
    trees.push({ arch, tree });
    for (const part of tree.parts) {
      const others = context.sharedTrees.get(part.second);
      if (others) others.push(part);
      else context.sharedTrees.set(part.second, [part]);
    }
  }
  const dispatch = trees.reduceRight<Node>(
    (rest, { arch, tree }) => graph.test(BPF_JEQ, arch.auditArch, graph.load(OFFSET_NR, tree.node), rest),
    graph.ret(policy.badArchAction),
  );
  return assemble(graph.load(OFFSET_ARCH, dispatch));
}

/** The decisions of a policy that compare arguments, those that compare 32 bits of them first. */
function narrowFirst(policy: Policy): Decision[] {
  const decisions = new Set<Decision>();
  for (const { ranges } of policy.arches)
    for (const { decision } of ranges) if (decision.rules.length > 0) decisions.add(decision);
  const isWide = ({ rules }: Decision) =>
    rules.some(({ conditions }) => conditions.some(({ bits }) => bits === 64));
  return [...decisions].toSorted((a, b) => Number(isWide(a)) - Number(isWide(b)));
}

interface Context {
  graph: Graph;
  weights: Weights;
  /** Whether a leaf is reached from several places, so that a test has to jump there. */
  readonly isJumpTarget: (leaf: Node) => boolean;
  /** The parts of earlier architectures' trees. */
  readonly sharedTrees: Map<number, SharedTree[]>;
}

/** Return values, and argument tests that several numbers share. */
function areJumpTargets(numberings: readonly (readonly LeafRange[])[]): (leaf: Node) => boolean {
  const uses = new Map<Node, number>();
  for (const ranges of numberings)
    for (const { from, leaf } of ranges)
      if (from < X32_SYSCALL_BIT) uses.set(leaf, (uses.get(leaf) ?? 0) + 1);
  return (leaf) => leaf.kind === 'ret' || (uses.get(leaf) ?? 0) > 1;
}

/** So few ranges of numbers are searched as one tree even where x32 shares them with x86_64. */
const FEW_RANGES = 24;

/** A tree over all syscall numbers, and what it decides. */
interface Tree extends Selection {
  ranges: readonly LeafRange[];
}

function archTree(
  arch: ArchPolicy,
  ranges: readonly LeafRange[],
  earlier: readonly Tree[],
  context: Context,
): Tree {
  const weight = (from: number, to: number) => context.weights.of(arch, from, to);
  const folded = arch.abis.some(({ name }) => name === 'X32')
    ? foldedTree(ranges, weight, context)
    : undefined;
  const candidates = folded === undefined ? [] : [folded];
  // Of few calls, one comparison each is less than taking the numbers of x32 apart.
  if (folded === undefined || ranges.length <= FEW_RANGES) {
    const plain = plainTree(ranges, weight, context);
    if (folded === undefined || graphSize(plain.node) <= graphSize(folded.node)) candidates.push(plain);
  }
  for (const base of earlier)
    if (resembles(ranges, base.ranges)) candidates.push(exceptionTree(ranges, base, weight, context));
  const best = candidates.reduce((a, b) => (b.cost < a.cost ? b : a));
  return { ...best, ranges };
}

type Weigh = (from: number, to: number) => number;

/** Each decision as a node; neighbours of one node joined. */
function leafRanges(ranges: readonly DecisionRange[], leafOfDecision: (d: Decision) => Node): LeafRange[] {
  return join(ranges.map(({ from, to, decision }) => ({ from, to, leaf: leafOfDecision(decision) })));
}

function plainTree(
  ranges: readonly LeafRange[],
  weight: Weigh,
  { graph, weights, isJumpTarget, sharedTrees }: Context,
): Selection {
  const intervals = ranges.map(({ from, to, leaf }) => ({ from, to, leaf, weight: weight(from, to) }));
  return select(graph, intervals, weights.prices, { isJumpTarget, sharedTrees });
}

/**
 * Bit 31 stays: numbers that only look like x32's after the mask must still land in the default.
 */
const CLEAR_X32_BIT = 0xbfffffff;
const BIT_31 = 0x80000000;

/**
 * x86_64 and x32 in one tree: numbers with bit 30 lose it, pass the tree of those calls that
 * differ, and go on into the tree of x86_64. Undefined where numbers beyond both would come out
 * wrong, or too many calls differ.
 */
function foldedTree(ranges: readonly LeafRange[], weight: Weigh, context: Context): Selection | undefined {
  const { graph, weights, isJumpTarget } = context;
  const native = cut(ranges, 0, X32_SYSCALL_BIT - 1);
  const x32 = cut(ranges, X32_SYSCALL_BIT, BIT_31 - 1, -X32_SYSCALL_BIT);
  const beyond = cut(ranges, BIT_31, 0xffffffff);
  if (beyond.length !== 1 || !resembles(x32, native)) return undefined;

  // Numbers from bit 30 to bit 31 cannot be here; the stretch beyond takes their place.
  const base = join([...native, { from: X32_SYSCALL_BIT, to: 0xffffffff, leaf: beyond[0]!.leaf }]);
  const main = plainTree(base, weight, context);
  const exceptions = exceptionIntervals(x32, native, main.node, (from, to) =>
    weight(from + X32_SYSCALL_BIT, to + X32_SYSCALL_BIT),
  );
  const side = select(graph, exceptions, weights.prices, {
    isJumpTarget: (leaf) => leaf === main.node || isJumpTarget(leaf),
  });
  const entered = enterInside(graph, side.node, main.node, 0, CLEAR_X32_BIT);
  const node = graph.jge(X32_SYSCALL_BIT, graph.and(CLEAR_X32_BIT, entered), main.node);
  const through = weight(0, 0xffffffff);
  return { node, cost: main.cost + side.cost + through + 2 * weights.prices.test, parts: main.parts };
}

/** A second architecture with nearly the same numbering runs into the tree of the first. */
function exceptionTree(
  ranges: readonly LeafRange[],
  base: Tree,
  weight: Weigh,
  { graph, weights, isJumpTarget }: Context,
): Selection {
  const exceptions = exceptionIntervals(ranges, base.ranges, base.node, weight);
  const side = select(graph, exceptions, weights.prices, {
    isJumpTarget: (leaf) => leaf === base.node || isJumpTarget(leaf),
  });
  const node = enterInside(graph, side.node, base.node, 0, 0xffffffff);
  let passing = 0;
  for (const { from, to, leaf, other } of overlapsOf(ranges, base.ranges)) {
    if (leaf !== other) continue;
    const depth = depthOf(leaf, node, from) - depthOf(base.node, side.node, from);
    passing += weight(from, to) * depth;
  }
  return { node, cost: side.cost + passing, parts: [] };
}

/**
 * A tree that passes on to another enters it as deep inside as its own tests allow: what it already
 * knows of the number, `from`..`to`, need not be asked again.
 */
function enterInside(graph: Graph, node: Node, pass: Node, from: number, to: number): Node {
  if (node === pass) return skipDecided(pass, from, to);
  if (node.kind !== 'test') return node;
  const { operation, k, yes, no } = node;
  const enter = (side: Node, low: number, high: number) => enterInside(graph, side, pass, low, high);
  if (operation === BPF_JGE)
    return graph.jge(k, enter(yes, Math.max(from, k), to), enter(no, from, Math.min(to, k - 1)));
  if (operation === BPF_JEQ) return graph.jeq(k, enter(yes, k, k), enter(no, from, to));
  return graph.test(operation, k, enter(yes, from, to), enter(no, from, to));
}

/** The first node whose answer differs between numbers `from`..`to`. */
function skipDecided(node: Node, from: number, to: number): Node {
  if (node.kind !== 'test') return node;
  if (node.operation === BPF_JGE) {
    if (from >= node.k) return skipDecided(node.yes, from, to);
    if (to < node.k) return skipDecided(node.no, from, to);
  }
  if (node.operation === BPF_JEQ && (node.k < from || node.k > to)) return skipDecided(node.no, from, to);
  return node;
}

/**
 * The second numbering as exceptions to the first: where both agree, pass on to the first one's
 * tree. A stretch of agreement between two exceptions of its own answer joins them instead.
 */
function exceptionIntervals(
  ranges: readonly LeafRange[],
  base: readonly LeafRange[],
  pass: Node,
  weight: Weigh,
): Interval[] {
  const pieces = overlapsOf(ranges, base);
  const chosen: LeafRange[] = [];
  pieces.forEach(({ from, to, leaf, other }, index) => {
    const agrees = leaf === other;
    const before = chosen.at(-1)?.leaf === leaf;
    const next = pieces[index + 1];
    const after = next !== undefined && next.leaf === leaf && next.other !== leaf;
    const joins = agrees && before && after;
    chosen.push({ from, to, leaf: agrees && !joins ? pass : leaf });
  });
  return join(chosen).map((range) => ({ ...range, weight: weight(range.from, range.to) }));
}
