/**
 * Reading the filters of a process from the kernel: what is read, and that the process does not
 * notice.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { readLoadedFilters } from '../../src/oci/process/loaded-filter.ts';
import { hostArch } from '../../src/host.ts';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import {
  configText,
  crunCommand,
  inCgroup2,
  makeBundle,
  makeFolder,
  makeRoot,
  run,
} from './oci/containers.ts';
import { pathOf, requirements } from './oci/require.ts';

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

  describe('as --pid and --container read them', () => {
    const errnos = (rules: Record<string, number | [errno: number, value: number]>) =>
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: Object.entries(rules).map(([name, rule]) => {
          const [errnoRet, value] = typeof rule === 'number' ? [rule] : rule;
          const args = value === undefined ? [] : [{ index: 0, value, op: 'SCMP_CMP_EQ' }];
          return errnoRet === 0
            ? { names: [name], action: 'SCMP_ACT_LOG' }
            : { names: [name], action: 'SCMP_ACT_ERRNO', errnoRet, args };
        }),
      });
    const asked = (...args: string[]) => {
      const { status, stdout, stderr } = seccompc(args);
      return { status, stdout, stderr };
    };
    const lines = ({ stdout }: { stdout: string }) => stdout.trimEnd().split('\n');

    it('the answer of the kernel to each call is the one of all three filters together', async () => {
      writeFileSync(at('oldest.json'), errnos({ mkdir: 28, rmdir: 28, unlink: 0 }));
      writeFileSync(at('middle.json'), errnos({ mkdir: 2, rmdir: 0, unlink: 7 }));
      writeFileSync(at('newest.json'), errnos({ rmdir: 13, umask: [9, 5] }));
      writeFileSync(at('together.json'), errnos({ mkdir: 2, rmdir: 13, unlink: 7, umask: [9, 5] }));
      const script = `exec perl -e '$| = 1; while (<STDIN>) { my ($nr, $arg) = map { $_ + 0 } split; my $r = syscall($nr, $arg, 0); print($r < 0 ? $! + 0 : "ran", "\\n") }'`;
      const { pid, child, output } = await begin(script, 'oldest.json', 'middle.json', 'newest.json');
      const calls = [
        ['mkdir', 0, 1],
        ['rmdir', 0, 2],
        ['unlink', 0, 1],
        ['umask', 5, 2],
        ['umask', 6, undefined],
        ['getppid', 0, undefined],
      ] as const;
      for (const [name, argument] of calls) child.stdin.write(`${numberOf(name)} ${argument}\n`);
      await expect.poll(() => output().split('\n').length).toBe(calls.length + 1);
      const kernel = output().trimEnd().split('\n');
      for (const [index, [name, argument, by]] of calls.entries()) {
        const found: unknown = JSON.parse(
          asked('simulate', '--pid', `${pid}`, name, `${argument}`, '--json').stdout,
        );
        const answer =
          kernel[index] === 'ran' ? { action: 'ALLOW' } : { action: 'ERRNO', errno: Number(kernel[index]) };
        expect(found).toMatchObject({ ...answer, filters: 3, decides: by === undefined ? null : by + 1 });
      }
      expect(kernel).toEqual(['2', '13', '7', '9', 'ran', 'ran']);

      const equal = asked('verify', at('together.json'), '--pid', `${pid}`);
      expect(equal).toEqual({
        status: 0,
        stderr: '',
        stdout: `equal: the 3 filters of process ${pid} together answer every call as the profile asks\n`,
      });
      const different = asked('verify', at('oldest.json'), '--pid', `${pid}`);
      expect(different).toMatchObject({ status: 1, stderr: '' });
      expect(lines(different).slice(-3)).toEqual([
        expect.stringMatching(/^filter 1 of 3, the oldest \(\d+ instructions\), alone: equal$/),
        expect.stringMatching(
          /^filter 2 of 3 \(\d+ instructions\), alone: different; it decides 2 of these calls$/,
        ),
        expect.stringMatching(
          /^filter 3 of 3, the newest \(\d+ instructions\), alone: different; it decides 2 of these calls$/,
        ),
      ]);
      const json: unknown = JSON.parse(
        asked('verify', at('middle.json'), '--pid', `${pid}`, '--json').stdout,
      );
      expect(json).toMatchObject({
        verdict: 'different',
        filters: [
          { verdict: 'different', decides: 0 },
          { verdict: 'equal', decides: 0 },
          { verdict: 'different', decides: 2 },
        ],
      });
      expect(asked('diff', at('oldest.json'), '--pid', `${pid}`, '--tightens').status).toBe(0);
      expect(asked('assert', '--pid', `${pid}`, 'errno ENOENT mkdir', 'deny rmdir').status).toBe(0);
      expect(asked('fingerprint', '--pid', `${pid}`).stdout).toBe(
        asked('fingerprint', at('together.json')).stdout,
      );
      expect(asked('explain', '--pid', `${pid}`, 'umask', '6').stdout).toMatch(
        /^ALLOW\nconditions: ERRNO EBADF \(9\) if .* == 5;/,
      );
      expect(asked('graph', '--pid', `${pid}`)).toMatchObject({ status: 64, stdout: '' });
      const listing = asked('disasm', '--pid', `${pid}`).stdout.split('\n\n');
      for (const [index, name] of ['oldest', 'middle', 'newest'].entries()) {
        const [head, ...rest] = listing[index]!.trimEnd().split('\n');
        expect(head).toMatch(new RegExp(`^; filter ${index + 1} of 3`));
        expect(seccompc(['disasm', '-'], rest.join('\n')).stdout).toBe(
          seccompc(['compile', `${folder.path}/${name}.json`, '--no-cache', '-q', '--format', 'asm']).stdout,
        );
      }
    });

    it('of one filter, the answer is that of a file with it', async () => {
      const { pid } = await begin('read line', 'first.json');
      writeFileSync(at('first.bpf'), compiled(FIRST));
      for (const [command, ...rest] of [['disasm'], ['simulate', 'mkdir'], ['explain'], ['graph']])
        expect(asked(command!, '--pid', `${pid}`, ...rest)).toEqual(
          asked(command!, at('first.bpf'), ...rest),
        );
      expect(asked('verify', at('first.json'), '--pid', `${pid}`)).toMatchObject({ status: 0, stderr: '' });
      // What the kernel does not tell is named.
      writeFileSync(at('flags.json'), FIRST.replace('{', '{"flags":["SECCOMP_FILTER_FLAG_LOG"],'));
      const flags = asked('verify', at('flags.json'), '--pid', `${pid}`);
      expect(flags).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('the flags of the profile are not compared'),
      });
    });

    it('a process in strict mode has no filter', async () => {
      const { pid, output } = await begin(
        `exec perl -e '$| = 1; syscall(${numberOf('prctl')}, 22, 1, 0, 0, 0) == 0 or die; print "strict\\n"; sysread(STDIN, my $line, 1)'`,
      );
      await expect.poll(output).toBe('strict\n');
      const { status, stderr } = asked('verify', at('first.json'), '--pid', `${pid}`);
      expect({ status, stderr }).toEqual({
        status: 1,
        stderr: expect.stringMatching(/has no filter \(Seccomp: 1\) \[LOADED_NONE\]\n.*strict mode/),
      });
    });

    it.skipIf(skipWithout(requirements(['gcc'])))('a thread with filters of its own is told', async () => {
      // Its thread loads the filter on standard input, which the other one does not get.
      const source = `
        #define _GNU_SOURCE
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <pthread.h>
        #include <stdio.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        static void *stricter(void *program) {
          if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program)) return "no filter";
          dprintf(1, "thread %ld\\n", syscall(SYS_gettid));
          for (;;) pause();
        }
        int main(void) {
          static struct sock_filter filter[4096];
          struct sock_fprog program = { read(0, filter, sizeof filter) / sizeof *filter, filter };
          pthread_t thread;
          pthread_create(&thread, 0, stricter, &program);
          for (;;) pause();
        }`;
      const gcc = spawnSync('gcc', ['-x', 'c', '-', '-pthread', '-o', at('threads')], {
        input: source,
        encoding: 'utf8',
      });
      expect({ status: gcc.status, stderr: gcc.stderr }).toEqual({ status: 0, stderr: '' });
      const { pid, child, output } = await begin(`exec "${at('threads')}"`, 'first.json');
      child.stdin.write(compiled(SECOND));
      await expect.poll(output).toMatch(/^thread \d+\n/);
      const thread = output().match(/\d+/)![0];
      writeFileSync(at('both.json'), errnos({ mkdir: 28, rmdir: 2 }));
      const warning = (tid: string, count: number) =>
        expect.stringContaining(
          `warning: this is about thread ${tid}, which has ${count} filters: 1 of the 2 threads of its process have more or fewer [FILTERS_OF_THREADS]`,
        );
      expect(asked('verify', at('first.json'), '--pid', `${pid}`)).toMatchObject({
        status: 0,
        stderr: warning(`${pid}`, 1),
      });
      expect(asked('verify', at('both.json'), '--pid', thread)).toMatchObject({
        status: 0,
        stderr: warning(thread, 2),
      });
    });

    it.skipIf(skipWithout(requirements(['bwrap'])))(
      'bubblewrap loads the filters of all its descriptors',
      async () => {
        for (const [name, profile] of [
          ['first', FIRST],
          ['second', SECOND],
        ] as const)
          writeFileSync(at(`${name}.bpf`), compiled(profile));
        const script = `exec bwrap --dev-bind / / --add-seccomp-fd 3 --add-seccomp-fd 4 sh -c 'echo inside $$; read line' 3<"${at('first.bpf')}" 4<"${at('second.bpf')}"`;
        const { output } = await begin(script);
        await expect.poll(output).toMatch(/^inside \d+\n/);
        const pid = output().match(/\d+/)![0];
        writeFileSync(at('both.json'), errnos({ mkdir: 28, rmdir: 2 }));
        expect(asked('verify', at('both.json'), '--pid', pid)).toMatchObject({ status: 0 });
        expect(asked('verify', at('first.json'), '--pid', pid)).toMatchObject({ status: 1 });
      },
    );

    it.skipIf(skipWithout(requirements(['crun', 'busybox'], { root: true })))(
      'a container of crun is found by its id',
      async () => {
        const state = at('crun-state');
        mkdirSync(at('bin'));
        mkdirSync(state);
        writeFileSync(at('bin/crun'), `#!/bin/sh\nexec ${pathOf('crun')!} --root='${state}' "$@"\n`, {
          mode: 0o755,
        });
        const bundle = makeBundle(at('crun-bundle'), {
          root: makeRoot(at('crun-root')),
          seccomp: FIRST,
          args: ['/bin/sleep', '1000'],
        });
        const id = `seccompc-filters-${process.pid}`;
        const ended = inCgroup2([...crunCommand(state), 'run', '-b', bundle, id]);
        await expect
          .poll(() => spawnSync(at('bin/crun'), ['state', id], { encoding: 'utf8' }), { timeout: 20_000 })
          .toMatchObject({ stdout: expect.stringContaining('"running"') });
        const verified = (...names: string[]) =>
          names.map((name) => {
            const { status, stderr } = spawnSync(
              process.execPath,
              [MAIN, 'verify', at(name), '--container', `crun:${id}`],
              {
                encoding: 'utf8',
                env: { ...environment(), PATH: `${at('bin')}:${process.env['PATH']}` },
              },
            );
            return { status, stderr };
          });
        const note = expect.stringMatching(new RegExp(`container crun:${id} is process \\d+ \\(crun\\)`));
        const results = verified('first.json', 'second.json');
        await run([...crunCommand(state), 'delete', '--force', id]);
        await ended;
        expect(results).toEqual([
          { status: 0, stderr: note },
          { status: 1, stderr: note },
        ]);
        expect(verified('first.json')).toEqual([
          { status: 66, stderr: expect.stringContaining('[CONTAINER_NOT_FOUND]') },
        ]);
      },
    );

    it('the reader runs on every architecture that has one, as far as an emulator can trace', () => {
      const arches = ['aarch64', 'arm', 'ppc64le', 'riscv64', 's390x'] as const;
      for (const arch of arches.filter((each) => !skipWithout(requirements([`qemu-${each}-static`])))) {
        const reader = join(dirname(MAIN), `../programs/filters-${arch}`);
        const ways = [['x'], ['0'], ['1', '1'], ['1']].map((words) => {
          const { status, stderr } = spawnSync(`qemu-${arch}-static`, [reader, ...words], {
            encoding: 'utf8',
          });
          return `${stderr} ${status}`;
        });
        const wrong = 'usage: filters PID 22';
        // ENOSYS: qemu-user has no ptrace.
        expect({ arch, ways }).toEqual({ arch, ways: [wrong, wrong, wrong, 'PTRACE_SEIZE 38'] });
      }
    });
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
