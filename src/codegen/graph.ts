import { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';

/**
 * A program before it has addresses: a graph of tests and loads that ends in return values. Equal
 * nodes are one object, so equal tails are written once. Every path loads a word before it tests
 * it; which word the accumulator holds at a node is the builder's business.
 */
export type Node = Ret | Test | Load | And | Gather;

export interface Ret {
  readonly kind: 'ret';
  readonly id: number;
  /** u32 return value. */
  readonly value: number;
}

/** A branch on the accumulator against a constant. */
export interface Test {
  readonly kind: 'test';
  readonly id: number;
  /** BPF_JEQ, BPF_JGT, BPF_JGE or BPF_JSET. */
  readonly operation: number;
  /** u32 */
  readonly k: number;
  readonly yes: Node;
  readonly no: Node;
}

/** Loads a word of seccomp_data, then goes on with `next`. */
export interface Load {
  readonly kind: 'load';
  readonly id: number;
  /** Byte offset in seccomp_data. */
  readonly offset: number;
  readonly next: Node;
}

/** Masks the accumulator, then goes on with `next`. */
export interface And {
  readonly kind: 'and';
  readonly id: number;
  /** u32 */
  readonly mask: number;
  readonly next: Node;
}

/**
 * Puts something else in the accumulator, such as bits of several words, then goes on with `next`.
 */
export interface Gather {
  readonly kind: 'gather';
  readonly id: number;
  /**
   * No branches; what was in the accumulator before does not matter to them. They may change the
   * index register, too.
   */
  readonly steps: readonly SockFilter[];
  readonly next: Node;
}

/** Tags beside the operations of tests. */
const RET = 1;
const LOAD = 2;
const AND = 3;
const GATHER = 4;

/** 2^32 divided by the golden ratio: products with it spread over all bits. */
const SPREAD = 0x9e3779b1;

/**
 * Makes nodes; asks twice for the same, answers with one. Ids count up from 0 in order of making.
 */
export class Graph {
  /** By a hash of all that a node is. */
  readonly #nodes = new Map<number, Node[]>();
  #count = 0;

  /**
   * The nodes of one hash: numbers rather than texts as keys, since a search in the interpreter
   * makes hundreds.
   */
  #alike(tag: number, constant: number, a: number, b: number): Node[] {
    const hash = Math.imul(Math.imul(Math.imul(tag ^ constant, SPREAD) ^ a, SPREAD) ^ b, SPREAD);
    let alike = this.#nodes.get(hash);
    if (alike === undefined) this.#nodes.set(hash, (alike = []));
    return alike;
  }

  #add<N extends Node>(node: N, alike: Node[]): N {
    alike.push(node);
    this.#count++;
    return node;
  }

  ret(value: number): Ret {
    const alike = this.#alike(RET, value, 0, 0);
    for (const node of alike) if (node.kind === 'ret' && node.value === value) return node;
    return this.#add({ kind: 'ret', id: this.#count, value }, alike);
  }

  /** A test whose two sides are the same is that side. */
  test(operation: number, k: number, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    const alike = this.#alike(operation, k, yes.id, no.id);
    for (const node of alike)
      if (
        node.kind === 'test' &&
        node.operation === operation &&
        node.k === k &&
        node.yes === yes &&
        node.no === no
      )
        return node;
    return this.#add({ kind: 'test', id: this.#count, operation, k, yes, no }, alike);
  }

  jeq(k: number, yes: Node, no: Node): Node {
    return this.test(BPF_JEQ, k, yes, no);
  }

  jge(k: number, yes: Node, no: Node): Node {
    return this.test(BPF_JGE, k, yes, no);
  }

  jgt(k: number, yes: Node, no: Node): Node {
    return this.test(BPF_JGT, k, yes, no);
  }

  jset(k: number, yes: Node, no: Node): Node {
    return this.test(BPF_JSET, k, yes, no);
  }

  /** A load that decides nothing is left out. */
  load(offset: number, next: Node): Node {
    if (next.kind === 'ret' || next.kind === 'load' || next.kind === 'gather') return next;
    const alike = this.#alike(LOAD, offset, next.id, 0);
    for (const node of alike)
      if (node.kind === 'load' && node.offset === offset && node.next === next) return node;
    return this.#add({ kind: 'load', id: this.#count, offset, next }, alike);
  }

  and(mask: number, next: Node): Node {
    if (next.kind === 'ret' || next.kind === 'load' || next.kind === 'gather') return next;
    const alike = this.#alike(AND, mask, next.id, 0);
    for (const node of alike)
      if (node.kind === 'and' && node.mask === mask && node.next === next) return node;
    return this.#add({ kind: 'and', id: this.#count, mask, next }, alike);
  }

  gather(steps: readonly SockFilter[], next: Node): Node {
    const alike = this.#alike(GATHER, steps.at(-1)!.k, next.id, steps.length);
    for (const node of alike)
      if (
        node.kind === 'gather' &&
        node.next === next &&
        node.steps.length === steps.length &&
        node.steps.every(({ code, k }, at) => code === steps[at]!.code && k === steps[at]!.k)
      )
        return node;
    return this.#add({ kind: 'gather', id: this.#count, steps, next }, alike);
  }
}

/** All nodes that can be reached from these, each behind the nodes that it goes on to. */
export function reachable(...roots: Node[]): Node[] {
  const seen = new Set<Node>(roots);
  // What is added while a set is walked is still visited.
  for (const node of seen) {
    if (node.kind === 'test') seen.add(node.yes).add(node.no);
    else if (node.kind !== 'ret') seen.add(node.next);
  }
  // Ids count up as nodes are made, and a node is made after those it goes on to.
  return [...seen].toSorted((a, b) => a.id - b.id);
}

/** Nodes on the longest path from this one to a return value, that included. */
export function longestPath(root: Node): number {
  const lengths: number[] = [];
  for (const node of reachable(root)) {
    if (node.kind === 'ret') lengths[node.id] = 1;
    else if (node.kind === 'test')
      lengths[node.id] = 1 + Math.max(lengths[node.yes.id]!, lengths[node.no.id]!);
    else lengths[node.id] = instructionsOf(node) + lengths[node.next.id]!;
  }
  return lengths[root.id]!;
}

/** Instructions that a node becomes, but for jumps. */
export function instructionsOf(node: Node): number {
  return node.kind === 'gather' ? node.steps.length : 1;
}

/**
 * How many nodes other than return values can be reached from these: near enough the instructions
 * they will take.
 */
export function graphSize(...roots: Node[]): number {
  let size = 0;
  for (const node of reachable(...roots)) if (node.kind !== 'ret') size += instructionsOf(node);
  return size;
}
