import { describe, expect, it } from 'vitest';
import { testedArches } from '../../src/bpf/tested-arches.ts';

const LD = 0x20;
const JA = 0x05;
const JEQ = 0x15;
const RET = 0x06;
const instruction = (code: number, k: number, jt = 0, jf = 0) => ({ code, jt, jf, k });

describe('the architectures of a filter', () => {
  it('are found also behind a test of the number of another architecture', () => {
    const program = [
      instruction(LD, 4),
      instruction(JEQ, 0xc000003e, 0, 3),
      instruction(LD, 0),
      instruction(JEQ, 0x40000003, 1, 0), // a number, not an architecture
      instruction(RET, 0),
      instruction(JA, 1),
      instruction(RET, 0),
      instruction(JEQ, 0xc00000b7, 0, 0),
      instruction(RET, 0x7fff0000),
    ];
    expect(testedArches(program)).toEqual(['X86_64', 'X32', 'AARCH64']);
  });
});
