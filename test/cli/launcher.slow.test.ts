import { spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { pathOf, requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { asOrdinaryUser, isForOrdinaryUsers } from './ordinary-user.ts';
import { UNCONFINED_CONFIG } from './profiles.ts';
import { runIn, scratch } from './run.ts';

const folder = scratch();
const at = (name: string) => join(folder, name);
const file = (name: string, content: string) => writeFileSync(at(name), content);

/** A profile that allows all but some calls. */
const deny = (names: string[], rest: string, flags = '') =>
  `{"defaultAction":"SCMP_ACT_ALLOW",${flags}"syscalls":[{"names":${JSON.stringify(names)},"action":"SCMP_ACT_ERRNO",${rest}}]}`;

async function make(name: string, profile: string, ...args: string[]): Promise<void> {
  file(`${name}.json`, profile);
  const words = ['compile', `${name}.json`, '--format', 'elf', '-o', name, '--no-cache', '-q', ...args];
  const { code, stderr } = await runIn(folder, words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
}

interface Options {
  env?: Record<string, string>;
  stdio?: StdioOptions;
}

/** Runs a program of the folder; output and errors are latin1. */
function run(words: string[], { env, stdio = 'pipe' }: Options = {}) {
  const [program, ...args] = words;
  const { status, stdout, stderr } = spawnSync(program!, args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio,
    encoding: 'latin1',
  });
  return { code: status, stdout, stderr };
}

/** Starts a shell script; `l` is the launcher. */
const script = (text: string) => run(['sh', '-c', text, 'sh', './sandboxed']);

/** Prints which descriptors up to 41 are open; a pattern would open one itself. */
const OPEN = 'n=0; while [ $n -le 41 ]; do [ -e /proc/$$/fd/$n ] && printf "$n "; n=$((n+1)); done; true';

const NOSPACE = '"errnoRet":28';
const hasLauncher = ['x64', 'arm64', 'riscv64', 'arm', 's390x'].includes(process.arch);

describe.skipIf(process.platform !== 'linux' || !hasLauncher)('a launcher', () => {
  beforeAll(async () => make('sandboxed', deny(['mkdir', 'mkdirat'], NOSPACE)));

  it('is a program for everybody that runs a command under the filter, and says nothing', () => {
    expect((statSync(at('sandboxed')).mode & 0o111).toString(8)).toBe('111');
    const { code, stdout, stderr } = run(['./sandboxed', 'sh', '-c', 'grep -E "^(NoNewPrivs|Seccomp)" /proc/$$/status; mkdir made; exit 42']); // prettier-ignore
    expect(stdout).toBe('NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n');
    expect({ code, stderr }).toEqual({ code: 42, stderr: expect.stringMatching(/^mkdir: .*No space left/) });
    expect(existsSync(at('made'))).toBe(false);
  });

  it('hands on arguments, variables, input and signals as they are', () => {
    const odd = String.raw`"$(printf '\377\303x')" '' -- -q 'é'`;
    const words = script(`exec env -i "$1" -- /usr/bin/printf '%s|' ${odd}`);
    expect(words).toEqual({ code: 0, stdout: '\xff\xc3x||--|-q|\xc3\xa9|', stderr: '' });
    const variables = String.raw`env -i 'a b=c' "B=$(printf '\377')" E= `;
    expect(script(`${variables} "$1" env -0`)).toEqual(script(`${variables} env -0`));
    expect(script('printf typed | "$1" cat').stdout).toBe('typed');
    expect(run(['./sandboxed', 'sh', '-c', 'kill -TERM $$']).code).toBe(null);
  });

  it('ends as a shell does where there is no such command, with one line that says so', () => {
    file('plain.txt', 'x');
    mkdirSync(at('folder'), { recursive: true });
    for (const [word, code, reason] of [
      ['no-such-program', 127, 'not found'],
      ['./no-such-program', 127, 'not found'],
      ['', 127, 'not found'],
      ['./plain.txt', 126, 'permission denied'],
      ['./plain.txt/x', 127, 'not found'],
      ['./folder', 126, 'permission denied'],
      [`./${'x'.repeat(300)}`, 126, 'cannot be executed: errno 36'],
    ] as const)
      expect(run(['./sandboxed', word])).toEqual({ code, stdout: '', stderr: `seccompc: ${word}: ${reason}\n` }); // prettier-ignore
  });

  it('ends with 64 and its usage for other options', () => {
    const usage = {
      code: 64,
      stdout: '',
      stderr: 'seccompc: usage: [--keep-fd N]... [--] COMMAND [ARG...]\n',
    };
    for (const words of [[], ['--'], ['-x', 'true'], ['--keep-fd'], ['--keep-fd', '3'], ['--keep-fd', '-1', 'true'],
      ['--keep-fd', '', 'true'], ['--keep-fd', '3x', 'true'], ['--keep-fd', '99999999999999999999', 'true'], ['--keep-fds', 'true'],
      ['--help']]) expect(run(['./sandboxed', ...words])).toEqual(usage); // prettier-ignore
    expect(run(['./sandboxed', '--', '--keep-fd']).stderr).toBe('seccompc: --keep-fd: not found\n');
  });

  it('looks for the command as execvp(3) does, and gives a shell what has no format', () => {
    mkdirSync(at('tools'), { recursive: true });
    mkdirSync(at('closed/tool'), { recursive: true });
    file('tools/tool', 'echo "tool $0 $1 $#"; exit 3\n');
    chmodSync(at('tools/tool'), 0o755);
    const search = (path: string, word = 'tool') =>
      run(['./sandboxed', word, 'a b'], { env: { PATH: path } });
    const found = (name: string) => ({ code: 3, stdout: `tool ${name} a b 1\n`, stderr: '' });
    expect(search('tools')).toEqual(found('tools/tool'));
    expect(search('', 'tools/tool')).toEqual(found('tools/tool'));
    // A folder is no program, but the search goes on; so does it where there is nothing, or a file.
    expect(search(`closed:no-such:plain.txt:${'x'.repeat(5000)}:tools`)).toEqual(found('tools/tool'));
    expect(search('closed:no-such')).toMatchObject({
      code: 126,
      stderr: 'seccompc: tool: permission denied\n',
    });
    expect(search('no-such')).toMatchObject({ code: 127 });
    expect(search('x'.repeat(5000))).toMatchObject({ code: 127 });
    // Empty entries are the current folder.
    file('here', 'echo "here $0"\n');
    chmodSync(at('here'), 0o755);
    for (const path of ['', ':/no-such', '/no-such:', '/no-such::/x'])
      expect(search(path, 'here').stdout).toBe('here ./here\n');
    expect(script('unset PATH; "$1" sh -c "echo ran"').stdout).toBe('ran\n');
  });

  it('closes the descriptors from 3 on, but those that it is told to keep', () => {
    const opened = openSync(at('sandboxed'), 'r');
    const numbers = [3, 5, 6, 40];
    const stdio: StdioOptions = Array.from({ length: 41 }, (_, fd) =>
      fd < 3 ? 'pipe' : numbers.includes(fd) ? opened : 'ignore',
    );
    const shown = (...words: string[]) =>
      run(['./sandboxed', ...words, 'sh', '-c', OPEN], { stdio })
        .stdout.trim()
        .split(' ')
        .map(Number);
    expect(shown()).toEqual([0, 1, 2]);
    expect(shown('--keep-fd', '5')).toEqual([0, 1, 2, 5]);
    expect(shown('--keep-fd', '40', '--keep-fd', '5', '--keep-fd', '6', '--')).toEqual([0, 1, 2, 5, 6, 40]);
    expect(shown('--keep-fd', '3', '--keep-fd', '40', '--keep-fd', '3')).toEqual([0, 1, 2, 3, 40]);
    // It is not open, and the standard ones stay anyway.
    expect(shown('--keep-fd', '4', '--keep-fd', '0')).toEqual([0, 1, 2]);
    closeSync(opened);
  });

  it.runIf(isForOrdinaryUsers())('needs no root', () => {
    chmodSync(folder, 0o755);
    const user = asOrdinaryUser();
    const { stdout, stderr } = spawnSync(at('sandboxed'), ['sh', '-c', 'id -u; mkdir /tmp/seccompc-not-made'], { cwd: '/', encoding: 'utf8', ...user }); // prettier-ignore
    expect(stdout).toBe(`${user.uid ?? process.getuid?.()}\n`);
    expect(stderr).toContain('No space left on device');
  });

  it('works where SIGCHLD is ignored, inside another one, and without /proc', () => {
    const nested = run(['./sandboxed', './sandboxed', 'grep', '^Seccomp_filters', '/proc/self/status']);
    expect(nested.stdout).toBe('Seccomp_filters:\t2\n');
    expect(script(`trap '' CHLD; exec "$1" echo ran`)).toEqual({ code: 0, stdout: 'ran\n', stderr: '' });
    if (skipWithout(requirements(['unshare', 'mount'], { root: true }))) return;
    const hidden = script('unshare -m sh -c \'mount -t tmpfs none /proc && exec "$1" echo ran\' sh "$1"');
    expect(hidden).toEqual({ code: 0, stdout: 'ran\n', stderr: '' });
  });

  it('leaves no process of its own', () => {
    const children =
      'for s in /proc/[0-9]*/stat; do read -r p n st pp rest < $s; [ "$pp" = $$ ] && echo $s; done 2>/dev/null; true';
    expect(run(['./sandboxed', 'sh', '-c', children])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  it('loads the flags of the profile', async () => {
    if (skipWithout(requirements(['strace']))) return;
    await make('logging', deny(['mkdir'], NOSPACE, '"flags":["SECCOMP_FILTER_FLAG_LOG"],'));
    await make('plain', deny(['mkdir'], NOSPACE, '"flags":[],'));
    for (const [name, flags] of [['logging', 'SECCOMP_FILTER_FLAG_LOG'], ['plain', '0'], ['sandboxed', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW']]) {
      const { stderr } = run(['strace', '-f', '-e', 'trace=seccomp', `./${name}`, 'true']);
      const calls = [...stderr.matchAll(/seccomp\(SECCOMP_SET_MODE_FILTER, (\w+), \{len=(\d+)/g)];
      // The probe, then the filter.
      expect(calls.map((call) => call[1])).toEqual([flags, flags]);
      expect(calls[0]![2]).toBe('4');
    } // prettier-ignore
  });

  it('is not made where it would run a command without the filter, or nobody would answer', async () => {
    file('unconfined.json', UNCONFINED_CONFIG);
    file('notify.json', '{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/l","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}');
    file('plain.json', deny(['mkdir'], NOSPACE));
    for (const [words, code, said] of [
      [['unconfined.json', '--allow-unconfined'], 65, 'NOT_CONFINED'],
      [['notify.json'], 65, 'LAUNCHER_HAS_NO_LISTENER'],
      [['plain.json', '--arch', 'mips'], 64, 'LAUNCHER_ARCHITECTURE'],
    ] as const) {
      const result = await runIn(folder, ['compile', ...words, '--format', 'elf', '-o', 'none', '-q']);
      expect(result).toMatchObject({ code, stderr: expect.stringContaining(said) });
      expect(existsSync(at('none'))).toBe(false);
    }
  }); // prettier-ignore

  it('comes from the cache with the same bytes and mode', async () => {
    file('cached.json', deny(['mkdir'], NOSPACE));
    const compile = (out: string) => runIn(folder, ['compile', 'cached.json', '--format', 'elf', '-o', out]);
    const first = await compile('first');
    writeFileSync(at('second'), 'old', { mode: 0o640 });
    const second = await compile('second');
    expect([first.stderr, second.stderr]).toEqual([expect.stringContaining('compiled in'), expect.stringContaining('(hot)')]); // prettier-ignore
    expect(readFileSync(at('second')).equals(readFileSync(at('first')))).toBe(true);
    expect((statSync(at('second')).mode & 0o777).toString(8)).toBe('750');
  });
});

describe.skipIf(process.platform !== 'linux' || !hasLauncher)('a launcher inside a filter that lies', () => {
  /** Runs the inner launcher under an outer one that answers some calls itself. */
  async function inside(names: string[], errno: number, args = '') {
    await make('outer', deny(names, `"errnoRet":${errno}${args}`));
    return run(['./outer', './sandboxed', 'sh', '-c', 'echo ran']);
  }
  const argument = (index: number, value: number) =>
    `,"args":[{"index":${index},"value":${value},"op":"SCMP_CMP_EQ"}]`;

  it.each([
    ['seccomp(2) that succeeds without a filter', ['seccomp'], 0, '', 'seccomp(2) succeeds without a filter'],
    ['seccomp(2) that is refused', ['seccomp'], 1, '', 'the kernel loads no filter: errno 01'],
    ['fork(2) that seems to work', ['clone'], 0, '', ''],
    ['fork(2) that is refused', ['clone'], 11, '', 'no child can be started: errno 11'],
    ['wait4(2) that waits for nobody', ['wait4'], 0, '', 'a child cannot try seccomp(2)'],
    ['a query of no_new_privs that is answered', ['prctl'], 0, argument(0, 39), 'no_new_privs cannot be set'],
  ])('runs nothing: %s', async (_, names, errno, args, message) => {
    const { code, stdout, stderr } = await inside(names, errno, args);
    expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
    expect(stderr).toBe(message === '' ? '' : `seccompc: ${message}\n`);
  });

  it('closes descriptors one by one where close_range(2) is refused', async () => {
    await make('outer', deny(['close_range'], '"errnoRet":38'));
    const opened = openSync(at('outer'), 'r');
    const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', opened, 'ignore', opened, opened];
    const words = ['./outer', '--keep-fd', '3', '--keep-fd', '5', '--keep-fd', '6', './sandboxed', '--keep-fd', '5'];
    const { stdout } = run([...words, 'sh', '-c', OPEN], { stdio });
    closeSync(opened);
    expect(stdout).toBe('0 1 2 5 ');
  }); // prettier-ignore

  it('runs under a filter that refuses everything but the start', async () => {
    const busybox = pathOf('busybox');
    if (busybox === undefined) return console.warn('NOT CHECKED: there is no busybox');
    const names = ['read', 'openat', 'open', 'wait4', 'kill', 'close', 'fcntl', 'getpid', 'fork', 'clone']; // prettier-ignore
    await make('blind', deny(names, '"errnoRet":1').replace('ERRNO","errnoRet":1', 'KILL_PROCESS"'));
    // A static busybox prints without any of these.
    expect(run(['./blind', busybox, 'echo', 'ran'])).toMatchObject({ stdout: 'ran\n' });
  });
});

/**
 * Debian's emulators carry out no seccomp(2): a launcher runs up to it, and the child reports it.
 */
describe('a launcher for another machine', () => {
  it.each(['aarch64', 'arm', 'ppc64le', 'riscv64', 's390x'])('%s gives the kernel the calls of this one', async (arch) => {
    if (skipWithout(requirements([`qemu-${arch}-static`]))) return;
    await make(`for-${arch}`, deny(['mkdirat'], NOSPACE), '--arch', arch);
    const emulated = (...words: string[]) => run([`qemu-${arch}-static`, ...words]);
    expect(emulated(`./for-${arch}`)).toMatchObject({ code: 64, stderr: expect.stringContaining('usage') });
    expect(emulated(`./for-${arch}`, 'true')).toEqual({ code: 69, stdout: '', stderr: 'seccompc: the kernel loads no filter: errno 38\n' });
    const { stderr } = emulated('-strace', `./for-${arch}`, '--keep-fd', '5', '--', 'true');
    const calls = [...stderr.matchAll(/(?:^\d+ | = )(\w+)\(([^)]*)\)/gm)].map((call) => `${call[1]}(${call[2]})`);
    const begin = [
      /^close_range\(3,4,0\)$/, /^close_range\(6,4294967294,0\)$/, /^prctl\(38,1,0,0,0,/, /^prctl\(39,0,0,0,0,/,
      // No signal; then as emulators want it.
      /^clone\(0,child_stack=0x0+,/, /^clone\(0x11,child_stack=0x0+,/,
    ];
    for (const [index, pattern] of begin.entries()) expect(calls[index]).toMatch(pattern);
    // SECCOMP_SET_MODE_FILTER, without SPEC_ALLOW.
    expect(stderr).toMatch(/seccomp\(1,4,\d+,/);
    expect(stderr).toMatch(/exit_group\(70\)/);
    expect(stderr).toMatch(/exit_group\(69\)/);
  }); // prettier-ignore
});
