/**
 * Bundles with our annotation under real runtimes: what the kernel does to a call in the container.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import {
  configText,
  crunCommand,
  inCgroup2,
  makeBundle,
  makeFolder,
  makeRoot,
  PROBE,
  run,
  runBundle,
} from './oci/containers.ts';
import type { ConfigOptions } from './oci/containers.ts';
import { requirements } from './oci/require.ts';

const needs = requirements(['crun', 'runc', 'busybox', 'unshare'], { root: true });
const KEY = 'run.oci.seccomp_bpf_data';
const FILTERED = 'Seccomp:\t2';

/** mkdir is refused with an errno; 28 and 2 have messages that nothing else here gives. */
const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],` +
  `"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const NO_SPACE = 'No space left on device';
const NOT_FOUND = 'No such file or directory';

describe.skipIf(skipWithout(needs))('a bundle', () => {
  let folder: ReturnType<typeof makeFolder>;
  let root: string;
  beforeAll(() => {
    folder = makeFolder();
    root = makeRoot(join(folder.path, 'root'));
  });
  afterAll(() => folder.remove());

  const at = (...names: string[]) => join(folder.path, ...names);
  const seccompc = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: folder.path },
    });
  const make = (name: string, options: Omit<ConfigOptions, 'root'>) =>
    makeBundle(at(name), { root, ...options });
  const start = (name: string, runtime: 'crun' | 'runc' = 'crun') =>
    runBundle(runtime, at(name), at(`${name}.${runtime}`));
  const bundle = (...args: string[]) => {
    const { status, stderr } = seccompc('bundle', '--no-cache', ...args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  };
  /**
   * Changes linux.seccomp behind the annotation's back, so that it shows which of the two a runtime
   * enforces.
   */
  const swapProfile = (name: string) => {
    const file = at(name, 'config.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"errnoRet":28', '"errnoRet":2'));
  };

  it('without a profile runs free', async () => {
    make('free', {});
    expect(await start('free')).toEqual({ code: 0, text: 'made\nSeccomp:\t0\n' });
  });

  it.each([true, false])(
    'is enforced by crun from the annotation, noNewPrivileges %s',
    async (noNewPrivileges) => {
      const name = `annotated-${noNewPrivileges}`;
      make(name, { seccomp: denyMkdir(28), noNewPrivileges });
      bundle(at(name));
      expect((await start(name)).text).toMatch(new RegExp(`${NO_SPACE}\n${FILTERED}\n$`));
      swapProfile(name);
      expect((await start(name)).text).toContain(NO_SPACE);
      bundle(at(name));
      expect((await start(name)).text).toContain(NOT_FOUND);
    },
  );

  it('is enforced by runc from linux.seccomp, which stays beside the annotation', async () => {
    make('runc', { seccomp: denyMkdir(28) });
    bundle(at('runc'));
    expect((await start('runc', 'runc')).text).toMatch(new RegExp(`${NO_SPACE}\n${FILTERED}\n$`));
    swapProfile('runc');
    expect((await start('runc', 'runc')).text).toContain(NOT_FOUND);
  });

  it('has its filter on what is executed in it later, and that is the compiled program', async () => {
    make('later', { seccomp: denyMkdir(28), args: ['/bin/sleep', '60'] });
    bundle(at('later'));
    swapProfile('later');
    const id = `seccompc-test-later-${process.pid}`;
    const [crun, ...options] = crunCommand(at('later.crun'));
    const script =
      'crun="$0 $1 $2"; id=$3; shift 3; trap "$crun delete -f $id" EXIT; $crun run -d -b "$1" "$id" </dev/null >/dev/null 2>&1; ' +
      'shift; $crun exec "$id" "$@" || true; base64 -w0 "$STATE/$id/seccomp.bpf"; echo';
    const env = { ...process.env, STATE: at('later.crun') };
    const { text } = await inCgroup2(['sh', '-ec', script, crun!, ...options, id, at('later'), ...PROBE], {
      env,
    });
    expect(text).toMatch(new RegExp(`${NO_SPACE}\n${FILTERED}\n`));
    const annotation: string = JSON.parse(readFileSync(at('later/config.json'), 'utf8')).annotations[KEY];
    expect(text.trimEnd().split('\n').at(-1)).toBe(annotation);
  });

  it('starts with any profile of ours that lets crun itself work', async () => {
    const profile = readFileSync(join(import.meta.dirname, '../../profiles/container-default.json'), 'utf8');
    writeFileSync(at('default.json'), profile);
    const { stdout } = seccompc('resolve', at('default.json'), '-q');
    make('default', { seccomp: stdout });
    expect(seccompc('bundle', '-q', '--require-proof', at('default'))).toMatchObject({ status: 0 });
    expect(await start('default')).toEqual({ code: 0, text: `made\n${FILTERED}\n` });
  });

  it('does not start with an annotation that --check refuses', async () => {
    for (const [name, value] of [
      ['bad', '%%%'],
      ['empty', ''],
    ] as const) {
      make(name, { seccomp: denyMkdir(28), annotations: { [KEY]: value } });
      expect((await start(name)).code).not.toBe(0);
      expect(seccompc('bundle', '--check', at(name)).status).toBe(1);
    }
  });

  describe('with a createRuntime hook', () => {
    const hooked = (name: string, options: Omit<ConfigOptions, 'root'>, ...words: string[]) =>
      make(name, {
        ...options,
        hooks: {
          createRuntime: [
            {
              path: process.execPath,
              args: ['node', MAIN, 'hook', 'check', '--log', at(`${name}.log`), ...words],
              timeout: 20,
            },
          ],
        },
      });
    const logOf = (name: string) => readFileSync(at(`${name}.log`), 'utf8');

    it.each(['crun', 'runc'] as const)('starts under %s when the annotation is right', async (runtime) => {
      hooked(`right-${runtime}`, { seccomp: denyMkdir(28) }, '--require-annotation');
      expect((await start(`right-${runtime}`, runtime)).code).not.toBe(0);
      expect(logOf(`right-${runtime}`)).toContain('ANNOTATION_MISSING');
      bundle(at(`right-${runtime}`));
      expect((await start(`right-${runtime}`, runtime)).text).toContain(NO_SPACE);
    });

    it.each(['crun', 'runc'] as const)(
      'does not start under %s when it is not, or there is no filter',
      async (runtime) => {
        hooked(`wrong-${runtime}`, { seccomp: denyMkdir(28) });
        bundle(at(`wrong-${runtime}`));
        swapProfile(`wrong-${runtime}`);
        const wrong = await start(`wrong-${runtime}`, runtime);
        expect({ started: wrong.text.includes('Seccomp:'), failed: wrong.code !== 0 }).toEqual({
          started: false,
          failed: true,
        });
        expect(logOf(`wrong-${runtime}`)).toContain('ANNOTATION_DIFFERS');
        hooked(`none-${runtime}`, {});
        const none = await start(`none-${runtime}`, runtime);
        expect({ started: none.text.includes('Seccomp:'), failed: none.code !== 0 }).toEqual({
          started: false,
          failed: true,
        });
        expect(logOf(`none-${runtime}`)).toContain('START_UNCONFINED');
      },
    );

    it('does not start above its ceiling', async () => {
      writeFileSync(at('ceiling.json'), denyMkdir(1));
      hooked('below', { seccomp: denyMkdir(28) }, '--ceiling', at('ceiling.json'));
      expect((await start('below')).text).toContain(NO_SPACE);
      hooked('above', { seccomp: '{"defaultAction":"SCMP_ACT_ALLOW"}' }, '--ceiling', at('ceiling.json'));
      expect((await start('above')).text).not.toContain('Seccomp:');
      expect(logOf('above')).toContain('CEILING_EXCEEDED');
    });
  });

  it('is the text that this test believes it is', () => {
    expect(JSON.parse(configText({ root: '/', seccomp: denyMkdir(28) })).linux.seccomp).toEqual(
      JSON.parse(denyMkdir(28)),
    );
  });

  it('leaves nothing running', async () => {
    const { text } = await run(['sh', '-c', `pgrep -af ${folder.path} | grep -v pgrep || true`]);
    expect(text).toBe('');
  });
});
