/** The script in front of crun, with a crun that tells what it was given. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { installRuntime, runtimeStatus, uninstallRuntime } from '../../src/oci/runtime/install.ts';
import { formatRuntime, readRuntime } from '../../src/oci/runtime/script.ts';
import type { RuntimeSettings } from '../../src/oci/runtime/script.ts';
import { snippets } from '../../src/oci/runtime/snippets.ts';
import { makeTarget } from '../../src/target.ts';
import { pathOf } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';

const folder = mkdtempSync(join(tmpdir(), 'seccompc runtime-'));
const at = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true }));

const KEY = 'run.oci.seccomp_bpf_data';
const PROFILE = '{"defaultAction":"SCMP_ACT_ALLOW"}';
const FILTER = 'BgAAAAAA/38=';
const config = (annotations: string) =>
  `{"ociVersion":"1","annotations":{${annotations}},"linux":{"seccomp":${PROFILE}}}`;
const PLAIN = config('"a":"b"');
const FILTERED = config(`"${KEY}":"${FILTER}","a":"b"`);
const PAIR = `${PROFILE}\n${FILTER}\n`;

/** The config that is named last, and otherwise that of the bundle in the current folder. */
const CRUN = `#!/bin/sh
cd "$FAKE_OUT" || exit 99
printf '%s\\0' "$@" >argv
echo $$ >pid
env -0 | sort -z >environment
umask >umask
ls /proc/$$/fd >descriptors
for word do case $word in --config=*) cat "\${word#--config=}" >config 2>/dev/null ;; esac; done
cat >input
exit 7
`;

function write(name: string, text: string): string {
  writeFileSync(at(name), text);
  chmodSync(at(name), 0o755);
  return at(name);
}

const tools = Object.fromEntries(
  ['mawk', 'awk', 'grep', 'rm', 'mkdir', 'date', 'timeout', 'flock'].map((name) => [name, pathOf(name)]),
);
const needs = tools['awk'] === undefined ? { missing: 'no awk' } : {};

function install(changes: Partial<RuntimeSettings> = {}): string {
  const settings = {
    version: '1.2.3',
    runtime: write('crun', CRUN),
    pairs: at('pairs'),
    copies: at('copies'),
    store: at('store'),
    log: at('log'),
    command: ['/bin/sh', write('compile', `echo >>"${at('compiled')}"; cat >/dev/null; exit 1`)],
    flags: [],
    foreign: 'replace',
    strict: false,
    ...changes,
    tools: { ...tools, awk: tools['mawk'] ?? tools['awk'], ...changes.tools },
  } as RuntimeSettings;
  return write('runtime', formatRuntime(settings));
}

/** Starts a program in a folder with a config; tells how it ended and what crun was given. */
function start(
  program: string,
  words: readonly string[],
  { cwd = at('bundle'), input = '', shell = 'exec "$@"', env = {} } = {},
) {
  const output = mkdtempSync(at('output-'));
  const { status, stderr } = spawnSync('/bin/sh', ['-c', shell, 'sh', program, ...words], {
    cwd,
    input,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], FAKE_OUT: output, id: 'mine', config: 'theirs', next: 'ours', ...env },
  }); // prettier-ignore
  const text = (name: string) =>
    existsSync(join(output, name)) ? readFileSync(join(output, name), 'utf8') : undefined;
  const argv = text('argv')?.split('\0').slice(0, -1);
  return { status, stderr, argv, config: text('config'), text };
}

describe.skipIf(skipWithout(needs))('the runtime in front of crun', () => {
  beforeEach(() => {
    for (const name of ['bundle', 'pairs', 'copies', 'store', 'compiled', 'log'])
      rmSync(at(name), { recursive: true, force: true });
    for (const name of ['bundle', 'pairs', 'bundle/in $it']) mkdirSync(at(name), { recursive: true });
    mkdirSync(at('copies'), { mode: 0o700 });
    for (const name of ['bundle/config.json', 'bundle/in $it/config.json', 'bundle/-x.json'])
      writeFileSync(at(name), PLAIN);
    writeFileSync(at('pairs', String(PROFILE.length)), PAIR);
  });

  const PASSED = [
    ['--version'],
    ['state', 'x'],
    ['exec', '--process', 'create', 'x'],
    ['--root', 'create', 'kill', 'x', 'KILL'],
    ['delete', '-f', 'x'],
    ['--unknown', 'create', 'x'],
    ['--roo=/x', 'create', 'x'],
    ['run', '--help'],
    ['create'],
    ['create', '-b'],
    ['create', '--', 'x'],
    ['create', '--bun', '.', 'x'],
    ['create', '--unknown', 'x'],
    ['create', 'x', '-b', '.'],
    ['create', '-b', '/nonexistent', 'x'],
    ['create', '-b', '*', 'x'],
    // A file in the bundle, to crun.
    ['create', '-b', '/nonexistent', '--config', 'config.json', 'x'],
  ];
  it.each(PASSED.map((words) => [words]))(
    'hands on what it does not understand, or is not for it: %j',
    (words) => {
      const { status, stderr, argv } = start(install(), words);
      expect({ status, stderr, argv }).toEqual({ status: 7, stderr: '', argv: words });
      expect(readdirSync(at('copies'))).toEqual([]);
    },
  );

  it.each([
    [['run'], ['x']],
    [['--root', '/r', '--log=/l', '--debug', '--systemd-cgroup', 'create', '--pid-file', '/p'], ['x y\n$z*']],
    [['create', '-b', '.'], ['x']],
    [['create', '-b.'], ['x']],
    [['create', '--bundle', 'in $it'], ['x']],
    [['create', `--bundle=${at('bundle/in $it')}`, '--preserve-fds=3', '--no-pivot'], ['x']],
    [['create', '-b', '/nonexistent', '-b', '.', '-d', '--console-socket', 'x'], ['x']],
    [['run', '-b', '/nonexistent', '--config', './config.json'], ['x']],
    [['run', '-b', 'in $it', '--config', 'config.json'], ['x']],
    [['run', '--config=/nonexistent', '-f-x.json'], ['x']],
    [['run', '-f', '-x.json'], ['x']],
  ])('gives crun a config with the filter: %j', (words, last) => {
    const { status, stderr, argv, config: seen } = start(install(), [...words, ...last]);
    const copy = argv?.find((word) => word.startsWith(`--config=${at('copies')}/`)) ?? '';
    // By process and container: processes in two namespaces may have one number.
    expect(copy.replace(/^.*\/\d+\./, '')).toBe(last.at(-1));
    expect({ status, stderr, argv }).toEqual({ status: 7, stderr: '', argv: [...words, copy, ...last] });
    expect(seen).toBe(FILTERED);
    expect(existsSync(at('compiled'))).toBe(false);
    for (const file of ['config.json', 'in $it/config.json'])
      expect(readFileSync(at('bundle', file), 'utf8')).toBe(PLAIN);
  });

  it('changes nothing else of crun: environment, descriptors, umask, process, input', () => {
    const runtime = install();
    const env = {
      LC_ALL: 'xx',
      LISTEN_FDS: '1',
      SECCOMPC_STORE: 'a',
      seccompc_x: '1',
      IFS: 'o',
      CDPATH: '/',
    };
    const shell = `umask 027; trap '' USR1; echo $$ >"$FAKE_OUT/shell"; exec "$@" 8>&2 9<&0`;
    const [wrapped, direct] = [runtime, at('crun')].map((program) =>
      start(program, ['run', 'x'], { env, shell, input: 'in' }),
    );
    for (const name of ['descriptors', 'umask', 'input'])
      expect([name, wrapped!.text(name)]).toEqual([name, direct!.text(name)]);
    const environment = (one: typeof direct) => one!.text('environment')!.replaceAll(/output-\w+/g, '');
    expect(environment(wrapped)).toBe(environment(direct));
    expect(wrapped!.text('pid')).toBe(wrapped!.text('shell'));
  });

  it.each([
    ['its compiler fails', {}, 'exec "$@"'],
    ['Node is missing', { command: ['/nonexistent/node', '/nonexistent'] as const }, 'exec "$@"'],
    ['awk is missing', { tools: { awk: '/nonexistent/awk' } as RuntimeSettings['tools'] }, 'exec "$@"'],
    ['its folder cannot be made', { copies: '/proc/nonexistent' }, 'exec "$@"'],
    ['its folder is of another user', { copies: '/proc' }, 'exec "$@"'],
    ['the copy would be cut', {}, 'ulimit -f 8; exec "$@"'],
  ])('leaves the config as it was to crun when %s, or refuses when it is strict', (_, changes, shell) => {
    const long = `"a":"${'x'.repeat(8192)}"`;
    // 4096 bytes, ulimit's unit being 512, hold a pair, and not the config.
    writeFileSync(at('bundle/config.json'), config(long));
    if (shell === 'exec "$@"') rmSync(at('pairs'), { recursive: true });
    const loose = start(install(changes), ['create', 'x'], { shell });
    expect(loose).toMatchObject({ status: 7, argv: ['create', 'x'] });
    expect(readFileSync(at('log'), 'utf8')).toMatch(/^\d{4}-\S+Z .*seccompc: /);
    const strict = start(install({ ...changes, strict: true }), ['create', 'x'], { shell });
    expect(strict).toMatchObject({ status: 1, argv: undefined });
    expect(strict.stderr).toContain(`seccompc: the start is refused: `);
    expect(strict.stderr).toContain(at('log'));
    // A filter of somebody else's must not get in where ours could not be looked up.
    writeFileSync(at('bundle/config.json'), config(`"${KEY}":"AAAA",${long}`));
    expect(start(install(changes), ['create', 'x'], { shell })).toMatchObject({ status: 1, argv: undefined });
  });

  it.each([
    ['--log=FILE', (file: string) => [`--log=${file}`], /^seccompc: the start is refused: .*\n$/],
    ['--log FILE', (file: string) => ['--log', `file:${file}`], /^seccompc: the start is refused: .*\n$/],
    ['--log-format=json', (file: string) => ['--log-format=json', '--log', file], /^\{.*\}\n$/],
  ])('tells the reason of a refusal in the log of crun too: %s', (_, words, line) => {
    const file = at('crun.log');
    rmSync(file, { force: true });
    const runtime = install({ strict: true, log: at('it\'s "here"') });
    rmSync(at('pairs'), { recursive: true });
    expect(start(runtime, [...words(file), 'create', 'x']).status).toBe(1);
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(line);
    if (text.startsWith('{'))
      expect(JSON.parse(text)).toMatchObject({
        level: 'error',
        msg: expect.stringContaining('it\'s "here"'),
      });
  });

  it('refuses when it is strict what it does not understand, and nothing else', () => {
    const runtime = install({ strict: true });
    for (const words of [
      ['create', 'x', 'y'],
      ['--unknown', 'run', 'x'],
      ['create', '-b', '/x', 'x'],
    ])
      expect(start(runtime, words)).toMatchObject({ status: 1, argv: undefined });
    for (const words of [['start', 'x'], ['create', '--help'], ['--unknown'], ['create', 'x']])
      expect(start(runtime, words)).toMatchObject({ status: 7 });
  });

  it('logs a start that it hands on, and no other command', () => {
    start(install(), ['--version']);
    expect(existsSync(at('log'))).toBe(false);
    expect(start(install(), ['create', 'x', 'y'])).toMatchObject({ status: 7 });
    expect(readFileSync(at('log'), 'utf8')).toContain('its arguments are not understood');
  });

  it('leaves no config behind when it is removed, but that of a start', async () => {
    const file = install();
    for (const name of ['91000000.a', `${process.pid}.b`]) writeFileSync(at('copies', name), PLAIN);
    await uninstallRuntime(file);
    expect(readdirSync(at('copies'))).toEqual([`${process.pid}.b`]);
    install();
    rmSync(at('copies', `${process.pid}.b`));
    await uninstallRuntime(file);
    expect(existsSync(at('copies'))).toBe(false);
  });

  it('refuses what Node refuses, also when it is not strict', () => {
    write('refuse', 'cat >/dev/null; exit 65');
    rmSync(at('pairs'), { recursive: true });
    const { status, argv, stderr } = start(install({ command: ['/bin/sh', at('refuse')] }), ['create', 'x']);
    expect({ status, argv }).toEqual({ status: 1, argv: undefined });
    expect(stderr).toContain('runtimes may read different profiles in this config');
  });

  it('gives crun no copy of an earlier start, and removes those of starts that are over', () => {
    const shell = `echo stale >"${at('copies')}/$$.x"; exec "$@"`;
    expect(start(install(), ['create', 'x'], { shell }).config).toBe(FILTERED);
    // No process has a number above the limit of the kernel.
    for (let count = 0; count < 40; count++) writeFileSync(at('copies', `9${count}000000.x`), '');
    writeFileSync(at('copies', `${process.pid}.x`), '');
    expect(start(install(), ['create', 'x']).config).toBe(FILTERED);
    const left = readdirSync(at('copies'));
    expect(left).toHaveLength(2);
    expect(left).toContain(`${process.pid}.x`);
    start(install(), ['delete', 'x']);
    expect(readdirSync(at('copies'))).toEqual([`${process.pid}.x`]);
  });

  it('waits for its children where the engine ignores the end of children', () => {
    const shell = `exec env --ignore-signal=CHLD "$@"`;
    expect(start(install(), ['create', 'x'], { shell }).config).toBe(FILTERED);
    rmSync(at('pairs'), { recursive: true });
    expect(start(install(), ['create', 'x'], { shell }).argv).toEqual(['create', 'x']);
  });

  const locks = tools['flock'] === undefined ? { missing: 'no flock (Debian package: util-linux)' } : {};
  it.skipIf(skipWithout(locks))('compiles a profile once for starts at the same time', async () => {
    rmSync(at('pairs', String(PROFILE.length)));
    writeFileSync(at('pair'), PAIR);
    write('once', `echo >>"${at('compiled')}"; cat >/dev/null; cp "${at('pair')}" "${at('pairs')}/${PROFILE.length}"; printf '%s' '${FILTERED}'`); // prettier-ignore
    const runtime = install({ command: ['/bin/sh', at('once')] });
    const seen = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const output = mkdtempSync(at('output-'));
        const env = { PATH: process.env['PATH'], FAKE_OUT: output };
        const child = spawn(runtime, ['run', 'x'], { cwd: at('bundle'), env, stdio: 'ignore' });
        await new Promise((resolve) => child.on('close', resolve));
        return readFileSync(join(output, 'config'), 'utf8');
      }),
    );
    expect(new Set(seen)).toEqual(new Set([FILTERED]));
    expect(readFileSync(at('compiled'), 'utf8')).toBe('\n');
  });

  it('is not installed in front of itself, and tells if it or another program is where crun was', async () => {
    const file = install();
    const settings = readRuntime(readFileSync(file, 'utf8'))!;
    const target = makeTarget({ arch: 'x86_64' });
    const installed = installRuntime({ ...settings, target, file, runtime: file });
    await expect(installed).rejects.toMatchObject({ diagnostics: [{ code: 'RUNTIME_NOT_CRUN' }] });
    for (const runtime of [file, pathOf('true')!]) {
      writeFileSync(file, formatRuntime({ ...settings, runtime }));
      const { diagnostics } = await runtimeStatus(file);
      expect(diagnostics.map(({ code }) => code)).toContain('RUNTIME_NOT_CRUN');
    }
  });

  it('can be read again, and is told from other scripts', () => {
    const text = readFileSync(install(), 'utf8');
    expect(readRuntime(text)).toMatchObject({ version: '1.2.3', copies: at('copies') });
    expect(formatRuntime(readRuntime(text)!)).toBe(text);
    for (const other of ['', '#!/bin/sh\n', text.replace(/\n# \{.*/, '\n# {')])
      expect(readRuntime(other)).toBeUndefined();
  });
});

it('tells engines of paths with anything in them', () => {
  const path = '/it\'s "a"/\\n';
  const [docker, , containerd] = snippets(path, 'name');
  expect(JSON.parse(docker!.text)).toMatchObject({ runtimes: { name: { path } } });
  expect(containerd!.text).toContain(String.raw`BinaryName = "/it's \"a\"/\\n"`);
});
