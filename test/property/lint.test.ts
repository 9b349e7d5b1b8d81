/** What lint says of random profiles, judged by brute force and by fingerprints. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareStrictness } from '../../src/action.ts';
import { lowerProfile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { effectsOf } from '../../src/explain/effects.ts';
import { lint } from '../../src/lint/lint.ts';
import { fingerprint } from '../../src/prove/compare.ts';
import type { Reference } from '../../src/prove/profile/reference.ts';
import { makeTarget } from '../../src/target.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { toJson } from '../oracle/oci.ts';
import type { OciEntry, OciProfile } from '../oracle/oci.ts';
import { runs } from '../runs.ts';

const target = makeTarget({ arch: 'x86_64', architectures: 'native' });
const X86_64 = 0xc000003e;
/** Their arguments 0 and 1: unsigned int twice, int twice, unsigned int and 64 bits. */
const CALLS = [
  { name: 'dup2', nr: 33, signed: false, narrow: [0, 1] },
  { name: 'kill', nr: 62, signed: true, narrow: [0, 1] },
  { name: 'lseek', nr: 8, signed: false, narrow: [0] },
];
const VALUES = [0n, 1n, 5n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000005n, 0xffffffffffffffffn];
const MASKS = [1n, 0xffn, 0x80000000n, 0xffffffffn, 0x1ffffffffn, 0xffffffff00000000n];

const condition = fc.oneof(
  fc.record({
    index: fc.constantFrom(0n, 1n),
    value: fc.constantFrom(...VALUES),
    valueTwo: fc.constant(0n),
    op: fc.constantFrom('EQ', 'NE', 'LT', 'LE', 'GE', 'GT').map((op) => `SCMP_CMP_${op}`),
  }),
  fc.record({
    index: fc.constantFrom(0n, 1n),
    value: fc.constantFrom(...MASKS),
    valueTwo: fc.constantFrom(...VALUES),
    op: fc.constant('SCMP_CMP_MASKED_EQ'),
  }),
);
const entry: fc.Arbitrary<OciEntry> = fc.record({
  names: fc.constantFrom(...CALLS).map(({ name }) => [name]),
  action: fc.constantFrom('ALLOW', 'ERRNO', 'KILL_PROCESS', 'LOG').map((action) => `SCMP_ACT_${action}`),
  args: fc.uniqueArray(condition, { minLength: 0, maxLength: 2, selector: ({ index }) => index }),
});
const profile: fc.Arbitrary<OciProfile> = fc.record({
  defaultAction: fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO'),
  syscalls: fc.array(entry, { minLength: 1, maxLength: 5 }),
});

/** Undefined for contradictory rules. */
async function lowered(text: string) {
  try {
    const found = await lowerProfile(text, { target });
    return found.confined ? found : undefined;
  } catch (error) {
    if (error instanceof SeccompcError) return undefined;
    throw error;
  }
}

/** `nr argument` where an answer is laxer only by bits that the kernel ignores. */
function holes(subject: OciProfile): string[] {
  const meaning = evaluateProfile(subject, { native: 'X86_64' });
  if (!('evaluate' in meaning)) throw new Error(JSON.stringify(meaning));
  const lows = [0n, 1n, 2n, 4n, 5n, 6n, 0x7fffffffn, 0x80000000n, 0xfffffffen, 0xffffffffn];
  const wide = lows.flatMap((low) => [0n, 1n, 2n, 0xffffffffn].map((high) => (high << 32n) | low));
  return CALLS.flatMap(({ nr, signed, narrow }) =>
    narrow
      .filter((index) =>
        wide.some((other) => {
          const answer = (value: bigint) => {
            const args = index === 0 ? [value, other] : [other, value];
            return meaning.evaluate(X86_64, nr, [...args, 0n, 0n, 0n, 0n]);
          };
          return lows.some((low) => {
            const plain = signed && low > 0x7fffffffn ? [0n, 0xffffffffn] : [0n];
            const odd = [1n, 2n, 0xfffffffen, ...(signed ? [] : [0xffffffffn])].map((high) =>
              answer((high << 32n) | low),
            );
            return plain.some((high) =>
              odd.some((loose) => compareStrictness(loose, answer((high << 32n) | low)) > 0),
            );
          });
        }),
      )
      .map((index) => `${nr} ${index}`),
  );
}

describe('lint of random profiles', () => {
  it('warns of the width of an argument exactly where brute force finds a way past', async () => {
    let found = 0;
    await fc.assert(
      fc.asyncProperty(profile, async (subject) => {
        const text = toJson(subject);
        if ((await lowered(text)) === undefined) return;
        const { findings } = await lint(Buffer.from(text), { file: '-', target });
        const warned = findings
          .filter(({ diagnostic: { code, severity } }) => code === 'ARGUMENT_WIDTH' && severity === 'warning')
          .map(({ diagnostic: { pointer }, call }) => {
            const [, , at, , arg] = pointer!.split('/').map(Number);
            return `${call!.data.nr} ${String(subject.syscalls![at!]!.args![arg!]!.index)}`;
          });
        expect([...new Set(warned)].toSorted()).toEqual(holes(subject).toSorted());
        found += warned.length;
      }),
      { numRuns: runs(40, 600) },
    );
    expect(found).toBeGreaterThan(0);
  });

  it('calls an entry ineffective exactly where the fingerprint is the same without it', async () => {
    const counts = { some: 0, none: 0, unknown: 0 };
    const meaning = (reference: Reference) => {
      const made = fingerprint(reference);
      return made.verdict === 'made' ? Buffer.from(made.fingerprint).toString('hex') : made.verdict;
    };
    await fc.assert(
      fc.asyncProperty(profile, async (subject) => {
        const found = await lowered(toJson(subject));
        if (found === undefined) return;
        const { reference } = found;
        for (const { entry: each, effect } of effectsOf(found)) {
          const syscalls = reference.seccomp.syscalls.filter((other) => other !== each);
          const without = { ...reference, seccomp: { ...reference.seccomp, syscalls } };
          expect(effect).toBe(meaning(without) === meaning(reference) ? 'none' : 'some');
          counts[effect] += 1;
        }
      }),
      { numRuns: runs(40, 600) },
    );
    expect(Math.min(counts.some, counts.none)).toBeGreaterThan(0);
  });
});
