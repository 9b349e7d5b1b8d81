/**
 * Bounds of one argument that overlap, with different errnos: libseccomp's order, by
 * docs/semantics.md 7.4.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runProgram } from '../oracle/bpf.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { openLibseccomp } from '../oracle/libseccomp.ts';
import { toJson } from '../oracle/oci.ts';
import type { OciProfile } from '../oracle/oci.ts';
import { compileText, targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';

const RUNS = runs(200, 200);
const opened = openLibseccomp('system');

const VALUES = [0n, 1n, 2n, 5n, 6n, 7n, 10n, 0x7fffffffn, 0x80000000n, 0xfffffffen];
const POINTS = [...new Set(VALUES.flatMap((v) => [v - 1n, v, v + 1n]))].filter((x) => x >= 0n);
const ARCHES = { X86_64: [0xc000003e, 39], X86: [0x40000003, 20], ARM: [0x40000028, 20] } as const;
/** A rule and its exact opposite share a node in the library's tree, where other rules are lost. */
const SAME_TEST: Record<string, string> = { LT: 'GE', GE: 'GE', LE: 'GT', GT: 'GT', EQ: 'EQ' };

const bound = fc.record({
  op: fc.constantFrom(...Object.keys(SAME_TEST)),
  value: fc.constantFrom(...VALUES),
});
const bounds = fc.uniqueArray(bound, {
  minLength: 2,
  maxLength: 8,
  selector: ({ op, value }) => `${SAME_TEST[op]} ${value}`,
});

describe.skipIf(skipWithout(opened))('overlapping bounds of one argument', () => {
  it.each([1, 2] as const)('are answered as libseccomp does, optimised for %d', async (optimize) => {
    let asked = 0;
    await fc.assert(
      fc.asyncProperty(
        bounds,
        fc.constantFrom(...(Object.keys(ARCHES) as (keyof typeof ARCHES)[])),
        async (list, native) => {
          const syscalls = list.map(({ op, value }, at) => ({
            names: ['getpid'],
            action: 'SCMP_ACT_ERRNO',
            errnoRet: BigInt(at + 10),
            args: [{ index: 0n, op: `SCMP_CMP_${op}`, value }],
          }));
          const profile: OciProfile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
          const answer = available(opened).compile(profile, native, optimize);
          const compiled = await compileText(toJson(profile), targetOf({ native }));
          if (!('program' in answer) || !('program' in compiled))
            throw new Error(JSON.stringify([answer, compiled]));
          const [arch, nr] = ARCHES[native];
          for (const x of POINTS) {
            const call = { arch, nr, ip: 0n, args: [x, 0n, 0n, 0n, 0n, 0n] };
            expect(runProgram(compiled.program, call), `${native} ${x}`).toBe(
              runProgram(answer.program, call),
            );
          }
          asked++;
        },
      ),
      { seed: 11, numRuns: RUNS },
    );
    expect(asked).toBe(RUNS);
  });
});
