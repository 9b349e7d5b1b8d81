import { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET } from '../bpf/instruction.ts';

/**
 * A program before it has addresses: a graph of tests and loads that ends in return values. Equal nodes are one
 * object, so equal tails are written once. Every path loads a word before it tests it; which word the
 * accumulator holds at a node is the builder's business.
 */
export type Node = Ret | Test | Load | And;

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

/** Makes nodes; asks twice for the same, answers with one. Ids count up from 0 in order of making. */
export class Graph {
  readonly #nodes = new Map<string, Node>();

  #intern<N extends Node>(key: string, make: (id: number) => N): N {
    const known = this.#nodes.get(key);
    if (known) return known as N;
    const node = make(this.#nodes.size);
    this.#nodes.set(key, node);
    return node;
  }

  ret(value: number): Ret {
    return this.#intern(`ret ${value}`, (id) => ({ kind: 'ret', id, value }));
  }

  /** A test whose two sides are the same is that side. */
  test(operation: number, k: number, yes: Node, no: Node): Node {
    if (yes === no) return yes;
    return this.#intern(`${operation} ${k} ${yes.id} ${no.id}`, (id) => ({
      kind: 'test',
      id,
      operation,
      k,
      yes,
      no,
    }));
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
    if (next.kind === 'ret' || next.kind === 'load') return next;
    return this.#intern(`load ${offset} ${next.id}`, (id) => ({ kind: 'load', id, offset, next }));
  }

  and(mask: number, next: Node): Node {
    if (next.kind === 'ret' || next.kind === 'load') return next;
    return this.#intern(`and ${mask} ${next.id}`, (id) => ({ kind: 'and', id, mask, next }));
  }
}

/** The nodes that a node goes on to. */
export function successors(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'ret':
      return [];
    case 'test':
      return [node.yes, node.no];
    default:
      return [node.next];
  }
}

/** All nodes that can be reached from these, each behind the nodes that it goes on to. */
export function reachable(...roots: Node[]): Node[] {
  const seen = new Set<Node>();
  const open = [...roots];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    open.push(...successors(node));
  }
  // Ids count up as nodes are made, and a node is made after those it goes on to.
  return [...seen].toSorted((a, b) => a.id - b.id);
}

/** How many nodes other than return values can be reached from these: near enough the instructions they will take. */
export function graphSize(...roots: Node[]): number {
  return reachable(...roots).filter(({ kind }) => kind !== 'ret').length;
}
