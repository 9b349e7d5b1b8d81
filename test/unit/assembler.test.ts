import { describe, expect, test } from 'vitest';
import { checkProgram } from '../../src/bpf/check.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { BPF_JA, BPF_JMP, BPF_RET, MAX_BRANCH } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { assemble } from '../../src/codegen/assembler.ts';
import { Graph } from '../../src/codegen/graph.ts';
import type { Node } from '../../src/codegen/graph.ts';

const ALLOW = 0x7fff0000;
const errno = (n: number) => 0x00050000 + n;

function answer(program: readonly SockFilter[], nr: number): number {
  return run(program, { nr, arch: 0, ip: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] }).value;
}

/**
 * `length` tests in a row that fall through to each other: nr 1 answers errno 1, nr 2 errno 2 ...
 */
function chain(graph: Graph, length: number, end: Node): Node {
  let node = end;
  for (let nr = length; nr >= 1; nr--) node = graph.jeq(nr, graph.ret(errno(nr)), node);
  return node;
}

describe('the assembler', () => {
  test('writes a lone return value', () => {
    expect(assemble(new Graph().ret(ALLOW))).toEqual([{ code: BPF_RET, jt: 0, jf: 0, k: ALLOW }]);
  });

  test('writes equal tails once', () => {
    const graph = new Graph();
    const tail = graph.load(16, graph.jeq(7, graph.ret(ALLOW), graph.ret(errno(1))));
    const program = assemble(graph.load(0, graph.jeq(1, tail, graph.jeq(2, tail, graph.ret(errno(1))))));
    expect(program.filter(({ k, code }) => code === 0x20 && k === 16)).toHaveLength(1);
    expect(checkProgram(program)).toEqual([]);
  });

  // A test on nr whose two sides each answer for `reach` numbers of their own: one side is `reach`
  // away.
  test.each(Array.from({ length: 12 }, (_, i) => 249 + i))('reaches a side %i instructions away', (reach) => {
    const graph = new Graph();
    const far = graph.load(16, graph.jeq(99, graph.ret(errno(4000)), graph.ret(errno(4001))));
    const side = chain(graph, reach, graph.ret(ALLOW));
    const program = assemble(graph.load(0, graph.jge(10_000, far, side)));
    expect(checkProgram(program)).toEqual([]);
    for (const { code, jt, jf } of program)
      if ((code & 7) === BPF_JMP && code !== (BPF_JMP | BPF_JA))
        expect(Math.max(jt, jf)).toBeLessThanOrEqual(MAX_BRANCH);
    expect(answer(program, 10_000)).toBe(errno(4001));
    expect(answer(program, 1)).toBe(errno(1));
    expect(answer(program, reach)).toBe(errno(reach));
    expect(answer(program, reach + 1)).toBe(ALLOW);
  });

  test('copies a distant return value rather than jumping to it', () => {
    const graph = new Graph();
    const program = assemble(graph.load(0, chain(graph, 600, graph.ret(ALLOW))));
    expect(checkProgram(program)).toEqual([]);
    expect(program.some(({ code }) => code === (BPF_JMP | BPF_JA))).toBe(false);
    for (const nr of [1, 2, 254, 255, 256, 257, 511, 512, 600]) expect(answer(program, nr)).toBe(errno(nr));
    expect(answer(program, 601)).toBe(ALLOW);
  });

  test('jumps where distant code is too long to copy', () => {
    const graph = new Graph();
    const shared = graph.load(16, graph.jge(5, graph.ret(ALLOW), graph.ret(errno(1))));
    let node: Node = shared;
    for (let nr = 700; nr >= 1; nr--)
      node = graph.jeq(nr, nr % 100 === 0 ? shared : graph.ret(errno(nr)), node);
    const program = assemble(graph.load(0, node));
    expect(checkProgram(program)).toEqual([]);
    expect(program.some(({ code }) => code === (BPF_JMP | BPF_JA))).toBe(true);
    for (const nr of [100, 200, 300, 700, 5000]) expect(answer(program, nr)).toBe(errno(1));
    for (const nr of [1, 99, 101, 450, 699]) expect(answer(program, nr)).toBe(errno(nr));
  });
});

describe('the graph', () => {
  test('makes equal nodes one object and leaves out tests that decide nothing', () => {
    const graph = new Graph();
    const a = graph.jeq(1, graph.ret(1), graph.ret(2));
    expect(graph.jeq(1, graph.ret(1), graph.ret(2))).toBe(a);
    expect(graph.jeq(5, a, a)).toBe(a);
    expect(graph.load(16, graph.ret(1))).toBe(graph.ret(1));
  });
});
