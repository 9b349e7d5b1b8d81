/**
 * What the cache costs: hits within a process, and the commands that go through all that is kept.
 *
 *   npm run bench:cache -- [--rounds N]
 *
 * Redis and PostgreSQL are measured where Debian's packages for them are installed; their servers
 * are started for it, on loopback.
 */
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { readFileSync } from 'node:fs';
import { compileCached } from '../../src/cache/compile-cached.ts';
import { memoryStore } from '../../src/cache/stores/memory.ts';
import { closeCache, openCache, openStore } from '../../src/cache/open.ts';
import { recentFilters } from '../../src/cache/recent.ts';
import { readKeys } from '../../src/signature.ts';
import type { Cache } from '../../src/cache/compile-cached.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { writeLoweredAlias } from '../../src/cache/records/alias.ts';
import { writeObject } from '../../src/cache/records/object.ts';
import { compile } from '../../src/compile.ts';
import type { CompileSettings } from '../../src/compile.ts';
import { makeTarget } from '../../src/target.ts';
import { findPostgres, findRedis, startPostgres, startRedis } from '../stores/servers.ts';
import type { Server } from '../stores/servers.ts';
import { load } from './machine.ts';
import { build, linesOf, temporaryFolder } from './programs.ts';
import type { Folder } from './programs.ts';
import { serverTable } from './servers.ts';
import { markdown, median } from './table.ts';
import type { Table } from './table.ts';

const PROFILE = 'profiles/container-default.json';
const MAIN = join(process.cwd(), 'dist/cli/main.cjs');
const OPTIONS: CompileSettings = { target: makeTarget({ arch: 'X86_64' }) };
/** Calls of each kind in a round; the first round is not counted. */
const CALLS = 200;
const RECORDS = 10_000;
const SENT = 1000;

async function main(args: string[]): Promise<void> {
  const at = args.indexOf('--rounds');
  const rounds = at < 0 ? 15 : Number(args[at + 1]);
  if (!Number.isInteger(rounds) || rounds < 2) throw new RangeError('--rounds takes a whole number from 2');
  const folder = temporaryFolder();
  const servers: [string, Server][] = [];
  const redis = findRedis();
  if ('program' in redis) servers.push(['Redis', await startRedis(redis.program)]);
  const postgres = findPostgres();
  if ('folder' in postgres) servers.push(['PostgreSQL', await startPostgres(postgres.folder)]);
  try {
    console.log(
      `${cpus()[0]?.model}, ${availableParallelism()} processors, Node ${process.version}, load ${load()}\n`,
    );
    console.log(markdown(await serverTable(servers)));
    console.log(markdown(await hitsTable(rounds, folder, servers)));
    console.log(markdown(await listTable(rounds, folder)));
    console.log(markdown(await transferTable(folder, servers)));
  } finally {
    for (const [, server] of servers) await server.remove();
    folder.remove();
  }
}

/** A way to a filter, and what has to answer. */
interface Way {
  what: string;
  tier: string;
  cache: Cache;
  /** Another text at each call, with the same rules: found by what they come to. */
  reformatted?: true;
}

async function hitsTable(rounds: number, folder: Folder, servers: [string, Server][]): Promise<Table> {
  const text = readFileSync(PROFILE, 'utf8');
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const keys = readKeys({
    sign: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    trust: [publicKey.export({ type: 'spki', format: 'pem' }).toString()],
  });
  const alone = (store: CacheStore): Cache => ({ stores: [store] });
  const sqlite = (name: string) => openCache(`sqlite:${folder.path(name)}`);
  const ways: Way[] = [
    { what: 'filters of this process', tier: 'memory', cache: { stores: [], recent: recentFilters() } },
    { what: 'store in memory', tier: 'memory', cache: alone(memoryStore()) },
    { what: 'SQLite', tier: 'sqlite', cache: sqlite('hits.sqlite') },
    { what: 'SQLite, by meaning', tier: 'sqlite', cache: sqlite('meaning.sqlite'), reformatted: true },
    ...servers.flatMap(([what, { url }]): Way[] => {
      const tier = what === 'Redis' ? 'redis' : 'postgres';
      return [
        { what: `${what}, signed`, tier, cache: { stores: [openStore(url)], keys } },
        { what: `${what}, unsigned: proved anew`, tier, cache: alone(openStore(url)) },
      ];
    }),
    { what: 'none: compile and prove', tier: 'none', cache: { stores: [] } },
  ];
  const samples = ways.map(() => [] as number[]);
  let calls = 0;
  for (let round = 0; round < rounds; round += 1)
    for (const [index, { what, tier, cache, reformatted }] of ways.entries()) {
      const times: number[] = [];
      for (let call = 0; call < CALLS; call += 1) {
        const input = reformatted ? `${text}${' '.repeat((calls += 1))}` : text;
        const begin = process.hrtime.bigint();
        const found = await compileCached(input, OPTIONS, cache);
        times.push(Number(process.hrtime.bigint() - begin) / 1000);
        if (found.tier !== tier && round + call > 0) throw new Error(`${what}: ${found.tier} answered`);
      }
      if (round > 0) samples[index]!.push(median(times));
    }
  for (const { cache } of ways) await closeCache(cache);
  return {
    title: 'One call of compileCached',
    method:
      `A profile of ${text.length} bytes as text, within one process; medians of ${rounds - 1} rounds of ${CALLS} calls, ` +
      'all ways taking turns. Microseconds of wall time.',
    columns: [
      { key: 'what', title: 'answered by' },
      { key: 'time', title: 'µs', digits: 1 },
    ],
    rows: ways.map(({ what }, index) => ({ what, time: median(samples[index]!) })),
  };
}

/**
 * A store with so many records as a large fleet has: one object and one way to it for each program.
 */
async function fill(store: CacheStore, count: number): Promise<void> {
  const { bytes } = await compile(readFileSync(PROFILE), OPTIONS);
  for (let number = 0; number < count; number += 2) {
    const program = Uint8Array.from(bytes);
    new DataView(program.buffer).setUint32(program.length - 4, number, true);
    const { digest, text } = writeObject(program);
    await store.set(digest, text, { kind: 'object', label: '176 instructions' });
    const key = digest.replaceAll(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16));
    const alias = writeLoweredAlias(key, { object: digest, proved: true });
    await store.set(key, alias, { kind: 'alias', label: 'X86_64 X86 X32, proved' });
  }
}

async function listTable(rounds: number, folder: Folder): Promise<Table> {
  const programs = build('kernel');
  if ('missing' in programs) throw new Error(programs.missing);
  const location = `sqlite:${folder.path('many.sqlite')}`;
  const store = openStore(location);
  await fill(store, RECORDS);
  await store.close();
  const command = [process.execPath, MAIN];
  const rows = [
    { what: '--version', words: [...command, '--version'] },
    ...['stats', 'ls', 'ls --json'].map((words) => ({
      what: `cache ${words}`,
      words: [...command, 'cache', ...words.split(' '), '--cache', location],
    })),
  ];
  for (const { what, words } of rows) {
    const first = spawnSync(words[0]!, words.slice(1), { encoding: 'utf8', maxBuffer: 1 << 28 });
    if (first.status !== 0) throw new Error(`${what}: ${first.stderr}`);
    if (what === 'cache ls' && first.stdout.split('\n').length !== RECORDS + 1)
      throw new Error('not all are listed');
  }
  const samples = rows.map(() => ({ cpu: [] as number[], wall: [] as number[] }));
  const args = [`${rounds}`, ...rows.flatMap(({ words }) => ['--', ...words])];
  for (const [position, cpu, wall] of linesOf(join(programs.folder, 'processes'), args)) {
    samples[position!]!.cpu.push(cpu! / 1000);
    samples[position!]!.wall.push(wall! / 1000);
  }
  const start = median(samples[0]!.wall);
  return {
    title: `${RECORDS} records in a SQLite store`,
    method: `Whole processes, medians of ${rounds} rounds in milliseconds; "over" is wall time over --version.`,
    columns: [
      { key: 'what', title: 'command' },
      { key: 'cpu', title: 'cpu', digits: 1 },
      { key: 'wall', title: 'wall', digits: 1 },
      { key: 'over', title: 'over', digits: 1 },
    ],
    rows: rows.map(({ what }, index) => {
      const wall = median(samples[index]!.wall);
      return { what, cpu: median(samples[index]!.cpu), wall, over: wall - start };
    }),
  };
}

async function transferTable(folder: Folder, servers: [string, Server][]): Promise<Table> {
  const from = `sqlite:${folder.path('from.sqlite')}`;
  const source = openStore(from);
  await fill(source, SENT);
  await source.close();
  const places: [string, string][] = [
    ['SQLite', `sqlite:${folder.path('to.sqlite')}`],
    ...servers.map(([name, { url }]): [string, string] => [name, url]),
  ];
  const rows: Table['rows'] = [];
  for (const [what, url] of places) {
    // What the hits above have left there.
    const place = openStore(url);
    await place.clear();
    await place.close();
    for (const run of ['first', 'second']) {
      const begin = performance.now();
      const push = spawnSync(process.execPath, [MAIN, 'cache', 'push', url, '--cache', from, '--json'], {
        encoding: 'utf8',
      });
      const time = performance.now() - begin;
      if (push.status !== 0) throw new Error(`push to ${what}: ${push.stderr}`);
      const { sent, present } = JSON.parse(push.stdout) as { sent: number; present: number };
      rows.push({ what: `${what}, ${run} time`, sent, present, time });
    }
  }
  return {
    title: `cache push of ${SENT} records`,
    method: 'Whole processes, one run each, milliseconds of wall time.',
    columns: [
      { key: 'what', title: 'to' },
      { key: 'sent', title: 'sent' },
      { key: 'present', title: 'already there' },
      { key: 'time', title: 'ms' },
    ],
    rows,
  };
}

await main(process.argv.slice(2));
