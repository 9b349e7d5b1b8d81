/** What doctor says of a profile is what real runtimes do with it. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeFolder, makeRoot, runBundle } from './oci/containers.ts';
import { requirements } from './oci/require.ts';

const needs = requirements(['crun', 'runc', 'busybox', 'unshare'], { root: true });

/** Calls of a static program that returns at once, and of busybox besides. */
const PROGRAM = [
  'arch_prctl', 'brk', 'execve', 'exit_group', 'getrandom', 'getuid', 'mmap', 'mprotect', 'munmap', 'prctl', 'prlimit64',
  'read', 'readlink', 'readlinkat', 'rseq', 'rt_sigaction', 'set_robust_list', 'set_tid_address', 'write',
]; // prettier-ignore
const RUNTIME = [
  'capget', 'capset', 'chdir', 'clone', 'clone3', 'close', 'close_range', 'epoll_ctl', 'epoll_pwait', 'eventfd2', 'faccessat',
  'faccessat2', 'fchdir', 'fchown', 'fcntl', 'fstat', 'fstatfs', 'futex', 'getcwd', 'getdents64', 'getegid', 'geteuid', 'getgid',
  'getpid', 'getppid', 'gettid', 'keyctl', 'madvise', 'nanosleep', 'newfstatat', 'openat', 'openat2', 'pselect6', 'rt_sigprocmask',
  'rt_sigreturn', 'select', 'setgid', 'setgroups', 'setresgid', 'setresuid', 'setuid', 'sigaltstack', 'statx', 'tgkill', 'umask',
]; // prettier-ignore

const allowing = (names: readonly string[]) =>
  JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names, action: 'SCMP_ACT_ALLOW' }] });

/** The program and the user were others when the starts were recorded. */
const withoutNames = (text: string) => text.replaceAll(/`[^`]*`|\d+/g, '...');

describe.skipIf(skipWithout(needs))('doctor beside real starts', () => {
  let folder: ReturnType<typeof makeFolder>;
  beforeAll(() => {
    folder = makeFolder();
    makeRoot(join(folder.path, 'root'));
  });
  afterAll(() => folder.remove());

  async function compare(
    runtime: 'crun' | 'runc',
    name: string,
    names: readonly string[],
    noNewPrivileges: boolean,
  ) {
    const bundle = makeBundle(join(folder.path, `${runtime}-${name}`), {
      root: join(folder.path, 'root'),
      seccomp: allowing(names),
      args: ['/bin/true'],
      noNewPrivileges,
    });
    const { code, text } = await runBundle(runtime, bundle, join(folder.path, 'state'));
    const release = /\d+(?:\.\d+)+/.exec(spawnSync(runtime, ['--version'], { encoding: 'utf8' }).stdout)![0];
    const words = [
      'doctor',
      join(bundle, 'config.json'),
      '--runtime',
      runtime,
      '--release',
      release,
      '--libc',
      'static',
      '--json',
    ];
    const said = JSON.parse(spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' }).stdout);
    return { starts: code === 0, text, said };
  }

  for (const runtime of ['crun', 'runc'] as const)
    for (const noNewPrivileges of [true, false]) {
      const setting = `${runtime} ${noNewPrivileges ? 'with' : 'without'} no_new_privs`;
      it(`says that ${setting} starts where all is allowed that it needs`, async () => {
        const { starts, said } = await compare(runtime, 'fine', [...PROGRAM, ...RUNTIME], noNewPrivileges);
        expect({ starts, verdict: said.verdict, missing: said.missing }).toEqual({
          starts: true,
          verdict: 'starts',
          missing: [],
        });
      });

      const missing =
        noNewPrivileges && runtime === 'crun' ? 'execve' : runtime === 'crun' ? 'setresuid' : 'fstatfs';
      it(`says how ${setting} ends without ${missing}`, async () => {
        const names = [...PROGRAM, ...RUNTIME].filter((name) => name !== missing);
        const { starts, text, said } = await compare(runtime, 'tight', names, noNewPrivileges);
        expect({
          starts,
          verdict: said.verdict,
          missing: said.missing.map(({ call }: { call: string }) => call),
        }).toEqual({
          starts: false,
          verdict: 'fails',
          missing: [missing],
        });
        const lastWords: string = said.missing[0].symptom.split(': ').slice(-2).join(': ');
        expect(withoutNames(text)).toContain(withoutNames(lastWords));
      });
    }

  it('knows that seccompc exec cannot start a command that may not be executed', () => {
    const file = join(folder.path, 'locked.json');
    writeFileSync(file, allowing(PROGRAM.filter((name) => name !== 'execve')));
    const run = (...words: string[]) => spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
    expect(run('exec', '--no-cache', file, '--', join(folder.path, 'root/bin/true')).status).not.toBe(0);
    expect(run('doctor', file, '--runtime', 'exec', '--libc', 'static').status).toBe(1);
  });
});
