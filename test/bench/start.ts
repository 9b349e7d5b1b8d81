/**
 * What a start of the command costs: whole processes beside a Node that does nothing, in one run of
 * random order.
 *
 *   npm run bench:start -- [--rounds N] [NODE...]
 *
 * NODE is the path of another Node to measure as well; NODE26 in the environment names one more.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { build, linesOf, temporaryFolder } from './programs.ts';
import type { Folder } from './programs.ts';
import { markdown, median } from './table.ts';
import type { Table } from './table.ts';

const MAIN = join(process.cwd(), 'dist/cli/main.cjs');
const PROFILE = join(process.cwd(), 'profiles/container-default.json');
/** A user whose own cache is in a folder of the benchmark's. */
const environment = (place: string) => ({ PATH: process.env['PATH'], HOME: place });

interface Row {
  what: string;
  words: string[];
  /** Which tier has to answer from the second time on. */
  tier?: string;
}

function main(): void {
  const args = process.argv.slice(2);
  const at = args.indexOf('--rounds');
  const rounds = at < 0 ? 40 : Number(args.splice(at, 2)[1]);
  if (!Number.isInteger(rounds) || rounds < 1) throw new RangeError('--rounds takes a whole number from 1');
  const { NODE26: newer } = process.env;
  const nodes = [process.execPath, ...(newer === undefined ? [] : [newer]), ...args];
  const programs = build('kernel');
  if ('missing' in programs) throw new Error(programs.missing);
  const folder = temporaryFolder();
  try {
    console.log(
      `${cpus()[0]?.model}, ${availableParallelism()} processors, load ${loadavg()[0]!.toFixed(1)}\n`,
    );
    for (const [index, node] of nodes.entries()) {
      const place = folder.path(`${index}`);
      mkdirSync(place, { mode: 0o700 });
      console.log(markdown(tableOf(node, rounds, join(programs.folder, 'processes'), place, folder)));
    }
  } finally {
    folder.remove();
  }
}

function tableOf(node: string, rounds: number, spawner: string, place: string, folder: Folder): Table {
  const rows = rowsOf(node, place, folder);
  // Unmeasured: what fails says why, the caches are filled, the files are in memory.
  for (const round of [1, 2, 3])
    for (const { what, words, tier } of rows) {
      const run = spawnSync(words[0]!, words.slice(1), { env: environment(place), encoding: 'utf8' });
      if (run.status !== 0) throw new Error(`${what}: ${run.stderr}`);
      // Figures would mean nothing if another tier had answered.
      if (round > 1 && tier !== undefined && !run.stderr.includes(`from the cache (${tier})`))
        throw new Error(`${what}: not from ${tier}: ${run.stderr}`);
    }
  const samples = rows.map(() => ({ cpu: [] as number[], wall: [] as number[] }));
  const words = ['env', '-i', `PATH=${process.env['PATH']}`, `HOME=${place}`, spawner, `${rounds}`];
  const args = [...words.slice(1), ...rows.flatMap((row) => ['--', ...row.words])];
  for (const [position, cpu, wall] of linesOf(words[0]!, args)) {
    samples[position!]!.cpu.push(cpu! / 1000);
    samples[position!]!.wall.push(wall! / 1000);
  }
  const bare = { cpu: median(samples[0]!.cpu), wall: median(samples[0]!.wall) };
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  return {
    title: `Starts under Node ${version}`,
    method: `Medians of ${rounds} rounds in milliseconds; the ratios are to the empty script of the same run. The last row includes an rm, about 2 ms.`,
    columns: [
      { key: 'what', title: 'process' },
      { key: 'cpu', title: 'cpu', digits: 2 },
      { key: 'cpuRatio', title: 'ratio', digits: 2 },
      { key: 'wall', title: 'wall', digits: 2 },
      { key: 'wallRatio', title: 'ratio', digits: 2 },
    ],
    rows: rows.map(({ what }, index) => {
      const cpu = median(samples[index]!.cpu);
      const wall = median(samples[index]!.wall);
      return { what, cpu, cpuRatio: cpu / bare.cpu, wall, wallRatio: wall / bare.wall };
    }),
  };
}

function rowsOf(node: string, place: string, folder: Folder): Row[] {
  const compile = [node, MAIN, 'compile', PROFILE, '--arch', 'x86_64', '--kernel', '6.1'];
  const hot = ['--cache', join(place, 'cache')];
  // A file of its own has no hot tier, so the store has to answer.
  const store = ['--cache', `sqlite:${join(place, 'store', 'only.sqlite')}`];
  const cold = [...compile, '-q', '--no-cache'];
  const miss = join(place, 'miss');
  const launcher = join(place, 'sandboxed');
  spawnSync(node, [MAIN, 'compile', PROFILE, '--format', 'elf', '-q', '-o', launcher]);
  return [
    { what: 'an empty script', words: [node, folder.write('empty.cjs', '')] },
    { what: 'hot', words: [...compile, '-q', ...hot] },
    { what: 'hot, with warnings and summary', words: [...compile, ...hot], tier: 'hot' },
    { what: 'hot, to a file', words: [...compile, '-q', ...hot, '-o', join(place, 'filter.bpf')] },
    { what: 'from SQLite', words: [...compile, '-q', ...store] },
    { what: 'from SQLite, with warnings and summary', words: [...compile, ...store], tier: 'sqlite' },
    { what: '--help', words: [node, MAIN, '--help'] },
    { what: 'compile and prove', words: cold },
    { what: 'compile, without proof', words: [...cold, '--no-prove'] },
    {
      what: 'exec of true, hot, with a shell before it',
      words: ['sh', '-c', 'exec "$@" -- true', 'sh', node, MAIN, 'exec', PROFILE, '-q', ...hot],
    },
    { what: 'true', words: ['/bin/true'] },
    { what: 'true under a launcher', words: [launcher, '/bin/true'] },
    {
      what: 'compile and prove, then keep',
      words: ['sh', '-c', `rm -rf ${miss}; exec "$@"`, 'sh', ...compile, '-q', '--cache', miss],
    },
  ];
}

main();
