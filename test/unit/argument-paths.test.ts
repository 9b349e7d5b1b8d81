import { describe, expect, it } from 'vitest';
import { BPF_MISC, BPF_TAX } from '../../src/bpf/instruction.ts';
import { Effort } from '../../src/codegen/effort.ts';
import { generate } from '../../src/codegen/generate.ts';
import { weightsFor } from '../../src/codegen/numbers/weights.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { longestPath } from '../bench/static.ts';
import { growthProfile } from '../growth.ts';

const target = makeTarget({ arch: 'X86_64' });

/** The proved program of some rules, and the chains of them that need no search. */
async function programsOf(family: string, rules: number) {
  const text = growthProfile(family, rules);
  const lowered = await lowerProfile(text, { target });
  if (!lowered.confined) throw new Error('a filter for a profile that asks for none');
  const weights = weightsFor('attach', lowered.reference.tables);
  const { instructions, proved } = await compile(text, { target });
  expect(proved).toBe(true);
  return { program: instructions, chains: generate(lowered.policy, weights, new Effort(0)) };
}

describe('many rules on several arguments', () => {
  it.each(['2 bits', '3 bits', '4 bits'])('gather the bits they ask for in one word: %s', async (family) => {
    const { program, chains } = await programsOf(family, 50);
    expect(program.some(({ code }) => code === (BPF_MISC | BPF_TAX))).toBe(true);
    expect(program.length).toBeLessThan(0.8 * chains.length);
    expect(longestPath(program)).toBeLessThan(0.8 * longestPath(chains));
  });

  it.each(['3 times > of 64 bits', '4 times > of 64 bits'])(
    'have short paths where chains are no shorter: %s',
    async (family) => {
      const { program, chains } = await programsOf(family, 50);
      expect(program.length).toBeLessThanOrEqual(chains.length);
      expect(longestPath(program)).toBeLessThan(longestPath(chains) / 10);
    },
  );
});
