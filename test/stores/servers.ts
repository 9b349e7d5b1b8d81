/**
 * Redis and PostgreSQL, started by a test for itself: on loopback, at a free port, in a temporary
 * folder.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathOf } from '../e2e/oci/require.ts';
import type { Oracle } from '../oracle/compare.ts';

export const PASSWORD = 'p@ss:w/rd %?#';
const USER = 'seccompc';
const START_TIME = 30_000;

export interface Server {
  /** Its own folder; PostgreSQL has its socket here. */
  folder: string;
  port: number;
  url: string;
  /** Kills it at once, as a machine that goes down does. */
  kill(): Promise<void>;
  /** Starts it again at the same port. */
  start(): Promise<void>;
  /**
   * Stops every process of it where it stands, as a machine that hangs does, and lets them go on.
   */
  freeze(): void;
  thaw(): void;
  /** Kills it and removes its folder. */
  remove(): Promise<void>;
}

export function findRedis(): Oracle<{ program: string }> {
  const program = pathOf('redis-server') ?? pathOf('valkey-server');
  return program === undefined ? { missing: 'no redis-server (Debian package: redis-server)' } : { program };
}

/** Debian keeps the programs of PostgreSQL out of the path, in a folder for each release. */
export function findPostgres(): Oracle<{ folder: string }> {
  const releases = '/usr/lib/postgresql';
  const folders = existsSync(releases)
    ? readdirSync(releases).map((name) => join(releases, name, 'bin'))
    : [];
  const folder = folders.findLast((path) => existsSync(join(path, 'initdb')));
  return folder === undefined ? { missing: 'no initdb (Debian package: postgresql)' } : { folder };
}

export async function startRedis(program: string): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-redis-'));
  const port = await freePort();
  const options = [
    '--port',
    `${port}`,
    '--bind',
    '127.0.0.1',
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  const command = [program, ...options, '--requirepass', PASSWORD];
  const url = `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}`;
  return startServer({ command, ready: 'Ready to accept connections', folder, port, url });
}

export async function startPostgres(programs: string): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-postgres-'));
  const port = await freePort();
  const user = ordinaryUser();
  const data = join(folder, 'data');
  const secret = join(folder, 'password');
  writeFileSync(secret, PASSWORD);
  if (user !== undefined) for (const path of [folder, secret]) chownSync(path, user.uid, user.gid);
  const settings = ['-E', 'UTF8', '--locale=C', '--no-sync', '-A', 'scram-sha-256'];
  execFileSync(join(programs, 'initdb'), ['-D', data, '-U', USER, `--pwfile=${secret}`, ...settings], {
    ...user,
    cwd: folder,
    stdio: 'pipe',
  });
  const options = ['-D', data, '-p', `${port}`, '-h', '127.0.0.1', '-k', folder, '-F'];
  const command = [join(programs, 'postgres'), ...options];
  const url = `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
  return startServer({ command, ready: 'ready to accept connections', folder, port, url, user });
}

interface Start {
  command: string[];
  /** What it prints when it takes connections. */
  ready: string;
  folder: string;
  port: number;
  url: string;
  user?: { uid: number; gid: number } | undefined;
}

export async function startServer({ command, ready, folder, port, url, user }: Start): Promise<Server> {
  let child: ChildProcess | undefined;
  /** The server with the processes it has started. */
  const signal = (name: NodeJS.Signals) => {
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    // Those of PostgreSQL are in groups of their own, and nobody's children once it is gone.
    for (const pid of [...childrenOf(child.pid), child.pid]) sendSignal(pid, name);
  };
  const onExit = () => signal('SIGKILL');
  process.on('exit', onExit);

  async function start(): Promise<void> {
    // Dies with this process, however that ends; a group of its own, so that a key pressed here
    // does not reach it.
    const [program = '', ...rest] = pathOf('setpriv')
      ? ['setpriv', '--pdeathsig', 'KILL', ...command]
      : command;
    const started = spawn(program, rest, {
      ...user,
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    await new Promise<void>((resolve, reject) => {
      let printed = '';
      const fail = (why: string) => reject(new Error(`${command[0]} ${why}: ${printed}`));
      const timer = setTimeout(() => fail('does not start'), START_TIME);
      for (const stream of [started.stdout, started.stderr])
        stream.on('data', (text) => {
          printed += text;
          if (!printed.includes(ready)) return;
          clearTimeout(timer);
          resolve();
        });
      started.on('error', reject).on('exit', () => fail('ended'));
    });
  }

  async function kill(): Promise<void> {
    const ended = new Promise((resolve) => child?.once('exit', resolve));
    const running = child?.exitCode === null && child.signalCode === null;
    signal('SIGKILL');
    if (running) await ended;
  }

  async function remove(): Promise<void> {
    await kill();
    process.off('exit', onExit);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }

  try {
    await start();
  } catch (cause) {
    await remove();
    throw cause;
  }
  const freeze = () => signal('SIGSTOP');
  return { folder, port, url, kill, start, freeze, thaw: () => signal('SIGCONT'), remove };
}

function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

function childrenOf(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', `${pid}`], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter(Boolean).map(Number);
}

/** PostgreSQL refuses to run as root. */
function ordinaryUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}

/** A port of 127.0.0.1 that nobody listens at. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
