import type { Endian } from '../../bpf/instruction.ts';
import type { Effort } from '../effort.ts';
import type { Node } from '../graph.ts';
import { gather } from './gather.ts';
import type { Gathered } from './gather.ts';
import { argOf, isOneBit } from './word-condition.ts';
import type { Condition, Word } from './word-condition.ts';
import { add, placeOf } from './problem.ts';
import type { Block, Box, Problem, Problems } from './problem.ts';

/** Ways to take a problem apart, each with the instructions it takes, about. */
export type Way = RangesWay | MaskWay | BitsWay | ChainWay | GatherWay;

/** Values `from`..`to` of a word, both included, and what is left to decide there. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly problem: Problem;
}

/** By the value of a word. */
interface RangesWay {
  readonly kind: 'ranges';
  readonly size: number;
  readonly word: Word;
  readonly parts: readonly Part[];
}

/** By the value of a word under a mask, which takes the word out of the accumulator. */
interface MaskWay {
  readonly kind: 'mask';
  readonly size: number;
  readonly word: Word;
  readonly mask: number;
  readonly parts: readonly Part[];
}

/** By whether a word has one of some bits. */
interface BitsWay {
  readonly kind: 'bits';
  readonly size: number;
  readonly word: Word;
  readonly mask: number;
  readonly hit: Problem;
  readonly clear: Problem;
}

/**
 * One condition on an argument after the other: behind each the rest of the boxes that have it,
 * then the next.
 */
export interface ChainWay {
  readonly kind: 'chain';
  readonly size: number;
  readonly groups: readonly Group[];
}

/** Boxes without their common condition; undefined where they have none on the argument. */
interface Group {
  readonly condition: Condition | undefined;
  readonly answer: Node;
  readonly boxes: readonly Box[];
}

/** By bits of several words, gathered in one. */
interface GatherWay {
  readonly kind: 'gather';
  readonly size: number;
  readonly gathered: readonly Gathered[];
  readonly answer: Node;
  readonly left: Problem;
}

/** What a search for ways goes by. */
export interface Means {
  readonly problems: Problems;
  readonly effort: Effort;
  readonly endian: Endian;
  /** Instructions that a problem takes, about. */
  readonly estimate: (problem: Problem) => number;
}

/**
 * Of fewer boxes that look at a word under one mask than this part a test of it repeats more than
 * it decides.
 */
const MASKED_SHARE = 1 / 2;
/** So few boxes are tried with every mask. */
const FEW_BOXES = 8;

/** Sums up the parts of a way: problems that are the same are counted once. */
class Size {
  size: number;
  readonly #estimate: Means['estimate'];
  readonly #counted = new Set<string>();

  constructor(tests: number, estimate: Means['estimate']) {
    this.size = tests;
    this.#estimate = estimate;
  }

  add(problem: Problem): void {
    if (this.#counted.has(problem.key)) return;
    this.#counted.add(problem.key);
    this.size += this.#estimate(problem);
  }
}

/**
 * The ranges of a word; undefined where no condition compares it, or more than `limit` instructions
 * are needed.
 */
export function byRanges(problem: Problem, word: Word, means: Means, limit: number): RangesWay | undefined {
  const starts = startsOf(problem, word, means.effort);
  if (starts.length < 2) return undefined;
  const parts: Part[] = [];
  const total = new Size(1, means.estimate);
  for (const part of new Sweep(problem, word, starts, means).parts()) {
    const last = parts.at(-1);
    if (last?.problem.key === part.problem.key) {
      parts[parts.length - 1] = { ...last, to: part.to };
      continue;
    }
    // A single value between two parts that are the same takes one test for both bounds.
    const isBehindValue = last?.from === last?.to && parts.at(-2)?.problem.key === part.problem.key;
    if (last !== undefined && !isBehindValue) total.size++;
    parts.push(part);
    total.add(part.problem);
    if (total.size > limit) return undefined;
  }
  return { kind: 'ranges', word, size: total.size, parts };
}

/** Where what the conditions on a word come to changes, ascending from 0. */
function startsOf({ blocks }: Problem, word: Word, effort: Effort): number[] {
  const starts = new Set([0]);
  const seen = new Set<Condition>();
  for (const { boxes } of blocks)
    for (const { conditions } of boxes)
      for (const condition of conditions) {
        if (condition.word !== word || condition.kind !== 'ranges' || seen.has(condition)) continue;
        seen.add(condition);
        effort.spend(condition.starts.length);
        for (const start of condition.starts) starts.add(start);
      }
  return [...starts].toSorted((a, b) => a - b);
}

/** The boxes of some blocks, by index of the block. */
type BoxesOfBlocks = ReadonlyMap<number, readonly Box[]>;

/** A box that is left, of a block. */
interface Left {
  readonly block: number;
  readonly box: Box;
}

/**
 * What is left of a problem in each range of a word. The ranges are the leaves of a tree. A box
 * that is the same in many of them is put at the few nodes that have just these below them, and the
 * boxes on the way down to a leaf are joined once for all leaves below: work that grows with the
 * boxes, not with boxes times ranges.
 */
class Sweep {
  readonly #problem: Problem;
  readonly #means: Means;
  readonly #word: Word;
  readonly #starts: readonly number[];
  /** By node of the tree: 1 is the root, below node n are 2n and 2n+1. */
  readonly #at = new Map<number, Left[]>();

  constructor(problem: Problem, word: Word, starts: readonly number[], means: Means) {
    this.#problem = problem;
    this.#means = means;
    this.#word = word;
    this.#starts = starts;
    problem.blocks.forEach((block, index) => this.#place(block, index));
  }

  #place({ boxes }: Block, block: number): void {
    const last = this.#starts.length - 1;
    for (const box of boxes) {
      const at = box.conditions.findIndex(({ word }) => word === this.#word);
      const condition = box.conditions[at];
      if (condition?.kind !== 'ranges') {
        this.#put(1, 0, last, 0, last, { block, box });
        continue;
      }
      let first = 0;
      for (let piece = 0; piece < condition.starts.length; piece++) {
        const next = condition.starts[piece + 1];
        const to = next === undefined ? last : this.#indexOf(next) - 1;
        const left = this.#means.problems.replace(box, at, condition.outcomes[piece]!);
        if (left !== false) this.#put(1, 0, last, first, to, { block, box: left });
        first = to + 1;
      }
    }
  }

  #indexOf(start: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! < start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Puts a box at the nodes, from one with leaves `low`..`high` on down, that cover leaves
   * `from`..`to`.
   */
  #put(node: number, low: number, high: number, from: number, to: number, left: Left): void {
    if (from > high || to < low) return;
    this.#means.effort.spend(1);
    if (from <= low && high <= to) {
      add(this.#at, node, left);
      return;
    }
    const middle = (low + high) >> 1;
    this.#put(2 * node, low, middle, from, to, left);
    this.#put(2 * node + 1, middle + 1, high, from, to, left);
  }

  /** All ranges, ascending. */
  parts(): Generator<Part> {
    return this.#walk(1, 0, this.#starts.length - 1, new Map());
  }

  /** @param above the boxes from the nodes above, of each block that has some there */
  *#walk(node: number, low: number, high: number, above: BoxesOfBlocks): Generator<Part> {
    const collected = this.#joined(node, above);
    if (low === high) {
      const from = this.#starts[low]!;
      const to = (this.#starts[low + 1] ?? 2 ** 32) - 1;
      yield { from, to, problem: this.#left(from, to, collected) };
      return;
    }
    const middle = (low + high) >> 1;
    yield* this.#walk(2 * node, low, middle, collected);
    yield* this.#walk(2 * node + 1, middle + 1, high, collected);
  }

  #joined(node: number, above: BoxesOfBlocks): BoxesOfBlocks {
    const here = this.#at.get(node);
    if (here === undefined) return above;
    const byBlock = new Map<number, Box[]>();
    for (const { block, box } of here) add(byBlock, block, box);
    const joined = new Map(above);
    for (const [block, more] of byBlock) {
      const boxes = above.get(block) ?? [];
      this.#means.effort.spend(boxes.length + more.length);
      joined.set(block, this.#means.problems.joinSingle([...boxes, ...more]));
    }
    return joined;
  }

  #left(from: number, to: number, collected: BoxesOfBlocks): Problem {
    const { problems, effort } = this.#means;
    const { blocks, otherwise } = this.#problem;
    const left = [...collected]
      .toSorted(([a], [b]) => a - b)
      .map(([block, boxes]) => ({ answer: blocks[block]!.answer, boxes }));
    effort.spend(left.reduce((sum, { boxes }) => sum + boxes.length, 1));
    if (from !== to) return problems.make(left, otherwise);
    // A single value decides what is asked of the word under a mask, too.
    const fact = { word: this.#word, kind: 'range', from, to } as const;
    const decided = left.map(({ answer, boxes }) => ({
      answer,
      boxes: boxes.map((box) => problems.given(box, fact)),
    }));
    return problems.make(decided, otherwise);
  }
}

/** The masks under which it may pay to look at a word, those that most conditions have first. */
export function masksOf({ blocks }: Problem, word: Word): number[] {
  const counts = new Map<number, number>();
  let total = 0;
  for (const { boxes } of blocks) {
    total += boxes.length;
    for (const { conditions } of boxes)
      for (const condition of conditions)
        if (condition.word === word && condition.kind === 'mask')
          counts.set(condition.mask, (counts.get(condition.mask) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => total <= FEW_BOXES || count >= total * MASKED_SHARE)
    .toSorted(([a, m], [b, n]) => n - m || a - b)
    .map(([mask]) => mask);
}

/** A word under a mask; undefined when that takes more than `limit` instructions. */
export function byMask(
  problem: Problem,
  word: Word,
  mask: number,
  means: Means,
  limit: number,
): MaskWay | BitsWay | undefined {
  const values = valuesUnder(problem, word, mask);
  if (values.length === 1 && values[0] === 0) return byBits(problem, word, mask, means, limit);
  const { problems } = means;
  const parts: Part[] = [];
  const total = new Size(2 + values.length, means.estimate);
  let others = problem;
  for (const value of values) {
    const fact = { word, kind: 'mask', mask, value } as const;
    const left = problems.narrow(problem, { ...fact, holds: true });
    others = problems.narrow(others, { ...fact, holds: false });
    parts.push({ from: value, to: value, problem: left });
    total.add(left);
    if (total.size > limit) return undefined;
  }
  total.add(others);
  if (total.size > limit) return undefined;
  return { kind: 'mask', word, size: total.size, mask, parts: withGaps(parts, others, mask) };
}

function byBits(
  problem: Problem,
  word: Word,
  mask: number,
  means: Means,
  limit: number,
): BitsWay | undefined {
  const { problems } = means;
  const fact = { word, kind: 'mask', mask, value: 0 } as const;
  const total = new Size(2, means.estimate);
  const clear = problems.narrow(problem, { ...fact, holds: true });
  total.add(clear);
  if (total.size > limit) return undefined;
  const hit = problems.narrow(problem, { ...fact, holds: false });
  total.add(hit);
  return total.size > limit ? undefined : { kind: 'bits', word, size: total.size, mask, hit, clear };
}

/** The values that conditions ask for under a mask, ascending; of a single bit, 0. */
function valuesUnder({ blocks }: Problem, word: Word, mask: number): number[] {
  if (isOneBit(mask)) return [0];
  const values = new Set<number>();
  for (const { boxes } of blocks)
    for (const { conditions } of boxes)
      for (const condition of conditions)
        if (condition.word === word && condition.kind === 'mask' && condition.mask === mask)
          values.add(condition.value);
  return [...values].toSorted((a, b) => a - b);
}

/** Single values with what lies between them, from 0 to `top`. */
function withGaps(values: readonly Part[], others: Problem, top: number): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const part of values) {
    if (part.from > from) parts.push({ from, to: part.from - 1, problem: others });
    parts.push(part);
    from = part.to + 1;
  }
  if (from <= top) parts.push({ from, to: top, problem: others });
  return parts;
}

/** The conditions on one argument, one after the other. */
export function byChain({ blocks }: Problem, arg: number, { problems, effort }: Means): ChainWay {
  const groups: Group[] = [];
  let size = 0;
  for (const { answer, boxes } of blocks) {
    effort.spend(boxes.length);
    const byCondition = new Map<Condition, Box[]>();
    const others: Box[] = [];
    for (const box of boxes) {
      const at = placeOf(box, arg);
      const rest = at < 0 ? box : problems.without(box, at);
      size += rest.cost;
      if (at < 0) others.push(box);
      else add(byCondition, box.conditions[at]!, rest);
    }
    for (const [condition, rests] of byCondition) {
      groups.push({ condition, answer, boxes: rests });
      size += condition.cost;
    }
    if (others.length > 0) groups.push({ condition: undefined, answer, boxes: others });
  }
  return { kind: 'chain', size, groups };
}

/** The boxes of the first block that ask for bits, before all others. */
export function byGathering({ blocks, otherwise }: Problem, means: Means): GatherWay[] {
  const { problems, effort, endian, estimate } = means;
  const [{ answer, boxes }, ...others] = blocks as readonly [Block, ...Block[]];
  return gather(boxes, endian, effort).map((found) => {
    const { gathered } = found;
    const left = problems.make([{ answer, boxes: found.left }, ...others], otherwise);
    const size = gathered.reduce((sum, each) => sum + each.size, estimate(left));
    return { kind: 'gather', size, gathered, answer, left };
  });
}

/** Instructions of a problem as a chain of the conditions on one argument. */
export function chainSize({ blocks }: Problem, arg: number): number {
  let size = 0;
  for (const { boxes } of blocks) {
    const seen = new Set<Condition>();
    for (const box of boxes) {
      size += box.cost;
      const condition = box.conditions[placeOf(box, arg)];
      if (condition === undefined) continue;
      if (seen.has(condition)) size -= condition.cost;
      seen.add(condition);
    }
  }
  return size;
}

/** The words that conditions of a problem look at first, ascending. */
export function wordsOf({ blocks }: Problem): Word[] {
  const words = new Set<Word>();
  for (const { boxes } of blocks)
    for (const { conditions } of boxes) for (const { word } of conditions) words.add(word);
  return [...words].toSorted((a, b) => a - b);
}

/** The arguments that conditions of a problem look at, ascending. */
export function argsOf(problem: Problem): number[] {
  return [...new Set(wordsOf(problem).map((word) => argOf(word)))];
}
