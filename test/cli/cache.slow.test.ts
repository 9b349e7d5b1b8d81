import { chmodSync, existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PLAIN, FAULTY, WITH_WARNING } from './profiles.ts';
import { codesOf, documentOf, MAIN, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const run = (args: string[]) => runIn(folder, args);
/**
 * Written so that the hot tier does not know the words, and leaves them to the store behind it:
 * hot.test.ts has the rest.
 */
const compile = (file: string, cache: string, ...args: string[]) =>
  run(['compile', file, '--arch', 'x86_64', '--json', `--cache=${cache}`, ...args]);

beforeAll(() => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
  writeFileSync(join(folder, 'same.json'), WITH_WARNING);
  writeFileSync(join(folder, 'faulty.json'), FAULTY);
});

function cacheOf(result: Result): unknown {
  return documentOf(result)['cache'];
}

/** The row that the store keeps a result in. */
function rowOf(result: Result): string {
  const key = /"key": "([0-9a-f]{64})"/.exec(result.stdout.toString())?.[1];
  if (key === undefined) throw new TypeError('no key');
  return `seccompc:${key}`;
}

/** The document without what tells a hit from a miss. */
function withoutCache(result: Result): Record<string, unknown> {
  const { cache: _, ...rest } = documentOf(result);
  return rest;
}

describe('the cache', () => {
  it('answers the second time, with the very same result', async () => {
    const miss = await compile('warning.json', 'twice');
    const hit = await compile('warning.json', 'twice');
    expect(cacheOf(miss)).toEqual({ tier: 'none', key: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(cacheOf(hit)).toMatchObject({ tier: 'sqlite' });
    expect(withoutCache(hit)).toEqual(withoutCache(miss));
    const raw = await run(['compile', 'warning.json', '--arch', 'x86_64', '--cache=twice']);
    expect(raw.stdout.toString('base64')).toBe(documentOf(miss)['bytes']);
    expect(raw.stderr).toContain('from the cache (sqlite)');
    expect(raw.stderr).toMatch(/^warning\.json:5:\d+: warning: /m);
  });

  it('answers without the compiler, from few files', async () => {
    writeFileSync(
      join(folder, 'files.cjs'),
      `process.on('exit', () => console.error('\\nfiles: ' + Object.keys(require.cache).join()));`,
    );
    const filesOf = async () => {
      const env = { NODE_OPTIONS: `--require ${join(folder, 'files.cjs')}` };
      const words = ['compile', 'plain.json', '--arch', 'x86_64', '--quiet', '--cache=few'];
      const { code, stderr } = await runIn(folder, words, { env });
      expect(code).toBe(0);
      const paths = /^files: (.*)$/m.exec(stderr)![1]!.split(',');
      return paths.filter((path) => path.startsWith(dirname(MAIN))).map((path) => basename(path, '.cjs'));
    };
    expect(await filesOf()).toContain('compiler');
    const loaded = ['main', 'rolldown-runtime', 'files', 'program', 'command', 'base', 'store'];
    expect((await filesOf()).toSorted()).toEqual(loaded.toSorted());
  });

  it('is shared by files of one content, each with its own name in the messages', async () => {
    await compile('warning.json', 'names');
    const other = await compile('same.json', 'names');
    expect(cacheOf(other)).toMatchObject({ tier: 'sqlite' });
    expect(documentOf(other)['diagnostics']).toEqual([
      expect.objectContaining({ file: 'same.json', line: 5 }),
    ]);
  });

  it("is the user's own unless said, and is not touched with --no-cache", async () => {
    const path = join(folder, 'xdg-cache', 'seccompc', 'cache.sqlite');
    expect((await run(['cache', 'path'])).stdout.toString()).toBe(`${path}\n`);
    await run(['compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '-q']);
    expect(existsSync(path)).toBe(false);
    await run(['compile', 'plain.json', '--arch', 'x86_64', '-q']);
    expect(existsSync(path)).toBe(true);
  });

  it('counts its entries and forgets them', async () => {
    await compile('plain.json', 'count');
    await compile('warning.json', 'count');
    await compile('faulty.json', 'count');
    const stats = async () => documentOf(await run(['cache', 'stats', '--cache', 'count', '--json']));
    expect(await stats()).toMatchObject({
      tier: 'sqlite',
      entries: 6,
      aliases: 4,
      objects: 2,
      path: join(folder, 'count', 'cache.sqlite'),
    });
    expect((await run(['cache', 'stats', '--cache', 'count'])).stdout.toString()).toMatch(/^entries\t6$/m);
    expect(await run(['cache', 'clear', '--cache', 'count'])).toMatchObject({ code: 0 });
    expect(await stats()).toMatchObject({ entries: 0, bytes: 0, oldest: null, leastUsed: null });
    expect(cacheOf(await compile('plain.json', 'count'))).toMatchObject({ tier: 'none' });
  });

  it('serves eight processes at once that find none yet', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => compile('warning.json', 'eight')));
    expect(results.map(({ code }) => code)).toEqual(Array.from({ length: 8 }, () => 0));
    expect(new Set(results.map((result) => JSON.stringify(withoutCache(result)))).size).toBe(1);
    expect(codesOf(results[0]!)).toEqual(['UNKNOWN_SYSCALL']);
    expect(cacheOf(await compile('warning.json', 'eight'))).toMatchObject({ tier: 'sqlite' });
  });
});

describe('a cache at fault is a warning, and the filter is the same', () => {
  let filter: unknown;
  beforeAll(async () => {
    const { stdout } = await run(['compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '-q']);
    filter = stdout.toString('base64');
  });

  async function warned(cache: string): Promise<unknown[]> {
    const result = await compile('plain.json', cache);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(documentOf(result)).toMatchObject({ bytes: filter, cache: { tier: 'none' } });
    return codesOf(result);
  }

  it('when its file is no database, or is cut off; clear repairs it', async () => {
    mkdirSync(join(folder, 'broken'), { mode: 0o700 });
    const file = join(folder, 'broken', 'cache.sqlite');
    writeFileSync(file, 'not a database at all, but long enough'.repeat(50), { mode: 0o600 });
    expect(await warned('broken')).toEqual(['CACHE_UNAVAILABLE']);
    expect(await run(['cache', 'stats', '--cache', 'broken'])).toMatchObject({ code: 69 });
    expect(await run(['cache', 'clear', '--cache', 'broken'])).toMatchObject({ code: 0 });
    expect(await warned('broken')).toEqual([]);
    for (const suffix of ['-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    truncateSync(file, 4096);
    expect(await warned('broken')).toEqual(['CACHE_UNAVAILABLE']);
  });

  it('when others could have written to it', async () => {
    mkdirSync(join(folder, 'open'));
    chmodSync(join(folder, 'open'), 0o777);
    expect(await warned('open')).toEqual(['CACHE_FOLDER_UNSAFE']);
  });

  it('when it cannot be made', async () => {
    expect(await warned('plain.json')).toEqual(['CACHE_UNAVAILABLE']);
    expect(await warned('/proc/none')).toEqual(['CACHE_UNAVAILABLE']);
  });

  const asNobody = process.geteuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0;
  it.runIf(asNobody)('when the user has no home', () => {
    chmodSync(folder, 0o755);
    const command = [process.execPath, MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '--json'];
    const found = spawnSync('setpriv', ['--reuid=54321', '--clear-groups', '--', ...command], {
      cwd: folder,
      env: { PATH: process.env['PATH'] },
      encoding: 'utf8',
    });
    expect(found).toMatchObject({ status: 0, stderr: '' });
    expect(found.stdout).toContain('CACHE_UNAVAILABLE');
    expect(found.stdout).toContain('this user has no home');
  });

  it('when another process holds it locked, and the command does not wait for ever', async () => {
    await compile('warning.json', 'locked');
    const { KeyvSqlite } = await import('@keyv/sqlite');
    const other = new KeyvSqlite({
      uri: `sqlite://${join(folder, 'locked', 'cache.sqlite')}`,
      table: 'filters',
    });
    await other.query('PRAGMA locking_mode = EXCLUSIVE');
    await other.query('BEGIN EXCLUSIVE');
    expect(await warned('locked')).toEqual(['CACHE_UNAVAILABLE']);
    await other.query('COMMIT');
    await other.close();
  });

  it('when an entry was planted, swapped or damaged', async () => {
    const cache = join(folder, 'planted');
    const mine = await compile('plain.json', cache);
    const theirs = await compile('warning.json', cache);
    const { KeyvSqlite } = await import('@keyv/sqlite');
    const database = new KeyvSqlite({ uri: `sqlite://${join(cache, 'cache.sqlite')}`, table: 'filters' });
    const good = String(await database.get(rowOf(theirs)));
    const own = String(await database.get(rowOf(mine)));
    for (const bad of [good, own.replace('proved', 'praved'), '{"value":7}', '{"value":""}']) {
      await database.set(rowOf(mine), bad);
      const result = await compile('plain.json', cache);
      // What the rules come to leads to the program all the same.
      expect(documentOf(result)).toMatchObject({ bytes: filter, cache: { tier: 'sqlite' } });
      expect(codesOf(result)).toEqual(['CACHE_ENTRY_REFUSED']);
    }
    const row = `seccompc:${String(documentOf(mine)['sha256'])}`;
    const program = String(await database.get(row));
    const other = String(await database.get(`seccompc:${String(documentOf(theirs)['sha256'])}`));
    for (const bad of [other, program.replace('A', 'B'), program.replace('=', ''), '{"value":""}']) {
      await database.set(row, bad);
      expect(await warned(cache)).toEqual(['CACHE_ENTRY_REFUSED', 'CACHE_ENTRY_REFUSED']);
    }
    await database.set(rowOf(mine), own.slice(0, own.length / 2));
    expect(await warned(cache)).toHaveLength(1);
    await database.close();
    rmSync(cache, { recursive: true });
  });
});
