/** `hook check` as a hook of real runtimes: what it lets start is what the runtime loads. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { crunCommand, inCgroup2, makeBundle, makeFolder, makeRoot, runBundle } from './oci/containers.ts'; // prettier-ignore
import type { ConfigOptions } from './oci/containers.ts';
import { requirements } from './oci/require.ts';

const needs = requirements(['crun', 'runc', 'busybox', 'unshare', 'perl'], { root: true });
const KEY = 'run.oci.seccomp_bpf_data';

const denyMkdir = (errno: number, action = 'SCMP_ACT_ERRNO') =>
  `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],` +
  `"syscalls":[{"names":["mkdir","mkdirat"],"action":"${action}"${action === 'SCMP_ACT_ERRNO' ? `,"errnoRet":${errno}` : ''}}]}`;

let folder: ReturnType<typeof makeFolder>;
let root: string;
const at = (...names: string[]) => join(folder.path, ...names);
const seccompc = (args: string[], input = '') =>
  spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    input,
    env: { PATH: process.env['PATH'], HOME: folder.path },
  });
const base64 = (seccomp: string) =>
  seccompc(['compile', '-', '--no-cache', '--format', 'base64', '-q'], seccomp).stdout.trim();

const hookOf = (path: string, args: string[], env?: string[]) => ({
  path,
  args,
  timeout: 20,
  ...(env === undefined ? {} : { env }),
});
/**
 * A hook that writes what it finds to `check.log` of the bundle, and its exit code to `exits`. When
 * one with --loaded has ended, containers see a file of the bundle's name.
 */
const check = (name: string, ...options: string[]) => {
  const done = options.includes('--loaded') ? `: > '${join(root, name)}';` : '';
  const script = `"$@"; code=$?; echo $code >> '${at(name, 'exits')}'; ${done} exit $code`;
  const command = [process.execPath, MAIN, 'hook', 'check', '--log', at(name, 'check.log'), ...options];
  return hookOf('/bin/sh', ['sh', '-c', script, 'sh', ...command]);
};
/**
 * Puts another config.json into the place of the one that the runtime has read; crun fails if a
 * hook does not read.
 */
const swap = (name: string, by: string) =>
  hookOf('/bin/sh', ['sh', '-c', `cat >/dev/null; cp ${at(by, 'config.json')} ${at(name, 'config.json')}`]);
const make = (name: string, options: Omit<ConfigOptions, 'root'>) =>
  makeBundle(at(name), { root, ...options });
const start = (name: string, runtime: 'crun' | 'runc' = 'crun') =>
  runBundle(runtime, at(name), at(`${name}.state`));
const textOf = (...names: string[]) => (existsSync(at(...names)) ? readFileSync(at(...names), 'utf8') : '');
const codesOf = (name: string) =>
  [...textOf(name, 'check.log').matchAll(/\[([A-Z_]+)\]$/gm)].map((match) => match[1]);
/** How the checks of a bundle ended, in their order. */
const exitsOf = (name: string) => textOf(name, 'exits').split('\n').slice(0, -1);

describe.skipIf(skipWithout(needs))('hook check', () => {
  beforeAll(() => {
    folder = makeFolder();
    root = makeRoot(at('root'));
    writeFileSync(at('ceiling.json'), denyMkdir(28));
  });
  afterAll(() => folder.remove());

  describe('at createRuntime, when config.json changes behind the runtime', () => {
    const options = () => ['--require-annotation', '--ceiling', at('ceiling.json')];
    const good = () => ({ seccomp: denyMkdir(28), annotations: { [KEY]: base64(denyMkdir(28)) } });

    it.each(['crun', 'runc'] as const)('lets %s start what did not change', async (runtime) => {
      const name = `same-${runtime}`;
      make(name, { ...good(), hooks: { createRuntime: [check(name, ...options())] } });
      expect(await start(name, runtime)).toMatchObject({
        code: 0,
        text: expect.stringContaining('Seccomp:\t2'),
      });
      expect({ codes: codesOf(name), exits: exitsOf(name) }).toEqual({ codes: [], exits: ['0'] });
    });

    it.each(['crun', 'runc'] as const)('refuses an annotation that %s has not read', async (runtime) => {
      const name = `added-${runtime}`;
      make('good', good());
      make(name, { hooks: { createRuntime: [swap(name, 'good'), check(name, ...options())] } });
      const { code, text } = await start(name, runtime);
      expect(text).not.toContain('Seccomp:');
      expect(code).not.toBe(0);
      expect(codesOf(name)).toEqual(['ANNOTATION_CHANGED', 'ANNOTATION_MISSING']);
    });

    it.each(['crun', 'runc'] as const)(
      'refuses one that only %s has read, unless it is proved',
      async (runtime) => {
        const name = `taken-${runtime}`;
        make('bare', { seccomp: denyMkdir(29) });
        make(name, { ...good(), hooks: { createRuntime: [swap(name, 'bare'), check(name)] } });
        const { code, text } = await start(name, runtime);
        expect(text).not.toContain('Seccomp:');
        expect(code).not.toBe(0);
        expect(codesOf(name)).toEqual(['ANNOTATION_DIFFERS']);
        make('same', { seccomp: denyMkdir(28) });
        make(`${name}-proved`, {
          ...good(),
          hooks: { createRuntime: [swap(`${name}-proved`, 'same'), check(`${name}-proved`)] },
        });
        expect(await start(`${name}-proved`, runtime)).toMatchObject({ code: 0 });
      },
    );

    it('says that it cannot see the profile that the runtime compiles', async () => {
      make('unseen', { seccomp: denyMkdir(28), hooks: { createRuntime: [check('unseen')] } });
      expect(await start('unseen')).toMatchObject({ code: 0 });
      expect(codesOf('unseen')).toEqual(['PROFILE_UNSEEN']);
    });
  });

  describe('and listeners', () => {
    const NOTIFY = denyMkdir(0, 'SCMP_ACT_NOTIFY');
    let socket: string;
    let server: ReturnType<typeof createServer>;
    beforeAll(async () => {
      socket = at('listener.sock');
      server = createServer((connection) => void connection.on('error', () => {}).resume());
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      writeFileSync(at('notify.json'), NOTIFY);
    });
    afterAll(() => server.close());

    const begin = async (
      name: string,
      changes: Partial<ConfigOptions>,
      env = {},
      listeners: string[] = [],
    ) => {
      const trusted = listeners.flatMap((path) => ['--listener', path]);
      const hook = check(name, '--ceiling', at('notify.json'), ...trusted);
      make(name, { seccomp: NOTIFY, args: ['/bin/true'], ...changes, hooks: { createRuntime: [hook] } });
      const command = [...crunCommand(at(`${name}.state`)), 'run', '-b', at(name), name];
      mkdirSync(at(`${name}.state`), { recursive: true });
      const { code } = await inCgroup2(command, { env: { ...process.env, ...env } });
      return { code, codes: codesOf(name) };
    };

    it('refuses every listener that answers in place of the kernel, however crun is told of it', async () => {
      const refused = {
        code: expect.not.stringMatching(/^0$/),
        codes: ['PROFILE_UNSEEN', 'CEILING_LISTENER'],
      };
      const ways: [name: string, changes: Partial<ConfigOptions>, env?: Record<string, string>][] = [
        ['receiver', { annotations: { 'run.oci.seccomp.receiver': socket } }],
        ['path', { seccomp: NOTIFY.replace('{', `{"listenerPath":${JSON.stringify(socket)},`) }],
        ['environment', {}, { RUN_OCI_SECCOMP_RECEIVER: socket }],
      ];
      for (const [name, changes, env] of ways) {
        const outcome = await begin(name, changes, env);
        expect(outcome).toEqual({ ...refused, code: outcome.code });
        expect(outcome.code).not.toBe(0);
        expect(await begin(`${name}-trusted`, changes, env, [socket])).toEqual({
          code: 0,
          codes: ['PROFILE_UNSEEN'],
        });
      }
    });
  });

  describe('and base64', () => {
    /** Texts for one program, and what crun's state says of them: the program that it loads. */
    const variants = (): Record<string, string> => {
      const plain = base64(denyMkdir(28));
      const bytes = Buffer.from(plain, 'base64');
      const longer = Buffer.concat([bytes, Buffer.from([1])]).toString('base64');
      return {
        plain,
        'newline at the end': `${plain}\n`,
        'newline at the start': `\n${plain}`,
        'lines of 20': plain.replaceAll(/.{20}/g, '$&\n'),
        'lines that end in CR LF': plain.replaceAll(/.{20}/g, '$&\r\n'),
        spaces: `${plain.slice(0, 5)}  ${plain.slice(5)}\t`,
        dashes: `${plain.slice(0, 5)}-_${plain.slice(5)}`,
        NUL: `${plain}\u0000${base64(denyMkdir(2))}`,
        'no-break space': `${plain}\u00a0`,
        'one byte more': longer,
        'no padding': longer.replace(/=+$/, ''),
        'padding in the middle': `${plain.slice(0, 7)}=${plain.slice(8)}`,
        'a block of padding in the middle': `${plain.slice(0, 8)}====${plain.slice(8)}`,
        'a block of padding at the end': `${plain}====`,
        'bits behind the end': longer.replace(/.(=*)$/, 'R$1'),
        'only a newline': '\n',
        empty: '',
      };
    };
    const WHITE = ['plain', 'newline at the end', 'newline at the start', 'lines of 20', 'lines that end in CR LF', 'spaces']; // prettier-ignore

    it('accepts a text only if crun loads exactly the program that was judged', async () => {
      const wanted = Buffer.from(base64(denyMkdir(28)), 'base64').toString('hex');
      const accepted: string[] = [];
      const loads: Record<string, string> = {};
      for (const [name, text] of Object.entries(variants())) {
        make('text', { seccomp: denyMkdir(28), annotations: { [KEY]: text } });
        const state = at('text.state');
        mkdirSync(state, { recursive: true });
        const id = `seccompc-text-${process.pid}`;
        // After `create` the filter is there, and no program has run.
        const script = `"$@" create -b ${at('text')} ${id} >/dev/null 2>&1 </dev/null; od -An -v -tx1 ${state}/${id}/seccomp.bpf | tr -d ' \\n'; "$@" delete -f ${id} >/dev/null 2>&1`;
        const { text: hex } = await inCgroup2(['sh', '-c', script, 'sh', ...crunCommand(state)]);
        loads[name] = /^[0-9a-f]+$/.test(hex) ? hex : 'nothing';
        const input = JSON.stringify({ bundle: at('text'), pid: 1, annotations: { [KEY]: text } });
        const { status, stderr } = seccompc(['hook', 'check', '--require-annotation'], input);
        if (status === 0) accepted.push(name);
        else expect(stderr).toMatch(name === 'NUL' ? /NOT_A_STATE/ : /ANNOTATION_INVALID/);
      }
      expect(accepted).toEqual(WHITE);
      for (const name of accepted) expect({ name, hex: loads[name] }).toEqual({ name, hex: wanted });
      // That the others would have been loaded too is why they are refused by name.
      expect(loads['dashes']).toBe(wanted);
      expect(loads['one byte more']).toBe(`${wanted}01`);
      expect(loads['padding in the middle']).not.toBe(wanted);
      expect(loads['padding in the middle']).not.toBe('nothing');
      expect(loads['no padding']).toBe('nothing');
    });
  });

  describe('--loaded', () => {
    /** Runs until the check of the loaded filter has ended, but not for ever. */
    const waiting = (name: string) => {
      const loop = `until [ -e /${name} ] || [ $((n += 1)) -gt 600 ]; do sleep 0.05; done`;
      return ['/bin/sh', '-c', `echo begun; n=0; ${loop}; echo over`];
    };

    it.each([
      ['crun', true],
      ['crun', false],
      ['runc', true],
      ['runc', false],
    ] as const)('reads what %s loads, noNewPrivileges %s', async (runtime, noNewPrivileges) => {
      const options = runtime === 'runc' ? ['--semantics', 'runc'] : [];
      const name = `loaded-${runtime}-${noNewPrivileges}`;
      make(name, {
        seccomp: denyMkdir(28),
        noNewPrivileges,
        args: waiting(name),
        hooks: {
          poststart: [check(name, '--loaded', '--kill', '--ceiling', at('ceiling.json'), ...options)],
        },
      });
      expect(await start(name, runtime)).toEqual({ code: 0, text: 'begun\nover\n' });
      expect({ codes: codesOf(name), exits: exitsOf(name) }).toEqual({ codes: [], exits: ['0'] });
    });

    it('takes the annotation that crun loads for what it means', async () => {
      make('loaded-annotation', {
        seccomp: denyMkdir(28),
        annotations: { [KEY]: base64(denyMkdir(28)) },
        args: waiting('loaded-annotation'),
        hooks: { poststart: [check('loaded-annotation', '--loaded', '--kill', '--require-annotation')] },
      });
      expect(await start('loaded-annotation')).toEqual({ code: 0, text: 'begun\nover\n' });
      expect(exitsOf('loaded-annotation')).toEqual(['0']);
    });

    it.each(['crun', 'runc'] as const)(
      'ends a container of %s whose profile is not the one that was read',
      async (runtime) => {
        const name = `foreign-${runtime}`;
        make('fair', { seccomp: denyMkdir(28) });
        make(name, {
          seccomp: denyMkdir(2),
          args: waiting(name),
          hooks: {
            createRuntime: [swap(name, 'fair'), check(name)],
            poststart: [check(name, '--loaded', '--kill')],
          },
        });
        const { code, text } = await start(name, runtime);
        expect(text).not.toContain('over');
        expect(code).not.toBe(0);
        expect(codesOf(name)).toEqual(['PROFILE_UNSEEN', 'LOADED_DIFFERS', 'CONTAINER_ENDED']);
        // runc has not started the program yet.
        if (runtime === 'runc') expect(text).not.toContain('begun');
      },
    );

    it('ends a container that has no filter at all', async () => {
      make('fair', { seccomp: denyMkdir(28) });
      make('nothing', {
        args: ['/bin/sh', '-c', 'sleep 20; echo over'],
        hooks: {
          createRuntime: [swap('nothing', 'fair')],
          poststart: [check('nothing', '--loaded', '--kill')],
        },
      });
      const { code, text } = await start('nothing');
      expect({ code: code === 0, text }).toEqual({ code: false, text: '' });
      expect(codesOf('nothing')).toEqual(['LOADED_NONE', 'CONTAINER_ENDED']);
    });

    it('refuses at a stage where there is nothing to look at yet', async () => {
      make('early', { seccomp: denyMkdir(28), hooks: { createRuntime: [check('early', '--loaded')] } });
      const { code, text } = await start('early');
      expect(text).not.toContain('Seccomp:');
      expect(code).not.toBe(0);
      expect(codesOf('early')).toEqual(['LOADED_NONE']);
    });
  });
});
