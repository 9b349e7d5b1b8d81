/** The hooks as podman and the runtimes start them: an empty environment, a config or a state on standard input. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pathOf } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { codesOf, documentOf, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const at = (...names: string[]) => join(folder, ...names);
const hook = (args: string[], input = '') => runIn(folder, ['hook', ...args], { input });

const KEY = 'run.oci.seccomp_bpf_data';
const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],"syscalls":[{"names":["mkdir","mkdirat"],` +
  `"action":"SCMP_ACT_ERRNO","errnoRet":${errno},"args":[{"index":1,"value":511,"op":"SCMP_CMP_EQ"}]}]}`;
const LIMITS = '"process":{"rlimits":[{"hard":18446744073709551615}]}';
/** A config as podman writes it: one line, no spaces, members in Go's order. */
const configOf = (seccomp: string, annotations = '"io.container":"x"') =>
  `{"ociVersion":"1.0.2",${LIMITS},"annotations":{${annotations}},"linux":{"resources":{},"seccomp":${seccomp},"maskedPaths":[]}}`;
const UNCONFINED = `{"ociVersion":"1.0.2",${LIMITS},"annotations":{"io.container":"x"},"linux":{"resources":{}}}`;

async function base64(seccomp: string): Promise<string> {
  const args = ['compile', '-', '--no-cache', '--format', 'base64', '-q'];
  return (await runIn(folder, args, { input: seccomp })).stdout.toString().trim();
}
const expected = async (seccomp: string, rest = ',"io.container":"x"') =>
  configOf(seccomp, `"${KEY}":"${await base64(seccomp)}"${rest}`);

interface Started {
  code: number | null;
  stdout: string;
}

/** Starts a hook as podman does: path, args as the whole argv, and no variable but its own. */
function start(
  file: string,
  input: string,
  changes: { env?: string[]; path?: string } = {},
): Promise<Started> {
  const { path, args, env } = JSON.parse(readFileSync(file, 'utf8')).hook;
  const variables = Object.fromEntries(
    [...(env ?? []), ...(changes.env ?? [])].map((text: string) => text.split(/=(.*)/s)),
  );
  const child = spawn(changes.path ?? path, args.slice(1), {
    argv0: args[0],
    env: variables,
    cwd: '/',
    stdio: 'pipe',
  });
  const stdout: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout: Buffer.concat(stdout).toString() }));
  });
}

/** Installs a hook with a store of its own; gives its file. */
async function install(name: string, ...options: string[]): Promise<string> {
  const { code, stderr } = await hook(['install', at(name), '--store', at(`${name}.store`), ...options]);
  expect({ code, stderr: stderr.includes('error') }).toEqual({ code: 0, stderr: false });
  return at(name, 'seccompc.json');
}

const log = (name: string) => readFileSync(at(`${name}.store/hook.log`), 'utf8');
/** The files of pairs. */
const pairs = (name: string) => readdirSync(at(`${name}.store`)).filter((file) => /^\d+$/.test(file));

describe('hook precreate', () => {
  it('reads a config and writes it with its filter, and nothing else', async () => {
    const { code, stdout, stderr } = await hook(['precreate'], configOf(denyMkdir(28)));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toBe(await expected(denyMkdir(28)));
  });

  it('passes through what has no linux.seccomp and what cannot be compiled, but nothing that it cannot read', async () => {
    const unknown = denyMkdir(28).replace('SCMP_ACT_ERRNO', 'SCMP_ACT_NEW');
    for (const input of [UNCONFINED, configOf(unknown)]) {
      const { code, stdout } = await hook(['precreate'], input);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: input });
    }
    for (const input of ['no config', '', '{"ociVersion":"1","ociVersion":"2"}']) {
      const { code, stdout } = await hook(['precreate'], input);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '' });
    }
    for (const input of [configOf(unknown), 'no config']) {
      const { code, stdout, stderr } = await hook(['precreate', '--strict'], input);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '' });
      expect(stderr).not.toBe('');
    }
  });

  it('lets no annotation of others stand in for linux.seccomp', async () => {
    const foreign = configOf(denyMkdir(28), `"${KEY}":"AAAA","a":"b"`);
    const replaced = await hook(['precreate'], foreign);
    expect(replaced.stdout.toString()).toBe(await expected(denyMkdir(28), ',"a":"b"'));
    expect(replaced.stderr).toContain('FOREIGN_ANNOTATION');
    expect(await hook(['precreate', '--foreign', 'refuse'], foreign)).toMatchObject({
      code: 1,
      stdout: Buffer.alloc(0),
    });
    // What we cannot compile is left to the runtime, which must then read linux.seccomp.
    const bad = denyMkdir(28).replace('SCMP_ACT_ERRNO', 'SCMP_ACT_NEW');
    const removed = await hook(['precreate'], configOf(bad, `"${KEY}":"AAAA","a":"b"`));
    expect(removed.stdout.toString()).toBe(configOf(bad, '"a":"b"'));
    for (const unreadable of [`{"${KEY}"`, '{"run.oci.seccomp\\u005fbpf_data"'])
      expect(await hook(['precreate'], unreadable)).toMatchObject({ code: 1, stdout: Buffer.alloc(0) });
    const own = await expected(denyMkdir(28));
    expect((await hook(['precreate', '--foreign', 'refuse'], own)).stdout.toString()).toBe(own);
  });
});

describe('hook install', () => {
  it('writes a hook file that needs no environment, and says what podman does without the program', async () => {
    const { code, stdout, stderr } = await hook(['install', at('plain'), '--store', at('plain.store')]);
    expect({ code, stdout: stdout.toString() }).toEqual({
      code: 0,
      stdout: `${at('plain/seccompc.json')}\n`,
    });
    expect(stderr).toContain('HOOK_FAILS_OPEN');
    const file: unknown = JSON.parse(readFileSync(at('plain/seccompc.json'), 'utf8'));
    expect(file).toMatchObject({
      version: '1.0.0',
      hook: { path: expect.stringMatching(/^\//), timeout: 10 },
      when: { always: true },
      stages: ['precreate'],
    });
    expect((statSync(at('plain.store')).mode & 0o777).toString(8)).toBe('700');
  });

  it('takes a compiled profile from the store, without Node', async () => {
    const file = await install('fast');
    const withoutNode = { env: ['SECCOMPC_COMMAND=exit 5'] };
    expect(await start(file, configOf(denyMkdir(28)), withoutNode)).toEqual({
      code: 0,
      stdout: configOf(denyMkdir(28)),
    });
    const want = await expected(denyMkdir(28));
    expect(await start(file, configOf(denyMkdir(28)))).toEqual({ code: 0, stdout: want });
    expect(await start(file, configOf(denyMkdir(28)), withoutNode)).toEqual({ code: 0, stdout: want });
    expect(await start(file, `${configOf(denyMkdir(28))}\n`, withoutNode)).toEqual({
      code: 0,
      stdout: `${want}\n`,
    });
    // Of the same length, but another profile.
    expect(await start(file, configOf(denyMkdir(29)), withoutNode)).toMatchObject({
      stdout: configOf(denyMkdir(29)),
    });
    expect((await start(file, configOf(denyMkdir(29)))).stdout).toBe(await expected(denyMkdir(29)));
    expect((await start(file, configOf(denyMkdir(29)), withoutNode)).stdout).toBe(
      await expected(denyMkdir(29)),
    );
    expect((await start(file, configOf(denyMkdir(28)), withoutNode)).stdout).toBe(want);
    expect(pairs('fast')).toEqual([String(denyMkdir(28).length)]);
  });

  it.each([
    ['no annotation yet', configOf(denyMkdir(28), '')],
    [
      'text that looks like members',
      configOf(denyMkdir(28), JSON.stringify('x":"y"},"annotations":{"seccomp":{') + ':"}"'),
    ],
  ])('has the same answer with and without Node, for %s', async (_, config) => {
    const file = await install('same');
    const slow = (await hook(['precreate'], config)).stdout.toString();
    expect(slow).toContain(`"${KEY}":"${await base64(denyMkdir(28))}"`);
    expect((await start(file, config)).stdout).toBe(slow);
    expect((await start(file, config, { env: ['SECCOMPC_COMMAND=exit 5'] })).stdout).toBe(slow);
  });

  it('asks Node where anything looks different', async () => {
    const file = await install('different');
    const spread = JSON.stringify(
      JSON.parse(configOf(denyMkdir(28)).replace('18446744073709551615', '1')),
      null,
      2,
    );
    for (const config of [
      spread,
      configOf(denyMkdir(28), `"${KEY}":"AAAA"`),
      configOf(denyMkdir(28).replace('{', '{"listenerPath":"/run/}",')),
      `{"ociVersion":"1","linux":{"seccomp":${denyMkdir(28)}}}`,
    ]) {
      const slow = (await hook(['precreate'], config)).stdout.toString();
      expect(slow).toContain(KEY);
      expect(await start(file, config)).toEqual({ code: 0, stdout: slow });
    }
    expect(await start(file, UNCONFINED, { env: ['SECCOMPC_COMMAND=exit 5'] })).toEqual({
      code: 0,
      stdout: UNCONFINED,
    });
    expect(await start(file, '')).toMatchObject({ code: 1 });
  });

  it('leaves a start to the runtime when it fails, unless that would let a foreign filter in, or it is strict', async () => {
    const foreign = configOf(denyMkdir(28), `"${KEY}":"AAAA"`);
    const broken = ['exit 5', `sh -c 'kill -9 $$'`, '/nonexistent/node'].map(
      (command) => `SECCOMPC_COMMAND=${command}`,
    );
    const file = await install('failing');
    const strict = await install('strict', '--strict');
    for (const env of broken) {
      expect(await start(file, configOf(denyMkdir(28)), { env: [env] })).toEqual({
        code: 0,
        stdout: configOf(denyMkdir(28)),
      });
      expect(await start(file, foreign, { env: [env] })).toEqual({ code: 1, stdout: '' });
      expect(await start(strict, configOf(denyMkdir(28)), { env: [env] })).toEqual({ code: 1, stdout: '' });
    }
    expect((await start(strict, configOf(denyMkdir(28)))).stdout).toBe(await expected(denyMkdir(28)));
    const refusing = await install('refusing', '--foreign', 'refuse');
    expect(await start(refusing, foreign)).toEqual({ code: 1, stdout: '' });
    expect(log('refusing')).toContain('FOREIGN_ANNOTATION');
  });

  it('survives a damaged and a read-only store', async () => {
    const file = await install('damaged');
    const want = await expected(denyMkdir(28));
    const place = at('damaged.store', String(denyMkdir(28).length));
    for (const text of [
      '',
      '\n',
      'x',
      `${denyMkdir(28)}\n`,
      `${denyMkdir(28)}\n%%%%\n`,
      `${denyMkdir(28)}\nAAA\n`,
      '\n\n\n',
    ]) {
      writeFileSync(place, text);
      expect({ text, ...(await start(file, configOf(denyMkdir(28)))) }).toEqual({
        text,
        code: 0,
        stdout: want,
      });
      expect(readFileSync(place, 'utf8')).toContain(`${denyMkdir(28)}\n${await base64(denyMkdir(28))}\n`);
    }
    rmSync(at('damaged.store'), { recursive: true });
    writeFileSync(at('damaged.store'), 'a file where a folder was');
    // The program of the hook was in there: awk fails, and podman refuses to start.
    expect((await start(file, configOf(denyMkdir(28)))).code).not.toBe(0);
  });

  it('does not keep filters where others could put some', async () => {
    const file = await install('open');
    chmodSync(at('open.store'), 0o777);
    expect((await start(file, configOf(denyMkdir(28)))).stdout).toBe(await expected(denyMkdir(28)));
    expect(pairs('open')).toEqual([]);
    expect(log('open')).toContain('HOOK_STORE_FAILED');
  });

  it('is its own hook without awk', async () => {
    const bin = at('no-awk');
    mkdirSync(bin);
    const args = ['hook', 'install', at('slow'), '--store', at('slow.store')];
    const { stderr } = await runIn(folder, args, { env: { PATH: bin } });
    expect(stderr).toContain('HOOK_WITHOUT_AWK');
    const { stdout } = await start(at('slow/seccompc.json'), configOf(denyMkdir(28)));
    expect(stdout).toBe(await expected(denyMkdir(28)));
  });

  it('can be repeated with other options, which empties the store', async () => {
    const file = await install('again');
    const denying = denyMkdir(28).replace('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO');
    const first = await start(file, configOf(denying));
    expect(pairs('again')).toHaveLength(1);
    await install('again', '--enosys-stub');
    expect(pairs('again')).toHaveLength(0);
    const second = await start(file, configOf(denying));
    expect(second.stdout).not.toBe(first.stdout);
    expect(second.stdout).toContain(KEY);
  });

  it('takes paths with anything in them', async () => {
    const odd = `it's a "store" $HOME \\n`;
    const args = ['install', at('odd'), '--store', at(odd)];
    expect(await hook(args)).toMatchObject({ code: 0 });
    const want = await expected(denyMkdir(28));
    expect(await start(at('odd/seccompc.json'), configOf(denyMkdir(28)))).toEqual({ code: 0, stdout: want });
    const without = { env: ['SECCOMPC_COMMAND=exit 5'] };
    expect(await start(at('odd/seccompc.json'), configOf(denyMkdir(28)), without)).toEqual({
      code: 0,
      stdout: want,
    });
    expect(await hook(['status', at('odd')])).toMatchObject({ code: 0 });
  });
});

describe('the fast path', () => {
  const awks = ['mawk', 'gawk', 'busybox'];
  const present = awks.filter((name) => pathOf(name) !== undefined);
  const needs = present.length > 0 ? {} : { missing: 'no awk at all' };

  it.skipIf(skipWithout(needs)).each(present)('is the same in %s', async (name) => {
    const file = await install(`awk-${name}`);
    // busybox goes by the name under which it is called.
    symlinkSync(pathOf(name)!, at(`awk-${name}`, 'awk'));
    const path = at(`awk-${name}`, 'awk');
    const config = configOf(denyMkdir(28));
    const want = await expected(denyMkdir(28));
    expect(await start(file, config, { path })).toEqual({ code: 0, stdout: want });
    const without = { path, env: ['SECCOMPC_COMMAND=exit 5'] };
    expect(await start(file, config, without)).toEqual({ code: 0, stdout: want });
    expect(await start(file, configOf(denyMkdir(29)), without)).toEqual({
      code: 0,
      stdout: configOf(denyMkdir(29)),
    });
    const foreign = configOf(denyMkdir(28), `"${KEY}":"AAAA"`);
    expect(await start(file, foreign, without)).toEqual({ code: 1, stdout: '' });
  });
});

describe('hook status and uninstall', () => {
  it('find what would keep the hook from working', async () => {
    const file = await install('state');
    const status = async () => {
      const result = await hook(['status', at('state'), '--json']);
      return { code: result.code, codes: codesOf(result), document: documentOf(result) };
    };
    expect(await status()).toMatchObject({
      code: 0,
      codes: [],
      document: { precreate: file, check: null, files: 0 },
    });
    await start(file, configOf(denyMkdir(28)));
    expect(await status()).toMatchObject({ code: 0, document: { files: 1 } });
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/"path": "[^"]*"/, '"path": "/nonexistent/awk"'));
    expect(await status()).toMatchObject({ code: 1, codes: ['HOOK_PROGRAM_MISSING'] });
    writeFileSync(file, text.replace(MAIN, '/nonexistent/main.cjs'));
    expect(await status()).toMatchObject({ code: 1, codes: ['HOOK_PROGRAM_MISSING'] });
    writeFileSync(file, text);
    writeFileSync(at('state.store/made-by'), 'seccompc 0.0.1\n');
    expect(await status()).toMatchObject({ code: 0, codes: ['HOOK_STORE_STALE'] });
    rmSync(at('state.store'), { recursive: true });
    expect((await status()).codes).toContain('HOOK_STORE_MISSING');
    writeFileSync(file, '{"version":"1.0.0","hook":{"path":"/bin/true"}}');
    expect(await status()).toMatchObject({ code: 1, codes: ['HOOK_FILE_FOREIGN'] });
    expect(await hook(['status', at('nowhere')])).toMatchObject({ code: 1 });
  });

  it('remove what was installed, and nothing of others', async () => {
    await install('gone', '--with-check');
    expect(readdirSync(at('gone')).toSorted()).toEqual(['seccompc-check.json', 'seccompc.json']);
    await start(at('gone/seccompc.json'), configOf(denyMkdir(28)));
    expect(await hook(['uninstall', at('gone')])).toMatchObject({ code: 0 });
    expect(readdirSync(at('gone'))).toEqual([]);
    // The log is for the reader to delete.
    expect(existsSync(at('gone.store'))).toBe(false);
    expect(await hook(['uninstall', at('gone')])).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
    mkdirSync(at('others'));
    writeFileSync(at('others/seccompc.json'), '{"version":"1.0.0"}');
    for (const task of ['uninstall', 'install'])
      expect(await hook([task, at('others')])).toMatchObject({ code: 1 });
    expect(readFileSync(at('others/seccompc.json'), 'utf8')).toBe('{"version":"1.0.0"}');
  });
});

describe('hook check', () => {
  const check = async (config: string, options: string[] = [], state: Record<string, unknown> = {}) => {
    mkdirSync(at('bundle'), { recursive: true });
    writeFileSync(at('bundle/config.json'), config);
    const input = JSON.stringify({
      ociVersion: '1.0',
      id: 'x',
      status: 'created',
      pid: 7,
      bundle: at('bundle'),
      ...state,
    });
    const { code, stdout, stderr } = await hook(['check', ...options], input);
    expect(stdout.toString()).toBe('');
    return { code, codes: [...stderr.matchAll(/\[([A-Z_]+)\]$/gm)].map((match) => match[1]) };
  };

  it('lets start what is proved, and what has no annotation', async () => {
    expect(await check(await expected(denyMkdir(28)))).toEqual({ code: 0, codes: [] });
    expect(await check(configOf(denyMkdir(28)))).toEqual({ code: 0, codes: [] });
    expect(await check(configOf(denyMkdir(28)), ['--require-annotation'])).toEqual({
      code: 1,
      codes: ['ANNOTATION_MISSING'],
    });
  });

  it('refuses any other annotation, in the file or in what the runtime has read', async () => {
    const other = await base64(denyMkdir(29));
    expect(await check(configOf(denyMkdir(28), `"${KEY}":"${other}"`))).toEqual({
      code: 1,
      codes: ['ANNOTATION_DIFFERS'],
    });
    expect(await check(configOf(denyMkdir(28), `"${KEY}":"AAAA"`))).toEqual({
      code: 1,
      codes: ['ANNOTATION_INVALID'],
    });
    const loaded = { annotations: { [KEY]: other } };
    expect(await check(await expected(denyMkdir(28)), [], loaded)).toEqual({
      code: 1,
      codes: ['ANNOTATION_CHANGED', 'ANNOTATION_DIFFERS'],
    });
  });

  it('refuses to start without a filter, or with one that only some runtimes load', async () => {
    expect(await check(UNCONFINED)).toEqual({ code: 1, codes: ['START_UNCONFINED'] });
    const alone = UNCONFINED.replace('"io.container":"x"', `"${KEY}":"${await base64(denyMkdir(28))}"`);
    expect(await check(alone)).toEqual({ code: 1, codes: ['ANNOTATION_BASELESS'] });
  });

  it('holds every container to a ceiling, by what its filter does', async () => {
    const ceiling = at('ceiling.json');
    const all = denyMkdir(28).replace(/,"args".*\]\}\]\}$/, '}]}');
    writeFileSync(ceiling, denyMkdir(1));
    // Another errno is as strict; all modes instead of one are stricter.
    for (const profile of [denyMkdir(28), all])
      expect(await check(configOf(profile), ['--ceiling', ceiling])).toEqual({ code: 0, codes: [] });
    writeFileSync(ceiling, all);
    expect(await check(configOf(denyMkdir(28)), ['--ceiling', ceiling])).toEqual({
      code: 1,
      codes: ['CEILING_EXCEEDED'],
    });
  });

  it('refuses when it cannot tell', async () => {
    expect(await check(configOf('{}'))).toMatchObject({ code: 65 });
    expect(await check(configOf(denyMkdir(28)), ['--ceiling', at('missing.json')])).toMatchObject({
      code: 66,
    });
    expect(await check(configOf(denyMkdir(28)), [], { bundle: at('missing') })).toMatchObject({ code: 66 });
    for (const input of ['', 'x', '{}', '{"bundle":1}'])
      expect(await hook(['check'], input)).toMatchObject({ code: 65, stdout: Buffer.alloc(0) });
  });

  it('writes the reason to its log', async () => {
    await check(UNCONFINED, ['--log', at('check.log')]);
    expect(readFileSync(at('check.log'), 'utf8')).toMatch(/^\d{4}-.*Z check: .*\[START_UNCONFINED\]/);
  });
});

it('leaves no process of the hook behind', () => {
  expect(spawnSync('pgrep', ['-f', at('failing.store')]).stdout.toString()).toBe('');
});
