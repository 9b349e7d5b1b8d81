/**
 * Profiles that used to take minutes end soon: every search counts its work. Nothing here looks at
 * a clock.
 */
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Effort } from '../../src/codegen/effort.ts';
import { generate } from '../../src/codegen/generate.ts';
import { weightsFor } from '../../src/codegen/numbers/weights.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { MAX_OF_A_KIND, SeccompcError } from '../../src/errors.ts';
import type { Diagnostic } from '../../src/errors.ts';
import * as lookup from '../../src/syscalls/lookup.ts';
import { makeTarget } from '../../src/target.ts';

vi.mock('../../src/syscalls/lookup.ts', { spy: true });

const THREE = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];

function profileOf(syscalls: object[], architectures: string[] = THREE): string {
  return JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', architectures, syscalls });
}

function rule(args: object[], more: object = {}): object {
  return { names: ['ioctl'], action: 'SCMP_ACT_ALLOW', args, ...more };
}

const condition = (index: number, op: string, value: number) => ({ index, op: `SCMP_CMP_${op}`, value });

/**
 * Numbers below 2^16 that share nothing: powers of a generator of the integers modulo the prime
 * 65537.
 */
function scattered(count: number): number[] {
  const values = [1];
  while (values.length < count) values.push((values.at(-1)! * 75) % 65537);
  return values;
}

async function diagnosticsOf(
  text: string,
  options: Parameters<typeof makeTarget>[0],
): Promise<readonly Diagnostic[]> {
  try {
    return (await compile(text, { target: makeTarget(options) })).diagnostics;
  } catch (error) {
    if (error instanceof SeccompcError) return error.diagnostics;
    throw error;
  }
}

const codes = (diagnostics: readonly Diagnostic[]) => {
  const counts: Record<string, number> = {};
  for (const { code } of diagnostics) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
};

describe('36 entries with a comparison of four arguments each', () => {
  const values = scattered(4 * 36);
  const entries = Array.from({ length: 36 }, (_, at) =>
    rule([0, 1, 2, 3].map((arg) => condition(arg, 'GT', values[4 * at + arg]!))),
  );

  test('become a program that is proved', async () => {
    const { instructions, proved } = await compile(profileOf(entries), {
      target: makeTarget({ arch: 'X86_64' }),
    });
    expect(proved).toBe(true);
    expect(instructions.length).toBeLessThan(4096);
  });

  test('are searched for no longer than the budget allows, and then are no longer than without a search', async () => {
    const lowered = await lowerProfile(profileOf(entries), { target: makeTarget({ arch: 'X86_64' }) });
    if (!lowered.confined) throw new Error('no rules');
    const weights = weightsFor('attach', lowered.reference.tables);
    const lengthWith = (units: number) => generate(lowered.policy, weights, new Effort(units)).length;
    const unsearched = lengthWith(0);
    for (const units of [1000, 100_000, 2_000_000]) expect(lengthWith(units)).toBeLessThanOrEqual(unsearched);
  });
});

describe('rules on several arguments of one call', () => {
  const bits = scattered(300).map((value) => value % 32);
  const bit = (index: number, at: number) => ({
    index,
    op: 'SCMP_CMP_MASKED_EQ',
    value: 2 ** bits[at]!,
    valueTwo: 2 ** bits[at]!,
  });
  const values = scattered(1000);

  test.each([
    ['one bit of each of three', (at: number) => [0, 1, 2].map((index) => bit(index, 3 * at + index))],
    [
      'two bits and two comparisons',
      (at: number) => [
        bit(0, 2 * at),
        bit(1, 2 * at + 1),
        condition(2, 'GT', values[2 * at]!),
        condition(3, 'LT', values[2 * at + 1]!),
      ],
    ],
    [
      'three comparisons of 64 bits',
      (at: number) => [
        bit(0, at),
        ...[1, 2, 3].map((index) => condition(index, 'GT', values[3 * at + index]! * 2 ** 20 + 5)),
      ],
    ],
  ])('are proved: %s', async (_, args) => {
    const entries = Array.from({ length: 100 }, (_each, at) => rule(args(at)));
    const options = { target: makeTarget({ arch: 'X86_64' }) };
    expect((await compile(profileOf(entries), options)).proved).toBe(true);
  });
});

describe('20,000 names that no table has', () => {
  const names = Array.from({ length: 20_000 }, (_, at) => `mkdix${at}`);
  const text = profileOf([{ names, action: 'SCMP_ACT_ALLOW' }]);

  beforeEach(() => void vi.mocked(lookup.nearestNames).mockClear());

  test('are reported up to a limit, and the others counted', async () => {
    const diagnostics = await diagnosticsOf(text, { arch: 'X86_64' });
    expect(codes(diagnostics)).toEqual({ UNKNOWN_SYSCALL: MAX_OF_A_KIND, MORE_OF_A_KIND: 1 });
    expect(diagnostics.at(-1)?.message).toBe('19900 more reports of UNKNOWN_SYSCALL are left out');
  });

  test('have suggestions for the first few, searched only when they are read', async () => {
    const diagnostics = await diagnosticsOf(text, { arch: 'X86_64' });
    expect(lookup.nearestNames).not.toHaveBeenCalled();
    const hints = diagnostics.map(({ hint }) => hint).filter((hint) => hint !== undefined);
    expect(hints).toContain('did you mean "mkdir"?');
    expect(vi.mocked(lookup.nearestNames).mock.calls.length).toBeLessThanOrEqual(20);
    expect(diagnostics[0]!.hint).toBe(hints[0]);
  });

  test('are an error of the same size with --fail-unknown', async () => {
    const diagnostics = await diagnosticsOf(text, { arch: 'X86_64', failUnknown: true });
    expect(codes(diagnostics)).toEqual({ UNKNOWN_SYSCALL: MAX_OF_A_KIND, MORE_OF_A_KIND: 1 });
    expect(diagnostics[0]!.severity).toBe('error');
  });
});

describe('entries that are wrong, many times', () => {
  test.each([
    ['an unknown action', { names: ['read'], action: 'SCMP_ACT_ALOW' }, 'UNKNOWN_ACTION'],
    ['nothing in them', {}, 'MISSING_MEMBER'],
  ])('with %s are reported up to a limit', async (_, entry, code) => {
    const text = profileOf(Array.from({ length: 30_000 }, () => entry));
    const found = codes(await diagnosticsOf(text, { arch: 'X86_64' }));
    expect(found).toMatchObject({ [code]: MAX_OF_A_KIND, MORE_OF_A_KIND: 1 });
  });

  test('with a key of their own each are reported up to a limit', async () => {
    const entries = Array.from({ length: 20_000 }, (_, at) => rule([], { [`comand${at}`]: 1 }));
    expect(codes(await diagnosticsOf(profileOf(entries), { arch: 'X86_64' }))).toEqual({
      UNKNOWN_KEY: MAX_OF_A_KIND,
      MORE_OF_A_KIND: 1,
    });
  });
});

describe('rules with different actions on one call', () => {
  const overlapping = Array.from({ length: 1000 }, (_, at) =>
    rule([condition(1, 'GT', at)], { action: 'SCMP_ACT_ERRNO', errnoRet: 2 + at }),
  );

  test('are searched for overlaps as far as the budget goes, and the rest is said', async () => {
    const found = codes(await diagnosticsOf(profileOf(overlapping, []), { arch: 'X86_64' }));
    expect(found).toMatchObject({ OVERLAPPING_RULES: 1, OVERLAPS_NOT_SEARCHED: 1 });
  });

  test('are refused with --overlap error where not all of them could be searched', async () => {
    const apart = Array.from({ length: 1000 }, (_, at) =>
      rule([condition(1, at % 2 === 0 ? 'GT' : 'LT', 10)], { action: 'SCMP_ACT_ERRNO', errnoRet: 2 + at }),
    );
    const last = apart.map((entry, at) => ({ ...entry, args: [condition(0, 'MASKED_EQ', at + 1)] }));
    const diagnostics = await diagnosticsOf(profileOf(last, []), { arch: 'X86_64', overlap: 'error' });
    expect(diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)).toContain(
      'OVERLAPS_NOT_SEARCHED',
    );
  });

  test('that ask for one value each cannot overlap, however many they are', async () => {
    const values = Array.from({ length: 3000 }, (_, at) =>
      rule([condition(1, 'EQ', 3 * at)], { action: 'SCMP_ACT_ERRNO', errnoRet: 2 + (at % 4000) }),
    );
    const lowered = await lowerProfile(profileOf(values, []), {
      target: makeTarget({ arch: 'X86_64', overlap: 'error' }),
    });
    expect(lowered.diagnostics).toEqual([]);
  });
});
