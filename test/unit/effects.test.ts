import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lowerProfile } from '../../src/compile.ts';
import { readInput } from '../../src/compile/findings.ts';
import { SeccompcError } from '../../src/errors.ts';
import { effectsOf } from '../../src/explain/effects.ts';
import { fingerprint } from '../../src/prove/compare.ts';
import type { Reference } from '../../src/prove/profile/reference.ts';
import { makeTarget } from '../../src/target.ts';
import type { TargetOptions } from '../../src/target.ts';

const PROFILES = join(import.meta.dirname, '../../profiles');

async function lowered(text: string, options: TargetOptions) {
  const { profile } = readInput(text, { file: '-' });
  const found = await lowerProfile(profile, { target: makeTarget(options) });
  if (!found.confined) throw new Error('not confined');
  return found;
}

function meaning(reference: Reference): string {
  const made = fingerprint(reference);
  if (made.verdict !== 'made') throw new Error(made.verdict);
  return Buffer.from(made.fingerprint).toString('hex');
}

/** How many entries have an effect, as the fingerprint of the profile without each of them says. */
async function judged(text: string, options: TargetOptions): Promise<Record<string, number>> {
  const found = await lowered(text, options);
  const { reference } = found;
  const whole = meaning(reference);
  const counts = { some: 0, none: 0, unknown: 0 };
  const wrong: string[] = [];
  for (const { entry, effect } of effectsOf(found)) {
    counts[effect] += 1;
    if (effect === 'unknown') continue;
    const syscalls = reference.seccomp.syscalls.filter((each) => each !== entry);
    const rest = meaning({ ...reference, seccomp: { ...reference.seccomp, syscalls } });
    if ((rest === whole) !== (effect === 'none')) wrong.push(`${entry.pointer} ${effect}`);
  }
  expect(wrong).toEqual([]);
  return counts;
}

describe('the effect of entries', () => {
  const targets: TargetOptions[] = [
    { arch: 'x86_64' },
    { arch: 's390x', semantics: 'runc' },
    { arch: 'arm64', enosysAfter: '5.0' },
  ];
  // Its 60 entries take longer than all others together; its parts are in these.
  const files = readdirSync(PROFILES).filter(
    (name) => name.endsWith('.json') && name !== 'container-default.json',
  );
  test.each(files)('is what the fingerprint without the entry says: %s', async (name) => {
    const text = readFileSync(join(PROFILES, name), 'utf8');
    expect.hasAssertions();
    for (const options of targets)
      try {
        expect((await judged(text, options)).unknown).toBe(0);
      } catch (error) {
        if (!(error instanceof SeccompcError)) throw error;
      }
  });

  const entry = (names: string, action: string, more = '') =>
    `{"names": [${names}], "action": "SCMP_ACT_${action}"${more}}`;
  const args = (...all: string[]) => `, "args": [${all.join()}]`;
  const arg = (index: number, op: string, value: number, two = 0) =>
    `{"index": ${index}, "op": "SCMP_CMP_${op}", "value": ${value}, "valueTwo": ${two}}`;
  const profile = (...entries: string[]) =>
    `{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": [${entries.join()}]}`;

  test.each<[string, TargetOptions, string[], Record<string, number>]>([
    [
      'of conditions that others cover, together only',
      { arch: 'x86_64' },
      [
        entry('"ioctl"', 'ALLOW', args(arg(1, 'LT', 5))),
        entry('"ioctl"', 'ALLOW', args(arg(1, 'GE', 3))),
        entry('"ioctl"', 'ALLOW', args(arg(1, 'EQ', 7))),
        entry('"ioctl"', 'ALLOW', args(arg(1, 'LT', 5), arg(2, 'EQ', 1))),
        entry('"ioctl"', 'KILL', args(arg(1, 'EQ', 4))),
      ],
      { some: 3, none: 2, unknown: 0 },
    ],
    [
      'of entries behind socketcall',
      { arch: 'x86_64' },
      [
        entry('"socketcall"', 'ERRNO', ', "errnoRet": 38'),
        entry('"send"', 'ALLOW'),
        entry('"socket"', 'ALLOW', args(arg(0, 'EQ', 1))),
      ],
      { some: 2, none: 1, unknown: 0 },
    ],
    [
      'of the entry that alone names the last call, where the stub begins after it',
      { arch: 'x86_64', semantics: 'runc' },
      [entry('"read"', 'ALLOW'), entry('"fchmodat2"', 'ERRNO'), entry('"clone3"', 'ERRNO')],
      { some: 2, none: 1, unknown: 0 },
    ],
    [
      'of entries that name what else would get ENOSYS',
      { arch: 'x86_64', enosysAfter: '5.0' },
      [
        entry('"clone3"', 'ERRNO'),
        entry('"statx"', 'ERRNO'),
        entry('"openat2"', 'ERRNO', ', "errnoRet": 38'),
      ],
      { some: 1, none: 2, unknown: 0 },
    ],
  ])('is known %s', async (_, options, entries, expected) => {
    expect(await judged(profile(...entries), options)).toEqual(expected);
  });

  test('is unknown rather than guessed where thousands of rules are on one call', async () => {
    const many = Array.from({ length: 3000 }, (_, value) =>
      entry('"ioctl"', 'ALLOW', args(arg(1, 'EQ', value))),
    );
    const found = await lowered(profile(...many, many[0]!), { arch: 'x86_64' });
    const effects = effectsOf(found).map(({ effect }) => effect);
    expect(effects).toHaveLength(3001);
    expect(effects.filter((effect) => effect === 'none').length).toBeLessThanOrEqual(2);
    expect(effects.includes('unknown')).toBe(true);
  });
});
