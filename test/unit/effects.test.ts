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

const PROFILES = process.env['SECCOMPC_EFFECTS_OF'] ?? join(import.meta.dirname, '../../profiles');

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
  const files = readdirSync(PROFILES).filter((name) => name.endsWith('.json'));
  test.each(files)('is what the fingerprint without the entry says: %s', async (name) => {
    const text = readFileSync(join(PROFILES, name), 'utf8');
    for (const options of targets)
      try {
        const counts = await judged(text, options);
        if (process.env['SECCOMPC_EFFECTS_OF']) console.log(name, options.arch, JSON.stringify(counts));
      } catch (error) {
        if (!(error instanceof SeccompcError)) throw error;
      }
  });
});
