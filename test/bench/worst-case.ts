/**
 * The search for profiles that take long:
 * `npm run bench:worst -- [--bytes N] [--tries N] [--keep N] [--seed N]`.
 *
 * It mixes profiles from recipes, changes those that took longest, and at last compiles the worst
 * of all in a process of their own each, by the options of the command: with proof. It fails if one
 * of them takes more CPU time or memory than the documentation promises. The tests hold no figure
 * of time; they count work instead.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { expectShortRun } from '../../src/cli/short-run.ts';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { allNames } from '../../src/syscalls/load.ts';
import { makeTarget } from '../../src/target.ts';
import { mutate, profileFrom, randomFrom, randomRecipe } from './hostile.ts';
import type { Recipe } from './hostile.ts';
import { markdown } from './table.ts';

/** What docs/codegen.md promises for a profile of up to 1 MiB. */
const MOST_SECONDS = 2;
const MOST_MEBIBYTES = 512;

interface Tried {
  recipe: Recipe;
  bytes: number;
  /** CPU time of the compile. */
  milliseconds: number;
  outcome: string;
}

/** CPU time of this process, user and system, all its threads. */
function cpuMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function outcomeOf(text: string): Promise<string> {
  try {
    const { instructions, proved } = await compile(text, { target: makeTarget({ arch: 'X86_64' }) });
    return `${instructions.length} instructions, ${proved ? 'proved' : 'not proved'}`;
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return error.diagnostics.find(({ severity }) => severity === 'error')!.code;
  }
}

async function tryRecipe(recipe: Recipe, limit: number): Promise<Tried> {
  const text = profileFrom(recipe, limit, allNames());
  const begin = cpuMilliseconds();
  const outcome = await outcomeOf(text);
  return { recipe, bytes: text.length, milliseconds: cpuMilliseconds() - begin, outcome };
}

async function search(options: {
  bytes: number;
  tries: number;
  keep: number;
  seed: number;
}): Promise<Tried[]> {
  const random = randomFrom(options.seed);
  let worst: Tried[] = [];
  for (let at = 0; at < options.tries; at++) {
    // Half of the tries look around, half climb from the worst ones so far.
    const parent = at % 2 === 1 ? worst[random(Math.min(worst.length, 20))] : undefined;
    const recipe = parent ? mutate(parent.recipe, random) : randomRecipe(random);
    worst.push(await tryRecipe(recipe, options.bytes));
    if (worst.length >= 2 * options.keep || at === options.tries - 1 || worst.length <= 20)
      worst = worst.toSorted((a, b) => b.milliseconds - a.milliseconds).slice(0, options.keep);
  }
  return worst;
}

/** CPU time and memory of a process that compiles one profile and does nothing else. */
function inOwnProcess(text: string, folder: string): { seconds: number; mebibytes: number; outcome: string } {
  const file = join(folder, 'profile.json');
  writeFileSync(file, text);
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), '--only', file], {
    encoding: 'utf8',
  });
  if (child.status !== 0) throw new Error(`the compiler failed: ${child.stderr}`);
  return JSON.parse(child.stdout) as ReturnType<typeof inOwnProcess>;
}

async function reportOnly(file: string): Promise<void> {
  expectShortRun(); // as the command does
  const outcome = await outcomeOf(readFileSync(file, 'utf8'));
  const { maxRSS } = process.resourceUsage();
  console.log(JSON.stringify({ seconds: cpuMilliseconds() / 1000, mebibytes: maxRSS / 1024, outcome }));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      bytes: { type: 'string', default: '65536' },
      tries: { type: 'string', default: '2000' },
      keep: { type: 'string', default: '200' },
      seed: { type: 'string', default: '1' },
      save: { type: 'string' },
      only: { type: 'string' },
    },
  });
  if (values.only !== undefined) return reportOnly(values.only);
  const [bytes, tries, keep, seed] = [values.bytes, values.tries, values.keep, values.seed].map(Number) as [
    number, number, number, number,
  ]; // prettier-ignore
  const worst = await search({ bytes, tries, keep, seed });

  const folder = mkdtempSync(join(tmpdir(), 'seccompc-worst-'));
  try {
    const rows = worst.map(({ recipe }, place) => {
      const text = profileFrom(recipe, bytes, allNames());
      if (values.save !== undefined) writeFileSync(join(values.save, `worst-${place}.json`), text);
      return { place, bytes: text.length, recipe: JSON.stringify(recipe), ...inOwnProcess(text, folder) };
    });
    rows.sort((a, b) => b.seconds - a.seconds);
    console.log(
      markdown({
        title: `The worst of ${tries} profiles of up to ${bytes} bytes`,
        method: `Seed ${seed}. CPU seconds and MiB of a process of its own for each of the worst ${keep}; the first 15.`,
        columns: [
          { key: 'seconds', title: 'seconds', digits: 2 },
          { key: 'mebibytes', title: 'MiB' },
          { key: 'bytes', title: 'bytes' },
          { key: 'outcome', title: 'outcome' },
          { key: 'recipe', title: 'recipe' },
        ],
        rows: rows.slice(0, 15),
      }),
    );
    const over = rows.filter((row) => row.seconds > MOST_SECONDS || row.mebibytes > MOST_MEBIBYTES);
    const most = Math.max(...rows.map((row) => row.mebibytes));
    console.log(
      `Over ${MOST_SECONDS} s or ${MOST_MEBIBYTES} MiB: ${over.length}. Most memory: ${most.toFixed(0)} MiB.`,
    );
    if (over.length > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

await main();
