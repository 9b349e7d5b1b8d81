/** Overlapping rules whose actions differ in their value only: docs/semantics.md 7.4. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';

const target = makeTarget({ arch: 'x86_64' });

const OPERATORS = ['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const;
const VALUES = [0n, 1n, 4n, 5n, 6n, 9n, 0xffffffffn, 0x100000007n, 0x2fffffffen];

const rule = fc.record({
  op: fc.constantFrom(...OPERATORS),
  index: fc.constantFrom(0n, 0n, 1n),
  value: fc.constantFrom(...VALUES),
  trace: fc.boolean(),
});

function profileOf(
  rules: readonly { op: string; index: bigint; value: bigint; trace: boolean }[],
): OciProfile {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86'],
    syscalls: rules.map(({ op, index, value, trace }, i) => ({
      names: ['getpid', 'socketcall'],
      action: trace ? 'SCMP_ACT_TRACE' : 'SCMP_ACT_ERRNO',
      errnoRet: BigInt(i + 10),
      args: [{ index, op: `SCMP_CMP_${op}`, value, valueTwo: value }],
    })),
  };
}

describe('rules that differ in the value of their action', () => {
  it('are answered as the naive evaluator reads the law, and proved', async () => {
    let compiled = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(rule, {
          minLength: 2,
          maxLength: 7,
          selector: (r) => `${r.op} ${r.index} ${r.value}`,
        }),
        async (rules) => {
          const profile = profileOf(rules);
          const meaning = evaluateProfile(profile, { native: 'X86_64' });
          if (!('evaluate' in meaning)) return;
          const filter = await compile(toJson(profile), { target, prove: 'require' });
          const program = readProgram(filter.bytes, false);
          for (const [arch, nr] of [
            [0xc000003e, 39],
            [0x40000003, 20],
            [0x40000003, 102],
          ] as const)
            // prettier-ignore
            for (const x of VALUES.flatMap((value) => [value, value + 1n]))
            for (const y of [0n, 5n, 6n]) {
              const args = [BigInt.asUintN(64, x), y, 0n, 0n, 0n, 0n];
              expect(runProgram(program, { arch, nr, ip: 0n, args })).toBe(meaning.evaluate(arch, nr, args));
            }
          compiled++;
        },
      ),
      { seed: 3, numRuns: 25 },
    );
    expect(compiled).toBeGreaterThan(10);
  });

  const bounds = (...list: [op: string, value: number, errnoRet: number, action?: string][]) =>
    JSON.stringify(
      {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: list.map(([op, value, errnoRet, action = 'SCMP_ACT_ERRNO']) => ({
          names: ['getpid', 'getppid'],
          action,
          errnoRet,
          args: [{ index: 0, op: `SCMP_CMP_${op}`, value }],
        })),
      },
      null,
      1,
    );
  const warnings = async (text: string) =>
    (await compile(text, { target })).diagnostics.map(({ message }) => message);

  it('are reported with the answer that the call gets, also if a third rule gives it', async () => {
    expect(await warnings(bounds(['GT', 5, 11], ['GT', 10, 12]))).toEqual([
      '"getpid" on X86_64: ERRNO(12) here and ERRNO(11) at line 12 both match getpid(arg0=0xb), which gets ERRNO(12)',
    ]);
    expect(await warnings(bounds(['GE', 5, 11], ['GE', 6, 12], ['EQ', 6, 13]))).toEqual([
      '"getpid" on X86_64: ERRNO(12) here and ERRNO(11) at line 12 both match getpid(arg0=0x6), which gets ERRNO(13) (and 2 more pairs)',
    ]);
    expect(await warnings(bounds(['EQ', 6, 11, 'SCMP_ACT_TRACE'], ['GE', 6, 12, 'SCMP_ACT_TRACE'], ['LE', 6, 1]))).toEqual([
      expect.stringMatching(/getpid\(arg0=0x6\), which gets ERRNO\(1\) \(and 2 more pairs\)$/),
    ]); // prettier-ignore
  });

  it('are one warning, however many there are', async () => {
    const many = Array.from({ length: 18 }, (_, i) => ['GT', i, i + 1] as [string, number, number]);
    expect(await warnings(bounds(...many))).toEqual([expect.stringMatching(/\(and 152 more pairs\)$/)]);
  });
});
