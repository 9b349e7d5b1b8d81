import { BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, MAX_BRANCH } from '../bpf/instruction.ts'; // prettier-ignore
import type { SockFilter } from '../bpf/instruction.ts';
import { successors } from './graph.ts';
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
  const assembler = new Assembler();
  assembler.write(root);
  return assembler.finish();
}

class Assembler {
  /** The program so far, last instruction first. */
  readonly #reversed: SockFilter[] = [];
  /** Where each node stands in `#reversed`; stand-ins included, ascending. */
  readonly #places = new Map<Node, number[]>();
  readonly #weights = new Map<Node, number>();

  finish(): SockFilter[] {
    return this.#reversed.toReversed();
  }

  /** Writes a node and whatever it needs that is not written yet. Does nothing for a node already there. */
  write(node: Node): void {
    if (this.#places.has(node)) return;
    switch (node.kind) {
      case 'ret':
        this.#push(node, { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: node.value });
        return;
      case 'load':
        this.#writeBehind(node.next);
        this.#push(node, { code: BPF_LD | BPF_W | BPF_ABS, jt: 0, jf: 0, k: node.offset });
        return;
      case 'and':
        this.#writeBehind(node.next);
        this.#push(node, { code: BPF_ALU | BPF_AND | BPF_K, jt: 0, jf: 0, k: node.mask });
        return;
      case 'test':
        for (const side of this.#farFirst(node)) this.write(side);
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

  /** Sees to it that a node is what comes next: straight-line code runs into it. */
  #writeBehind(node: Node): void {
    this.write(node);
    if (this.#distance(node) !== 0) this.#standIn(node);
  }

  /** A branch falls into the side that is written last: the smaller one, so that the other stays in reach. */
  #farFirst({ operation, yes, no }: Test): [Node, Node] {
    // The kernel can turn JEQ, JGT and JGE around, but for a JSET whose false side is far it adds a jump.
    if (operation === BPF_JSET && no.kind !== 'ret') return [yes, no];
    return this.#weight(yes) >= this.#weight(no) ? [yes, no] : [no, yes];
  }

  /** Nodes below a node, those reached twice counted twice. */
  #weight(node: Node): number {
    let weight = this.#weights.get(node);
    if (weight === undefined) {
      weight = 1;
      for (const next of successors(node)) weight += this.#weight(next);
      this.#weights.set(node, weight);
    }
    return weight;
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
