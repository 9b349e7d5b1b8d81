/**
 * Same input, same bytes: whatever the order of the keys in a profile, and in whatever process,
 * folder, time zone and language it is compiled.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { anySample } from '../oracle/arbitrary.ts';
import { fromJson, toJson } from '../oracle/oci.ts';
import { targetOf } from '../oracle/subject.ts';
import { runs } from '../runs.ts';
import { ownProfiles } from './profiles.ts';

const RUNS = runs(300, 300);
const NATIVES = ['X86_64', 'AARCH64', 'S390X', 'MIPS64'];
const GOALS = ['attach', 'frequency', 'size'] as const;

/** SHA-256 of the program in hex, or the codes of the errors. */
async function digestOf(text: string, native: string, optimize: (typeof GOALS)[number]): Promise<string> {
  try {
    const { bytes } = await compile(text, { target: targetOf({ native }), optimize, prove: 'never' });
    return createHash('sha256').update(bytes).digest('hex');
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return error.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code).toSorted().join(); // prettier-ignore
  }
}

/** The same JSON value with the members of every object in another order, as the numbers say. */
function reordered(value: unknown, next: () => number): unknown {
  if (Array.isArray(value)) return value.map((element: unknown) => reordered(element, next));
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([key, member]) => ({ key, member: reordered(member, next), at: next() })); // prettier-ignore
  return Object.fromEntries(members.toSorted((a, b) => a.at - b.at).map(({ key, member }) => [key, member]));
}

function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0);
}

describe('the order of keys', () => {
  it.each(ownProfiles)('of %s makes no difference', async (_, text) => {
    const value = fromJson(text);
    let changed = 0;
    for (let seed = 1; seed <= 5; seed++) {
      const other = toJson(reordered(value, numbersFrom(seed)));
      if (other !== toJson(value)) changed++;
      for (const native of NATIVES)
        expect(await digestOf(other, native, 'attach')).toBe(await digestOf(text, native, 'attach'));
    }
    expect(changed).toBeGreaterThan(0);
  });

  it('of random profiles makes no difference', async () => {
    await fc.assert(
      fc.asyncProperty(
        anySample(),
        fc.constantFrom(...GOALS),
        fc.nat(),
        async ({ profile, native }, goal, seed) => {
          const other = toJson(reordered(profile, numbersFrom(seed)));
          expect(await digestOf(other, native, goal)).toBe(await digestOf(toJson(profile), native, goal));
        },
      ),
      { seed: 8, numRuns: RUNS },
    );
  });
});

/** `profile native goal digest`, one line each. */
const golden = fileURLToPath(new URL('digests.tsv', import.meta.url));
/** The built package, as its own `exports` name it. */
const library = createRequire(import.meta.url).resolve('seccompc');

/**
 * Compiles in a process of its own, from the built package: lines of texts and targets in, digests
 * out.
 */
const CHILD = `
  import { createHash } from 'node:crypto';
  import { text } from 'node:stream/consumers';
  const { compile, makeTarget } = await import(process.argv[1]);
  for (const [profile, arch, optimize] of JSON.parse(await text(process.stdin))) {
    const digest = await compile(profile, { target: makeTarget({ arch }), optimize, prove: 'never' }).then(
      ({ bytes }) => createHash('sha256').update(bytes).digest('hex'),
      ({ diagnostics }) => diagnostics.filter((d) => d.severity === 'error').map((d) => d.code).sort().join());
    console.log(digest);
  }`;

describe('another process', () => {
  it('makes the programs of digests.tsv', async () => {
    expect(existsSync(library), 'dist/ is missing: npm run build').toBe(true);
    const jobs = ownProfiles.flatMap(([name, text]) =>
      NATIVES.flatMap((native) => GOALS.map((goal) => ({ name, text, native, goal }))),
    );
    const input = JSON.stringify(jobs.map(({ text, native, goal }) => [text, native, goal]));
    const args = ['--input-type=module', '-e', CHILD, pathToFileURL(library).href];
    const output = execFileSync(process.execPath, args, {
      input,
      encoding: 'utf8',
      cwd: tmpdir(),
      env: { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8' },
    });
    const digests = output.trimEnd().split('\n');
    const lines = jobs.map(({ name, native, goal }, index) =>
      [name, native, goal, digests[index]].join('\t'),
    );
    const table = `${lines.join('\n')}\n`;
    if (process.env['SECCOMPC_UPDATE_GOLDEN'] === '1') writeFileSync(golden, table);
    expect(table).toBe(readFileSync(golden, 'utf8'));
    const here = await Promise.all(jobs.map(({ text, native, goal }) => digestOf(text, native, goal)));
    expect(digests).toEqual(here);
  });
});
