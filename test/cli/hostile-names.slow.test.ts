/**
 * Names with line breaks, escape sequences and marks of direction: what a terminal and a script get
 * to see of them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/cache/index.ts';
import { closeStore } from '../../src/cache/tiers.ts';
import { PLAIN } from './profiles.ts';
import { documentOf, environment, MAIN, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const at = (...names: string[]) => join(folder, ...names);
const run = (...args: string[]) => runIn(folder, args);

/**
 * An item of its own, a cell of its own, red on a terminal, the rest backwards, another line in
 * some viewers.
 */
const EVIL = 'a\nequal\tb\r\u001b[31m\u009b31m\u202egpj\u2066\u061c\u200f\u2028';
const SHOWN = 'a\\u000aequal\\u0009b\\u000d\\u001b[31m\\u009b31m\\u202egpj\\u2066\\u061c\\u200f\\u2028';
/** What must not get out: all of the above, but for line feeds and tabs between items and cells. */
const RAW = new RegExp(
  // oxlint-disable-next-line no-control-regex
  '[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]',
);

beforeAll(() => {
  mkdirSync(at(EVIL));
  writeFileSync(at(EVIL, 'config.json'), `{"ociVersion":"1","linux":{"seccomp":${PLAIN}}}`);
  writeFileSync(at(EVIL, 'faulty.json'), '{"defaultAction":"SCMP_ACT_DENY"}');
  writeFileSync(at('plain.json'), PLAIN);
  const features = { 'run.oci.crun.version': '1.21', 'io.github.seccomp.libseccomp.version': '2.6.0' };
  writeFileSync(at('crun'), `#!/bin/sh\necho '${JSON.stringify({ annotations: features })}'\n`);
  chmodSync(at('crun'), 0o755);
});

/** Both streams are fit to be shown; standard output has exactly these lines. */
function expectLines(result: Result, code: number, lines: string[]): void {
  const stdout = result.stdout.toString();
  expect(`${stdout}${result.stderr}`).not.toMatch(RAW);
  expect({ code: result.code, lines: stdout.split('\n') }).toEqual({ code, lines: [...lines, ''] });
}

describe('a name with control characters', () => {
  it('is one line of bundle', async () => {
    const common = ['--arch', 'x86_64', '--no-cache'];
    expectLines(await run('bundle', EVIL, ...common), 0, [`written\t${SHOWN}`]);
    expectLines(await run('bundle', EVIL, '--check', ...common), 0, [`equal\t${SHOWN}`]);
    expectLines(await run('bundle', EVIL, '--remove', ...common), 0, [`removed\t${SHOWN}`]);
    expectLines(await run('bundle', `${EVIL}/none`, ...common), 66, [`failed\t${SHOWN}/none`]);
  });

  it('is one line of crun-cache', async () => {
    const common = ['--crun', at('crun'), '--root', at('state'), '--no-cache'];
    expectLines(await run('crun-cache', 'status', EVIL, ...common), 0, [`absent\t${SHOWN}`]);
    expectLines(await run('crun-cache', 'warm', EVIL, ...common), 0, [`written\t${SHOWN}`]);
  });

  it('is one line of hook', async () => {
    const [hooks, store] = [at(EVIL, 'hooks'), at(EVIL, 'store')];
    const shown = at(SHOWN, 'hooks/seccompc.json');
    expectLines(await run('hook', 'install', hooks, '--store', store), 0, [shown]);
    const status = await run('hook', 'status', hooks);
    expect(`${status.stdout.toString()}${status.stderr}`).not.toMatch(RAW);
    expect(status.stdout.toString().split('\n')).toEqual(
      expect.arrayContaining([`precreate\t${shown}`, `store\t${at(SHOWN, 'store')}`]),
    );
    for (const line of status.stdout.toString().trimEnd().split('\n')) expect(line).toMatch(/^\w+\t[^\t]+$/);
    expectLines(await run('hook', 'uninstall', hooks), 0, [shown, at(SHOWN, 'store')]);
  });

  it('is one line of cache', async () => {
    const cache = ['--cache', at(EVIL, 'cache')];
    expectLines(await run('cache', 'path', ...cache), 0, [expect.stringContaining(SHOWN)]);
    const compiled = await run('compile', 'plain.json', '--arch', 'x86_64', '-q', '-o', 'out', ...cache);
    expect(compiled).toMatchObject({ code: 0, stderr: '' });
    const store = openStore(at(EVIL, 'cache'));
    await store.set('1'.repeat(64), 'text', { kind: 'object', label: EVIL });
    await closeStore(store);
    for (const action of ['ls', 'stats', 'verify']) {
      const { stdout, stderr } = await run('cache', action, ...cache);
      expect(`${stdout.toString()}${stderr}`).not.toMatch(RAW);
    }
    const { stdout } = await run('cache', 'ls', ...cache);
    const lines = stdout.toString().trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line).toMatch(/^[0-9a-f]{64}\t(?:[^\t]+\t){4}[^\t]+$/);
    expect(lines.filter((line) => line.endsWith(`\t${SHOWN}`))).toHaveLength(1);
    expectLines(await run('cache', 'clear', ...cache), 0, []);
  });

  it('is one line of what the other commands say of it', async () => {
    for (const args of [
      ['compile', `${EVIL}/faulty.json`],
      ['verify', 'plain.json', `${EVIL}/none`],
      ['diff', `${EVIL}/faulty.json`, 'plain.json'],
      ['prebuild', `${EVIL}/faulty.json`, '--out', 'out-of-prebuild'],
      ['exec', 'plain.json', '--no-cache', '--', `./${EVIL}`],
      ['lookup', EVIL],
      ['simulate', 'plain.json', EVIL],
      ['annotate', EVIL],
      ['serve', '--socket', `${EVIL}/config.json`],
      [EVIL],
    ]) {
      const { code, stdout, stderr } = await run(...args);
      expect(code).toBeGreaterThan(0);
      expect(`${stdout.toString()}${stderr}`).not.toMatch(RAW);
      expect(stderr).toContain('a\\u000aequal');
    }
  });

  it('is one line where serve listens', async () => {
    const socket = 'e\u202e\n';
    const child = spawn(process.execPath, [MAIN, 'serve', '--socket', socket, '--no-cache'], {
      cwd: folder,
      env: environment(folder),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [words] = await once(child.stderr, 'data');
    child.kill('SIGTERM');
    await once(child, 'exit');
    expect(String(words)).toBe('listening at e\\u202e\\u000a\n');
  });
});

describe('JSON', () => {
  it('has the exact names, and nothing that controls a terminal', async () => {
    const bundles = await run('bundle', EVIL, '--json', '--arch', 'x86_64', '--no-cache');
    expect(bundles.stdout.toString()).not.toMatch(RAW);
    expect(documentOf(bundles)).toMatchObject({ bundles: [{ bundle: EVIL }] });
    const path = await run('cache', 'path', '--json', '--cache', at(EVIL, 'cache'));
    expect(path.stdout.toString()).not.toMatch(RAW);
    expect(documentOf(path)['path']).toContain(EVIL);
  });

  it('of a resolved profile has the exact names of system calls', async () => {
    const name = 'read\u009b31m\u202e';
    const entry = { names: [name, 'write'], action: 'SCMP_ACT_ALLOW' };
    const profile = JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [entry] });
    const resolved = await runIn(folder, ['resolve', '-', '--arch', 'x86_64'], { input: profile });
    expect(`${resolved.stdout.toString()}${resolved.stderr}`).not.toMatch(RAW);
    expect(documentOf(resolved)['syscalls']).toEqual([entry]);
  });
});
