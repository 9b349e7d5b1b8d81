/**
 * The hooks as podman and the runtimes start them: an empty environment, a config or a state on
 * standard input.
 */
import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { dirname, join } from 'node:path';
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
/** The directories of pairs in a store; a version of seccompc has one for each target. */
const pairDirectories = (name: string) =>
  readdirSync(at(`${name}.store`)).filter((directory) => directory.startsWith('pairs-'));
/** The files of pairs. */
const pairs = (name: string) =>
  pairDirectories(name).flatMap((directory) => readdirSync(at(`${name}.store`, directory)));

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
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: '' });
    }
    const { code, stdout, stderr } = await hook(['precreate', '--strict'], configOf(unknown));
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '' });
    expect(stderr).not.toBe('');
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
      expect(await hook(['precreate'], unreadable)).toMatchObject({ code: 65, stdout: Buffer.alloc(0) });
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

  it('names the server that a start asks, and refuses what is none, or a key that others can change', async () => {
    const key = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' });
    const pub = at('server.pub');
    writeFileSync(pub, key);
    const installing = (cache: string) =>
      hook(['install', at('server'), '--store', at('server.store'), '--cache', cache, '--trust', pub]);
    expect((await installing('oci://registry.example/filters')).code).toBe(0);
    const file = readFileSync(at('server/seccompc.json'), 'utf8');
    expect(file).toContain(`--cache oci://registry.example/filters --trust ${pub}`);
    expect((await installing(at('server.store'))).code).toBe(64);
    expect((await installing('redis://me:secret@registry.example')).code).toBe(64);
    chmodSync(pub, 0o666);
    const changeable = await installing('oci://registry.example/filters');
    expect(changeable).toMatchObject({ code: 73, stderr: expect.stringContaining('PLACE_UNSAFE') });
    // Nor is it read at a start, which then has the filter of the runtime.
    const words = ['precreate', '--cache', 'oci://registry.example/filters', '--trust', pub];
    const { code, stdout, stderr } = await hook(words, configOf(denyMkdir(28)));
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: configOf(denyMkdir(28)) });
    expect(stderr).toContain('PLACE_UNSAFE');
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
      expect(await start(file, foreign, { env: [env] })).toEqual({ code: 65, stdout: '' });
      expect(await start(strict, configOf(denyMkdir(28)), { env: [env] })).toEqual({ code: 1, stdout: '' });
    }
    expect((await start(strict, configOf(denyMkdir(28)))).stdout).toBe(await expected(denyMkdir(28)));
    const refusing = await install('refusing', '--foreign', 'refuse');
    expect(await start(refusing, foreign)).toEqual({ code: 65, stdout: '' });
    expect(log('refusing')).toContain('FOREIGN_ANNOTATION');
  });

  it.each([
    ['Node', process.execPath],
    ['the script', MAIN],
  ])('tells in its log that %s is missing', async (_, part) => {
    const file = await install('missing');
    rmSync(at('missing.store/hook.log'), { force: true });
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(part, '/nonexistent/part'));
    const config = configOf(denyMkdir(28));
    expect(await start(file, config)).toEqual({ code: 0, stdout: config });
    expect(log('missing')).toMatch(/^\d{4}-\d\d-\d\dT.*Z precreate: .*\[HOOK_PROGRAM_MISSING\]\n$/);
  });

  it('refuses a config with a character that ends the record of awk', async () => {
    const file = await install('record');
    for (const end of [',"\u0001":1}', '}\u0001,'])
      expect(await start(file, configOf(denyMkdir(28)).replace(/\}$/, end))).toEqual({
        code: 65,
        stdout: '',
      });
  });

  it('survives a damaged and a read-only store', async () => {
    const file = await install('damaged');
    const want = await expected(denyMkdir(28));
    const place = at('damaged.store', pairDirectories('damaged')[0]!, String(denyMkdir(28).length));
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
    expect(await start(file, configOf(denyMkdir(28)))).toEqual({ code: 0, stdout: want });
  });

  it('does not keep filters where others could put some', async () => {
    const file = await install('open', '--log', at('open.log'));
    chmodSync(at('open.store'), 0o777);
    expect((await start(file, configOf(denyMkdir(28)))).stdout).toBe(await expected(denyMkdir(28)));
    expect(pairs('open')).toEqual([]);
    expect(readFileSync(at('open.log'), 'utf8')).toContain('HOOK_STORE_FAILED');
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

  it('can be repeated with other options, for which the store has other filters', async () => {
    const file = await install('again');
    const denying = denyMkdir(28).replace('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO');
    const first = await start(file, configOf(denying));
    expect(pairs('again')).toHaveLength(1);
    const installed = readFileSync(file, 'utf8');
    await install('again', '--enosys-stub');
    const second = await start(file, configOf(denying));
    expect(second.stdout).not.toBe(first.stdout);
    expect(second.stdout).toContain(KEY);
    expect(pairDirectories('again')).toHaveLength(2);
    // A hook that began before the second installation still reads its own filters.
    writeFileSync(file, installed);
    const withoutNode = { env: ['SECCOMPC_COMMAND=exit 5'] };
    expect((await start(file, configOf(denying), withoutNode)).stdout).toBe(first.stdout);
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

const isRoot = process.geteuid?.() === 0;
describe.skipIf(!isRoot)('a place that somebody else can change', () => {
  /** Its owner can exchange everything below it. */
  const foreign = (name: string) => {
    mkdirSync(at(name), { recursive: true });
    chownSync(at(name), 12345, 12345);
    return at(name);
  };
  /**
   * A group with other members may write to it, as to a shared directory with its set-group-ID bit.
   */
  const grouped = (name: string) => {
    mkdirSync(at(name), { recursive: true });
    chownSync(at(name), 0, 12345);
    chmodSync(at(name), 0o2775);
    return at(name);
  };

  it.each([
    ['the store below the home of another user', () => ['--store', join(foreign('home'), 'store')]],
    ['the store below a directory of a group', () => ['--store', join(grouped('shared'), 'store')]],
    ['the log below a directory of a group', () => ['--log', join(grouped('logs'), 'hook.log')]],
    ['the store in a directory that everybody can write to', () => ['--store', '/tmp']],
  ])('is refused: %s', async (_, options) => {
    const { code, stderr } = await hook(['install', at('refused'), '--store', at('ok.store'), ...options()]);
    expect({ code, stderr }).toEqual({ code: 73, stderr: expect.stringContaining('[PLACE_UNSAFE]') });
    expect(existsSync(at('refused', 'seccompc.json'))).toBe(false);
  });

  it('is refused for the hook files, and for the ceiling of a check', async () => {
    const below = join(grouped('hooks'), 'hooks.d');
    expect(await hook(['install', below, '--store', at('ok.store')])).toMatchObject({ code: 73 });
    const ceiling = join(foreign('profiles'), 'ceiling.json');
    writeFileSync(ceiling, denyMkdir(1));
    const args = ['install', at('refused'), '--store', at('ok.store'), '--with-check', '--ceiling', ceiling];
    expect(await hook(args)).toMatchObject({ code: 73 });
    expect(existsSync(at('refused', 'seccompc.json'))).toBe(false);
  });

  it('is refused for the program that the hook starts', async () => {
    mkdirSync(at('package'));
    cpSync(dirname(MAIN), at('package', 'cli'), { recursive: true });
    const main = at('package', 'cli', 'main.cjs');
    const installIt = () =>
      spawnSync(process.execPath, [main, 'hook', 'install', at('program'), '--store', at('program.store')], {
        cwd: folder,
        encoding: 'utf8',
      });
    expect(installIt()).toMatchObject({ status: 0 });
    for (const path of [main, at('package', 'cli', 'hook.cjs'), at('package')]) {
      const { mode } = statSync(path);
      chmodSync(path, mode | 0o020);
      expect(installIt()).toMatchObject({ status: 73, stderr: expect.stringContaining(path) });
      const status = await hook(['status', at('program'), '--json']);
      expect({ code: status.code, codes: codesOf(status) }).toEqual({ code: 1, codes: ['PLACE_UNSAFE'] });
      chmodSync(path, mode);
    }
    expect(await hook(['status', at('program')])).toMatchObject({ code: 0 });
  });

  it('is reported by the status when it became one after the installation', async () => {
    await install('later');
    expect(await hook(['status', at('later')])).toMatchObject({ code: 0 });
    for (const path of [at('later.store'), at('later'), at('later', 'seccompc.json')]) {
      const { mode } = statSync(path);
      chmodSync(path, mode | 0o020);
      const status = await hook(['status', at('later'), '--json']);
      expect({ code: status.code, codes: codesOf(status) }).toEqual({ code: 1, codes: ['PLACE_UNSAFE'] });
      chmodSync(path, mode);
    }
  });

  it('cannot hold the program of the hook, which is part of the hook file', async () => {
    const file = await install('inline');
    const { args } = JSON.parse(readFileSync(file, 'utf8')).hook as { args: string[] };
    expect(args[1]).toContain('BEGIN {');
    expect(args).toHaveLength(2);
    expect(readdirSync(at('inline.store')).filter((name) => name.includes('awk'))).toEqual([]);
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
    expect(await start(file, foreign, without)).toEqual({ code: 65, stdout: '' });
  });
});

describe('a config that looks different to awk than to a runtime', () => {
  const weak = denyMkdir(28).replace('SCMP_ACT_ERRNO', 'SCMP_ACT_LOG').replace('"errnoRet":28,', '');
  const strict = denyMkdir(28);
  const linux = `"linux":{"seccomp":${strict}}`;
  const confined = (head: string, rest = linux) =>
    `{"ociVersion":"1.0.2",${head}"annotations":{"a":"b"},${rest}}`;

  it.each([
    ['another seccomp in front', confined(`"x":{"seccomp":${weak}},`)],
    ['another seccomp within linux', confined('', `"linux":{"resources":{"rdma":{"seccomp":${weak}}},"seccomp":${strict}}`)],
    ['another seccomp behind', confined('', `${linux},"x":{"seccomp":${weak}}`)],
    ['another seccomp, and the real one escaped', confined(`"x":{"seccomp":${weak}},`, linux.replace('"seccomp', '"\\u0073eccomp'))],
    ['another seccomp, and the real one with a NUL', confined(`"x":{"seccomp":${weak}},`, linux.replace('"seccomp', '"seccomp\\u0000'))],
    ['another seccomp, and the real one in single quotes', confined(`"x":{"seccomp":${weak}},`, linux.replace('"seccomp"', "'seccomp'"))],
    ['another seccomp, and the real one with a space', confined(`"x":{"seccomp":${weak}},`, linux.replace('"seccomp"', '"seccomp" '))],
    ['another seccomp, and the real one with a comment', confined(`"x":{"seccomp":${weak}},`, linux.replace('"seccomp"', '"seccomp"/**/'))],
    ['another seccomp in a comment', confined(`/*"seccomp":${weak},*/`)],
    ['seccomp twice', confined('', `"linux":{"seccomp":${weak},"seccomp":${strict}}`)],
    ['linux twice', confined(`"linux":{"seccomp":${weak}},`)],
    ['linux twice, once with a NUL', confined(`"linux\\u0000":{"seccomp":${weak}},`)],
    ['other annotations in front', confined('"x":{"annotations":{}},')],
    ['other annotations alone', `{"ociVersion":"1.0.2","x":{"annotations":{}},${linux}}`],
    ['annotations in single quotes', confined("'annotations':{},")],
    ['annotations in a comment', `{"ociVersion":"1.0.2",/*"annotations":{},*/${linux}}`],
    ['annotations behind a brace in a string', `{"ociVersion":"1.0.2","x":{"y":"}","annotations":{}},${linux}}`],
    ['a foreign filter under an escaped key', confined('').replace('"a":"b"', '"run.oci.\\u0073eccomp_bpf_data":"AAAA"')],
    ['a foreign filter under a key with a NUL', confined('').replace('"a":"b"', `"${KEY}\\u0000":"AAAA"`)],
    ['linux.seccomp as an array', confined('', '"linux":{"seccomp":[]}')],
  ])('is left to Node: %s', async (what, config) => {
    const plain = await install('attacked');
    const refusing = await install('attacked-strictly', '--strict');
    const prepared = [plain, refusing].map((file) => start(file, configOf(weak)));
    expect((await Promise.all(prepared)).every(({ stdout }) => stdout.includes(KEY))).toBe(true);
    const { code, stdout } = await hook(['precreate'], config);
    const same = code === 0 ? { code, stdout: stdout.toString() } : { code: 65, stdout: '' };
    expect(await start(plain, config)).toEqual(same);
    expect(await start(refusing, config)).toEqual(same);
    // Without Node nothing is put in, and nothing hidden is let through.
    const alone = await start(plain, config, { env: ['SECCOMPC_COMMAND=exit 5'] });
    expect([config, '']).toContain(alone.stdout);
    if (/escaped key|NUL/.test(what)) expect(alone).toEqual({ code: 65, stdout: '' });
    expect((await start(refusing, config, { env: ['SECCOMPC_COMMAND=exit 5'] })).code).toBeGreaterThan(0);
  }); // prettier-ignore

  it.each([
    ['the call named seccomp', configOf(strict.replace('"mkdir"', '"seccomp","mkdir"'))],
    ['escapes that Go writes', configOf(strict).replace('"x"', '"\\u0026\\u003c\\u003e\\u2028\\n\\\\\\""')],
    ['braces and quotes in strings', configOf(strict).replace('"x"', String.raw`"{[\"}\"seccomp\":{"`).replace('"rlimits":[', String.raw`"x":"}/'#\"","rlimits":[`)],
  ])('is none with %s', async (_, config) => {
    const file = await install('ordinary');
    const first = await start(file, config);
    expect(first.stdout).toContain(KEY);
    expect(await start(file, config, { env: ['SECCOMPC_COMMAND=exit 5'] })).toEqual(first);
  }); // prettier-ignore

  const indented = (text: string, spaces: number | string) => JSON.stringify(JSON.parse(text), null, spaces);
  it.each([
    ['no annotations, as of Docker', configOf(strict).replace('"annotations":{"io.container":"x"},', '')],
    ['lines, as of crun spec', indented(configOf(strict).replace('18446744073709551615', '1'), 4)],
    ['lines and no annotations', indented(configOf(strict).replace(/"process".*?"annotations":\{.*?\},/, ''), '\t')],
    ['empty annotations on two lines', configOf(strict, '\n')],
    ['other strings that begin like its keys', configOf(strict).replace('"x"', '"x","linux-1":"seccomp=1","a":"annotations.x"')],
  ])('needs Node only once with %s', async (_, config) => {
    const file = await install('once');
    const first = await start(file, config);
    const second = await start(file, config, { env: ['SECCOMPC_COMMAND=exit 5'] });
    const read = JSON.parse(config);
    const want = { ...read, annotations: { ...read.annotations, [KEY]: await base64(strict) } };
    expect([first, second].map(({ stdout }) => JSON.parse(stdout))).toEqual([want, want]);
  }); // prettier-ignore

  it('needs Node again with an annotation, unless it is the only one about the filter, and the right one', async () => {
    const file = await install('twice');
    const { stdout } = await start(file, configOf(strict));
    const filter = await base64(strict);
    const last = configOf(strict, `"b":"{","${KEY}":"${filter}"`);
    const without = { env: ['SECCOMPC_COMMAND=exit 5'] };
    for (const config of [stdout, last]) expect(await start(file, config, without)).toEqual({ code: 0, stdout: config });
    for (const config of [
      configOf(strict, `"b":{"${KEY}":"${filter}"}`),
      configOf(strict, `"${KEY}":"${filter}","run.oci.seccomp.receiver":"/run/x"`),
      configOf(strict, `"${KEY}":"${filter}","${KEY}":"AAAA"`),
      configOf(strict, `"${KEY}":"AAAA${filter}"`),
      configOf(strict, `"${KEY}":"${await base64(weak)}"`),
      configOf(strict).replace('{', `{"x":{"${KEY}":"${filter}"},`),
    ])
      expect([config, await start(file, config, without)]).toEqual([config, { code: 65, stdout: '' }]);
  }); // prettier-ignore
});

const CHECKED = ['seccompc-check', 'seccompc-check.json', 'seccompc.json'];

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
    const [current] = pairDirectories('state');
    const older = `pairs-${'0'.repeat(16)}-${'1'.repeat(16)}`;
    mkdirSync(at('state.store', older));
    writeFileSync(file, text.replace(current!, older));
    expect(await status()).toMatchObject({ code: 0, codes: ['HOOK_STORE_STALE'] });
    // Node says so as well, where a user of the log finds it.
    await start(file, configOf(denyMkdir(30)));
    expect(log('state')).toContain('HOOK_STORE_STALE');
    writeFileSync(file, text);
    rmSync(at('state.store'), { recursive: true });
    expect((await status()).codes).toContain('HOOK_STORE_MISSING');
    writeFileSync(file, '{"version":"1.0.0","hook":{"path":"/bin/true"}}');
    expect(await status()).toMatchObject({ code: 1, codes: ['HOOK_FILE_FOREIGN'] });
    expect(await hook(['status', at('nowhere')])).toMatchObject({ code: 1 });
  });

  it.runIf(process.getuid?.() === 0)('know the check of the loaded filter', async () => {
    const more = ['--ceiling', at('ceiling-of-hook.json'), '--listener', '/run/a.sock'];
    writeFileSync(at('ceiling-of-hook.json'), denyMkdir(28));
    await install('late', '--with-check', '--loaded', ...more);
    const file = at('late/seccompc-loaded.json');
    const { hook: written, stages } = JSON.parse(readFileSync(file, 'utf8'));
    expect({ timeout: written.timeout, stages }).toEqual({ timeout: 10, stages: ['poststart'] });
    expect(written.args.join(' ')).toContain(' hook check --require-annotation --loaded --kill ');
    expect(written.args.join(' ')).toContain(more.join(' '));
    const result = await hook(['status', at('late'), '--json']);
    expect({ code: result.code, loaded: documentOf(result)['loaded'] }).toEqual({ code: 0, loaded: file });
    // Installed again without it, it is gone.
    await install('late', '--with-check');
    expect(readdirSync(at('late')).toSorted()).toEqual(CHECKED);
    await install('late');
    expect(readdirSync(at('late'))).toEqual(['seccompc.json']);
    await install('late', '--with-check', '--loaded');
    await hook(['uninstall', at('late')]);
    expect(readdirSync(at('late'))).toEqual([]);
  });

  it('take --loaded and --ceiling only with --with-check, and --listener only with --ceiling', async () => {
    for (const options of [['--loaded'], ['--ceiling', 'x'], ['--with-check', '--listener', '/run/a.sock']])
      expect(await hook(['install', at('never'), ...options])).toMatchObject({ code: 64 });
    expect(existsSync(at('never'))).toBe(false);
  });

  it('remove what was installed, and nothing of others', async () => {
    await install('gone', '--with-check');
    expect(readdirSync(at('gone')).toSorted()).toEqual(CHECKED);
    await start(at('gone/seccompc.json'), configOf(denyMkdir(28)));
    const gone = await hook(['uninstall', at('gone')]);
    expect(gone.code).toBe(0);
    expect(readdirSync(at('gone'))).toEqual([]);
    // The log is for the reader to delete.
    expect(readdirSync(at('gone.store'))).toEqual(['hook.log']);
    expect(gone.stderr).toContain(`${at('gone.store/hook.log')} is left in place [HOOK_LEFT]`);
    expect(await hook(['uninstall', at('gone')])).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
    await install('unused');
    const { stdout, stderr } = await hook(['uninstall', at('unused')]);
    expect({ stdout: stdout.toString(), stderr }).toEqual({
      stdout: `${at('unused/seccompc.json')}\n${at('unused.store')}\n`,
      stderr: '',
    });
    expect(existsSync(at('unused.store'))).toBe(false);
    mkdirSync(at('others'));
    writeFileSync(at('others/seccompc-check'), '#!/bin/sh\n');
    expect(await hook(['install', at('others'), '--with-check'])).toMatchObject({ code: 1 });
    writeFileSync(at('others/seccompc.json'), '{"version":"1.0.0"}');
    for (const task of ['uninstall', 'install'])
      expect(await hook([task, at('others')])).toMatchObject({ code: 1 });
    expect(readFileSync(at('others/seccompc.json'), 'utf8')).toBe('{"version":"1.0.0"}');
  });
});

describe('an installed check', () => {
  it('refuses the start when Node or its script is gone, and is then reported', async () => {
    await install('checked', '--with-check');
    const file = at('checked/seccompc-check.json');
    mkdirSync(at('ready'));
    const config = await expected(denyMkdir(28));
    writeFileSync(at('ready/config.json'), config);
    const state = JSON.stringify({
      ociVersion: '1.0',
      id: 'x',
      status: 'created',
      pid: 7,
      bundle: at('ready'),
      annotations: JSON.parse(config).annotations,
    });
    expect(await start(file, state)).toEqual({ code: 0, stdout: '' });
    const text = readFileSync(file, 'utf8');
    // Runtimes name the path where they tell that a hook has refused.
    const { path } = JSON.parse(text).hook;
    expect(path).toBe(at('checked/seccompc-check'));
    for (const part of [process.execPath, MAIN]) {
      writeFileSync(file, text.replace(part, '/nonexistent/part'));
      // podman passes over a hook whose path is missing, so that must not be what is missing.
      expect(existsSync(path)).toBe(true);
      const { code } = await start(file, state);
      expect(code).toBeGreaterThan(0);
      expect(codesOf(await hook(['status', at('checked'), '--json']))).toEqual(['HOOK_PROGRAM_MISSING']);
    }
    writeFileSync(file, text);
    rmSync(path);
    expect(codesOf(await hook(['status', at('checked'), '--json']))).toEqual(['HOOK_PROGRAM_MISSING']);
  });
});

describe('hook check', () => {
  /** `read` is what the runtime has read of the annotations: those of the config unless given. */
  const check = async (
    config: string,
    options: string[] = [],
    state: Record<string, unknown> = { annotations: annotationsOf(config) },
    env: Record<string, string> = {},
  ) => {
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
    const { code, stdout, stderr } = await runIn(folder, ['hook', 'check', ...options], { input, env });
    expect(stdout.toString()).toBe('');
    return { code, codes: [...stderr.matchAll(/\[([A-Z_]+)\]$/gm)].map((match) => match[1]) };
  };
  const annotationsOf = (config: string): unknown => JSON.parse(config).annotations;

  it('lets start what is proved, and what has no annotation, of which it says that it saw too little', async () => {
    const proved = await expected(denyMkdir(28));
    expect(await check(proved)).toEqual({ code: 0, codes: [] });
    expect(await check(proved, ['--require-annotation'])).toEqual({ code: 0, codes: [] });
    expect(await check(configOf(denyMkdir(28)))).toEqual({ code: 0, codes: ['PROFILE_UNSEEN'] });
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

  it('refuses an annotation that the runtime has not read, and takes one that only the runtime has, if it is proved', async () => {
    const proved = await expected(denyMkdir(28));
    for (const state of [{}, { annotations: {} }, { annotations: null }, { annotations: { [KEY]: 1 } }]) {
      expect(await check(proved, [], state)).toEqual({
        code: 1,
        codes: ['ANNOTATION_CHANGED', 'PROFILE_UNSEEN'],
      });
      expect(await check(proved, ['--require-annotation'], state)).toEqual({
        code: 1,
        codes: ['ANNOTATION_CHANGED', 'ANNOTATION_MISSING'],
      });
    }
    const state = { annotations: annotationsOf(proved) };
    const only = (config: string) => check(config, ['--require-annotation'], state);
    expect(await only(configOf(denyMkdir(28)))).toEqual({ code: 0, codes: [] });
    expect(await only(configOf(denyMkdir(29)))).toEqual({ code: 1, codes: ['ANNOTATION_DIFFERS'] });
    expect(await only(UNCONFINED)).toEqual({ code: 1, codes: ['ANNOTATION_BASELESS'] });
  });

  it.each([
    ['a newline at the end', (text: string) => `${text}\n`, []],
    ['lines of 76', (text: string) => text.replaceAll(/.{76}/g, '$&\r\n'), []],
    ['a character that crun skips', (text: string) => text.replace(/.{8}/, '$&-'), ['ANNOTATION_INVALID']],
    ['a space that is not ASCII', (text: string) => `${text}\u00a0`, ['ANNOTATION_INVALID']],
    ['padding in the middle', (text: string) => text.replace(/^(.{7})./, '$1='), ['ANNOTATION_INVALID']],
    ['padding at the end', (text: string) => `${text}====`, ['ANNOTATION_INVALID']],
    ['a byte too many', (text: string) => `${text.replace(/=*$/, '')}AAA=`, ['ANNOTATION_INVALID']],
  ])('reads base64 with %s as crun does, or refuses it', async (_, change, codes) => {
    const text = JSON.stringify(change(await base64(denyMkdir(28))));
    const found = await check(configOf(denyMkdir(28), `"${KEY}":${text}`), ['--require-annotation']);
    expect(new Set(found.codes)).toEqual(new Set(codes));
    expect(found.code).toBe(codes.length === 0 ? 0 : 1);
  });

  it('refuses base64 with a NUL, where crun ends, in the file and in the state', async () => {
    const text = await base64(denyMkdir(28));
    const config = configOf(denyMkdir(28), `"${KEY}":"${text}\\u0000AAAA"`);
    expect(await check(config, [], { annotations: { [KEY]: text } })).toEqual({
      code: 65,
      codes: ['JSON_NUL'],
    });
    const state = { annotations: { [KEY]: `${text}\u0000AAAA` } };
    expect(await check(await expected(denyMkdir(28)), [], state)).toEqual({
      code: 65,
      codes: ['NOT_A_STATE'],
    });
  });

  it('holds every container to a ceiling, by what its filter does', async () => {
    const ceiling = at('ceiling.json');
    const all = denyMkdir(28).replace(/,"args".*\]\}\]\}$/, '}]}');
    writeFileSync(ceiling, denyMkdir(1));
    // Another errno is as strict; all modes instead of one are stricter.
    for (const profile of [denyMkdir(28), all])
      expect(await check(await expected(profile), ['--ceiling', ceiling])).toEqual({ code: 0, codes: [] });
    writeFileSync(ceiling, all);
    expect(await check(await expected(denyMkdir(28)), ['--ceiling', ceiling])).toEqual({
      code: 1,
      codes: ['CEILING_EXCEEDED'],
    });
  });

  it('is not misled by names in upper case, or by a list of architectures without x32', async () => {
    const ceiling = at('ceiling.json');
    const all = denyMkdir(28).replace(/,"args".*\]\}\]\}$/, '}]}');
    const withX32 = all.replace('"SCMP_ARCH_X86_64"', '"SCMP_ARCH_X86_64","SCMP_ARCH_X32"');
    const codes = async (limit: string, profile: string) => {
      writeFileSync(ceiling, limit);
      return (await check(await expected(profile), ['--ceiling', ceiling])).codes;
    };
    // No runtime knows the call MKDIR, so nothing is refused.
    expect(await codes(all, all.replace('"mkdir"', '"MKDIR"'))).toEqual(['CEILING_EXCEEDED']);
    // Calls of x32 are killed where it is not listed, and allowed where it is.
    expect(await codes(withX32, all)).toEqual([]);
    expect(await codes(all, withX32)).toEqual(['CEILING_EXCEEDED']);
  });

  it('takes success without running for looser than a refusal, and stricter than a call that runs', async () => {
    const ceiling = at('ceiling.json');
    const within = async (limit: string, profile: string) => {
      writeFileSync(ceiling, limit);
      return (await check(await expected(profile), ['--ceiling', ceiling])).codes;
    };
    const trapping = denyMkdir(1).replace('"SCMP_ACT_ERRNO","errnoRet":1', '"SCMP_ACT_TRAP"');
    const logging = denyMkdir(1).replace('"SCMP_ACT_ERRNO","errnoRet":1', '"SCMP_ACT_LOG"');
    expect(await within(denyMkdir(1), denyMkdir(0))).toEqual(['CEILING_EXCEEDED']);
    expect(await within(trapping, denyMkdir(0))).toEqual(['CEILING_EXCEEDED']);
    expect(await within(denyMkdir(0), denyMkdir(1))).toEqual([]);
    expect(await within(denyMkdir(0), denyMkdir(0))).toEqual([]);
    expect(await within(logging, denyMkdir(0))).toEqual([]);
  });

  it('accepts under a ceiling only listeners that were named', async () => {
    const notifying = denyMkdir(1).replace('"SCMP_ACT_ERRNO","errnoRet":1', '"SCMP_ACT_NOTIFY"');
    const withPath = notifying.replace('{', '{"listenerPath":"/run/a.sock",');
    const ceiling = at('ceiling.json');
    writeFileSync(ceiling, notifying);
    const receiver = '"run.oci.seccomp.receiver":"/run/a.sock"';
    const plugins = '"run.oci.seccomp.plugins":"/run/a.sock"';
    const variable = { RUN_OCI_SECCOMP_RECEIVER: '/run/a.sock' };
    const ways: [config: string, state: Record<string, unknown> | undefined, env: Record<string, string>][] =
      [
        [configOf(withPath), undefined, {}],
        [configOf(notifying, receiver), undefined, {}],
        [configOf(notifying, plugins), undefined, {}],
        // Now gone from config.json, but the runtime has read it; or the other way round.
        [configOf(notifying), { annotations: { 'run.oci.seccomp.receiver': '/run/a.sock' } }, {}],
        [configOf(notifying, receiver), { annotations: {} }, {}],
        [configOf(notifying), undefined, variable],
      ];
    for (const [config, state, env] of ways) {
      const judge = async (...options: string[]) =>
        (await check(config, ['--ceiling', ceiling, ...options], state, env)).codes;
      expect(await judge()).toEqual(['PROFILE_UNSEEN', 'CEILING_LISTENER']);
      expect(await judge('--listener', '/run/b.sock')).toEqual(['PROFILE_UNSEEN', 'CEILING_LISTENER']);
      const named = ['--listener', '/run/b.sock', '--listener', '/run/a.sock'];
      expect(await judge(...named)).toEqual(['PROFILE_UNSEEN']);
    }
    // Its low byte is that of a.
    const similar = configOf(notifying, receiver.replace('/a', '/\u0161'));
    const words = ['--ceiling', ceiling, '--listener', '/run/a.sock'];
    expect((await check(similar, words, { annotations: {} })).codes).toContain('CEILING_LISTENER');
    // The ceiling's own listener needs no flag.
    writeFileSync(ceiling, withPath);
    expect((await check(configOf(withPath), ['--ceiling', ceiling])).codes).toEqual(['PROFILE_UNSEEN']);
  });

  it('looks for a listener in the environment of the runtime too, when a shell starts the hook without it', async () => {
    mkdirSync(at('bundle'), { recursive: true });
    writeFileSync(at('bundle/config.json'), configOf(denyMkdir(28)));
    writeFileSync(at('ceiling.json'), denyMkdir(28));
    const script = `env -u RUN_OCI_SECCOMP_RECEIVER "$@"; exit $?`;
    const words = [
      '-c',
      script,
      'sh',
      process.execPath,
      MAIN,
      'hook',
      'check',
      '--ceiling',
      at('ceiling.json'),
    ];
    const { status, stderr } = spawnSync('/bin/sh', words, {
      env: { PATH: process.env['PATH'], RUN_OCI_SECCOMP_RECEIVER: '/run/a.sock' },
      input: JSON.stringify({ bundle: at('bundle') }),
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stderr).toContain('[CEILING_LISTENER]');
  });

  it('refuses a ceiling that asks for no filter, and options that need another', async () => {
    writeFileSync(at('ceiling.json'), UNCONFINED);
    expect(await check(configOf(denyMkdir(28)), ['--ceiling', at('ceiling.json')])).toEqual({
      code: 65,
      codes: ['NOT_CONFINED'],
    });
    for (const options of [['--listener', '/run/a.sock'], ['--kill'], ['--loaded', '--arch', 's390x']])
      expect(await check(configOf(denyMkdir(28)), options)).toEqual({ code: 64, codes: ['USAGE'] });
  });

  it('refuses with --loaded when there is no process to look at', async () => {
    const seen = (pid: unknown) => check(configOf(denyMkdir(28)), ['--loaded'], { pid });
    for (const pid of [undefined, 0, -1, '7', 1.5, 1e300])
      expect(await seen(pid)).toEqual({ code: 65, codes: ['NOT_A_STATE'] });
    // Larger than any pid of Linux.
    expect(await seen(999_999_999)).toEqual({ code: 66, codes: ['FILTER_UNREADABLE'] });
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
