import { BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, MAX_BRANCH } from '../bpf/instruction.ts'; // prettier-ignore
import type { SockFilter } from '../bpf/instruction.ts';
import { reachable, successors } from './graph.ts';
import type { Node, Test } from './graph.ts';

/**
 * Gives a graph its addresses: the one place where instructions are made and jumps are measured.
 *
 * The program is written from its end to its start. A node's successors are always written before it, so every
 * jump distance is known when the jump is made, and there are no labels and no fix-ups. Where a target lies
 * further than a branch reaches (255), a nearer stand-in is written: a copy of a RET, a copy of a test whose own
 * targets are in reach, or a JA.
 */
export function assemble(root: Node): SockFilter[] {
  const assembler = new Assembler(root);
  assembler.write(root);
  return assembler.finish();
}

class Assembler {
  /** The program so far, last instruction first. */
  readonly #reversed: SockFilter[] = [];
  /** Where each node stands in `#reversed`; stand-ins included, ascending. */
  readonly #places = new Map<Node, number[]>();
  /** Nodes below each node, those reached twice counted twice. */
  readonly #weights = new Map<Node, number>();

  constructor(root: Node) {
    for (const node of reachable(root)) {
      let weight = 1;
      for (const next of successors(node)) weight += this.#weights.get(next)!;
      this.#weights.set(node, weight);
    }
  }

  finish(): SockFilter[] {
    return this.#reversed.toReversed();
  }

  /** Writes a node behind whatever it needs that is not written yet. A list of what is open, since chains are long. */
  write(root: Node): void {
    const open = [{ node: root, done: 0 }];
    for (let frame = open.at(-1); frame !== undefined; frame = open.at(-1)) {
      const needs = this.#needs(frame.node);
      if (frame.done === 0 && this.#places.has(frame.node)) open.pop();
      else if (frame.done < needs.length) open.push({ node: needs[frame.done++]!, done: 0 });
      else {
        this.#emit(frame.node);
        open.pop();
      }
    }
  }

  /** What must be written before a node, in that order. */
  #needs(node: Node): readonly Node[] {
    return node.kind === 'test' ? this.#farFirst(node) : successors(node);
  }

  #emit(node: Node): void {
    switch (node.kind) {
      case 'ret':
        this.#push(node, { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: node.value });
        return;
      case 'load':
        this.#comesNext(node.next);
        this.#push(node, { code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: node.offset });
        return;
      case 'and':
        this.#comesNext(node.next);
        this.#push(node, { code: BPF_ALU | BPF_AND | BPF_K, jt: 0, jf: 0, k: node.mask });
        return;
      case 'test':
        this.#writeTest(node);
    }
  }

  #push(node: Node, instruction: SockFilter): void {
    const places = this.#places.get(node);
    if (places) places.push(this.#reversed.length);
    else this.#places.set(node, [this.#reversed.length]);
    this.#reversed.push(instruction);
  }

  /** Instructions that a branch written next would skip to get to the nearest place of a node. */
  #distance(node: Node): number {
    return this.#reversed.length - this.#places.get(node)!.at(-1)! - 1;
  }

  /** Sees to it that straight-line code runs into a node that is written. */
  #comesNext(node: Node): void {
    if (this.#distance(node) !== 0) this.#standIn(node);
  }

  /** A branch falls into the side that is written last: the smaller one, so that the other stays in reach. */
  #farFirst({ operation, yes, no }: Test): [Node, Node] {
    // The kernel can turn JEQ, JGT and JGE around, but for a JSET whose false side is far it adds a jump.
    if (operation === BPF_JSET && no.kind !== 'ret') return [yes, no];
    return this.#weights.get(yes)! >= this.#weights.get(no)! ? [yes, no] : [no, yes];
  }

  #writeTest(node: Test): void {
    // Each stand-in moves the other side one away, so this may take a second round, never a fourth.
    while (Math.max(this.#distance(node.yes), this.#distance(node.no)) > MAX_BRANCH)
      this.#standIn(this.#distance(node.yes) > this.#distance(node.no) ? node.yes : node.no);
    this.#pushTest(node);
  }

  #pushTest(node: Test): void {
    const { operation, k, yes, no } = node;
    this.#push(node, {
      code: BPF_JMP | operation | BPF_K,
      jt: this.#distance(yes),
      jf: this.#distance(no),
      k,
    });
  }

  /** Writes something next that does what a node does which stands further back. */
  #standIn(node: Node): void {
    if (node.kind === 'ret') {
      this.#push(node, { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: node.value });
    } else if (
      node.kind === 'test' &&
      Math.max(this.#distance(node.yes), this.#distance(node.no)) <= MAX_BRANCH
    ) {
      this.#pushTest(node);
    } else {
      this.#push(node, { code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: this.#distance(node) });
    }
  }
}
