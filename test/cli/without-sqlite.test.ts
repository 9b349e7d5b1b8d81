/**
 * The package alone under a Node that has no SQLite: nothing of what stands beside it in a
 * checkout.
 */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PLAIN, WITH_WARNING } from './profiles.ts';
import { environment, MAIN, scratch } from './run.ts';

describe.skipIf(isBuiltin('node:sqlite'))('without SQLite', () => {
  const folder = scratch();
  const main = join(folder, 'package', 'dist', 'cli', 'main.cjs');
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [main, ...args], { cwd: folder, env: environment(folder), encoding: 'utf8' });
  const compile = ['compile', 'plain.json', '--arch', 'x86_64', '--format', 'hex'];

  beforeAll(() => {
    cpSync(dirname(dirname(MAIN)), join(folder, 'package', 'dist'), { recursive: true });
    writeFileSync(join(folder, 'plain.json'), PLAIN);
    writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
  });

  it('a compile keeps its filter in plain files, says so once, and finds it again', () => {
    const first = run(...compile);
    expect(first.status).toBe(0);
    expect(first.stderr).toMatch(/warning: this Node has no SQLite.*\[CACHE_WITHOUT_SQLITE\]/);
    expect(existsSync(join(folder, 'xdg-cache/seccompc/records'))).toBe(true);
    const second = run(...compile);
    expect(second.stderr).not.toContain('warning');
    expect(second.stderr).toContain('from the cache (files)');
    expect(second.stdout).toBe(first.stdout);
    expect(run(...compile).stderr).toContain('from the cache (hot)');
  });

  it('what looks after a cache works on them', () => {
    run('compile', 'warning.json', '--arch', 'x86_64', '-q', '-o', 'out.bpf', '--cache', 'some');
    expect(JSON.parse(run('cache', 'stats', '--cache', 'some', '--json').stdout)).toMatchObject({
      tier: 'files',
      aliases: 2,
      objects: 1,
    });
    expect(run('cache', 'verify', '--cache', 'some').stderr).toMatch(/^checked 3 records/);
    expect(run('cache', 'export', 'some.txt', '--cache', 'some').stderr).toBe('exported 3, skipped 0\n');
    expect(run('cache', 'import', 'some.txt', '--cache', 'copy', '--unsigned').stderr).toContain(
      'imported 3',
    );
    expect(run('cache', 'export', '-', '--cache', 'copy').stdout).toBe(
      readFileSync(join(folder, 'some.txt'), 'utf8'),
    );
    expect(run('cache', 'gc', '--max-bytes', '0', '--cache', 'copy').status).toBe(0);
    expect(run('cache', 'ls', '--cache', 'copy').stdout).toBe('');
  });

  it('a SQLite file is a warning of compile, and an error of what is about caches', () => {
    const compiled = run(...compile, '--cache', 'sqlite:some.sqlite');
    expect(compiled.status).toBe(0);
    expect(compiled.stderr).toContain('[CACHE_MODULE_MISSING]');
    expect(run('cache', 'ls', '--cache', 'sqlite:some.sqlite').status).toBe(69);
    expect(run('cache', 'pull', 'sqlite:some.sqlite').status).toBe(69);
  });
});
