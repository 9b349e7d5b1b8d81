/** Intersections of every ordered pair of this project's own profiles, as OCI profiles. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { allArches } from '../../src/arch.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { joined } from '../../src/merge/merge.ts';
import { mergedProfile } from '../../src/merge/proved-profile.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { makeTarget } from '../../src/target.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';

const FOLDER = join(import.meta.dirname, '../../profiles');
const target = makeTarget({ arch: 'x86_64' });
const X86_64 = 0xc000003e;
/** seccomp(2), in the order of precedence. */
const STRICTEST_FIRST = [0x80000000, 0, 0x30000, 0x50000, 0x7fc00000, 0x7ff00000, 0x7ffc0000, 0x7fff0000];
const place = (answer: number) => STRICTEST_FIRST.indexOf((answer & 0xffff0000) >>> 0);

it('says the intersection of every pair of profiles exactly, call by call', async () => {
  const tables = await loadTables(allArches().map(({ table }) => table));
  const inputs = [];
  for (const name of readdirSync(FOLDER).filter(
    (file) => file.endsWith('.json') && !/big-endian/.test(file),
  )) {
    const text = readFileSync(join(FOLDER, name), 'utf8');
    const lowered = await lowerProfile(text, { target });
    if (!lowered.confined) throw new Error(`${name} asks for no filter`);
    const program = readProgram((await compile(text, { target })).bytes, false);
    inputs.push({ name, side: lowered.reference, program });
  }
  const inexact: string[] = [];
  for (const a of inputs)
    for (const b of inputs) {
      const { text, lost } = await mergedProfile(joined('intersect', [a.side, b.side]), { target, tables });
      if (lost.length > 0) inexact.push(`${a.name} ${b.name}`);
      const made = readProgram((await compile(text, { target, prove: 'never' })).bytes, false);
      const answers: number[][] = [];
      for (let nr = 0; nr < 480; nr += 7) {
        const call = { arch: X86_64, nr, args: [BigInt(nr), 2n, 1n, 0n, 0n, 0n], ip: 0n };
        const [first, second] = [runProgram(a.program, call), runProgram(b.program, call)] as const;
        const expected = place(second) < place(first) ? second : first;
        if (lost.length === 0) answers.push([runProgram(made, call), expected]);
      }
      expect(answers.filter(([got, expected]) => got !== expected)).toEqual([]);
    }
  expect(inputs.length).toBeGreaterThan(20);
  expect(inexact).toEqual([]);
});
