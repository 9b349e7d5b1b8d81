import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { commonValue, holds, normalise } from '../../src/policy/condition.ts';
import { OPERATOR_NAMES } from '../../src/profile/types.ts';
import { runs } from '../runs.ts';

/** Constants lie below 2^6, so two bits beyond them stand for all the higher ones. */
const SMALL = Array.from({ length: 256 }, (_, x) => BigInt(x));

const smallArg = fc.record({
  index: fc.constant(0),
  value: fc.bigInt({ min: 0n, max: 63n }),
  valueTwo: fc.bigInt({ min: 0n, max: 63n }),
  op: fc.constantFrom(...OPERATOR_NAMES),
});

describe('conditions', () => {
  test('two conditions have a common value exactly if one can be found by trying', () => {
    fc.assert(
      fc.property(smallArg, smallArg, fc.constantFrom<32 | 64>(32, 64), (a, b, bits) => {
        const [first, second] = [normalise(a, bits), normalise(b, bits)];
        const found = SMALL.some((x) => holds(first, x) && holds(second, x));
        const common = commonValue(first, second);
        expect(common !== undefined).toBe(found);
        if (common !== undefined) expect(holds(first, common) && holds(second, common)).toBe(true);
      }),
      { numRuns: runs(500, 2000) },
    );
  });

  test('a 32-bit architecture sees the low half of constants and arguments only', () => {
    const five = { index: 0, value: 0x1_0000_0005n, valueTwo: 0n, op: 'SCMP_CMP_EQ' } as const;
    expect(holds(normalise(five, 32), 0xffff_ffff_0000_0005n)).toBe(true);
    expect(holds(normalise(five, 64), 5n)).toBe(false);
    expect(holds(normalise(five, 64), 0x1_0000_0005n)).toBe(true);
  });

  test('the datum of MASKED_EQ counts inside its mask only', () => {
    const odd = { index: 0, value: 0xffn, valueTwo: 0x3_07n, op: 'SCMP_CMP_MASKED_EQ' } as const;
    expect(holds(normalise(odd, 64), 0xab_07n)).toBe(true);
    expect(holds(normalise(odd, 64), 0x3_08n)).toBe(false);
  });

  test('comparisons are unsigned at the top of the range', () => {
    const top = 0xffff_ffff_ffff_ffffn;
    const at = (op: (typeof OPERATOR_NAMES)[number]) =>
      normalise({ index: 0, value: top - 1n, valueTwo: 0n, op }, 64);
    expect([top - 2n, top - 1n, top].map((x) => holds(at('SCMP_CMP_GT'), x))).toEqual([false, false, true]);
    expect([top - 2n, top - 1n, top].map((x) => holds(at('SCMP_CMP_GE'), x))).toEqual([false, true, true]);
    expect([top - 2n, top - 1n, top].map((x) => holds(at('SCMP_CMP_LT'), x))).toEqual([true, false, false]);
    expect([top - 2n, top - 1n, top].map((x) => holds(at('SCMP_CMP_LE'), x))).toEqual([true, true, false]);
  });
});
