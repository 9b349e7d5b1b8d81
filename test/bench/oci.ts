/**
 * What a filter costs a container's start, by each way in which it gets there, and what the hooks
 * and `bundle` cost. Everything that is compared takes turns in random order.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  configText,
  makeBundle,
  makeFolder,
  makeRoot,
  podmanCommand,
  podmanSetup,
} from '../e2e/oci/containers.ts';
import { ENTER, makeDebianTree } from '../e2e/oci/debian.ts';
import { SHARE } from '../e2e/oci/docker.ts';
import { requirements } from '../e2e/oci/require.ts';
import { describeMachine, load } from './machine.ts';
import { build, linesOf } from './programs.ts';
import { markdown, median } from './table.ts';
import type { Table } from './table.ts';

const COMMAND = [process.execPath, resolve('dist/cli/main.cjs')] as const;
const BUNDLES = 1000;

type Commands = Record<string, readonly string[]>;

/**
 * What is put before a command: words that enter a Debian tree, for other runtimes than those of
 * this machine.
 */
let within: readonly string[] = [];
/** The program that runs commands in turns, where a tree has it too. */
let runner = '';
const entered = (words: readonly string[]) =>
  [[...within, ...words][0]!, [...within, ...words].slice(1)] as const;

/** Runs all commands in turns. Milliseconds; differences are to the first. */
function turns(title: string, method: string, commands: Commands, rounds: number): Table {
  const names = Object.keys(commands);
  for (const words of Object.values(commands)) execFileSync(...entered(words), { stdio: 'pipe' });
  const samples = names.map(() => ({ cpu: [] as number[], wall: [] as number[] }));
  const args = Object.values(commands).flatMap((words) => ['--', ...words]);
  for (const [position, cpu, wall] of linesOf(...entered([runner, `${rounds}`, ...args]))) {
    samples[position!]!.cpu.push(cpu! / 1000);
    samples[position!]!.wall.push(wall! / 1000);
  }
  const figures = samples.map(({ cpu, wall }) => ({
    median: median(wall),
    min: Math.min(...wall),
    cpu: median(cpu),
  }));
  const first = figures[0]!;
  return {
    title,
    method: `${method} Milliseconds, ${rounds} rounds in random order; differences are to the first line.`,
    columns: [
      { key: 'what', title: 'what' },
      { key: 'median', title: 'median', digits: 2 },
      { key: 'min', title: 'min', digits: 2 },
      { key: 'cpu', title: 'cpu', digits: 2 },
      { key: 'dMedian', title: 'd. median', digits: 2 },
      { key: 'dMin', title: 'd. min', digits: 2 },
      { key: 'dCpu', title: 'd. cpu', digits: 2 },
    ],
    rows: figures.map((found, index) => ({
      what: names[index]!,
      ...found,
      dMedian: found.median - first.median,
      dMin: found.min - first.min,
      dCpu: found.cpu - first.cpu,
    })),
  };
}

function kernelFolder(): string {
  const built = build('kernel');
  if ('missing' in built) throw new Error(built.missing);
  return built.folder;
}

/** A default profile with its three architectures, or with one. */
function resolved(folder: string, ...options: string[]): string {
  const args = ['resolve', 'profiles/container-default.json', '-q', '--arch', 'x86_64', ...options];
  const file = join(folder, `profile${options.length}.json`);
  writeFileSync(file, execFileSync(COMMAND[0], [COMMAND[1], ...args]));
  return file;
}

function startTables(folder: string, root: string, rounds: number): Table[] {
  const three = readFileSync(resolved(folder), 'utf8');
  const one = three.replace(/"architectures": \[[^\]]*\]/, '"architectures": ["SCMP_ARCH_X86_64"]');
  const bundle = (name: string, seccomp?: string) => {
    return makeBundle(join(folder, name), {
      root,
      args: ['/bin/true'],
      ...(seccomp === undefined ? {} : { seccomp }),
    });
  };
  const annotated = (name: string, seccomp: string) => {
    const path = bundle(name, seccomp);
    execFileSync(COMMAND[0], [COMMAND[1], 'bundle', path, '-q', '--no-cache', '--require-proof']);
    return path;
  };
  const crun = (path: string) => [
    'crun',
    `--root=${join(folder, 'crun')}`,
    '--cgroup-manager=disabled',
    'run',
    '-b',
    path,
    'bench',
  ];
  const runc = (path: string) => ['runc', '--root', join(folder, 'runc'), 'run', '-b', path, 'bench'];
  mkdirSync(join(folder, 'crun'));
  const runtime = (path: string) => [join(folder, 'bin/crun-seccompc'), ...crun(path).slice(1)];
  const install = ['runtime', 'install', join(folder, 'bin'), '--store', join(folder, 'runtime'), '-q'];
  execFileSync(COMMAND[0], [COMMAND[1], ...install]);
  const method =
    "`run` of a static /bin/true with this project's default profile, for three architectures or one.";
  const ofCrun = {
    'no seccomp': crun(bundle('none')),
    'JSON, 3 architectures': crun(bundle('json3', three)),
    'JSON, 1 architecture': crun(bundle('json1', one)),
    'annotation, 3 architectures': crun(annotated('raw3', three)),
    'runtime of seccompc, 3 architectures': runtime(bundle('json3', three)),
    'annotation, 1 architecture': crun(annotated('raw1', one)),
  };
  const ofRunc = {
    'no seccomp': runc(bundle('none')),
    'JSON, 3 architectures': runc(bundle('json3', three)),
    'JSON, 1 architecture': runc(bundle('json1', one)),
  };
  return [
    turns('Starts with crun', method, ofCrun, rounds),
    turns('Starts with runc, which takes no compiled filter', method, ofRunc, rounds),
  ];
}

function hookTables(folder: string, root: string, rounds: number): Table[] {
  const seccomp = JSON.stringify(JSON.parse(readFileSync(resolved(folder), 'utf8')));
  const config = join(folder, 'podman.json');
  writeFileSync(config, configText({ root, seccomp, annotations: { a: 'b' } }));
  const hooks = join(folder, 'hooks');
  const store = join(folder, 'store');
  const hook = [...COMMAND, 'hook'];
  execFileSync(hook[0]!, [...hook.slice(1), 'install', hooks, '--store', store, '-q']);
  const { path: awk, args: hookWords, env } = readHook(hooks);
  const node = ['sh', '-c', `exec "$@" < ${config}`, 'sh', ...hook, 'precreate'];
  execFileSync(node[0]!, [...node.slice(1), '--store', store], { stdio: 'pipe' });
  const hit = ['sh', '-c', `exec "$@" < ${config}`, 'sh', awk, hookWords[1]!];
  const variables = Object.fromEntries(env.map((text) => text.split(/=(.*)/s)));
  Object.assign(process.env, variables, { SECCOMPC_COMMAND: 'exit 1' });
  const processes = turns(
    'Hook processes',
    'The precreate hook alone, with a config of the default profile for three architectures.',
    {
      'cat (changes nothing)': ['cat', config],
      'fast path (sh and awk, a hit)': hit,
      'Node: what a miss costs': [...node],
      'an empty Node': [process.execPath, '-e', '0'],
    },
    rounds,
  );

  const place = join(folder, 'podman');
  podmanSetup(place, root);
  const podman = (global: string[], ...words: string[]) =>
    podmanCommand(place, { global, args: words, command: ['/bin/true'] });
  const argument = (podmanProfile: string) =>
    execFileSync(COMMAND[0], [COMMAND[1], 'annotate', podmanProfile, '-q']).toString().trim();
  const starts = turns(
    'podman starts',
    '`podman run` with crun, own storage (vfs), no network, no cgroups.',
    {
      unconfined: podman([], '--security-opt', 'seccomp=unconfined'),
      "podman's default profile": podman([]),
      'the same, by the hook': podman(['--hooks-dir', hooks]),
      'an annotation given by hand': podman([], argument('profiles/container-default.json')),
    },
    Math.ceil(rounds / 5),
  );
  return [processes, starts];
}

function readHook(folder: string): { path: string; args: string[]; env: string[] } {
  const file: { hook: { path: string; args: string[]; env: string[] } } = JSON.parse(
    readFileSync(join(folder, 'seccompc.json'), 'utf8'),
  );
  return file.hook;
}

function bundleTable(folder: string, root: string): Table {
  const text = configText({ root, seccomp: readFileSync(resolved(folder), 'utf8') });
  const many = Array.from({ length: BUNDLES }, (_, index) => {
    const path = join(folder, 'many', String(index));
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'config.json'), text.replace('"hostname":"c"', `"hostname":"c${index}"`));
    return path;
  });
  const tasks: Record<string, string[]> = { write: [], check: ['--check'], remove: ['--remove'] };
  const times: Record<string, number[]> = { write: [], check: [], remove: [] };
  for (let round = 0; round < 7; round++)
    for (const [task, flags] of Object.entries(tasks)) {
      const begin = performance.now();
      execFileSync(COMMAND[0], [COMMAND[1], 'bundle', ...many, '-q', '--no-cache', ...flags], {
        stdio: 'pipe',
      });
      times[task]!.push(performance.now() - begin);
    }
  return {
    title: `${BUNDLES} bundles`,
    method: `One command for ${BUNDLES} bundles with one profile; each file is flushed to the disk. 7 rounds, the compilation included.`,
    columns: [
      { key: 'what', title: 'what' },
      { key: 'median', title: 'median, ms' },
      { key: 'min', title: 'min, ms' },
      { key: 'rate', title: 'bundles a second' },
    ],
    rows: Object.entries(times).map(([what, samples]) => ({
      what: `bundle${what === 'write' ? '' : ` --${what}`}`,
      median: median(samples),
      min: Math.min(...samples),
      rate: BUNDLES / (median(samples) / 1000),
    })),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '200' },
      only: { type: 'string' },
      suite: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  const needs = requirements(['crun', 'runc', 'podman', 'busybox', 'awk'], { root: true });
  if ('missing' in needs) throw new Error(needs.missing);
  const folder = makeFolder();
  const { path } = folder;
  runner = join(path, 'processes');
  copyFileSync(join(kernelFolder(), 'processes'), runner);
  const tree = values.suite === undefined ? undefined : await makeDebianTree(['crun', 'runc'], values.suite);
  if (tree !== undefined && 'missing' in tree) throw new Error(tree.missing);
  // An entered tree has a /tmp of its own.
  if (tree !== undefined) within = ['unshare', '-m', 'sh', '-ec', SHARE + ENTER, path, tree.path];
  try {
    const machine = describeMachine('as the runtimes link it');
    const versions = (tree === undefined ? ['crun', 'runc', 'podman'] : ['crun', 'runc']).map(
      (name) => execFileSync(...entered([name, '--version']), { encoding: 'utf8' }).split('\n')[0],
    );
    const root = makeRoot(join(path, 'root'));
    const parts: Record<string, () => Table[]> = {
      starts: () => startTables(path, root, rounds),
      hooks: () => hookTables(path, root, rounds),
      bundles: () => [bundleTable(path, root)],
    };
    const tables = (values.only?.split(',') ?? Object.keys(parts)).flatMap((part) => parts[part]!());
    machine['load at the end'] = load();
    const facts = [...Object.entries(machine).map(([what, value]) => `${what}: ${value}`), ...versions];
    process.stdout.write(
      `# Container starts\n\n${facts.map((line) => `- ${line}\n`).join('')}\n${tables.map(markdown).join('\n')}`,
    );
  } finally {
    folder.remove();
    tree?.remove();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
