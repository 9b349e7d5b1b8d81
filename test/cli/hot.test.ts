import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTY, PLAIN, WITH_WARNING } from './profiles.ts';
import { codesOf, documentOf, environment, MAIN, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const compile = (file: string, cache: string, ...args: string[]) =>
  runIn(folder, ['compile', file, '--arch', 'x86_64', '--cache', cache, ...args]);

/** As a container engine writes it, to the byte what JSON.stringify makes. */
const config = (args: string[]) =>
  JSON.stringify({
    ociVersion: '1.2.0',
    process: { args, env: ['A=1'], cwd: '/' },
    linux: { namespaces: [{ type: 'pid' }], seccomp: JSON.parse(PLAIN) as unknown },
  });

beforeAll(() => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'same.json'), PLAIN);
  writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
  writeFileSync(join(folder, 'faulty.json'), FAULTY);
  writeFileSync(join(folder, 'config.json'), config(['sh']));
  writeFileSync(join(folder, 'other.json'), config(['ls', '-l']));
});

const stats = async (cache: string) =>
  documentOf(await runIn(folder, ['cache', 'stats', '--json', '--cache', cache]));

/** How often each tier answered while `work` was done. */
async function answersOf(cache: string, work: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = (await stats(cache))['answers'] as Record<string, number>;
  await work();
  const after = (await stats(cache))['answers'] as Record<string, number>;
  const tiers = ['hot', 'sqlite', 'none'];
  return Object.fromEntries(tiers.map((tier) => [tier, (after[tier] ?? 0) - (before[tier] ?? 0)]));
}

/** A result without what tells from where and how fast it came. */
function alike({ code, stdout, stderr }: Result): { code: number | null; stdout: string; stderr: string } {
  return {
    code,
    stdout: stdout.toString('latin1').replace(/"tier": "\w+"/, ''),
    stderr: stderr.replace(/(compiled|from the cache \(\w+\)) in \d+ ms/, 'made'),
  };
}

const HOT = { hot: 1, sqlite: 0, none: 0 };

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
      let second: Result | undefined;
      const answers = await answersOf(cache, async () => void (second = await compile(file, cache, ...args)));
      expect(answers).toEqual(HOT);
      expect(alike(second!)).toEqual(alike(first));
      const without = await runIn(folder, ['compile', file, '--arch', 'x86_64', '--no-cache', ...args]);
      if (!args.includes('--json') && !args.includes('json')) expect(alike(second!)).toEqual(alike(without));
      else expect(documentOf(second!)).toEqual({ ...documentOf(without), cache: { tier: 'hot', key: expect.any(String) } });
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
    expect(await answersOf('names', () => compile('same.json', 'names'))).toEqual(HOT);
    await compile('warning.json', 'names');
    copyFileSync(join(folder, 'warning.json'), join(folder, 'twin.json'));
    let twin: Result | undefined;
    const answers = await answersOf('names', async () => void (twin = await compile('twin.json', 'names')));
    expect(answers).toMatchObject({ hot: 0, sqlite: 1 });
    expect(twin!.stderr).toMatch(/^twin\.json:5:\d+: warning: /);
  });

  it('needs only the profile of a config.json to be the same', async () => {
    const first = await compile('config.json', 'config', '-q');
    let second: Result | undefined;
    const answers = await answersOf(
      'config',
      async () => void (second = await compile('other.json', 'config', '-q')),
    );
    expect(answers).toEqual(HOT);
    expect(second!.stdout).toEqual(first.stdout);
  });

  it('is not given to a config.json in which something else is wrong', async () => {
    await compile('config.json', 'doubt', '-q');
    const text = config(['ls']);
    for (const [from, to, code, said] of [
      ['"cwd":"/"', '"cwd":"/","cwd":"/"', 65, 'JSON_DUPLICATE_KEY'],
      ['"linux":', '"Linux":{},"linux":', 0, 'KEY_CASE_IGNORED'],
      ['"A=1"]', '"A=1",]', 65, 'JSON_TRAILING_COMMA'],
      ['"defaultAction"', '"defaultAction":"SCMP_ACT_ALLOW","defaultAction"', 65, 'JSON_DUPLICATE_KEY'],
    ] as const) {
      writeFileSync(join(folder, 'doubt.json'), text.replace(from, to));
      const found = await compile('doubt.json', 'doubt', '--json');
      expect(found.code).toBe(code);
      expect(codesOf(found)).toContain(said);
      expect(await compile('doubt.json', 'doubt', '-q')).toMatchObject({ code });
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
    // Which is about filters: the code of the command (code.test.ts) has nothing of theirs.
    expect(readdirSync(join(folder, 'none', 'seccompc'))).toEqual(['code']);
  });
});

describe('a hot answer to a file', () => {
  const hot = (work: () => Promise<unknown>) => answersOf('files', work);
  beforeAll(() => compile('plain.json', 'files', '-q'));
  const filter = async () => (await compile('plain.json', 'files', '-q')).stdout;

  it('is a new file, or replaces one and keeps its mode', async () => {
    const out = join(folder, 'new.bpf');
    expect(await hot(() => compile('plain.json', 'files', '-q', '-o', out))).toEqual(HOT);
    expect(readFileSync(out)).toEqual(await filter());
    writeFileSync(out, 'x'.repeat(9999));
    chmodSync(out, 0o604);
    const { ino } = lstatSync(out);
    expect(await hot(() => compile('plain.json', 'files', '-q', '-o', out))).toEqual(HOT);
    expect(readFileSync(out)).toEqual(await filter());
    expect(lstatSync(out).mode & 0o777).toBe(0o604);
    expect(lstatSync(out).ino).not.toBe(ino);
    // With these very bytes it stays, as new as if it had been replaced.
    const before = lstatSync(out);
    utimesSync(out, 1, 1);
    expect(await hot(() => compile('plain.json', 'files', '-q', '-o', out))).toEqual(HOT);
    expect(lstatSync(out)).toMatchObject({ ino: before.ino, mode: before.mode, size: before.size });
    expect(lstatSync(out).mtimeMs).toBeGreaterThanOrEqual(before.mtimeMs);
    expect(readFileSync(out)).toEqual(await filter());
    const changed = readFileSync(out);
    changed[9]! ^= 1;
    writeFileSync(out, changed);
    expect(await hot(() => compile('plain.json', 'files', '-q', '-o', out))).toEqual(HOT);
    expect(readFileSync(out)).toEqual(await filter());
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is left to the program where the place is no plain file', async () => {
    writeFileSync(join(folder, 'real.bpf'), '');
    symlinkSync('real.bpf', join(folder, 'link.bpf'));
    const answers = await hot(() => compile('plain.json', 'files', '-q', '-o', 'link.bpf'));
    expect(answers).toMatchObject({ hot: 0 });
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
    await compile('plain.json', cache, '-q');
    const entries = join(folder, cache, 'hot');
    return join(entries, readdirSync(entries)[0]!);
  }

  /** The filter is right, and came from elsewhere; with `refused` the user is told. */
  async function expectPassedOver(cache: string, refused: boolean): Promise<void> {
    const quiet = await compile('plain.json', cache, '-q');
    expect(quiet).toMatchObject({ code: 0, stderr: '' });
    expect(quiet.stdout.toString('hex')).toBe(fresh);
    if (refused) expect((await compile('plain.json', cache)).code).toBe(0);
  }

  it('when it was planted, cut, changed, or swapped with another', async () => {
    const entry = await filled('bad');
    const good = readFileSync(entry);
    const turned = Buffer.from(good);
    turned[turned.indexOf('{"words"') < 0 ? 60 : good.length - PLAIN.length - 4]! ^= 1;
    await compile('warning.json', 'bad', '-q');
    const other = readdirSync(join(folder, 'bad', 'hot'))
      .map((name) => join(folder, 'bad', 'hot', name))
      .find((path) => path !== entry)!;
    for (const bad of [
      '',
      'planted',
      good.subarray(0, -1),
      good.subarray(0, 100),
      turned,
      readFileSync(other),
    ]) {
      writeFileSync(entry, bad);
      const answers = await answersOf('bad', () => expectPassedOver('bad', false));
      expect(answers).toMatchObject({ hot: 0, sqlite: 1 });
      // The next one finds it mended.
      expect(await answersOf('bad', () => expectPassedOver('bad', false))).toMatchObject({
        hot: 1,
        sqlite: 0,
      });
      expect(readFileSync(entry)).toEqual(good);
    }
    writeFileSync(entry, turned);
    const told = await compile('plain.json', 'bad', '-q', '--format', 'raw');
    expect(told.stdout.toString('hex')).toBe(fresh);
  });

  it('and its user is told', async () => {
    await compile('plain.json', 'told');
    const entries = join(folder, 'told', 'hot');
    const [slot] = readdirSync(entries);
    truncateSync(join(entries, slot!), 50);
    const { code, stderr } = await compile('plain.json', 'told');
    expect(code).toBe(0);
    expect(stderr).toContain('a cache entry was refused and the profile compiled afresh: it is damaged');
  });

  it('when others could have written it', async () => {
    const entry = await filled('open');
    for (const [path, mode] of [[entry, 0o666], [join(folder, 'open', 'hot'), 0o777], [join(folder, 'open'), 0o777]] as const) {
      const before = lstatSync(path).mode & 0o777;
      chmodSync(path, mode);
      // Taken back before the next command: this one may repair what is in its own folder.
      const quiet = await compile('plain.json', 'open', '-q');
      expect(quiet.stdout.toString('hex')).toBe(fresh);
      expect(await hotCount('open')).toBe(0);
      chmodSync(path, before);
      rmSync(join(folder, 'open', 'answers'), { recursive: true, force: true });
    } // prettier-ignore
  });

  it.runIf(process.geteuid?.() === 0)('when it belongs to another user', async () => {
    const entry = await filled('foreign');
    for (const path of [entry, join(folder, 'foreign', 'hot')]) {
      chownSync(path, 12345, 12345);
      await expectPassedOver('foreign', false);
      expect(await hotCount('foreign')).toBe(0);
      chownSync(path, 0, 0);
      rmSync(join(folder, 'foreign', 'answers'), { recursive: true, force: true });
    }
  });

  it('when it is a link or a pipe', async () => {
    const entry = await filled('link');
    renameSync(entry, join(folder, 'moved'));
    symlinkSync(join(folder, 'moved'), entry);
    expect(await answersOf('link', () => expectPassedOver('link', false))).toMatchObject({ hot: 0 });
    rmSync(entry);
    if (spawnSync('mkfifo', ['-m', '600', entry]).status === 0)
      expect(await answersOf('link', () => expectPassedOver('link', false))).toMatchObject({ hot: 0 });
  });

  /** Read from the file: the command could not look into a folder that it refuses. */
  async function hotCount(cache: string): Promise<number> {
    const file = join(folder, cache, 'answers', 'hot');
    return existsSync(file) ? lstatSync(file).size : 0;
  }
});

describe('many at once, and no place', () => {
  it('twenty processes that find no cache give the same', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, () => compile('warning.json', 'twenty')));
    expect(new Set(results.map((result) => JSON.stringify(alike(result)))).size).toBe(1);
    expect(results[0]).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^warning\.json:5:\d+: warning/),
    });
    const { answers } = await stats('twenty');
    const counts = Object.values(answers as Record<string, number>);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(20);
    expect(await answersOf('twenty', () => compile('warning.json', 'twenty'))).toMatchObject({
      hot: 1,
      none: 0,
    });
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
      expect(readdirSync(join(place, 'hot')).filter((name) => name.startsWith('.'))).toEqual([]);
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
      answers: { hot: 1, sqlite: 1, none: 1 },
    });
    const text = (await runIn(folder, ['cache', 'stats', '--cache', 'both'])).stdout.toString();
    expect(text).toMatch(/^hot entries\t2$/m);
    expect(text).toMatch(/^answers hot\t1$/m);
    expect(await runIn(folder, ['cache', 'clear', '--cache', 'both'])).toMatchObject({ code: 0 });
    expect(await stats('both')).toMatchObject({ entries: 0, hot: { entries: 0, bytes: 0 }, answers: {} });
    expect((await compile('plain.json', 'both')).stderr).toContain('compiled in');
  });
});
