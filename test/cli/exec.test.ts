import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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

const needs = requirements(['perl']);

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
    const bare = spawnSync('sh', ['-c', 'ls /proc/self/fd | wc -l'], { input: '' }).stdout.toString();
    expect(stdout.toString()).toBe(`typed\n${folder}\n-0x10 --arch ${folder}\n${bare}`);
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
      n=0; trap 'n=$((n+1))' INT; echo ready
      sleep 1; sleep 0.3; echo interrupted $n`;
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
      // The terminal makes a signal of the character, for everybody in the foreground: once for the command.
      if (!before.includes('ready') && output.includes('ready')) child.stdin.write('\u0003');
    });
    await new Promise((resolve) => child.on('close', resolve));
    expect(output).toMatch(/^terminal\r\nready\r\n.*interrupted 1\r\n/s);
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
    await expect.poll(state, { timeout: 5000 }).toMatch(/^gone$|\) Z /);
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

describe('exec refuses', () => {
  it('to run without a filter, or with one for another machine', async () => {
    file('config.json', UNCONFINED_CONFIG);
    expect(await exec('config.json', 'true')).toMatchObject({ code: 65 });
    const other = await runIn(folder, ['exec', MKDIR, '--arch', 's390x', '--', 'true']);
    expect(other.code).toBe(64);
    expect(await runIn(folder, ['exec', MKDIR])).toMatchObject({ code: 64 });
  });

  it('with 69 where there is no loader', async () => {
    mkdirSync(join(folder, 'bin'));
    symlinkSync(pathOf('true')!, join(folder, 'bin/true'));
    const { code, stderr } = await runIn(folder, ['exec', MKDIR, '--no-cache', '--', 'true'], {
      env: { PATH: join(folder, 'bin') },
    });
    expect(code).toBe(69);
    expect(stderr).toMatch(/no perl on this machine.*LOADER_MISSING/);
  });
});
