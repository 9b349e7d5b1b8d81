import { spawn, spawnSync } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pathOf, requirements } from '../e2e/oci/require.ts';
import { skipWithout } from '../oracle/compare.ts';
import { asOrdinaryUser, isForOrdinaryUsers } from './ordinary-user.ts';
import { UNCONFINED_CONFIG } from './profiles.ts';
import { environment, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const exec = (profile: string, ...command: string[]) =>
  runIn(folder, ['exec', profile, '--no-cache', '--', ...command]);

const deny = (name: string, rest = '"SCMP_ACT_ERRNO","errnoRet":28') =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":${name},"action":${rest}}]}`;
const file = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return name;
};

const MKDIR = file('mkdir.json', deny('["mkdir","mkdirat"]'));

const needs = process.platform === 'linux' ? {} : { missing: 'this is not Linux' };

describe.skipIf(skipWithout(needs))('exec', () => {
  it('runs a command whose calls get what the profile says', async () => {
    const { code, stdout, stderr } = await exec(
      MKDIR,
      'sh',
      '-c',
      'grep Seccomp: /proc/self/status; mkdir made',
    );
    expect(code).toBe(1);
    expect(stdout.toString()).toBe('Seccomp:\t2\n');
    expect(stderr).toContain('No space left on device');
    expect(existsSync(join(folder, 'made'))).toBe(false);
  });

  it('gives the command its arguments, input, folder, variables and no file of ours', async () => {
    const script = 'cat; pwd; echo "$1 $2 $HOME"; ls /proc/self/fd | wc -l';
    const command = ['sh', '-c', script, 'sh', '-0x10', '--arch'];
    const { code, stdout } = await runIn(folder, ['exec', MKDIR, '--no-cache', '--', ...command], {
      input: 'typed\n',
    });
    expect(code).toBe(0);
    // 0, 1, 2 and that of ls.
    expect(stdout.toString()).toBe(`typed\n${folder}\n-0x10 --arch ${folder}\n4\n`);
  });

  it('exits as the command does', async () => {
    expect(await exec(MKDIR, 'sh', '-c', 'exit 42')).toMatchObject({ code: 42, stderr: '' });
    expect(await exec(MKDIR, 'sh', '-c', 'kill -TERM $$')).toMatchObject({ code: 143 });
    expect(await exec(MKDIR, 'no-such-program')).toMatchObject({ code: 127 });
    expect(await exec(MKDIR, '/etc/passwd')).toMatchObject({ code: 126 });
  });

  it('lets the filter end the command, or keep it from being started', async () => {
    const killing = file('kill.json', deny('["mkdir","mkdirat"]', '"SCMP_ACT_KILL_PROCESS"'));
    expect(await exec(killing, 'mkdir', 'made')).toMatchObject({ code: 128 + 31 });
    const noExec = file('no-exec.json', deny('["execve","execveat"]', '"SCMP_ACT_KILL_PROCESS"'));
    expect(await exec(noExec, 'true')).toMatchObject({ code: 128 + 31 });
    const refused = await exec(file('refused.json', deny('["execve","execveat"]')), 'true');
    expect(refused.code).toBe(69);
    expect(refused.stderr).toContain('LOADER_FAILED');
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR1'] as const)('passes %s on', async (signal) => {
    const script = `trap 'echo caught; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.05; done`;
    const child = spawn(process.execPath, [MAIN, 'exec', MKDIR, '--no-cache', '--', 'sh', '-c', script], {
      cwd: folder,
      env: environment(folder),
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
      if (output === 'ready\n') child.kill(signal);
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, output }).toEqual({ code: 5, output: 'ready\ncaught\n' });
  });

  const hasScript = spawnSync('script', ['--version']).status === 0;
  if (!hasScript) console.warn('NOT CHECKED: there is no script(1) to make a terminal with');

  it.runIf(hasScript)('leaves the terminal to the command, and its Ctrl-C', async () => {
    const script = `test -t 0 && test -t 1 && test -t 2 && echo terminal
      n=0; trap 'n=$((n+1)); echo caught' INT; trap 'echo "interrupted $n"; exit' USR1
      echo "ready $PPID"; while :; do sleep 0.05; done`;
    writeFileSync(join(folder, 'count.sh'), script);
    const command = `${process.execPath} ${MAIN} exec ${MKDIR} --no-cache -- sh count.sh`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: folder,
      env: environment(folder, { TERM: 'xterm' }),
    });
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      const before = output;
      output += data.toString();
      // The terminal makes a signal of the character, for everybody in the foreground: once for the
      // command.
      if (!before.includes('ready') && output.includes('ready')) child.stdin.write('\u0003');
      // Seccompc passes this one on after any earlier one.
      if (!before.includes('caught') && output.includes('caught'))
        process.kill(Number(/ready (\d+)/.exec(output)![1]), 'SIGUSR1');
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(output).toMatch(/^terminal\r\nready \d+\r\n.*caught\r\n.*interrupted 1\r\n/s);
  });

  it('takes the command with it when it is killed', async () => {
    const child = spawn(
      process.execPath,
      [MAIN, 'exec', MKDIR, '--no-cache', '--', 'sh', '-c', 'echo $$; exec sleep 60'],
      {
        cwd: folder,
        env: environment(folder),
      },
    );
    const pid = await new Promise<number>((resolve) => {
      child.stdout.on('data', (data: Buffer) => resolve(Number(data.toString())));
    });
    child.kill('SIGKILL');
    await new Promise((resolve) => child.on('close', resolve));
    // Gone, or nothing left of it but the entry that init has not yet collected.
    const state = () =>
      existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : 'gone';
    await expect.poll(state, { timeout: 60_000 }).toMatch(/^gone$|\) Z /);
  });

  it.runIf(isForOrdinaryUsers())('needs no root', () => {
    chmodSync(folder, 0o755);
    const env = environment(folder, { PATH: '/usr/bin:/bin' });
    const script = 'id -u; mkdir /tmp/seccompc-not-made';
    const args = [MAIN, 'exec', join(folder, MKDIR), '--no-cache', '--', 'sh', '-c', script];
    const user = asOrdinaryUser();
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: '/', env, ...user });
    expect(stdout.toString()).toBe(`${user.uid ?? process.getuid?.()}\n`);
    expect(stderr.toString()).toContain('No space left on device');
  });
});

describe.skipIf(skipWithout(needs))('exec and annotate, repeated', () => {
  file(
    'list.cjs',
    "process.on('exit', () => require('fs').writeFileSync('loaded', Object.keys(require.cache).join('\\n')))",
  );
  /** Runs it with a cache; gives the result, and which files of ours Node has loaded. */
  const cached = async (...words: string[]) => {
    const env = { NODE_OPTIONS: `--require=${join(folder, 'list.cjs')}` };
    const { code, stdout, stderr } = await runIn(folder, words, { env });
    const loaded = readFileSync(join(folder, 'loaded'), 'utf8').match(/(?<=dist\/cli\/)\w[^\n]*(?=\.cjs)/g)!;
    return { result: { code, stdout: stdout.toString('latin1'), stderr }, loaded };
  };
  const HEAVY = ['program', 'command', 'base', 'compiler', 'store'];
  const warned = file('warned.json', deny('["mkdir","no_such_call"]'));
  const killing = file('kill-hot.json', deny('["mkdir","mkdirat"]', '"SCMP_ACT_KILL_PROCESS"'));

  it.each([
    ['exec', MKDIR, '--', 'sh', '-c', 'echo "$1"; mkdir made', 'sh', 'é'],
    ['exec', warned, '--', 'sh', '-c', 'exit 7'],
    ['exec', MKDIR, '-q', '--', 'no-such-program'],
    ['annotate', warned, '--for', 'docker'],
    ['exec', 'raw.bpf', '--', 'mkdir', 'made'],
    ['annotate', 'raw.bpf'],
  ])('%s %s %s loads nothing that compiles, and does the same', async (...words) => {
    await runIn(folder, ['compile', MKDIR, '-q', '-o', 'raw.bpf']);
    const first = await cached(...words);
    const second = await cached(...words);
    expect(second.result).toEqual(first.result);
    expect(first.loaded).toEqual(expect.arrayContaining(['program', 'base']));
    // A message of its own is worth that.
    const heavy = words.includes('no-such-program') ? HEAVY.filter((name) => name !== 'program') : HEAVY;
    expect(second.loaded.filter((name) => heavy.includes(name))).toEqual([]);
    const without = await runIn(folder, [...words.slice(0, 2), '--no-cache', ...words.slice(2)]);
    const { code, stdout, stderr } = without;
    expect({ code, stdout: stdout.toString('latin1'), stderr }).toEqual(first.result);
  });

  // The kernel drops records of its log for some seconds where others make many.
  it('explain a refused call as the first time', { retry: 20 }, async () => {
    const words = ['exec', killing, '--', 'mkdir', 'made'];
    const first = await cached(...words);
    const second = await cached(...words);
    expect(second.loaded).toContain('run-filtered');
    expect(first.result).toMatchObject({
      code: 128 + 31,
      stderr: expect.stringMatching(/CALL_(NOT_LOGGED|ENDED_COMMAND)/),
    });
    expect(second.result).toEqual(first.result);
  });

  it('find out that the profile has changed', async () => {
    const words = ['exec', 'changing.json', '-q', '--', 'mkdir', 'made-then'];
    file('changing.json', deny('["mkdir"]'));
    await cached(...words);
    expect((await cached(...words)).result.code).toBe(1);
    file('changing.json', deny('["rmdir"]'));
    expect((await cached(...words)).result.code).toBe(0);
  });
});

describe.skipIf(skipWithout(needs))('exec of a filter', () => {
  it.each(['raw', 'c', 'json'])('in the form %s is exec of its profile', async (format) => {
    await runIn(folder, ['compile', MKDIR, '-q', '--format', format, '-o', `form.${format}`]);
    const { code, stderr } = await exec(`form.${format}`, 'mkdir', 'made');
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('No space left') });
  });

  it('is refused where the kernel would refuse it, or it is for another machine', async () => {
    const other = process.arch === 'x64' ? 'aarch64' : 'x86_64';
    await runIn(folder, ['compile', MKDIR, '-q', '--arch', other, '-o', 'other.bpf']);
    await runIn(folder, ['compile', MKDIR, '-q', '--arch', 's390x', '-o', 'big.bpf']);
    for (const [name, reason] of [['other.bpf', 'FILTER_OF_OTHER_MACHINE'], ['big.bpf', 'FILTER_BYTE_ORDER']] as const)
      if (process.arch === 'x64') expect(await exec(name, 'true')).toMatchObject({ code: 65, stderr: expect.stringContaining(reason) });
    writeFileSync(join(folder, 'cut.bpf'), readFileSync(join(folder, 'form.raw')).subarray(0, -8));
    expect(await exec('cut.bpf', 'true')).toMatchObject({ code: 65, stderr: expect.stringContaining('FILTER_INVALID') });
    expect(await exec('list.cjs', 'true')).toMatchObject({ code: 65 });
  }); // prettier-ignore
});

describe('exec refuses', () => {
  it('to run without a filter, or with one for another machine', async () => {
    file('config.json', UNCONFINED_CONFIG);
    expect(await exec('config.json', 'true')).toMatchObject({ code: 65 });
    const other = await runIn(folder, ['exec', MKDIR, '--arch', 's390x', '--', 'true']);
    expect(other.code).toBe(64);
    expect(await runIn(folder, ['exec', MKDIR])).toMatchObject({ code: 64 });
  });

  const hiding = requirements(['unshare', 'mount'], { root: true });

  it.skipIf(skipWithout(hiding))('with 69 where its loader cannot be started', () => {
    const script =
      'mount --bind "$PROGRAMS" "$PROGRAMS" && mount -o remount,bind,noexec "$PROGRAMS" && exec "$@"';
    const words = [process.execPath, MAIN, 'exec', MKDIR, '--no-cache', '--', 'true'];
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', script, 'sh', ...words], {
      cwd: folder,
      env: { ...environment(folder), PROGRAMS: join(MAIN, '../../programs') },
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/EACCES.*LOADER_MISSING/);
    expect(status).toBe(69);
  });
});

describe.skipIf(skipWithout(needs))('exec hands on', () => {
  /** Runs a shell script in which `run` is `seccompc exec` of a profile. */
  const script = (text: string, env: Record<string, string> = {}) => {
    const command = `'${process.execPath}' '${MAIN}' exec`;
    const { status, stdout, stderr } = spawnSync('sh', ['-c', `run() { ${command} "$@"; }\n${text}`], {
      cwd: folder,
      env: environment(folder, env),
    });
    return { code: status, stdout: stdout.toString('latin1'), stderr: stderr.toString('latin1') };
  };

  /** Runs a command while descriptors of these numbers are open on the profile. */
  const withOpen = (numbers: number[], ...words: string[]) => {
    const opened = openSync(join(folder, MKDIR), 'r');
    const stdio: StdioOptions = Array.from({ length: Math.max(2, ...numbers) + 1 }, (_, fd) =>
      fd < 3 ? 'pipe' : numbers.includes(fd) ? opened : 'ignore',
    );
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [MAIN, 'exec', MKDIR, '--no-cache', ...words],
      { cwd: folder, env: environment(folder), stdio, encoding: 'utf8' },
    );
    closeSync(opened);
    return { code: status, stdout, stderr };
  };

  it('no descriptor but the standard ones, wherever it is', () => {
    const { code, stdout } = withOpen([3, 9, 40, 200], '--', 'ls', '/proc/self/fd');
    // The last one is that of ls.
    expect({ code, stdout }).toEqual({ code: 0, stdout: '0\n1\n2\n3\n' });
  });

  it('those descriptors that --keep-fd names', () => {
    const profile = readFileSync(join(folder, MKDIR), 'utf8');
    for (const fd of [3, 4, 9, 200]) {
      const command = ['sh', '-c', `cat /proc/self/fd/${fd}; ls /proc/self/fd`];
      const { code, stdout, stderr } = withOpen([3, 4, 9, 200], '--keep-fd', `${fd}`, '--', ...command);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.startsWith(profile)).toBe(true);
      const numbers = stdout.slice(profile.length).trim().split('\n').map(Number);
      expect(numbers).toEqual(expect.arrayContaining([0, 1, 2, fd]));
      expect(numbers).toHaveLength(5);
    }
    const two = withOpen([3, 5, 6], '--keep-fd', '5', '--keep-fd', '3', '--', 'ls', '/proc/self/fd');
    expect(two.stdout).toBe('0\n1\n2\n3\n4\n5\n');
  });

  it('no descriptor that is not open, standard, or one of Node', () => {
    expect(script('run mkdir.json --no-cache --keep-fd 300 -- true')).toMatchObject({ code: 64 });
    for (const fd of ['2', '-1', 'x', '65536'])
      expect(script(`run mkdir.json --no-cache --keep-fd ${fd} -- true`)).toMatchObject({ code: 64 });
    // Without any of the caller's, Node has what it opens itself there.
    const own = script('exec 3<&- 4<&- 5<&-\nrun mkdir.json --no-cache --keep-fd 3 -- true');
    expect(own.code).toBe(64);
  });

  it('arguments byte for byte', () => {
    const odd = String.raw`$(printf '\377\376x\303')`;
    const { stdout } = script(
      `run mkdir.json --no-cache -- printf '%s|' "${odd}" 'a b' '' '$HOME' 'é' -- -e`,
    );
    expect(stdout).toBe('\xff\xfex\xc3|a b||$HOME|\xc3\xa9|--|-e|');
    // Where the command is not at the end there is no telling.
    const unclear = script(`run mkdir.json --no-cache printf "${odd}" -q`);
    expect(unclear).toMatchObject({ code: 64, stdout: '' });
    expect(script(`run mkdir.json --no-cache printf 'é' -q`)).toMatchObject({ code: 0, stdout: '\xc3\xa9' });
  });

  it('the environment byte for byte, whatever it holds', () => {
    const odd = String.raw`$(printf 'BYTES=\377\303')`;
    const variables = `'a b=c' 'x.y-z=1' "${odd}" 'EMPTY=' PERL5OPT=-Mno_such_module PERL_UNICODE=SAD`;
    const command = `'${process.execPath}' '${MAIN}' exec mkdir.json --no-cache -- env -0`;
    const { code, stdout } = script(`env -i PATH="$PATH" HOME="$HOME" ${variables} ${command}`);
    const { stdout: direct } = script(`env -i PATH="$PATH" HOME="$HOME" ${variables} env -0`);
    expect(code).toBe(0);
    expect(stdout).toBe(direct);
    expect(stdout).toContain('BYTES=\xff\xc3\0');
  });

  it('LD_PRELOAD to the command alone', async () => {
    const env = { LD_PRELOAD: '/nonexistent-preload.so' };
    const count = (text: string) => text.split('cannot be preloaded').length - 1;
    // With another C library there is nothing to count.
    if (count(spawnSync('true', { env, encoding: 'utf8' }).stderr) === 0)
      return console.warn('NOT CHECKED: the C library says nothing of LD_PRELOAD');
    const args = ['exec', MKDIR, '--no-cache', '--', 'true'];
    const { code, stderr } = await runIn(folder, args, { env });
    // Node, and true.
    expect({ code, count: count(stderr) }).toEqual({ code: 0, count: 2 });
  });

  it('the PATH in which the command is looked for', () => {
    mkdirSync(join(folder, 'tools'), { recursive: true });
    // No format of its own: execvp(3) gives it to a shell.
    writeFileSync(join(folder, 'tools/plain-script'), 'echo "plain $1"; exit 3\n');
    chmodSync(join(folder, 'tools/plain-script'), 0o755);
    const env = { PATH: `tools:${process.env['PATH']}` };
    const wanted = { code: 3, stdout: 'plain x\n', stderr: '' };
    expect(script('run mkdir.json --no-cache -- plain-script x', env)).toEqual(wanted);
    expect(script('run mkdir.json --no-cache -- tools/plain-script x')).toEqual(wanted);
    expect(script('run mkdir.json --no-cache -- plain-script x')).toMatchObject({ code: 127 });
    const bytes = String.raw`d=$(printf 'd\377'); cp -r tools "$d"; PATH="$d:$PATH"; run mkdir.json --no-cache -- plain-script x`;
    expect(script(bytes)).toEqual(wanted);
  });

  it('no process of ours beside the command', () => {
    const command = `sh -c 'for s in /proc/[0-9]*/status; do while read -r name value rest; do [ "$name" = PPid: ] && [ "$value" = $$ ] && echo "$s"; done < "$s"; done 2>/dev/null; true'`;
    expect(script(`run mkdir.json --no-cache -- ${command}`)).toMatchObject({ code: 0, stdout: '' });
  });
});

describe.skipIf(skipWithout(needs))('exec proves that the filter is on', () => {
  it('and runs nothing where an outer filter makes seccomp(2) succeed without running', async () => {
    const lying = file('lying.json', deny('["seccomp"]', '"SCMP_ACT_ERRNO","errnoRet":0'));
    const inner = [process.execPath, MAIN, 'exec', MKDIR, '--no-cache', '--'];
    const { code, stderr, stdout } = await exec(lying, ...inner, 'sh', '-c', 'echo ran');
    expect(stdout.toString()).toBe('');
    expect(stderr).toContain('LOADER_FAILED');
    expect(code).toBe(69);
  });

  const perl = process.getuid?.() === 0 && process.arch === 'x64' && pathOf('perl') !== undefined;

  it.runIf(perl)('nor where prctl(2) does', async () => {
    const onNoNewPrivileges = '"args":[{"index":0,"value":38,"op":"SCMP_CMP_EQ"}]';
    const lying = file(
      'no-prctl.json',
      deny('["prctl"]', `"SCMP_ACT_ERRNO","errnoRet":0,${onNoNewPrivileges}`),
    );
    await runIn(folder, ['compile', lying, '--no-cache', '-q', '-o', 'no-prctl.bpf']);
    // Loads the filter as root may, without no_new_privs, and becomes the command.
    const load = `open(F, "<", "no-prctl.bpf"); my $f = do { local $/; <F> };
      syscall(317, 1, 0, pack("S x![P] P", length($f) / 8, $f)) == 0 or die; exec @ARGV`;
    const inner = [process.execPath, MAIN, 'exec', MKDIR, '--no-cache', '--', 'sh', '-c', 'echo ran'];
    const { status, stdout, stderr } = spawnSync('perl', ['-e', load, ...inner], {
      cwd: folder,
      env: environment(folder),
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 69, stdout: '' });
    expect(stderr).toContain('LOADER_FAILED');
  });

  it('also inside another one, and of a filter that refuses everything that would show it', async () => {
    const inner = [process.execPath, MAIN, 'exec', MKDIR, '--no-cache', '--'];
    const nested = await exec(MKDIR, ...inner, 'grep', '^Seccomp_filters:', '/proc/self/status');
    expect({ code: nested.code, stdout: nested.stdout.toString() }).toEqual({
      code: 0,
      stdout: 'Seccomp_filters:\t2\n',
    });
    const names = ['read', 'pread64', 'readv', 'openat', 'open', 'wait4', 'kill', 'close', 'fcntl', 'getpid', 'fork', 'clone']; // prettier-ignore
    const blind = file('blind.json', deny(JSON.stringify(names), '"SCMP_ACT_KILL_PROCESS"'));
    const busybox = pathOf('busybox');
    if (busybox === undefined) return console.warn('NOT CHECKED: there is no busybox');
    expect(await exec(blind, busybox, 'echo', 'ran')).toMatchObject({
      code: 0,
      stdout: Buffer.from('ran\n'),
    });
  });
});
