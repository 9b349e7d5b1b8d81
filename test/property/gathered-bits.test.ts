/** Rules that ask for bits of several words: their programs gather these in one word where they fit. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { runs } from '../runs.ts';

const ARCHES = { X86_64: ['X86_64', 'X86', 'X32'], S390X: ['S390X'] } as const;
const arch = fc.constantFrom('X86_64', 'S390X');
/** Few bits, some at the ends of words, where a shift loses them. */
const bit = fc.oneof(fc.constantFrom(0, 1, 30, 31, 32, 33, 62, 63), fc.integer({ min: 0, max: 63 }));
const mask = fc.uniqueArray(bit, { minLength: 1, maxLength: 6 });
const condition = fc
  .tuple(mask, fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }))
  .map(([bits, isSet]) => {
    const sum = (chosen: number[]) => chosen.reduce((all, each) => all | (1n << BigInt(each)), 0n);
    return { mask: sum(bits), value: sum(bits.filter((_, at) => isSet[at])) };
  });
const rule = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 2 }), condition), {
    selector: ([index]) => index,
    minLength: 1,
    maxLength: 3,
  })
  .map((args) => {
    const parts = args.map(
      ([index, { mask: value, value: valueTwo }]) =>
        `{"index":${index},"op":"SCMP_CMP_MASKED_EQ","value":${value},"valueTwo":${valueTwo}}`,
    );
    return `{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[${parts.join(',')}]}`;
  });

it('bits of several words are gathered without losing one', async () => {
  let gathered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(rule, { minLength: 4, maxLength: 16 }),
      arch,
      fc.boolean(),
      async (rules, native, isAlone) => {
        const target = makeTarget({ arch: native, architectures: isAlone ? 'native' : ARCHES[native] });
        const text = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[${rules.join(',')}]}`;
        // Of a program that is not the profile's, compile is an error.
        const { proved, instructions } = await compile(text, { target });
        expect(proved).toBe(true);
        if (instructions.some(({ code }) => code === 0x4c)) gathered += 1;
      },
    ),
    { numRuns: runs(100, 2000) },
  );
  expect(gathered).toBeGreaterThan(0);
});
