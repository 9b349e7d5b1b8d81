import { describe, expect, test } from 'vitest';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { makeTarget } from '../../src/target.ts';

/** Rules on one call that share nothing: each takes its own tests. */
function profileOf(rules: number): string {
  const syscalls = Array.from({ length: rules }, (_, i) => ({
    names: ['ioctl'],
    action: 'SCMP_ACT_ALLOW',
    args: [
      { index: 1, value: i * 7919 + 13 * (i % 97), op: 'SCMP_CMP_EQ' },
      { index: 2, value: i, op: 'SCMP_CMP_GT' },
    ],
  }));
  return JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', architectures: ['SCMP_ARCH_X86_64'], syscalls });
}

describe('a profile that needs more instructions than the kernel takes', () => {
  async function refusalOf(rules: number): Promise<unknown> {
    return compile(profileOf(rules), { target: makeTarget({ arch: 'X86_64' }) }).catch(
      (error: unknown) => error,
    );
  }

  test('is refused with its length, and with the call that takes the room', async () => {
    const refused = await refusalOf(2000);
    expect(refused).toBeInstanceOf(SeccompcError);
    const { diagnostics, exitCode } = refused as SeccompcError;
    expect(diagnostics.map(({ code }) => code)).toEqual(['FILTER_TOO_LONG']);
    expect(exitCode).toBe(65);
    expect(diagnostics[0]?.message).toMatch(/has \d+ instructions.*at most 4096/);
    expect(diagnostics[0]?.hint).toContain('ioctl has 2000 rules with conditions on X86_64');
  });

  test('is refused before a program is searched for where the rules alone are too many', async () => {
    const refused = await refusalOf(9000);
    expect(refused).toBeInstanceOf(SeccompcError);
    const { diagnostics, exitCode } = refused as SeccompcError;
    expect(diagnostics.map(({ code }) => code)).toEqual(['TOO_MANY_RULES']);
    expect(exitCode).toBe(65);
    expect(diagnostics[0]?.message).toBe(
      'ioctl on X86_64 has 9000 rules with conditions. They do not fit into 4096 instructions, the limit of the kernel',
    );
  });
});
