/**
 * One run of each command whose own tests start too many processes for `npm test`: those are in
 * *.slow.test.ts.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { send } from '../unit/serve-requests.ts';
import { PLAIN, UNCONFINED_CONFIG, WITH_WARNING } from './profiles.ts';
import { documentOf, environment, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (...args: string[]) => runIn(folder, args);
const compile = (...args: string[]) => run('compile', 'plain.json', '--arch', 'x86_64', ...args);
let filter: Buffer;

beforeAll(async () => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  filter = (await compile('--no-cache', '-q')).stdout;
});

describe('the built command', () => {
  it('gives a repeated compile the same filter from the hot files and from the store', async () => {
    const first = await compile('--cache', 'cache');
    expect(first.stderr).toContain('compiled in');
    const second = await compile('--cache', 'cache');
    expect(second.stderr).toContain('from the cache (hot)');
    const third = documentOf(await compile('--cache', 'cache', '--json'));
    expect(third).toMatchObject({ bytes: filter.toString('base64'), cache: { tier: 'sqlite' } });
    expect([first.stdout, second.stdout]).toEqual([filter, filter]);
  });

  it('refuses a configuration that asks for no filter', async () => {
    writeFileSync(join(folder, 'config.json'), UNCONFINED_CONFIG);
    const { code, stdout, stderr } = await run('compile', 'config.json', '--no-cache');
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: '' });
    expect(stderr).toContain('[NOT_CONFINED]');
  });

  it('moves a cache to another place', async () => {
    await compile('--cache', 'from', '-q');
    expect(await run('cache', 'export', 'moved.txt', '--cache', 'from')).toMatchObject({ code: 0 });
    const imported = await run('cache', 'import', 'moved.txt', '--cache', 'to', '--unsigned');
    expect(imported.stderr).toBe('imported 3, already there 0, skipped 0\n');
    expect((await run('cache', 'verify', '--cache', 'to')).stderr).toMatch(/^checked 3 records/);
  });

  it('writes the filters of a directory with an index', async () => {
    mkdirSync(join(folder, 'profiles'));
    writeFileSync(join(folder, 'profiles', 'plain.json'), PLAIN);
    writeFileSync(join(folder, 'profiles', 'warning.json'), WITH_WARNING);
    expect(await run('prebuild', 'profiles', '--arch', 'x86_64', '--out', 'out', '-q')).toMatchObject({ code: 0 });
    const written = readdirSync(join(folder, 'out/filters')).map((name) => readFileSync(join(folder, 'out/filters', name)));
    expect(written).toHaveLength(2);
    expect(written).toContainEqual(filter);
  }); // prettier-ignore

  it('serves a filter on a socket until it is told to stop', async () => {
    const child = spawn(process.execPath, [MAIN, 'serve', '--socket', 's', '--no-cache', '--workers', '1'], {
      cwd: folder,
      env: environment(folder),
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    await new Promise((resolve) => child.stderr.once('data', resolve));
    const reply = await send(join(folder, 's'), '/v1/compile?arch=x86_64', {
      body: PLAIN,
      headers: { Accept: 'application/octet-stream' },
    });
    expect(reply.body).toEqual(filter);
    child.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('installs a hook that puts the filter into a configuration', async () => {
    expect(await run('hook', 'install', 'hooks', '--store', 'store')).toMatchObject({ code: 0 });
    const { hook } = JSON.parse(readFileSync(join(folder, 'hooks/seccompc.json'), 'utf8')) as {
      hook: { path: string; args: string[]; env: string[] };
    };
    const config = JSON.stringify({ ociVersion: '1.0.2', annotations: {}, linux: { seccomp: JSON.parse(PLAIN) } });
    const env = Object.fromEntries(hook.env.map((variable) => variable.split(/=(.*)/s)));
    const child = spawn(hook.path, hook.args.slice(1), { argv0: hook.args[0], env, cwd: '/' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stdin.end(config);
    expect(await ended).toBe(0);
    const native = (await run('compile', 'plain.json', '--no-cache', '-q')).stdout;
    expect(JSON.parse(output)).toMatchObject({
      annotations: { 'run.oci.seccomp_bpf_data': native.toString('base64') },
    });
  }); // prettier-ignore

  it.skipIf(skipWithout(requirements(['perl'])))('runs a command under a filter', async () => {
    const profile =
      '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}';
    writeFileSync(join(folder, 'mkdir.json'), profile);
    const { code, stderr } = await run('exec', 'mkdir.json', '--no-cache', '--', 'mkdir', 'made');
    expect(code).toBe(1);
    expect(stderr).toContain('No space left on device');
  });
});
