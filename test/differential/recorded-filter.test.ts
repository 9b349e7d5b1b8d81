/**
 * The filter that the playground compares itself with: what libseccomp makes of the profile of this
 * package. `SECCOMPC_UPDATE_GOLDEN=1` makes it anew.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { available, firstDifference, skipWithout } from '../oracle/compare.ts';
import { denseCalls } from '../oracle/inputs.ts';
import { openLibseccomp } from '../oracle/libseccomp.ts';
import { evaluateProfile } from '../oracle/naive.ts';
import { plainObject } from './profiles.ts';

const FOLDER = join(import.meta.dirname, '../../src/site');
const NATIVE = 'X86_64';
const opened = openLibseccomp('newest');

const recorded = () => readdirSync(FOLDER).filter((name) => /^libseccomp-[\d.]+\.bpf$/.test(name));

test.skipIf(skipWithout(opened))('the recorded filter is what libseccomp makes of the profile', () => {
  const library = available(opened);
  const text = readFileSync(join(FOLDER, '../../profiles/container-default.json'), 'utf8');
  const profile = plainObject(text, NATIVE)!;
  const meaning = evaluateProfile(profile, { native: NATIVE });
  const made = library.compile(profile, NATIVE);
  if (!('evaluate' in meaning) || !('program' in made)) throw new Error('refused');
  const { program } = made;
  const own = `libseccomp-${library.version}.bpf`;
  if (process.env['SECCOMPC_UPDATE_GOLDEN'] !== undefined) {
    for (const name of recorded()) rmSync(join(FOLDER, name));
    const { code, jt, jf, k } = program;
    const rows = Array.from(code, (each, at) => ({ code: each, jt: jt[at]!, jf: jf[at]!, k: k[at]! }));
    writeFileSync(join(FOLDER, own), encode(rows, 'little'));
  }

  const [name, ...more] = recorded();
  expect(more).toEqual([]);
  const known = readProgram(readFileSync(join(FOLDER, name!)), false);
  // Where there is another release, at least the answers must be those of the profile.
  if (name === own) expect(known).toEqual(program);
  const calls = [...denseCalls(profile, meaning)].filter(({ arch, nr }) =>
    meaning.abis.every((abi) => abi.audit !== arch || library.agreesOn(abi, nr)),
  );
  expect(calls.length).toBeGreaterThan(1000);
  const difference = firstDifference(
    calls,
    ['recorded', (call) => runProgram(known, call)],
    ['evaluator', (call) => meaning.evaluate(call.arch, call.nr, call.args)],
  );
  expect(difference).toBeUndefined();
});
