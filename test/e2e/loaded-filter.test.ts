/** Reading the filters of a process from the kernel: what is read, and that the process does not notice. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { readLoadedFilters } from '../../src/oci/process/loaded-filter.ts';
import { hostArch } from '../../src/cli/options/host.ts';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { configText, makeFolder } from './oci/containers.ts';
import { requirements } from './oci/require.ts';

const needs = requirements(['perl', 'unshare'], { root: true });
const deny = (name: string, errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["${name}"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const FIRST = deny('mkdir', 28);
const SECOND = deny('rmdir', 2);

let folder: ReturnType<typeof makeFolder>;
const at = (...names: string[]) => join(folder.path, ...names);
const environment = () => ({ PATH: process.env['PATH'], HOME: folder.path });
const seccompc = (args: string[], input = '') =>
  spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    input,
    env: environment(),
    timeout: 60_000,
  });
const compiled = (profile: string) =>
  Buffer.from(seccompc(['compile', '-', '--no-cache', '-q', '--format', 'base64'], profile).stdout, 'base64');
const numberOf = (name: string) =>
  Number(seccompc(['lookup', name, '--json']).stdout.match(/"nr": (\d+)/)![1]);

describe.skipIf(skipWithout(needs))('the filters of a process', () => {
  const running: ChildProcess[] = [];
  beforeAll(() => {
    folder = makeFolder();
    writeFileSync(at('first.json'), FIRST);
    writeFileSync(at('second.json'), SECOND);
    mkdirSync(at('bundle'));
  });
  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL');
  });
  afterAll(() => folder.remove());

  /** Starts a shell script, behind each profile in turn, that writes its pid first. */
  async function begin(script: string, ...profiles: string[]) {
    const execs = profiles.flatMap((name) => [process.execPath, MAIN, 'exec', at(name), '--no-cache', '--']);
    const words = [...execs, 'sh', '-c', `echo $$; ${script}`];
    const child = spawn(words[0]!, words.slice(1), {
      env: environment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    running.push(child);
    const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    let output = '';
    const pid = await new Promise<number>((found) => {
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        if (/^\d+\n/.test(output)) found(Number(output.split('\n')[0]));
      });
    });
    return { pid, ended, child, output: () => output.slice(`${pid}\n`.length) };
  }
  const read = async (pid: number) =>
    (await readLoadedFilters(pid, hostArch())).map((bytes) => Buffer.from(bytes));
  const refusal = (pid: number) =>
    read(pid).then(
      () => 'read',
      (error: unknown) => {
        if (!(error instanceof SeccompcError)) throw error;
        return error.message;
      },
    );
  const fieldOf = (pid: number, name: string) =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  const check = (pid: number, seccomp: string, ...options: string[]) => {
    writeFileSync(at('bundle/config.json'), configText({ root: '/', seccomp }));
    const input = JSON.stringify({ bundle: at('bundle'), pid });
    const { status, stderr } = seccompc(['hook', 'check', '--loaded', ...options], input);
    return { status, codes: [...stderr.matchAll(/\[([A-Z_]+)\]$/gm)].map((match) => match[1]), stderr };
  };

  it('are read to the byte, oldest first', async () => {
    const { pid } = await begin('read line', 'first.json', 'second.json');
    expect(await read(pid)).toEqual([compiled(FIRST), compiled(SECOND)]);
    // And again: nothing has changed by it.
    expect(await read(pid)).toHaveLength(2);
  });

  it('are read without being noticed', async () => {
    const reader = await begin('read line; echo "got $line"; exit 7', 'first.json');
    for (let round = 0; round < 5; round++) await read(reader.pid);
    expect(fieldOf(reader.pid, 'TracerPid')).toBe('0');
    expect(fieldOf(reader.pid, 'State')).toMatch(/^S/);
    reader.child.stdin.end('this\n');
    expect({ code: await reader.ended, output: reader.output() }).toEqual({
      code: 7,
      output: 'got this\n',
    });
  });

  it('are read from a stopped process, which stays stopped', async () => {
    const { pid, child, ended, output } = await begin('kill -STOP $$; echo on; exit 3', 'first.json');
    await expect.poll(() => fieldOf(pid, 'State')).toMatch(/^T \(stopped\)/);
    expect(await read(pid)).toEqual([compiled(FIRST)]);
    await expect.poll(() => fieldOf(pid, 'State')).toMatch(/^T \(stopped\)/);
    process.kill(pid, 'SIGCONT');
    child.stdin.end();
    expect({ code: await ended, output: output() }).toEqual({ code: 3, output: 'on\n' });
  });

  it('are read while signals arrive, of which none is lost', async () => {
    const script = `n=0; trap 'n=$((n+1)); echo $n' USR1; trap 'exit 9' TERM; echo ready; while :; do read line; done`;
    const { pid, ended, output } = await begin(script, 'first.json');
    await expect.poll(output).toContain('ready');
    for (let round = 1; round <= 20; round++) {
      process.kill(pid, 'SIGUSR1');
      await read(pid);
      await expect.poll(output, { timeout: 10_000 }).toContain(`${round}\n`);
    }
    process.kill(pid, 'SIGTERM');
    expect(await ended).toBe(9);
  });

  it('are not given out in part or by guess: each hindrance is a refusal with its reason', async () => {
    const free = await begin('read line');
    expect(await refusal(free.pid)).toMatch(/PTRACE_SECCOMP_GET_FILTER.*FILTER_UNREADABLE/);
    expect(fieldOf(free.pid, 'TracerPid')).toBe('0');
    // Larger than any pid.
    expect(await refusal(999_999_999)).toMatch(/no such process.*FILTER_UNREADABLE/);
    // Two cannot trace one process.
    const traced = await begin('read line', 'first.json');
    const script = `syscall(${numberOf('ptrace')}, 0x4206, ${traced.pid}, 0, 0) == 0 or die; $| = 1; print "tracing\\n"; <STDIN>`;
    const tracer = spawn('perl', ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    running.push(tracer);
    await new Promise((done) => tracer.stdout.once('data', done));
    expect(await refusal(traced.pid)).toMatch(/PTRACE_SEIZE: operation not permitted.*FILTER_UNREADABLE/);
    tracer.stdin.end();
    await new Promise((done) => tracer.once('exit', done));
    expect(await read(traced.pid)).toEqual([compiled(FIRST)]);
  });

  it('of a process that cannot stop are refused after a while, and it goes on', async () => {
    // A parent waits for what it made by vfork(2) as nothing can disturb it.
    const vfork = numberOf('vfork');
    const script = `$| = 1; print "$$\\n"; my $p = syscall(${vfork}); if ($p == 0) { syscall(${numberOf('read')}, 0, my $b = " " x 8, 8); syscall(${numberOf('exit_group')}, 0) } exit 5`;
    const words = ['exec', at('first.json'), '--no-cache', '--', 'perl', '-e', script];
    const child = spawn(process.execPath, [MAIN, ...words], {
      env: environment(),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    running.push(child);
    const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    const pid = Number(
      await new Promise((found) => child.stdout.once('data', (data: Buffer) => found(data.toString()))),
    );
    await expect.poll(() => fieldOf(pid, 'State')).toMatch(/^D/);
    expect(await refusal(pid)).toMatch(/did not stop in time.*FILTER_UNREADABLE/);
    child.stdin.end('x\n');
    expect(await ended).toBe(5);
  });

  it('can be read by root only, and not under a filter', async () => {
    const { pid } = await begin('read line', 'first.json');
    writeFileSync(at('bundle/config.json'), configText({ root: '/', seccomp: FIRST }));
    const input = JSON.stringify({ bundle: at('bundle'), pid });
    const words = [process.execPath, MAIN, 'hook', 'check', '--loaded'];
    const ways = [
      ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', ...words],
      ['unshare', '--user', '--map-root-user', ...words],
      [process.execPath, MAIN, 'exec', at('second.json'), '--no-cache', '--', ...words],
    ];
    for (const [program, ...args] of ways) {
      const { status, stderr } = spawnSync(program!, args, {
        encoding: 'utf8',
        input,
        env: environment(),
        cwd: '/',
      });
      expect({ program, status, stderr }).toEqual({
        program,
        status: 66,
        stderr: expect.stringContaining('[FILTER_UNREADABLE]'),
      });
      expect(stderr).toMatch(/operation not permitted|permission denied/);
    }
    expect(await read(pid)).toHaveLength(1);
  });

  describe('as hook check judges them', () => {
    it('must be what linux.seccomp means', async () => {
      const { pid } = await begin('read line', 'first.json');
      expect(check(pid, FIRST)).toMatchObject({ status: 0, codes: [] });
      // Another way of writing the same.
      const longer = FIRST.replace(
        '"syscalls":[',
        `"syscalls":[{"names":["chdir"],"action":"SCMP_ACT_ALLOW"},`,
      );
      expect(check(pid, longer)).toMatchObject({ status: 0, codes: [] });
      const other = check(pid, SECOND);
      expect(other).toMatchObject({ status: 1, codes: ['LOADED_DIFFERS'] });
      expect(other.stderr).toMatch(/the loaded filter is not equal to linux\.seccomp\. \w+\(\) on \w+: /);
    });

    it('may be more: those that a program adds can only refuse more', async () => {
      const { pid } = await begin('read line', 'first.json', 'second.json');
      expect(check(pid, FIRST)).toMatchObject({ status: 0, codes: [] });
      expect(check(pid, SECOND)).toMatchObject({ status: 0, codes: [] });
      const neither = check(pid, deny('chdir', 5));
      expect(neither).toMatchObject({ status: 1, codes: ['LOADED_DIFFERS'] });
      expect(neither.stderr).toContain('none of the 2 loaded filters is');
    });

    it('end the process with --kill, and only when the answer is no', async () => {
      const fair = await begin('read line; exit 4', 'first.json');
      expect(check(fair.pid, FIRST, '--kill').status).toBe(0);
      fair.child.stdin.end('\n');
      expect(await fair.ended).toBe(4);
      const foul = await begin('read line; exit 4', 'first.json');
      expect(check(foul.pid, SECOND, '--kill')).toMatchObject({
        status: 1,
        codes: ['LOADED_DIFFERS', 'CONTAINER_ENDED'],
      });
      expect(await foul.ended).toBe(137);
      // Also when the question cannot be answered.
      const unclear = await begin('read line; exit 4', 'first.json');
      expect(check(unclear.pid, '{}', '--kill').codes).toContain('CONTAINER_ENDED');
      expect(await unclear.ended).toBe(137);
    });
  });
});
