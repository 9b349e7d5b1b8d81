/** What the command costs as a fresh process, beside a Node that does nothing. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { linesOf } from './programs.ts';
import type { Folder } from './programs.ts';
import type { Source } from './subjects.ts';
import { median } from './table.ts';
import type { Table } from './table.ts';

export function coldTable(sources: readonly Source[], kernel: string, folder: Folder, rounds: number): Table {
  const node = process.execPath;
  const command = [node, join(process.cwd(), binary())];
  const cache = folder.path('cache');
  const commands: { what: string; words: string[] }[] = [
    { what: 'an empty script', words: [node, folder.write('empty.cjs', '')] },
    { what: 'an empty module', words: [node, folder.write('empty.mjs', '')] },
    { what: 'seccompc --version', words: [...command, '--version'] },
    { what: 'lookup openat', words: [...command, 'lookup', 'openat', '--arch', 'x86_64'] },
  ];
  for (const { title, text, engine } of sources) {
    const file = folder.write(`${title}.json`, text);
    const compile = [...command, 'compile', file, '--quiet', '--arch', 'x86_64', '--engine', engine];
    commands.push(
      { what: `compile, without proof: ${title}`, words: [...compile, '--no-cache', '--no-prove'] },
      { what: `compile and prove: ${title}`, words: [...compile, '--no-cache'] },
      { what: `compile, from the cache: ${title}`, words: [...compile, '--cache', cache] },
    );
  }
  // Once for each, unmeasured: what fails says why, the cache is filled, the files are in memory.
  for (const { words } of commands) {
    const first = spawnSync(words[0]!, words.slice(1), { encoding: 'buffer' });
    if (first.status !== 0) throw new Error(`${words.join(' ')}: ${first.stderr.toString()}`);
  }
  const samples = commands.map(() => ({ cpu: [] as number[], wall: [] as number[] }));
  const args = commands.flatMap(({ words }) => ['--', ...words]);
  for (const [position, cpu, wall] of linesOf(join(kernel, 'processes'), [`${rounds}`, ...args])) {
    samples[position!]!.cpu.push(cpu! / 1000);
    samples[position!]!.wall.push(wall! / 1000);
  }
  const bare = median(samples[0]!.cpu);
  return {
    title: 'Processes, cold',
    method:
      `Whole processes in milliseconds, NODE_EXTRA_CA_CERTS unset: medians of ${rounds} rounds, all commands taking ` +
      'turns in random order. Processor time is user and system time of all threads; the ratio is that of processor ' +
      'times to an empty script.',
    columns: [
      { key: 'what', title: 'process' },
      { key: 'cpu', title: 'cpu', digits: 1 },
      { key: 'wall', title: 'wall', digits: 1 },
      { key: 'ratio', title: 'ratio', digits: 2 },
    ],
    rows: commands.map(({ what }, position) => {
      const { cpu, wall } = samples[position]!;
      return { what, cpu: median(cpu), wall: median(wall), ratio: median(cpu) / bare };
    }),
  };
}

/** The command that the package installs. */
function binary(): string {
  const manifest: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
  const bin = (manifest as { bin?: Record<string, string> }).bin?.['seccompc'];
  if (bin === undefined) throw new Error('package.json installs no seccompc');
  return bin;
}
