import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync, chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync,
  writeFileSync,
} from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FAULTY, PLAIN } from './profiles.ts';
import { environment, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const compile = (...args: string[]) => runIn(folder, ['compile', ...args, '--arch', 'x86_64', '--no-cache']);

let filter: Buffer;
beforeAll(async () => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'faulty.json'), FAULTY);
  filter = (await compile('plain.json')).stdout;
  if (filter.length === 0) throw new Error('there is no filter to compare with');
});

/** A new folder, and what stands in it afterwards: nothing may be left over. */
function place(name: string): { path: string; names: () => string[] } {
  const path = join(folder, name);
  mkdirSync(path);
  return { path, names: () => readdirSync(path).toSorted() };
}

describe('-o', () => {
  it('writes the file and nothing to standard output', async () => {
    const { path, names } = place('new');
    const { code, stdout } = await compile('plain.json', '-o', join(path, 'filter.bpf'));
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: '' });
    expect(names()).toEqual(['filter.bpf']);
    expect(readFileSync(join(path, 'filter.bpf'))).toEqual(filter);
  });

  it('replaces an old file in one step: new content, old mode, another inode', async () => {
    const { path, names } = place('old');
    const file = join(path, 'filter.bpf');
    writeFileSync(file, 'x'.repeat(100_000), { mode: 0o640 });
    const before = lstatSync(file);
    expect(await compile('plain.json', '-o', file)).toMatchObject({ code: 0 });
    const after = lstatSync(file);
    expect(readFileSync(file)).toEqual(filter);
    expect(after.mode).toBe(before.mode);
    expect(after.ino).not.toBe(before.ino);
    expect(names()).toEqual(['filter.bpf']);
  });

  it('writes through a symbolic link, which stays', async () => {
    const { path, names } = place('link');
    writeFileSync(join(path, 'real'), 'old');
    symlinkSync('real', join(path, 'link'));
    expect(await compile('plain.json', '-o', join(path, 'link'))).toMatchObject({ code: 0 });
    expect(lstatSync(join(path, 'link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(path, 'real'))).toEqual(filter);
    expect(names()).toEqual(['link', 'real']);
  });

  it('leaves an old file as it was when the profile has faults', async () => {
    const { path, names } = place('faults');
    const file = join(path, 'filter.bpf');
    writeFileSync(file, 'old');
    expect(await compile('faulty.json', '-o', file)).toMatchObject({ code: 65 });
    expect(readFileSync(file, 'utf8')).toBe('old');
    expect(names()).toEqual(['filter.bpf']);
  });

  it('exits with 73 where nothing can be created', async () => {
    const { path, names } = place('cannot');
    const results = await Promise.all([
      compile('plain.json', '-o', join(path, 'missing', 'filter.bpf')),
      compile('plain.json', '-o', path),
    ]);
    expect(results.map(({ code }) => code)).toEqual([73, 73]);
    expect(results[0].stderr).toMatch(/error: cannot create .*missing.*: no such file or directory/);
    expect(names()).toEqual([]);
  });

  it('exits with 73 in a folder that may not be written, and takes its old file for what it is', async () => {
    const { path, names } = place('closed');
    writeFileSync(join(path, 'filter.bpf'), 'old');
    chmodSync(path, 0o500);
    // Root may write anywhere, so somebody else has to try.
    const asOther = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    chmodSync(folder, 0o755);
    const child = spawn(
      process.execPath,
      [MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '-o', join(path, 'filter.bpf')],
      { cwd: folder, env: environment(folder), stdio: ['ignore', 'ignore', 'pipe'], ...asOther },
    );
    const [code] = await once(child, 'exit');
    chmodSync(path, 0o700);
    expect(code).toBe(73);
    expect(names()).toEqual(['filter.bpf']);
    expect(readFileSync(join(path, 'filter.bpf'), 'utf8')).toBe('old');
  });

  it.runIf(existsSync('/dev/full'))(
    'exits with 74 where the disk is full, also for standard output',
    async () => {
      expect(await compile('plain.json', '-o', '/dev/full')).toMatchObject({ code: 74 });
      expect(lstatSync('/dev/full').isCharacterDevice()).toBe(true);
      const full = spawnSync(
        'sh',
        ['-c', `"$0" "$@" > /dev/full`, process.execPath, MAIN, 'lookup', 'read'],
        {
          env: environment(folder),
        },
      );
      expect(full.status).toBe(74);
    },
  );

  it.runIf(existsSync('/dev/stdout'))('writes to /dev/stdout, wherever that is', async () => {
    expect((await compile('plain.json', '-o', '/dev/stdout')).stdout).toEqual(filter);
    expect((await compile('plain.json', '-o', '-')).stdout).toEqual(filter);
    const file = join(folder, 'redirected.bpf');
    appendFileSync(file, 'before');
    const { ino } = lstatSync(file);
    const command = `"$0" "$@" -o /dev/stdout >> ${file}`;
    const appended = spawnSync(
      'sh',
      ['-c', command, process.execPath, MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '--no-cache'],
      { cwd: folder, env: environment(folder) },
    );
    expect(appended.status).toBe(0);
    expect(readFileSync(file)).toEqual(Buffer.concat([Buffer.from('before'), filter]));
    expect(lstatSync(file).ino).toBe(ino);
  });

  it.skipIf(spawnSync('mkfifo', ['--version']).status !== 0)('writes into a named pipe', async () => {
    const pipe = join(folder, 'pipe');
    spawnSync('mkfifo', [pipe]);
    const reader = new Promise<Buffer>((resolve, reject) => {
      execFile('cat', [pipe], { encoding: 'buffer' }, (error, stdout) => {
        if (error) reject(error);
        else resolve(stdout);
      });
    });
    expect(await compile('plain.json', '-o', pipe)).toMatchObject({ code: 0 });
    expect(await reader).toEqual(filter);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });
});

describe('a reader that goes away', () => {
  it('ends the command without a word and without a trace', async () => {
    for (const args of [['lookup', '--all', '--arch', 'x86_64'], ['--help'], ['compile', '--help']]) {
      const child = spawn(process.execPath, [MAIN, ...args], {
        env: environment(folder),
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      child.stdout.destroy();
      let words = '';
      child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
      const [code, signal] = await once(child, 'close');
      expect({ words, signal }).toEqual({ words: '', signal: null });
      expect([0, 74]).toContain(code);
    }
  });

  it('of the words is no reason to fail', async () => {
    const child = spawn(
      process.execPath,
      [MAIN, 'compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '-o', 'deaf.bpf'],
      { cwd: folder, env: environment(folder), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    child.stderr.destroy();
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    expect(readFileSync(join(folder, 'deaf.bpf'))).toEqual(filter);
  });
});
