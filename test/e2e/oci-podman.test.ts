/**
 * podman with the installed hooks: which filter a container really has, and what a broken hook does
 * to a start.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeFolder, makePodman, makeRoot, run } from './oci/containers.ts';
import type { Podman } from './oci/containers.ts';
import { requirements } from './oci/require.ts';

const needs = requirements(['podman', 'crun', 'conmon', 'busybox', 'unshare', 'tar', 'awk'], { root: true });

const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const NO_SPACE = 'No space left on device';
const NOT_FOUND = 'No such file or directory';
const FREE = 'made\nSeccomp:\t0\n';
const FILTERED = 'made\nSeccomp:\t2\n';
/** What podman exits with when a hook, or the runtime, refuses. */
const REFUSED = 126;

describe.skipIf(skipWithout(needs))('podman', () => {
  let folder: ReturnType<typeof makeFolder>;
  let podman: Podman;
  beforeAll(async () => {
    folder = makeFolder();
    podman = await makePodman(join(folder.path, 'podman'), makeRoot(join(folder.path, 'root')));
    writeFileSync(at('28.json'), denyMkdir(28));
    writeFileSync(at('2.json'), denyMkdir(2));
  });
  afterAll(() => folder.remove());

  const at = (...names: string[]) => join(folder.path, ...names);
  const seccompc = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: folder.path },
    });
  const base64 = (profile: string) =>
    seccompc('compile', profile, '--format', 'base64', '-q', '--no-cache').stdout.trim();

  const install = (name: string, ...options: string[]) => {
    const { status, stderr } = seccompc(
      'hook',
      'install',
      at(name),
      '--store',
      at(`${name}.store`),
      '-q',
      ...options,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return ['--hooks-dir', at(name)];
  };
  /** The files of pairs of a store. */
  /** The files of pairs, below the store. */
  const pairs = (name: string) =>
    readdirSync(at(`${name}.store`), { recursive: true, encoding: 'utf8' }).filter((file) =>
      /^pairs-[^/]+\/\d+$/.test(file),
    );
  const logOf = (name: string) => readFileSync(at(`${name}.store/hook.log`), 'utf8');
  const edit = (name: string, change: (text: string) => string) => {
    const file = at(name, 'seccompc.json');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  };
  /** The hook file, with a compiler that dies. In JSON the quotes of the command are escaped. */
  const killCompiler = (file: string) =>
    file.replace(/"SECCOMPC_COMMAND=(?:\\.|[^"\\])*"/, () => `"SECCOMPC_COMMAND=sh -c 'kill -9 $$'"`);
  const custom = (profile: string) => ['--security-opt', `seccomp=${at(profile)}`];

  it('enforces a profile with and without an annotation', async () => {
    expect(await podman.run({})).toEqual({ code: 0, text: FILTERED });
    expect((await podman.run({ args: custom('28.json') })).text).toContain(NO_SPACE);
    const argument = seccompc('annotate', at('28.json'), '-q', '--no-cache').stdout.trim();
    expect((await podman.run({ args: [argument] })).text).toMatch(new RegExp(`${NO_SPACE}\nSeccomp:\t2\n`));
  });

  it('gives the default profile its filter, proved right at every start', async () => {
    const global = install('checked', '--with-check');
    for (let start = 0; start < 2; start++) {
      expect(await podman.run({ global })).toEqual({ code: 0, text: FILTERED });
      expect(pairs('checked')).toHaveLength(1);
    }
    // Other capabilities are another profile, and so is a custom one.
    expect(await podman.run({ global, args: ['--cap-add', 'SYS_ADMIN'] })).toEqual({
      code: 0,
      text: FILTERED,
    });
    expect(pairs('checked')).toHaveLength(2);
    expect((await podman.run({ global, args: custom('28.json') })).text).toMatch(
      new RegExp(`${NO_SPACE}\nSeccomp:\t2\n`),
    );
    expect(pairs('checked')).toHaveLength(3);
  });

  it('starts no container whose filter the check does not find, or finds wrong', async () => {
    const global = ['--hooks-dir', at('checked')];
    for (const args of [['--privileged'], ['--security-opt', 'seccomp=unconfined']]) {
      const { code, text } = await podman.run({ global, args });
      expect({ code, started: text.includes('Seccomp:') }).toEqual({ code: REFUSED, started: false });
    }
    expect(logOf('checked')).toContain('START_UNCONFINED');
    // A wrong filter in the store.
    const { code, text } = await podman.run({ global: poison('checked'), args: custom('28.json') });
    expect({ code, started: text.includes('Seccomp:') }).toEqual({ code: REFUSED, started: false });
    expect(logOf('checked')).toContain('ANNOTATION_DIFFERS');
    // Neither without Node, although podman passes over a hook whose program is missing.
    const check = readFileSync(at('checked/seccompc-check.json'), 'utf8');
    writeFileSync(at('checked/seccompc-check.json'), check.replace(process.execPath, '/nonexistent/node'));
    expect(await podman.run({ global, args: ['--privileged'] })).toMatchObject({ code: REFUSED });
    writeFileSync(at('checked/seccompc-check.json'), check);
    // No program: podman passes over the hook, the check does not.
    edit('checked', (file) => file.replace(/"path": "[^"]*"/, '"path": "/nonexistent/awk"'));
    expect(await podman.run({ global })).toMatchObject({ code: REFUSED });
    expect(logOf('checked')).toContain('ANNOTATION_MISSING');
  });

  /**
   * Puts another filter in the place of the one for 28.json: who starts with it shows where it came
   * from.
   */
  function poison(name: string): string[] {
    for (const file of pairs(name)) {
      const path = at(`${name}.store`, file);
      writeFileSync(path, readFileSync(path, 'utf8').replace(base64(at('28.json')), base64(at('2.json'))));
    }
    return ['--hooks-dir', at(name)];
  }

  it('has crun load what is in the store', async () => {
    const global = install('plain');
    expect((await podman.run({ global, args: custom('28.json') })).text).toContain(NO_SPACE);
    expect((await podman.run({ global: poison('plain'), args: custom('28.json') })).text).toContain(
      NOT_FOUND,
    );
  });

  it('runs privileged and unconfined containers as without the hook', async () => {
    const global = install('plain');
    for (const args of [['--privileged'], ['--security-opt', 'seccomp=unconfined']])
      expect(await podman.run({ global, args })).toEqual({ code: 0, text: FREE });
  });

  it('keeps unlimited limits', async () => {
    const global = install('plain');
    const command = ['/bin/grep', 'core', '/proc/self/limits'];
    for (let start = 0; start < 2; start++) {
      const { code, text } = await podman.run({ global, args: ['--ulimit', 'core=-1:-1'], command });
      expect(code).toBe(0);
      expect(text).toMatch(/unlimited +unlimited/);
    }
  });

  it("replaces or refuses an annotation of the user's", async () => {
    const argument = seccompc('annotate', at('2.json'), '-q', '--no-cache').stdout.trim();
    const args = [argument, ...custom('28.json')];
    expect((await podman.run({ args })).text).toContain(NOT_FOUND);
    // Its store has no wrong filter, unlike the one above.
    expect((await podman.run({ global: install('replacing'), args })).text).toContain(NO_SPACE);
    expect((await podman.run({ global: install('refusing', '--foreign', 'refuse'), args })).code).toBe(
      REFUSED,
    );
    expect(logOf('refusing')).toContain('FOREIGN_ANNOTATION');
  });

  it('leaves the profile to the runtime when the compiler behind the hook dies', async () => {
    const global = install('dying');
    edit('dying', killCompiler);
    expect((await podman.run({ global, args: custom('28.json') })).text).toMatch(
      new RegExp(`${NO_SPACE}\nSeccomp:\t2\n`),
    );
    install('dying', '--strict');
    edit('dying', killCompiler);
    expect((await podman.run({ global, args: custom('28.json') })).code).toBe(REFUSED);
  });

  it('compiles at each start where the store cannot be written', async () => {
    const global = install('read-only');
    const store = at('read-only.store');
    const prepare = `mount --bind ${store} ${store}; mount -o remount,ro,bind ${store}`;
    const args = custom('28.json');
    for (let start = 0; start < 2; start++)
      expect((await podman.run({ global, args, prepare })).text).toContain(NO_SPACE);
    expect(pairs('read-only')).toEqual([]);
  });

  // Where a page is left, the beginning of the pair finds room, and after it the log.
  it.each([0, 1])('compiles at each start where the disk of the store has %i pages left', async (pages) => {
    const name = `full-${pages}`;
    const global = install(name);
    const rule = '{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}';
    const rules = Array.from({ length: 150 }, () => rule).join();
    writeFileSync(at('large.json'), `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[${rules}]}`);
    // The disk goes with the namespace of the start, which therefore tells itself what was left
    // there.
    const prepare = `
      cp -a ${at(`${name}.store`)} ${at(name, 'copy')}; cd ${at(`${name}.store`)}
      mount -t tmpfs -o size=32k,mode=700 tmpfs .; cd "$PWD"; cp -a ${at(name, 'copy')}/. .
      dd if=/dev/zero of=filler bs=4096 2>/dev/null || true; truncate -s -${pages * 4096} filler
      stat -f -c 'free %a' .
      for start in 1 2; do "$@" || true; done
      cat hook.log; echo left; ls -A`;
    const { text } = await podman.run({ global, args: custom('large.json'), prepare: `${prepare}; exit` });
    expect(text.match(/^free (\d+)$/m)?.[1]).toBe(String(pages));
    expect(text.match(new RegExp(`${NO_SPACE}\nSeccomp:\t2\n`, 'g'))).toHaveLength(2);
    if (pages > 0) expect(text).toMatch(/no space left on device \[HOOK_STORE_FAILED\]/);
    const files = text.split('left\n')[1]!.trimEnd().split('\n');
    expect(files.filter((file) => file !== 'hook.log')).toEqual(['filler', expect.stringMatching(/^pairs-/)]);
  });

  it('starts nothing when the hook dies, or writes garbage, and starts without it when its program is missing', async () => {
    mkdirSync(at('broken'), { recursive: true });
    const broken = (path: string, ...args: string[]) => {
      const hook = {
        version: '1.0.0',
        hook: { path, args: ['x', ...args] },
        when: { always: true },
        stages: ['precreate'],
      };
      writeFileSync(at('broken/hook.json'), JSON.stringify(hook));
      return podman.run({ global: ['--hooks-dir', at('broken')] });
    };
    expect(await broken('/bin/sh', '-c', 'kill -9 $$')).toMatchObject({ code: REFUSED });
    expect(await broken('/bin/echo', '{"annotations"')).toMatchObject({ code: REFUSED });
    expect(await broken('/nonexistent/seccompc')).toEqual({ code: 0, text: FILTERED });
  });

  it('leaves nothing running', async () => {
    const { text } = await run(['sh', '-c', `pgrep -af ${folder.path} | grep -v pgrep || true`]);
    expect(text).toBe('');
  });
});
