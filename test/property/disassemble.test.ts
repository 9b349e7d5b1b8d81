import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { actionLabel } from '../../src/action.ts';
import { disassemble } from '../../src/bpf/disassemble.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { run } from '../../src/bpf/interpreter.ts';
import { runs } from '../runs.ts';

/**
 * Opcodes of the mnemonics, typed from linux/bpf_common.h and not taken from the code under test.
 */
const LOADS: Record<string, [abs: number, imm: number, mem: number, len: number]> = {
  ld: [0x20, 0x00, 0x60, 0x80],
  ldx: [-1, 0x01, 0x61, 0x81],
};
const ALU: Record<string, number> = {
  add: 0x04, sub: 0x14, mul: 0x24, div: 0x34, or: 0x44, and: 0x54, lsh: 0x64, rsh: 0x74, xor: 0xa4,
}; // prettier-ignore
const BRANCHES: Record<string, number> = { jeq: 0x15, jgt: 0x25, jge: 0x35, jset: 0x45 };
const PLAIN: Record<string, number> = { neg: 0x84, 'ret a': 0x16, tax: 0x07, txa: 0x87 };

/** An assembler for the listing: reads back every line to the four fields. */
function assemble(listing: string): SockFilter[] {
  return listing
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, position, text] = /^ *(\d+): ([^;]*?) *(?:;.*)?$/.exec(line)!;
      return assembleLine(Number(position), text!);
    });
}

const fields = (code: number, k: number, jt = 0, jf = 0): SockFilter => ({ code, jt, jf, k });

function assembleLine(index: number, text: string): SockFilter {
  if (Object.hasOwn(PLAIN, text)) return fields(PLAIN[text]!, 0);
  const [mnemonic = '', ...operands] = text.split(/,? /);
  const [first = '', second, third] = operands;
  const k = Number(first.replace('#', ''));
  if (mnemonic === '.insn') return fields(Number(first), Number(operands[3]), Number(second), Number(third));
  if (mnemonic === 'ret') return fields(0x06, k);
  if (mnemonic === 'ja') return fields(0x05, k - index - 1);
  const source = first === 'x' ? 0x08 : 0;
  const constant = first === 'x' ? 0 : k;
  if (Object.hasOwn(ALU, mnemonic)) return fields(ALU[mnemonic]! | source, constant);
  if (Object.hasOwn(BRANCHES, mnemonic))
    return fields(
      BRANCHES[mnemonic]! | source,
      constant,
      Number(second) - index - 1,
      Number(third) - index - 1,
    );
  const inside = Number(first.replaceAll(/[M[\]]/g, ''));
  if (mnemonic === 'st') return fields(0x02, inside);
  if (mnemonic === 'stx') return fields(0x03, inside);
  const [abs, imm, mem, len] = LOADS[mnemonic]!;
  if (first === 'len') return fields(len, 0);
  if (first.startsWith('M')) return fields(mem, inside);
  return first.startsWith('[') ? fields(abs, inside) : fields(imm, k);
}

const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffffffff }));
const anyInstruction = fc.record({
  // Mostly opcodes with some meaning: a u16 at random would nearly never be one.
  code: fc.oneof(fc.nat(0xff), fc.nat(0xffff)),
  jt: fc.oneof(fc.constant(0), fc.nat(255)),
  jf: fc.oneof(fc.constant(0), fc.nat(255)),
  k: fc.oneof(fc.constant(0), u32),
});

describe('a listing', () => {
  it('determines the program, whatever its opcodes are', () => {
    fc.assert(
      fc.property(fc.array(anyInstruction, { minLength: 1, maxLength: 40 }), (program) => {
        expect(assemble(disassemble(program))).toEqual(program);
      }),
      { numRuns: runs(400, 2000) },
    );
  });

  it('comments each return and each decided branch with what a run of the program answers', () => {
    const VALUES = [0x7fff0000, 0x00050001, 0x00030000, 0x80000000, 0];
    const depth = 5;
    // A tree of tests on nr under one arch, laid out so that every branch goes forward.
    const tests = fc.array(
      fc.tuple(fc.constantFrom(0x15, 0x25, 0x35), fc.integer({ min: 0, max: 12 }), fc.nat(9), fc.nat(9)),
      {
        minLength: 1,
        maxLength: depth,
      },
    );
    fc.assert(
      fc.property(tests, fc.array(fc.nat(4), { minLength: 1, maxLength: 6 }), (nodes, leaves) => {
        const program: SockFilter[] = [
          { code: 0x20, jt: 0, jf: 0, k: 0 },
          ...nodes.map(([code, k, jt, jf], index) => {
            const room = nodes.length - index - 1 + leaves.length - 1;
            return { code, k, jt: Math.min(jt, room), jf: Math.min(jf, room) };
          }),
          ...leaves.map((leaf) => ({ code: 0x06, jt: 0, jf: 0, k: VALUES[leaf]! })),
        ];
        const lines = disassemble(program).split('\n');
        for (let nr = 0; nr <= 13; nr += 1) {
          const answer = run(program, { nr, arch: 0xc000003e, ip: 0n, args: [0n, 0n, 0n, 0n, 0n, 0n] });
          const label = actionLabel(answer.value)!;
          expect(lines[answer.path.at(-1)!]).toContain(`; ${label}`);
          const branch = answer.path.at(-2)!;
          if (branch === 0 || program[branch]!.jt === program[branch]!.jf) continue;
          const taken = answer.path.at(-1) === branch + 1 + program[branch]!.jt;
          const side = new RegExp(`; ${taken ? 'yes' : 'no'}(?: (\\S+)\\.\\.(\\S+))?: ${label}`);
          const [, from = 0, to = Infinity] = side.exec(lines[branch]!) ?? ['missing', 'x', 'x'];
          expect(nr).toBeGreaterThanOrEqual(Number(from));
          expect(nr).toBeLessThanOrEqual(Number(to));
        }
      }),
      { numRuns: runs(200, 1000) },
    );
  });
});
