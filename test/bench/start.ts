/**
 * What a start of the command costs: whole processes beside a Node that does nothing, in one run of random order.
 *
 *   npm run bench:start -- [--rounds N] [NODE...]
 *
 * NODE is the path of another Node to measure as well; NODE26 in the environment names one more.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { build, linesOf, temporaryFolder } from './programs.ts';
import type { Folder } from './programs.ts';
import { markdown, median } from './table.ts';
import type { Table } from './table.ts';

const MAIN = join(process.cwd(), 'dist/cli/main.cjs');
const SCRIPT = join(process.cwd(), 'dist/cli/seccompc-sh');
const PROFILE = join(process.cwd(), 'profiles/container-default.json');
/** A user whose own cache, in which the command keeps its code, is in a folder of the benchmark's. */
const environment = (place: string) => ({ PATH: process.env['PATH'], HOME: place });

interface Row {
  what: string;
  words: string[];
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
  // Unmeasured: what fails says why, the caches are filled, the code is kept, the files are in memory.
  for (const { what, words } of [...rows, ...rows, ...rows]) {
    const first = spawnSync(words[0]!, words.slice(1), { env: environment(place), encoding: 'utf8' });
    if (first.status !== 0) throw new Error(`${what}: ${first.stderr}`);
  }
  expectTiers(node, place);
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
    method: `Medians of ${rounds} rounds in milliseconds; the ratios are to the empty script of the same run. "First" and "miss" include the rm, about 2 ms, that makes them so.`,
    columns: [
      { key: 'what', title: 'process' },
      { key: 'cpu', title: 'cpu', digits: 1 },
      { key: 'cpuRatio', title: 'ratio', digits: 2 },
      { key: 'wall', title: 'wall', digits: 1 },
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
  const config = folder.write('config.json', configOf(readFileSync(PROFILE, 'utf8')));
  const compile = (file: string) => [node, MAIN, 'compile', file, '--arch', 'x86_64', '--kernel', '6.1'];
  const hot = ['--cache', join(place, 'cache')];
  // A file of its own has no hot tier, so the store has to answer.
  const store = ['--cache', `sqlite:${join(place, 'store', 'only.sqlite')}`];
  const cold = [...compile(PROFILE), '-q', '--no-cache'];
  const afterRemoving = (what: string, words: string[]) => [
    'sh',
    '-c',
    `rm -rf ${what}; exec "$@"`,
    'sh',
    ...words,
  ];
  const [first, miss] = [join(place, 'first'), join(place, 'miss')];
  return [
    { what: 'an empty script', words: [node, folder.write('empty.cjs', '')] },
    { what: 'hot, to standard output', words: [...compile(PROFILE), '-q', ...hot] },
    { what: 'hot, with words and summary', words: [...compile(PROFILE), ...hot] },
    { what: 'hot, to a file', words: [...compile(PROFILE), '-q', ...hot, '-o', join(place, 'filter.bpf')] },
    { what: 'hot, by the profile of a config.json', words: [...compile(config), '-q', ...hot] },
    {
      what: 'hot, by the script seccompc-sh',
      words: ['sh', SCRIPT, ...compile(PROFILE).slice(2), '-q', ...hot],
    },
    { what: 'from the store', words: [...compile(PROFILE), '-q', ...store] },
    { what: 'from the store, with words and summary', words: [...compile(PROFILE), ...store] },
    { what: '--help', words: [node, MAIN, '--help'] },
    { what: 'compile and prove', words: cold },
    { what: 'compile, without proof', words: [...cold, '--no-prove'] },
    {
      what: 'compile and prove, a miss that is then kept',
      words: afterRemoving(`${miss}/hot ${miss}/cache.*`, [...compile(PROFILE), '-q', '--cache', miss]),
    },
    {
      what: 'compile and prove, first start of a build',
      words: afterRemoving(`${first}/.cache`, ['env', `HOME=${first}`, ...cold]),
    },
    {
      what: 'compile and prove, no code kept',
      words: ['env', 'SECCOMPC_NO_CODE_CACHE=1', ...cold],
    },
  ];
}

/** A configuration as a container engine writes it, of about the usual size. */
function configOf(profile: string): string {
  const mounts = Array.from({ length: 12 }, (_, index) => ({
    destination: `/mnt/${index}`,
    type: 'bind',
    source: `/var/lib/volumes/${index}`,
    options: ['rbind', 'nosuid', 'nodev', 'rprivate'],
  }));
  return JSON.stringify({
    ociVersion: '1.2.0',
    process: { args: ['sh'], cwd: '/', env: Array.from({ length: 20 }, (_, index) => `NAME_${index}=value`) },
    mounts,
    linux: { seccomp: JSON.parse(profile) as unknown },
  });
}

/** Figures would mean nothing if another tier had answered. */
function expectTiers(node: string, place: string): void {
  const stats = spawnSync(node, [MAIN, 'cache', 'stats', '--json', '--cache', join(place, 'cache')], {
    env: environment(place),
    encoding: 'utf8',
  });
  const { answers } = JSON.parse(stats.stdout) as { answers: Record<string, number> };
  // Two rounds of four: the second one is hot throughout, and in the first one where the words were the same.
  const { hot = 0, sh = 0 } = answers;
  if (hot < 4 || sh < 2 || !existsSync(join(place, 'store', 'only.sqlite')))
    throw new Error(`the hot tier did not answer: ${stats.stdout}`);
}

main();
