/** The code that V8 made of the command's chunks: kept, used again, and not used where somebody else could have put it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PLAIN } from './profiles.ts';
import { MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const isRoot = process.geteuid?.() === 0;

/** A cache folder of its own, absolute, and the commands that keep their code there. */
function cacheOf(name: string) {
  const cache = join(folder, name, 'seccompc');
  const code = join(cache, 'code');
  const env = { XDG_CACHE_HOME: dirname(cache) };
  return {
    cache,
    code,
    run: (args: string[], more: Record<string, string> = {}) =>
      runIn(folder, args, { env: { ...env, ...more } }),
    files: () => readdirSync(code).toSorted(),
    /** The file with the code of a chunk. */
    of: (chunk: string) =>
      join(
        code,
        readdirSync(code).find((file) => file.endsWith(`-${chunk}`))!,
      ),
  };
}

beforeAll(() => writeFileSync(join(folder, 'plain.json'), PLAIN));

const COMPILE = ['compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '--format', 'hex', '-q'];

describe('code is kept', () => {
  it('once for a kind of run, where only its user can write', async () => {
    const { cache, code, run, files } = cacheOf('kept');
    const first = await run(COMPILE);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    for (const path of [cache, code]) expect(lstatSync(path).mode & 0o777).toBe(0o700);
    // Only that there was one: it may be the only one, and to keep its code would take longer.
    expect(files().map((file) => file.replace(/^.*?-/, ''))).toEqual(['met']);
    expect(await run(COMPILE)).toEqual(first);
    for (const file of files()) expect(lstatSync(join(code, file)).mode & 0o777).toBe(0o600);
    const kept = files().map((file) => ({ file, ino: lstatSync(join(code, file)).ino }));
    expect(kept.map(({ file }) => file.replace(/^.*?-/, ''))).toEqual(
      expect.arrayContaining(['start.cjs', 'compiler.cjs']),
    );
    expect(await run(COMPILE)).toEqual(first);
    expect(files().map((file) => ({ file, ino: lstatSync(join(code, file)).ino }))).toEqual(kept);
    // Another kind adds to it.
    expect(await run(['--help'])).toMatchObject({ code: 0 });
    expect(files().length).toBeGreaterThan(kept.length);
  });

  it('in the folder that --cache names', async () => {
    const { run, code } = cacheOf('elsewhere');
    const named = join(folder, 'named');
    const args = ['compile', 'plain.json', '--arch', 'x86_64', '-q', '--format', 'hex', '--cache', named];
    expect(await run(args)).toMatchObject({ code: 0 });
    expect(readdirSync(named)).toContain('code');
    expect(() => readdirSync(code)).toThrow('ENOENT');
  });

  it('not of a run that failed, nor where it is not wanted', async () => {
    const { run, files, code } = cacheOf('failed');
    expect(await run(['compile', 'no-such.json'])).toMatchObject({ code: 66 });
    expect(files()).toEqual([]);
    rmSync(code, { recursive: true });
    expect(await run(COMPILE, { SECCOMPC_NO_CODE_CACHE: '1' })).toMatchObject({ code: 0 });
    expect(() => files()).toThrow('ENOENT');
  });

  it('until the cache is cleared', async () => {
    const { run, files } = cacheOf('cleared');
    for (const args of [COMPILE, COMPILE, ['--help']]) await run(args);
    expect(files()).not.toEqual([]);
    expect(await run(['cache', 'clear'])).toMatchObject({ code: 0 });
    expect(files()).toEqual([]);
  });

  it('by twenty processes at once', async () => {
    const { run, files, of } = cacheOf('twenty');
    await run(COMPILE);
    const results = await Promise.all(Array.from({ length: 20 }, () => run(COMPILE)));
    expect(new Set(results.map(({ stdout }) => stdout.toString()))).toEqual(
      new Set([results[0]!.stdout.toString()]),
    );
    expect(files().filter((file) => file.startsWith('.'))).toEqual([]);
    expect(lstatSync(of('compiler.cjs')).size).toBeGreaterThan(100_000);
    expect(await run(COMPILE)).toEqual(results[0]);
  });

  it.runIf(isRoot)('not by root in the home of another user', async () => {
    const { cache, run } = cacheOf('home');
    mkdirSync(dirname(cache));
    chownSync(dirname(cache), 12345, 12345);
    expect(await run(COMPILE)).toMatchObject({ code: 0, stderr: '' });
    expect(readdirSync(dirname(cache))).toEqual([]);
  });

  it('and nothing is lost where it cannot be', async () => {
    const { cache, run } = cacheOf('file');
    mkdirSync(dirname(cache));
    writeFileSync(cache, 'no folder');
    expect(await run(COMPILE)).toMatchObject({ code: 0, stderr: '' });
    expect(readFileSync(cache, 'utf8')).toBe('no folder');
  });
});

/**
 * Code that is not that of the chunk `program.cjs`: a line of its help is another one of the same length, which V8 takes
 * for the same text. It tells whether a file was used.
 */
const SAID = 'Compiles OCI seccomp profiles to the BPF filters';
const PLANTED = 'Compiled somewhere else, by somebody, for no one';

function plantedCode(): Buffer {
  const script = `
    const { readFileSync, writeSync } = require('node:fs');
    const folder = ${JSON.stringify(dirname(MAIN))};
    const text = readFileSync(folder + '/program.cjs', 'latin1').replace(${JSON.stringify(SAID)}, ${JSON.stringify(PLANTED)});
    const source = '(function(exports,require,module,__filename,__dirname){' + text + '\\n})';
    const script = new (require('node:vm').Script)(source);
    const module = { exports: {} };
    script.runInThisContext()(module.exports, (id) => require(id.replace(/^\\./, folder)), module, folder + '/program.cjs', folder);
    const { writeSync: write } = require('node:fs');
    require('node:fs').writeSync = (fd, bytes) => bytes.length;
    module.exports.runCommandLine(['--help'], () => true).then(() => write(1, script.createCachedData().toString('base64')));
  `; // prettier-ignore
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return Buffer.from(stdout, 'base64');
}

describe('code that is not to be trusted is passed over', () => {
  const { cache, code, run, of } = cacheOf('planted');
  /** The kept file, and the same with other code. */
  let good: Buffer;
  let planted: Buffer;
  let file: string;
  let head: number;

  const help = async (more: Record<string, string> = {}) => {
    const { code: exit, stdout, stderr } = await run(['--help'], more);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    return stdout.includes(PLANTED) ? 'planted' : stdout.includes(SAID) ? 'right' : stdout.toString();
  };
  const plant = (bytes: Uint8Array = planted) => {
    rmSync(file, { force: true });
    writeFileSync(file, bytes, { mode: 0o600 });
  };

  beforeAll(async () => {
    await run(['--help']);
    file = of('program.cjs');
    good = readFileSync(file);
    const text = readFileSync(join(dirname(MAIN), 'program.cjs'));
    head = good.indexOf(text) + text.length;
    const other = plantedCode();
    planted = Buffer.concat([good.subarray(0, head), other, other]);
  });

  it('though good files are used: this is how the others are told', async () => {
    plant();
    expect(await help()).toBe('planted');
    expect(await help({ SECCOMPC_NO_CODE_CACHE: '1' })).toBe('right');
    expect(await help({ NODE_OPTIONS: '--max-old-space-size=512' })).toBe('right');
    // Nothing was missing, so nothing was kept.
    expect(readFileSync(file)).toEqual(planted);
  });

  it('when it was cut, changed or made of something else, and is mended', async () => {
    const changed = (at: number) => {
      const bytes = Buffer.from(planted);
      bytes[at]! ^= 4;
      return bytes;
    };
    const length = (planted.length - head) / 2;
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from('planted'),
      planted.subarray(0, head),
      planted.subarray(0, head + length),
      planted.subarray(0, -1),
      planted.subarray(0, -2),
      Buffer.concat([planted, planted.subarray(-1)]),
      changed(0),
      changed(20),
      changed(head - 5),
      changed(head),
      changed(head + Math.floor(length / 2)),
      changed(head + length + Math.floor(length / 3)),
      changed(planted.length - 1),
      // Of another chunk.
      readFileSync(of('start.cjs')),
    ]) {
      plant(bytes);
      expect(await help()).toBe('right');
      expect(readFileSync(file).subarray(0, head)).toEqual(good.subarray(0, head));
      expect(await help()).toBe('right');
    }
  });

  it('when V8 has no use for it', async () => {
    const nonsense = Buffer.alloc(5000, 'nonsense');
    plant(Buffer.concat([good.subarray(0, head), nonsense, nonsense]));
    expect(await help()).toBe('right');
    expect(readFileSync(file).includes(nonsense)).toBe(false);
  });

  it('when it is a link or a pipe', async () => {
    const moved = join(folder, 'moved');
    plant();
    renameSync(file, moved);
    symlinkSync(moved, file);
    expect(await help()).toBe('right');
    expect(lstatSync(file).isFile()).toBe(true);
    expect(readFileSync(moved)).toEqual(planted);
    rmSync(file);
    if (spawnSync('mkfifo', ['-m', '600', file]).status === 0) expect(await help()).toBe('right');
  });

  it('when others could have written it', async () => {
    for (const mode of [0o620, 0o602, 0o666]) {
      plant();
      chmodSync(file, mode);
      expect(await help()).toBe('right');
      expect(lstatSync(file).mode & 0o777).toBe(0o600);
    }
    for (const path of [code, cache]) {
      for (const mode of [0o720, 0o702, 0o777]) {
        plant();
        chmodSync(path, mode);
        expect(await help()).toBe('right');
        chmodSync(path, 0o700);
        expect(await help()).toBe('planted');
      }
    }
    chmodSync(dirname(cache), 0o777);
    expect(await help()).toBe('right');
    chmodSync(dirname(cache), 0o1777);
    expect(await help()).toBe('planted');
    chmodSync(dirname(cache), 0o755);
  });

  it.runIf(isRoot)('when it belongs to another user', async () => {
    plant();
    chownSync(file, 12345, 12345);
    expect(await help()).toBe('right');
    expect(lstatSync(file).uid).toBe(0);
    for (const path of [code, cache]) {
      plant();
      chownSync(path, 12345, 12345);
      expect(await help()).toBe('right');
      chownSync(path, 0, 0);
    }
  });

  it('when the folder is a link', async () => {
    plant();
    renameSync(code, `${code}-moved`);
    symlinkSync(`${code}-moved`, code);
    expect(await help()).toBe('right');
    rmSync(code);
    renameSync(`${code}-moved`, code);
    expect(await help()).toBe('planted');
  });
});
