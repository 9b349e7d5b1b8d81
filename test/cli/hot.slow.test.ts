import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTY, PLAIN, WITH_WARNING } from './profiles.ts';
import { documentOf, environment, MAIN, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const compile = (file: string, cache: string, ...args: string[]) =>
  runIn(folder, ['compile', file, '--arch', 'x86_64', '--cache', cache, ...args]);

beforeAll(() => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'same.json'), PLAIN);
  writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
  writeFileSync(join(folder, 'faulty.json'), FAULTY);
});

const stats = async (cache: string) =>
  documentOf(await runIn(folder, ['cache', 'stats', '--json', '--cache', cache]));

/**
 * Which tier would answer this command line now: it is asked for JSON, which tells, or for words,
 * whose summary does.
 */
function tierOf({ stdout, stderr }: Result): string | undefined {
  const found = /"tier": "(\w+)"/.exec(stdout.toString('latin1')) ?? /from the cache \((\w+)\)/.exec(stderr);
  return found?.[1] ?? (stderr.includes('compiled in') ? 'none' : undefined);
}

/** A result without what tells from where and how fast it came. */
function alike({ code, stdout, stderr }: Result): { code: number | null; stdout: string; stderr: string } {
  return {
    code,
    stdout: stdout.toString('latin1').replace(/"tier": "\w+"/, ''),
    stderr: stderr.replace(/(compiled|from the cache \(\w+\)) in \d+ ms/, 'made'),
  };
}

describe('a hot answer', () => {
  it.each([
    [], ['-q'], ['--quiet'], ['--json'], ['--format', 'json'], ['--format', 'hex'], ['--format', 'asm', '-q'],
    ['--format', 'c'], ['--format', 'base64', '--no-prove'], ['--require-proof', '--optimize', 'size'],
    ['--kernel', '6.1', '--cap', 'NET_ADMIN', '--semantics', 'runc'],
  ].flatMap((args) => [{ file: 'plain.json', args }, { file: 'warning.json', args }]))(
    'to compile $file $args is what the program says and gives',
    async ({ file, args }) => {
      const cache = `same-${file}-${args.join('')}`;
      const first = await compile(file, cache, ...args);
      expect(first.code).toBe(0);
      const second = await compile(file, cache, ...args);
      if (tierOf(first) !== undefined) expect(tierOf(second)).toBe('hot');
      expect(readdirSync(join(folder, cache, 'hot'))).toHaveLength(1);
      expect(alike(second)).toEqual(alike(first));
      const without = await runIn(folder, ['compile', file, '--arch', 'x86_64', '--no-cache', ...args]);
      if (!args.includes('--json') && !args.includes('json')) expect(alike(second)).toEqual(alike(without));
      else expect(documentOf(second)).toEqual({ ...documentOf(without), cache: { tier: 'hot', key: expect.any(String) } });
    },
  ); // prettier-ignore

  it('says which tier it came from', async () => {
    await compile('plain.json', 'says');
    expect((await compile('plain.json', 'says')).stderr).toMatch(
      /; proved; from the cache \(hot\) in \d+ ms\n$/,
    );
  });

  it('is shared by files of one content, but not where their names are printed', async () => {
    await compile('plain.json', 'names');
    expect(tierOf(await compile('same.json', 'names'))).toBe('hot');
    await compile('warning.json', 'names');
    copyFileSync(join(folder, 'warning.json'), join(folder, 'twin.json'));
    const twin = await compile('twin.json', 'names');
    expect(tierOf(twin)).toBe('sqlite');
    expect(twin.stderr).toMatch(/^twin\.json:5:\d+: warning: /);
  });

  it('is not given to an input that differs in one byte', async () => {
    await compile('plain.json', 'bytes');
    for (const text of [`${PLAIN} `, PLAIN.replace('{', '{ '), PLAIN.slice(0, -1)]) {
      writeFileSync(join(folder, 'other.json'), text);
      expect(tierOf(await compile('other.json', 'bytes'))).not.toBe('hot');
    }
  });

  it('is not kept of a profile with faults', async () => {
    await compile('faulty.json', 'faulty');
    expect(await compile('faulty.json', 'faulty')).toMatchObject({ code: 65 });
    expect(existsSync(join(folder, 'faulty', 'hot'))).toBe(false);
  });

  it('is not looked for, nor kept, with --no-cache', async () => {
    const home = { XDG_CACHE_HOME: join(folder, 'none') };
    await runIn(folder, ['compile', 'plain.json', '--no-cache', '-q'], { env: home });
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});

describe('a hot answer to a file', () => {
  beforeAll(() => compile('plain.json', 'files'));
  const toFile = async (out: string) => tierOf(await compile('plain.json', 'files', '-o', out));
  const filter = async () => (await compile('plain.json', 'files', '-q')).stdout;

  it('is a new file, or replaces one and keeps its mode', async () => {
    const out = join(folder, 'new.bpf');
    expect(await toFile(out)).toBe('hot');
    expect(readFileSync(out)).toEqual(await filter());
    writeFileSync(out, 'x'.repeat(9999));
    chmodSync(out, 0o604);
    const { ino } = lstatSync(out);
    expect(await toFile(out)).toBe('hot');
    expect(readFileSync(out)).toEqual(await filter());
    expect(lstatSync(out).mode & 0o777).toBe(0o604);
    expect(lstatSync(out).ino).not.toBe(ino);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('goes through a link of the same user to the file that it names', async () => {
    writeFileSync(join(folder, 'real.bpf'), '');
    symlinkSync('real.bpf', join(folder, 'link.bpf'));
    expect(await toFile('link.bpf')).toBe('hot');
    expect(lstatSync(join(folder, 'link.bpf')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'real.bpf'))).toEqual(await filter());
    expect(await compile('plain.json', 'files', '-q', '-o', 'no/such/folder')).toMatchObject({
      code: 73,
      stderr: expect.stringContaining('cannot create'),
    });
  });

  it.runIf(existsSync('/dev/full'))('to a full disk ends as the program ends', () => {
    const run = (...more: string[]) =>
      spawnSync(
        'sh',
        ['-c', '"$0" "$@" > /dev/full', process.execPath, MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '-q', ...more],
        { cwd: folder, env: environment(folder), encoding: 'utf8' },
      ); // prettier-ignore
    const [hotRun, cold] = [run('--cache', 'files'), run('--no-cache')];
    expect({ status: hotRun.status, stderr: hotRun.stderr }).toEqual({ status: 74, stderr: cold.stderr });
    expect(cold.stderr).toContain('no space left');
  });

  it('to a reader that has gone ends without a word', async () => {
    const child = spawn(process.execPath, [MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '-q', '--cache', 'files'], {
      cwd: folder,
      env: environment(folder),
      stdio: ['ignore', 'pipe', 'pipe'],
    }); // prettier-ignore
    child.stdout.destroy();
    let words = '';
    child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(words).toBe('');
    expect([0, 74]).toContain(code);
  });
});

describe('a hot entry that is not to be trusted is passed over', () => {
  let fresh: string;
  beforeAll(async () => {
    const { stdout } = await runIn(folder, ['compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '-q']);
    fresh = stdout.toString('hex');
  });

  /** A cache with an entry for plain.json, and where that stands. */
  async function filled(cache: string): Promise<string> {
    await compile('plain.json', cache);
    const entries = join(folder, cache, 'hot');
    return join(entries, readdirSync(entries)[0]!);
  }

  /** The filter is right, and came from elsewhere. */
  async function expectPassedOver(cache: string): Promise<Result> {
    const loud = await compile('plain.json', cache);
    expect(tierOf(loud)).not.toBe('hot');
    expect(loud.code).toBe(0);
    expect(loud.stdout.toString('hex')).toBe(fresh);
    return loud;
  }

  it('when it was planted, cut, changed, or swapped with another, and its user is told', async () => {
    const entry = await filled('bad');
    const good = readFileSync(entry);
    const turned = Buffer.from(good);
    turned[turned.indexOf('"product"') + 20]! ^= 1;
    await compile('warning.json', 'bad');
    const other = readdirSync(join(folder, 'bad', 'hot'))
      .map((name) => join(folder, 'bad', 'hot', name))
      .find((path) => path !== entry)!;
    for (const bad of ['', 'planted', good.subarray(0, -1), good.subarray(0, 100), turned]) {
      writeFileSync(entry, bad);
      expect((await expectPassedOver('bad')).stderr).toContain('it is damaged');
      // The next one finds it mended.
      expect(tierOf(await compile('plain.json', 'bad'))).toBe('hot');
    }
    writeFileSync(entry, readFileSync(other));
    await expectPassedOver('bad');
  });

  it('when others could have written it', async () => {
    const entry = await filled('open');
    for (const [path, mode] of [
      [entry, 0o666],
      [join(folder, 'open', 'hot'), 0o777],
      [join(folder, 'open'), 0o777],
    ] as const) {
      const before = lstatSync(path).mode & 0o777;
      chmodSync(path, mode);
      await expectPassedOver('open');
      chmodSync(path, before);
    }
  });

  it.runIf(process.geteuid?.() === 0)('when it belongs to another user', async () => {
    const entry = await filled('foreign');
    for (const path of [entry, join(folder, 'foreign', 'hot'), join(folder, 'foreign')]) {
      chownSync(path, 12345, 12345);
      await expectPassedOver('foreign');
      chownSync(path, 0, 0);
    }
  });

  it('when it is a link or a pipe', async () => {
    const entry = await filled('link');
    renameSync(entry, join(folder, 'moved'));
    symlinkSync(join(folder, 'moved'), entry);
    await expectPassedOver('link');
    rmSync(entry);
    if (spawnSync('mkfifo', ['-m', '600', entry]).status === 0) await expectPassedOver('link');
  });
});

describe('many at once, and no place', () => {
  it('twenty processes that find no cache give the same', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => compile('warning.json', 'twenty')));
    expect(new Set(results.map((result) => JSON.stringify(alike(result)))).size).toBe(1);
    expect(results[0]).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^warning\.json:5:\d+: warning/),
    });
    expect(tierOf(await compile('warning.json', 'twenty'))).toBe('hot');
    expect(readdirSync(join(folder, 'twenty', 'hot')).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('a home that may not be written is a warning', () => {
    const home = join(folder, 'readonly');
    mkdirSync(home);
    chmodSync(folder, 0o755);
    const asOther = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    chmodSync(home, 0o555);
    const found = spawnSync(process.execPath, [MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '--json'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: home },
      encoding: 'utf8',
      ...asOther,
    });
    expect(found).toMatchObject({ status: 0, stderr: '' });
    expect(found.stdout).toContain('CACHE_UNAVAILABLE');
    expect(readdirSync(home)).toEqual([]);
  });

  const mount = (place: string) =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40k,mode=700', 'tmpfs', place]);
  it.runIf(process.geteuid?.() === 0)('a full disk costs nothing but the cache', async (context) => {
    const place = join(folder, 'tiny');
    mkdirSync(place);
    if (mount(place).status !== 0) return context.skip('no tmpfs may be mounted here');
    try {
      const fresh = await compile('plain.json', 'other', '-q');
      for (const args of [['-q'], ['--format', 'hex', '-q'], ['--format', 'asm'], ['-q']]) {
        const found = await compile('plain.json', place, ...args);
        expect(found.code).toBe(0);
        if (args[0] === '-q') expect(found.stdout).toEqual(fresh.stdout);
      }
      const names = readdirSync(place, { recursive: true, encoding: 'utf8' });
      expect(names.filter((name) => name.includes('/.'))).toEqual([]);
    } finally {
      spawnSync('umount', [place]);
    }
  });
});

describe('cache stats and cache clear', () => {
  it('have both tiers', async () => {
    await compile('plain.json', 'both', '-q');
    await compile('plain.json', 'both', '-q', '--format', 'hex');
    await compile('plain.json', 'both', '-q', '--format', 'hex');
    expect(await stats('both')).toMatchObject({
      entries: 3,
      hot: { entries: 2, bytes: expect.any(Number) },
    });
    const text = (await runIn(folder, ['cache', 'stats', '--cache', 'both'])).stdout.toString();
    expect(text).toMatch(/^hot entries\t2$/m);
    mkdirSync(join(folder, 'both', 'cache.sqlite-turns'));
    expect(await runIn(folder, ['cache', 'clear', '--cache', 'both'])).toMatchObject({ code: 0 });
    expect(readdirSync(join(folder, 'both')).filter((name) => name.includes('turns'))).toEqual([]);
    expect(await stats('both')).toMatchObject({ entries: 0, hot: { entries: 0, bytes: 0 } });
    expect((await compile('plain.json', 'both')).stderr).toContain('compiled in');
  });
});
