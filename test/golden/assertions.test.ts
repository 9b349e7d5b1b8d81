import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ArgumentFacts } from '../../src/assert/facts.ts';
import { judge } from '../../src/assert/judge.ts';
import { parseAssertions, refuseAssertion } from '../../src/assert/parse.ts';
import { lowerProfile } from '../../src/compile.ts';
import { PropertyProver } from '../../src/prove/property.ts';
import { loadCallFacts } from '../../src/syscalls/constants.ts';
import { makeTarget } from '../../src/target.ts';
import type { TargetOptions } from '../../src/target.ts';

const PROFILES = join(import.meta.dirname, '../../profiles');
/** What a profile is for, if that is not x86_64 with a new kernel. */
const TARGETS: Record<string, Partial<TargetOptions>> = {
  'big-endian': { arch: 'S390X' },
  'enosys-stub': { semantics: 'runc' },
  'new-calls': { enosysAfter: { major: 5, minor: 4 } },
  'podman-errno-names': { engine: 'podman' },
};

const names = readdirSync(PROFILES)
  .filter((name) => name.endsWith('.json'))
  .map((name) => name.replace(/\.json$/, ''));

describe('the assertions of the profiles', () => {
  it.each(names)('hold for %s', async (name) => {
    const file = join(PROFILES, `${name}.assert`);
    expect(existsSync(file)).toBe(true);
    const target = makeTarget({ arch: 'X86_64', ...TARGETS[name] });
    const lowered = await lowerProfile(readFileSync(join(PROFILES, `${name}.json`)), { target });
    if (!lowered.confined) throw new Error('a profile that asks for no filter');
    await loadCallFacts();
    const { tables } = lowered.reference;
    const calls = lowered.arches.map((abi) => ({ abi, table: tables.of(abi.name) }));
    const prover = new PropertyProver(lowered.reference, calls);
    for (const assertion of parseAssertions(readFileSync(file, 'utf8'), file)) {
      const facts = new ArgumentFacts(tables, (reason) => refuseAssertion(assertion, reason));
      const result = await judge(assertion, { prover, calls, facts, other: () => expect.unreachable() });
      expect({ text: assertion.text, ...result }).toMatchObject({ text: assertion.text, verdict: 'holds' });
    }
  });
});
