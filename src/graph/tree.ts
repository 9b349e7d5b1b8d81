/**
 * The tests of a program as a decision tree. Tests that several paths share are one node, and so is
 * each action.
 */
import { nodeLabels } from '../bpf/annotate.ts';
import type { DisassembleOptions } from '../bpf/annotate.ts';
import { formatInstruction } from '../bpf/disassemble.ts';
import { BPF_JA, BPF_JMP, BPF_RET } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';
import { stepBetween } from './reach.ts';

export type Node =
  /** `yes` and `no` are ids of nodes; undefined for a way that is left out. */
  | { kind: 'test'; id: number; label: string; yes: number | undefined; no: number | undefined }
  | { kind: 'action'; id: number; label: string }
  /** Tests that are not shown, and the actions that they lead to. */
  | { kind: 'fold'; id: number; label: string };

export interface DecisionTree {
  root: number;
  /** By id, the index of an instruction, in the order of the program. */
  nodes: ReadonlyMap<number, Node>;
}

export interface TreeOptions extends DisassembleOptions {
  /** Whether the tests from one on are folded: of its id, and how many are above it. */
  isFolded?: ((id: number, above: number) => boolean) | undefined;
  /** Steps to show, as stepBetween writes them; all unless given. */
  only?: ReadonlySet<number> | undefined;
}

/** @param program one that the kernel accepts (check.ts) */
export function decisionTree(program: readonly SockFilter[], options: TreeOptions = {}): DecisionTree {
  const { isFolded = () => false, only } = options;
  const labels = nodeLabels(program, options);
  const actions = new Map<string, number>();
  const label = (at: number) => labels[at] ?? formatInstruction(program[at]!, at);
  /** The test or return that is reached next, without what happens on the way. */
  const next = (start: number): number => {
    let at = start;
    for (;;) {
      const { code, k, jt, jf } = program[at]!;
      const isJump = (code & 0x07) === BPF_JMP;
      if ((code & 0x07) === BPF_RET) break;
      if (code === (BPF_JMP | BPF_JA)) at += k + 1;
      else if (isJump && jt !== jf) return at;
      else at += 1 + (isJump ? jt : 0);
    }
    const known = actions.get(label(at));
    if (known === undefined) actions.set(label(at), at);
    return known ?? at;
  };
  /** What follows a test if it holds, or if not. */
  const after = (at: number, skip: number): number | undefined =>
    only === undefined || only.has(stepBetween(at, at + 1 + skip)) ? next(at + 1 + skip) : undefined;
  const below = (at: number): number[] => {
    const { code, jt, jf } = program[at]!;
    if ((code & 0x07) === BPF_RET) return [];
    return [after(at, jt), after(at, jf)].filter((each) => each !== undefined);
  };

  const root = next(0);
  const nodes = new Map<number, Node>();
  let level = [root];
  for (let above = 0; level.length > 0; above++) {
    const deeper: number[] = [];
    for (const at of level) {
      if (nodes.has(at)) continue;
      const { code, jt, jf } = program[at]!;
      if ((code & 0x07) === BPF_RET) nodes.set(at, { kind: 'action', id: at, label: label(at) });
      else if (isFolded(at, above)) nodes.set(at, { kind: 'fold', id: at, label: folded(at, below, label) });
      else {
        const [yes, no] = [after(at, jt), after(at, jf)];
        nodes.set(at, { kind: 'test', id: at, label: label(at), yes, no });
        deeper.push(...below(at));
      }
    }
    level = deeper;
  }
  return { root, nodes: new Map([...nodes].toSorted(([a], [b]) => a - b)) };
}

/** `12 tests: ALLOW, ERRNO EPERM` */
function folded(root: number, below: (at: number) => number[], label: (at: number) => string): string {
  const tests = new Set<number>();
  const actions = new Set<string>();
  const open = [root];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (tests.has(at)) continue;
    const next = below(at);
    if (next.length === 0) actions.add(label(at));
    else open.push(...next);
    if (next.length > 0) tests.add(at);
  }
  const count = tests.size === 1 ? '1 test' : `${tests.size} tests`;
  return `${count}: ${[...actions].toSorted().join(', ')}`;
}
