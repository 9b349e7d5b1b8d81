/** The running kernel answers each call that a finding shows as the finding says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { lint } from '../../src/lint/lint.ts';
import { makeTarget } from '../../src/target.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { GUARDED, openVictim } from '../oracle/victim.ts';
import type { Probe } from '../oracle/victim.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/lint');
const AUDIT_X86 = 0x40000003;
const opened = openVictim();

/** The report on a call under a guard that lets none run. */
function guarded(answer: number): string {
  const data = answer & 0xffff;
  if (answer === 0x7fff0000 || answer === 0x7ffc0000) return `errno ${GUARDED} 2`;
  if ((answer & 0xffff0000) >>> 0 === 0x00050000 && data !== 0) return `errno ${data} 2`;
  throw new Error(`no finding of these profiles has the answer 0x${answer.toString(16)}`);
}

describe.skipIf(skipWithout(opened))('the calls that findings show', () => {
  const files = readdirSync(FIXTURES).filter((name) => !name.includes('s390'));
  it.each(files)('get the answers that %s says, from the kernel', async (name) => {
    const bytes = readFileSync(join(FIXTURES, name));
    const target = makeTarget({ arch: 'x86_64' });
    const { findings } = await lint(bytes, { file: name, target, level: 'strict' });
    const calls = findings.flatMap(({ call }) => call ?? []);
    const filter = await compile(bytes, { target });
    const probes = calls.map(({ data: { arch, nr, args } }): Probe => ({
      how: arch === AUDIT_X86 ? 'int80' : 'syscall',
      nr,
      args,
    }));
    const reports = probes.length === 0 ? [] : available(opened).runGuarded(filter.bytes, probes);
    expect(reports).toEqual(calls.map(({ answer }) => guarded(answer)));
    expect(findings.length).toBeGreaterThan(0);
  });
});
