/**
 * A crun that keeps a cache of compiled profiles, from Debian 13: what it loads from our
 * annotation, and from its cache.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeRoot, PROBE, run } from './oci/containers.ts';
import { needs as treeNeeds } from './oci/debian.ts';
import type { DebianTree } from './oci/debian.ts';
import { requirements } from './oci/require.ts';
import { sharedTree } from './oci/shared-tree.ts';

const own = requirements(['busybox', 'base64'], { root: true });
const needs = 'missing' in own ? own : treeNeeds;
const KEY = 'run.oci.seccomp_bpf_data';

/** 28 and 2 have messages that nothing else here gives. */
const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],` +
  `"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const REFUSED = /No space left on device\nSeccomp:\t2\n/;
const REFUSED_OTHERWISE = /No such file or directory\nSeccomp:\t2\n/;

describe.skipIf(skipWithout(needs))('a crun with a cache', () => {
  let tree: Omit<DebianTree, 'remove'>;
  let made: Awaited<ReturnType<typeof sharedTree>>;
  beforeAll(async () => {
    made = await sharedTree();
    if ('missing' in made) return;
    tree = made;
    makeRoot(at('root'));
  });
  // Not in beforeAll: a fault there counts as tests that were skipped.
  beforeEach(({ skip }) => skip(skipWithout(made)));
  afterAll(() => tree && rmSync(at(), { recursive: true, force: true }));

  /** Names in the tree have the tree's path in front of them here. */
  const there = (...names: string[]) => join('/srv/new-crun', ...names);
  const at = (...names: string[]) => join(tree.path, there(...names));
  const cacheOf = (name: string) => at(`${name}.state/.cache/seccomp`);
  const textOf = (file: string) => readFileSync(file).toString('base64');
  const seccompc = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: at() },
    });
  const make = (name: string, errno = 28) =>
    makeBundle(at(name), { root: there('root'), seccomp: denyMkdir(errno), args: ['/bin/sleep', '60'] });
  const compiled = (name: string) => {
    writeFileSync(at(`${name}.json`), denyMkdir(28));
    return seccompc('compile', at(`${name}.json`), '--format', 'base64', '-q', '--no-cache').stdout.trim();
  };

  /**
   * Starts a container, has it probed, and takes the program that crun keeps for what is executed
   * in it later.
   */
  async function start(name: string): Promise<{ text: string; program: string }> {
    const id = `seccompc-test-${process.pid}-${name}`;
    const state = `${name}.state`;
    mkdirSync(at(state), { recursive: true, mode: 0o700 });
    const script = `
      crun="$1 --root=$2 --cgroup-manager=disabled" id=$3 bundle=$4 stored=$5; shift 5
      trap '$crun delete -f $id' EXIT
      $crun run -d -b "$bundle" "$id" </dev/null >/dev/null 2>&1
      $crun exec "$id" "$@" || true
      echo; base64 -w0 "$stored"`;
    const stored = at(state, id, 'seccomp.bpf');
    const words = ['sh', '-ec', script, 'sh', tree.crun, there(state), id, there(name), stored, ...PROBE];
    const { text } = await run(words);
    return { text, program: text.split('\n').at(-1)! };
  }

  it('reports the versions that its cache depends on', () => {
    const { annotations } = JSON.parse(spawnSync(tree.crun, ['features'], { encoding: 'utf8' }).stdout);
    expect(Number(/^1\.(\d+)/.exec(annotations['run.oci.crun.version'])?.[1])).toBeGreaterThanOrEqual(14);
    expect(annotations['io.github.seccomp.libseccomp.version']).toMatch(/^2\.\d+\.\d+$/);
  });

  it('enforces the annotation, which is the compiled program', async () => {
    const config = join(make('annotated'), 'config.json');
    expect(seccompc('bundle', '--no-cache', at('annotated'))).toMatchObject({ status: 0, stderr: '' });
    // Who takes linux.seccomp is seen from now on.
    writeFileSync(config, readFileSync(config, 'utf8').replace('"errnoRet":28', '"errnoRet":2'));
    const { text, program } = await start('annotated');
    expect(text).toMatch(REFUSED);
    expect(program).toBe(JSON.parse(readFileSync(config, 'utf8')).annotations[KEY]);
    expect(program).toBe(compiled('annotated'));
  });

  describe('whose cache is warmed', () => {
    const warm = (name: string, task = 'warm') =>
      seccompc(
        'crun-cache', task, at(name), '--crun', tree.crun, '--root', at(`${name}.state`), '--no-cache', '-q', '--json',
      ); // prettier-ignore
    const statusOf = (name: string, task?: string) => JSON.parse(warm(name, task).stdout).configs[0];

    it('loads our program from there', async () => {
      make('warm');
      expect(statusOf('warm', 'status').status).toBe('absent');
      const { status, key } = statusOf('warm');
      expect(status).toBe('written');
      expect(readdirSync(cacheOf('warm'))).toEqual([key]);
      const { text, program } = await start('warm');
      expect(text).toMatch(REFUSED);
      expect(program).toBe(compiled('warm'));
      // It has found ours, and has compiled nothing of its own.
      expect(readdirSync(cacheOf('warm'))).toEqual([key]);
      expect(textOf(join(cacheOf('warm'), key))).toBe(program);
      expect(statusOf('warm', 'status').status).toBe('cached');
    });

    it('makes another program of its own, under the same name, where it is cold', async () => {
      make('cold');
      const { text, program } = await start('cold');
      expect(text).toMatch(REFUSED);
      expect(program).not.toBe(compiled('cold'));
      const { status, key } = statusOf('cold', 'status');
      expect(status).toBe('equivalent');
      expect(readdirSync(cacheOf('cold'))).toEqual([key]);
      expect(textOf(join(cacheOf('cold'), key))).toBe(program);
      expect(statusOf('cold').status).toBe('written');
      expect((await start('cold')).program).toBe(compiled('cold'));
    });

    it('keeps a program that means something else', async () => {
      make('conflict', 2);
      expect((await start('conflict')).text).toMatch(REFUSED_OTHERWISE);
      const before = readdirSync(cacheOf('conflict')).map((file) => textOf(join(cacheOf('conflict'), file)));
      make('conflict');
      expect(statusOf('conflict').status).toBe('conflict');
      expect(readdirSync(cacheOf('conflict')).map((file) => textOf(join(cacheOf('conflict'), file)))).toEqual(
        before,
      );
    });
  });

  it('leaves nothing running or mounted', () => {
    // One that has ended in the meantime cannot be read.
    const here = (file: string) => {
      try {
        return readFileSync(file, 'utf8').includes(at());
      } catch {
        return false;
      }
    };
    const processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    expect(processes.filter((id) => here(`/proc/${id}/cmdline`) || here(`/proc/${id}/mounts`))).toEqual([]);
    rmSync(at(), { recursive: true });
    expect(existsSync(at())).toBe(false);
  });
});
