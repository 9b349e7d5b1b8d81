/**
 * Profiles with many rules on arguments, for all architectures: their programs are proved, but for
 * one in thousands, and no longer than chains.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Effort } from '../../src/codegen/effort.ts';
import { generate, TooManyRules } from '../../src/codegen/generate.ts';
import { weightsFor } from '../../src/codegen/numbers/weights.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';
import { ABIS } from '../oracle/facts.ts';
import { toJson } from '../oracle/oci.ts';
import { runs } from '../runs.ts';

const WORD = 2n ** 32n;
/** Few values, near each other, so that rules meet; or any. */
const value = fc.oneof(
  fc.bigInt({ min: 0n, max: 20n }),
  fc.integer({ min: 0, max: 31 }).map((bit) => 1n << BigInt(bit)),
  fc.bigInt({ min: 0n, max: WORD - 1n }),
  fc
    .tuple(fc.constantFrom(0n, 1n, WORD - 1n), fc.bigInt({ min: 0n, max: 9n }))
    .map(([high, low]) => high * WORD + low),
  fc.bigInt({ min: 0n, max: WORD * WORD - 1n }),
);
const condition = (index: number, operators: readonly string[]) =>
  fc
    .tuple(fc.constantFrom(...operators), value, value)
    .map(([op, first, second]) =>
      // A single bit, set or clear, is what most masks ask for.
      op === 'BIT'
        ? {
            index,
            op: 'SCMP_CMP_MASKED_EQ',
            value: 1n << (first % 64n),
            valueTwo: second % 2n === 0n ? 0n : -1n % WORD,
          }
        : { index, op: `SCMP_CMP_${op}`, value: first, valueTwo: second },
    )
    .map((arg) => ({ ...arg, valueTwo: BigInt.asUintN(64, arg.valueTwo) }));

/** Rules of one shape: the same arguments by the same few operators, as people write them. */
const rulesOfOneShape = fc
  .tuple(
    fc.subarray([0, 1, 2, 3, 4, 5], { minLength: 1, maxLength: 4 }),
    fc.subarray(['EQ', 'NE', 'GT', 'GE', 'LT', 'LE', 'MASKED_EQ', 'BIT'], { minLength: 1, maxLength: 3 }),
    fc.constantFrom('ioctl', 'prctl', 'socket', 'personality'),
  )
  .chain(([indexes, operators, name]) =>
    fc.array(
      fc.record({
        names: fc.constant([name]),
        outcome: fc.constantFrom(...Array.from({ length: 9 }, () => undefined), 2n, 3n),
        args: fc.tuple(...indexes.map((index) => condition(index, operators))),
      }),
      { minLength: 1, maxLength: 40 },
    ),
  );

const profile = fc.array(rulesOfOneShape, { minLength: 1, maxLength: 3 }).map((shapes) => ({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: shapes.flat().map(({ outcome, ...rest }) => ({
    ...(outcome === undefined
      ? { action: 'SCMP_ACT_ALLOW' }
      : { action: 'SCMP_ACT_ERRNO', errnoRet: outcome }),
    ...rest,
  })),
}));

/** A native architecture and some others of its byte order. */
const target = fc.constantFrom(...ABIS).chain((native) =>
  fc
    .subarray(
      ABIS.filter(({ big }) => big === native.big).map(({ oci }) => oci),
      { maxLength: 2 },
    )
    .map((others) => {
      const architectures = [...new Set([native.oci, ...others])] as Parameters<
        typeof makeTarget
      >[0]['architectures'];
      return makeTarget({ arch: native.oci, ...(architectures === undefined ? {} : { architectures }) });
    }),
);

describe('a profile with many rules on arguments', () => {
  it(
    'becomes a program that is proved, and no longer than one made without a search',
    async () => {
      const count = { proved: 0, unproved: 0, refused: 0 };
      await fc.assert(
        fc.asyncProperty(
          profile,
          target,
          fc.constantFrom('attach', 'size'),
          async (rules, machine, optimize) => {
            const text = toJson(rules);
            try {
              const { instructions, proved } = await compile(text, { target: machine, optimize });
              const lowered = await lowerProfile(text, { target: machine });
              if (!lowered.confined) throw new Error('a filter for a profile that asks for none');
              const weights = weightsFor(optimize, lowered.reference.tables);
              const chain = generate(lowered.policy, weights, new Effort(0));
              expect(instructions.length).toBeLessThanOrEqual(chain.length);
              count[proved ? 'proved' : 'unproved']++;
            } catch (error) {
              if (error instanceof TooManyRules) return;
              if (!(error instanceof SeccompcError)) throw error;
              // Equal conditions with different actions.
              expect(
                error.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code),
              ).toContain('CONFLICTING_RULES');
              count.refused++;
            }
          },
        ),
        { seed: 11, numRuns: runs(30, 10_000) },
      );
      expect(count.proved).toBeGreaterThan(0.8 * runs(30, 10_000));
      expect(count.unproved).toBe(0);
    },
    15 * 60_000,
  );
});
