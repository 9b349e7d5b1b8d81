import { BPF_JEQ, BPF_JGE, OFFSET_ARCH, OFFSET_NR } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { X32_SYSCALL_BIT } from '../arch.ts';
import type { ArchPolicy, Decision, DecisionRange, Policy } from '../policy/types.ts';
import { assemble } from './assembler.ts';
import { Graph } from './graph.ts';
import type { Node } from './graph.ts';
import { leafOf } from './leaf.ts';
import { select } from './select.ts';
import type { Interval, Selection } from './select.ts';
import type { Weights } from './weights.ts';

/**
 * Turns a policy into a program: one tree of tests on the syscall number for each audit arch, behind a test of the
 * audit arch, with the argument tests of each decision at its leaves.
 *
 * Where two numberings are nearly the same (x32 and x86_64; the asm-generic architectures), the second becomes a tree
 * of exceptions that runs into the first. docs/codegen.md.
 */
export function generate(policy: Policy, weights: Weights): SockFilter[] {
  const graph = new Graph();
  const leaves = new Map<Decision, Node>();
  const leaf = (decision: Decision) => {
    const known = leaves.get(decision) ?? leafOf(decision, graph, policy.endian, weights.price);
    leaves.set(decision, known);
    return known;
  };
  const numberings = policy.arches.map((arch) => ({ arch, ranges: leafRanges(arch.ranges, leaf) }));
  const context: Context = { graph, weights, isFar: standsElsewhere(numberings.map(({ ranges }) => ranges)) };

  const trees: { arch: ArchPolicy; tree: Tree }[] = [];
  for (const { arch, ranges } of numberings) {
    const earlier = trees.map(({ tree }) => tree);
    trees.push({ arch, tree: archTree(arch, ranges, earlier, context) });
  }
  const dispatch = trees.reduceRight<Node>(
    (rest, { arch, tree }) => graph.test(BPF_JEQ, arch.auditArch, graph.load(OFFSET_NR, tree.node), rest),
    graph.ret(policy.badArchAction),
  );
  return assemble(graph.load(OFFSET_ARCH, dispatch));
}

interface Context {
  graph: Graph;
  weights: Weights;
  /** Whether a leaf is reached from several places, so that a test has to jump there. */
  readonly isFar: (leaf: Node) => boolean;
}

/** Return values, and argument tests that several numbers share. */
function standsElsewhere(numberings: readonly (readonly LeafRange[])[]): (leaf: Node) => boolean {
  const uses = new Map<Node, number>();
  for (const ranges of numberings)
    for (const { from, leaf } of ranges)
      if (from < X32_SYSCALL_BIT) uses.set(leaf, (uses.get(leaf) ?? 0) + 1);
  return (leaf) => leaf.kind === 'ret' || (uses.get(leaf) ?? 0) > 1;
}

/** A tree over all syscall numbers, and what it decides. */
interface Tree extends Selection {
  ranges: readonly LeafRange[];
}

interface LeafRange {
  from: number;
  to: number;
  leaf: Node;
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
  const candidates: Selection[] = [folded ?? plainTree(ranges, weight, context)];
  for (const base of earlier)
    if (resembles(ranges, base.ranges)) candidates.push(exceptionTree(ranges, base, weight, context));
  const best = candidates.reduce((a, b) => (b.cost < a.cost ? b : a));
  return { ...best, ranges };
}

/** Whether two numberings differ in so few places that one can be the other with exceptions. */
function resembles(ranges: readonly LeafRange[], base: readonly LeafRange[]): boolean {
  const differing = overlapsOf(ranges, base).filter(({ leaf, other }) => leaf !== other).length;
  return differing < ranges.length;
}

type Weigh = (from: number, to: number) => number;

/** Each decision as a node; neighbours of one node joined. */
function leafRanges(ranges: readonly DecisionRange[], leafOfDecision: (d: Decision) => Node): LeafRange[] {
  return join(ranges.map(({ from, to, decision }) => ({ from, to, leaf: leafOfDecision(decision) })));
}

function plainTree(
  ranges: readonly LeafRange[],
  weight: Weigh,
  { graph, weights, isFar }: Context,
): Selection {
  const intervals = ranges.map(({ from, to, leaf }) => ({ from, to, leaf, weight: weight(from, to) }));
  return select(graph, intervals, weights.price, isFar);
}

/** Bit 31 stays: numbers that only look like x32's after the mask must still land in the default. */
const CLEAR_X32_BIT = 0xbfffffff;
const BIT_31 = 0x80000000;

/**
 * x86_64 and x32 in one tree: numbers with bit 30 lose it, pass the tree of those calls that differ, and go on
 * into the tree of x86_64. Undefined where numbers beyond both would come out wrong, or too many calls differ.
 */
function foldedTree(ranges: readonly LeafRange[], weight: Weigh, context: Context): Selection | undefined {
  const { graph, weights, isFar } = context;
  const native = cut(ranges, 0, X32_SYSCALL_BIT - 1);
  const x32 = cut(ranges, X32_SYSCALL_BIT, BIT_31 - 1).map((range) => shift(range, -X32_SYSCALL_BIT));
  const beyond = cut(ranges, BIT_31, 0xffffffff);
  if (beyond.length !== 1 || !resembles(x32, native)) return undefined;

  // Numbers from bit 30 to bit 31 cannot be here; the stretch beyond takes their place.
  const base = join([...native, { from: X32_SYSCALL_BIT, to: 0xffffffff, leaf: beyond[0]!.leaf }]);
  const main = plainTree(base, weight, context);
  const exceptions = exceptionIntervals(x32, native, main.node, (from, to) =>
    weight(from + X32_SYSCALL_BIT, to + X32_SYSCALL_BIT),
  );
  const side = select(graph, exceptions, weights.price, (leaf) => leaf === main.node || isFar(leaf));
  const entered = enterInside(graph, side.node, main.node, 0, CLEAR_X32_BIT);
  const node = graph.jge(X32_SYSCALL_BIT, graph.and(CLEAR_X32_BIT, entered), main.node);
  const through = weight(0, 0xffffffff);
  return { node, cost: main.cost + side.cost + through + 2 * weights.price };
}

/** A second architecture with nearly the same numbering runs into the tree of the first. */
function exceptionTree(
  ranges: readonly LeafRange[],
  base: Tree,
  weight: Weigh,
  { graph, weights, isFar }: Context,
): Selection {
  const exceptions = exceptionIntervals(ranges, base.ranges, base.node, weight);
  const side = select(graph, exceptions, weights.price, (leaf) => leaf === base.node || isFar(leaf));
  // What runs into the other tree pays its way there: about its depth.
  const passing = exceptions
    .filter(({ leaf }) => leaf === base.node)
    .reduce((sum, { weight: w }) => sum + w, 0);
  const depth = Math.log2(base.ranges.length + 1);
  return { node: enterInside(graph, side.node, base.node, 0, 0xffffffff), cost: side.cost + passing * depth };
}

/**
 * A tree that passes on to another enters it as deep inside as its own tests allow: what it already knows of the
 * number, `from`..`to`, need not be asked again.
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
 * The second numbering as exceptions to the first: where both agree, pass on to the first one's tree. A stretch of
 * agreement between two exceptions of its own answer joins them instead.
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

/** Both lists cut at each other's bounds. */
function overlapsOf(a: readonly LeafRange[], b: readonly LeafRange[]): (LeafRange & { other: Node })[] {
  const result: (LeafRange & { other: Node })[] = [];
  let j = 0;
  for (const range of a) {
    while (b[j]!.to < range.from) j++;
    for (let at = j; at < b.length && b[at]!.from <= range.to; at++) {
      const other = b[at]!;
      result.push({
        from: Math.max(range.from, other.from),
        to: Math.min(range.to, other.to),
        leaf: range.leaf,
        other: other.leaf,
      });
    }
  }
  return result;
}

function cut(ranges: readonly LeafRange[], from: number, to: number): LeafRange[] {
  return ranges
    .filter((range) => range.from <= to && range.to >= from)
    .map((range) => ({ ...range, from: Math.max(range.from, from), to: Math.min(range.to, to) }));
}

function shift(range: LeafRange, by: number): LeafRange {
  return { ...range, from: range.from + by, to: range.to + by };
}

function join(ranges: readonly LeafRange[]): LeafRange[] {
  const joined: LeafRange[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last?.leaf === range.leaf) last.to = range.to;
    else joined.push({ ...range });
  }
  return joined;
}
