import { BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, MAX_BRANCH } from '../bpf/instruction.ts'; // prettier-ignore
import type { SockFilter } from '../bpf/instruction.ts';
import { reachable } from './graph.ts';
import type { Node, Test } from './graph.ts';

/**
 * Gives a graph its addresses: the one place where instructions are made and jumps are measured.
 *
 * The program is written from its end to its start. A node's successors are always written before
 * it, so every jump distance is known when the jump is made, and there are no labels and no
 * fix-ups. Where a target lies further than a branch reaches (255), a nearer stand-in is written: a
 * copy of a RET, a copy of a test whose own targets are in reach, or a JA.
 */
export function assemble(root: Node): SockFilter[] {
  const assembler = new Assembler(root);
  assembler.write(root);
  return assembler.finish();
}

class Assembler {
  /** The program so far, last instruction first. */
  readonly #reversed: SockFilter[] = [];
  /** By id of a node: where it stands in `#reversed`, of several stand-ins the last. */
  readonly #places: (number | undefined)[] = [];
  /** By id of a node: the nodes below, those reached twice counted twice. */
  readonly #weights: number[] = [];
  /** By id of a node: the load or mask that runs into it, if it is the only one. */
  readonly #runningInto: (Node | undefined)[] = [];

  constructor(root: Node) {
    const weights = this.#weights;
    for (const node of reachable(root)) {
      let weight = 1;
      if (node.kind === 'test') weight += weights[node.yes.id]! + weights[node.no.id]!;
      else if (node.kind !== 'ret') {
        weight += weights[node.next.id]!;
        this.#runningInto[node.next.id] = node.next.id in this.#runningInto ? undefined : node;
      }
      weights[node.id] = weight;
    }
  }

  finish(): SockFilter[] {
    return this.#reversed.toReversed();
  }

  /**
   * Writes a node behind whatever it needs that is not written yet. A list of what is open, since
   * chains are long.
   */
  write(root: Node): void {
    const open = [root];
    for (let node = open.at(-1); node !== undefined; node = open.at(-1)) {
      const need = this.#isWritten(node) ? undefined : this.#nextNeed(node);
      if (need !== undefined) open.push(need);
      else {
        // What runs into a node costs a jump anywhere but in front of it.
        for (let next: Node | undefined = node; next !== undefined; next = this.#runningInto[next.id])
          if (!this.#isWritten(next)) this.#emit(next);
        open.pop();
      }
    }
  }

  #isWritten(node: Node): boolean {
    return this.#places[node.id] !== undefined;
  }

  /** What must be written before a node, and is not yet. */
  #nextNeed(node: Node): Node | undefined {
    if (node.kind === 'ret') return undefined;
    if (node.kind !== 'test') return this.#isWritten(node.next) ? undefined : node.next;
    const far = this.#farSide(node);
    if (!this.#isWritten(far)) return far;
    const near = far === node.yes ? node.no : node.yes;
    return this.#isWritten(near) ? undefined : near;
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
      case 'gather':
        this.#comesNext(node.next);
        for (const step of node.steps.toReversed()) this.#push(node, step);
        return;
      case 'test':
        this.#writeTest(node);
    }
  }

  #push(node: Node, instruction: SockFilter): void {
    this.#places[node.id] = this.#reversed.length;
    this.#reversed.push(instruction);
  }

  /** Instructions that a branch written next would skip to get to a node. */
  #distance(node: Node): number {
    return this.#reversed.length - this.#places[node.id]! - 1;
  }

  /** Sees to it that straight-line code runs into a node that is written. */
  #comesNext(node: Node): void {
    if (this.#distance(node) !== 0) this.#standIn(node);
  }

  /**
   * A branch falls into the side that is written last: the smaller one, so that the other, first,
   * stays in reach.
   */
  #farSide({ operation, yes, no }: Test): Node {
    // The kernel can turn JEQ, JGT and JGE around, but for a JSET whose false side is far it adds a
    // jump.
    if (operation === BPF_JSET && no.kind !== 'ret') return yes;
    return this.#weights[yes.id]! >= this.#weights[no.id]! ? yes : no;
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
