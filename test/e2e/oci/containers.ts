/**
 * Real containers for tests: a static busybox under crun, runc or podman, without network or cgroup
 * limits. Everything lives in one folder of the test's own; nothing of the system's runtimes is
 * touched.
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathOf } from './require.ts';

export interface Outcome {
  /** null when a signal ended it. */
  code: number | null;
  /** Standard output and standard error, in the order of their arrival. */
  text: string;
}

/** Tries mkdir, then tells of the filter. */
export const PROBE = [
  '/bin/sh',
  '-c',
  'exec 2>&1; mkdir /tmp/d && echo made; grep ^Seccomp: /proc/self/status',
];

const APPLETS = ['sh', 'true', 'mkdir', 'grep', 'cat', 'echo', 'ls', 'id', 'sleep', 'kill', 'touch', 'chmod'];
const CAPABILITIES = ['CAP_KILL', 'CAP_CHOWN', 'CAP_SETUID', 'CAP_SETGID'];

export function makeFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'seccompc-oci-'));
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A root folder in which one static busybox has a few names. */
export function makeRoot(path: string): string {
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'])
    mkdirSync(join(path, name), { recursive: true });
  const busybox = realpathSync(pathOf('busybox')!);
  if (!spawnSync('ldd', [busybox], { encoding: 'utf8' }).stderr.includes('not a dynamic'))
    throw new Error('busybox is not static (Debian package busybox-static)');
  copyFileSync(busybox, join(path, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(path, 'bin', name));
  return path;
}

export interface ConfigOptions {
  root: string;
  /** JSON text of linux.seccomp, which gets into the config as it is. */
  seccomp?: string;
  annotations?: Record<string, string>;
  hooks?: object;
  args?: readonly string[];
  noNewPrivileges?: boolean;
}

/** The text of a config.json. */
export function configText({
  root,
  seccomp,
  annotations = {},
  hooks,
  args = PROBE,
  noNewPrivileges = true,
}: ConfigOptions): string {
  const linux = JSON.stringify({
    namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
  });
  const mount = (destination: string, type: string, ...options: string[]) => ({
    destination,
    type,
    source: type,
    options,
  });
  const caps = Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, CAPABILITIES]));
  const text = JSON.stringify({
    ociVersion: '1.0.2',
    root: { path: root, readonly: true },
    hostname: 'c',
    process: {
      terminal: false, user: { uid: 0, gid: 0 }, cwd: '/', noNewPrivileges, env: ['PATH=/bin'], args, capabilities: caps,
    },
    mounts: [mount('/proc', 'proc'), mount('/dev', 'tmpfs', 'mode=755', 'size=64k'), mount('/tmp', 'tmpfs', 'size=1m')],
    annotations,
    ...(hooks === undefined ? {} : { hooks }),
    linux: 0,
  }); // prettier-ignore
  const member = seccomp === undefined ? '' : `,"seccomp":${seccomp}`;
  return text.replace('"linux":0', `"linux":${linux.slice(0, -1)}${member}}`);
}

/** Makes a bundle and returns its folder. */
export function makeBundle(folder: string, options: ConfigOptions): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), configText(options));
  return folder;
}

let serial = 0;

/** Runs a bundle to its end. */
export function runBundle(runtime: 'crun' | 'runc', bundle: string, state: string): Promise<Outcome> {
  const id = `seccompc-test-${process.pid}-${serial++}`;
  mkdirSync(state, { recursive: true });
  return runtime === 'crun'
    ? inCgroup2([...crunCommand(state), 'run', '-b', bundle, id])
    : run([pathOf('runc')!, '--root', state, 'run', '-b', bundle, id]);
}

export function crunCommand(state: string): string[] {
  return [pathOf('crun')!, `--root=${state}`, '--cgroup-manager=disabled'];
}

/**
 * Runs a command where crun finds the pure cgroup2 tree that it wants, even to leave it alone:
 * where the system has none, one is mounted, in a mount namespace that goes with the command.
 * `prepare` is a script for that namespace.
 */
export function inCgroup2(
  command: readonly string[],
  { env = process.env, prepare = '' }: { env?: NodeJS.ProcessEnv; prepare?: string } = {},
): Promise<Outcome> {
  const mount = mountCgroup2();
  if (mount + prepare === '') return run(command, env);
  return run(['unshare', '-m', 'sh', '-ec', `${mount} ${prepare || ':'}; exec "$@"`, 'sh', ...command], env);
}

/**
 * What a script in a mount namespace of its own has to do for a pure cgroup2 tree: nothing where
 * the system has one.
 */
export function mountCgroup2(): string {
  const type = spawnSync('stat', ['-f', '-c', '%T', '/sys/fs/cgroup'], { encoding: 'utf8' }).stdout.trim();
  return type === 'cgroup2fs'
    ? ''
    : 'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup;';
}

export function run(
  [program, ...args]: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  const child = spawn(program!, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (data: Buffer) => (text += data.toString()));
  child.stderr.on('data', (data: Buffer) => (text += data.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text }));
  });
}

/** podman with storage and state of its own below a folder, and an image of one busybox. */
export interface Podman {
  /** `podman run` of the image. */
  run(options: PodmanRun & { prepare?: string }): Promise<Outcome>;
  /** A program that is podman(1) with this storage. */
  program: string;
}

export interface PodmanRun {
  /** crun unless given; runc gets a cgroup, since it does not start without. */
  runtime?: 'crun' | 'runc';
  /** What stands before `run`. */
  global?: readonly string[];
  args?: readonly string[];
  /** PROBE unless given. */
  command?: readonly string[];
}

export const IMAGE = 'localhost/seccompc-test:1';

function podmanWords(folder: string): string[] {
  const at = (name: string) => join(folder, name);
  return [
    'podman', '--root', at('store'), '--runroot', at('run'), '--tmpdir', at('tmp'), '--storage-driver', 'vfs',
    '--cgroup-manager', 'cgroupfs', '--events-backend', 'none',
  ]; // prettier-ignore
}

/** The command line of a `podman run`. */
export function podmanCommand(
  folder: string,
  { runtime = 'crun', global = [], args = [], command = PROBE }: PodmanRun,
): string[] {
  const cgroups = runtime === 'crun' ? ['--cgroups', 'disabled'] : [];
  return [
    ...podmanWords(folder), '--runtime', runtime, ...global, 'run', '--rm', '--network', 'none', ...cgroups,
    // podman asks for more open files than a process without CAP_SYS_RESOURCE may have.
    '--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024', ...args, IMAGE, ...command,
  ]; // prettier-ignore
}

/**
 * Imports the image. To be called where crun finds its cgroup tree.
 * @throws Error with podman's words
 */
export function podmanSetup(folder: string, root: string): void {
  const [program, ...args] = importCommand(folder, root);
  const { status, stderr } = spawnSync(program!, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`podman import: ${stderr}`);
}

function importCommand(folder: string, root: string): string[] {
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'root.tar');
  spawnSync('tar', ['-C', root, '-cf', archive, '.']);
  return [...podmanWords(folder), 'import', archive, IMAGE];
}

export async function makePodman(folder: string, root: string): Promise<Podman> {
  // Its own settings only: neither the user's nor other people's hooks.
  const env = { PATH: process.env['PATH'], HOME: folder };
  const imported = await inCgroup2(importCommand(folder, root), { env });
  if (imported.code !== 0) throw new Error(`podman import: ${imported.text}`);
  const program = join(folder, 'bin/podman');
  mkdirSync(join(folder, 'bin'));
  writeFileSync(
    program,
    `#!/bin/sh\nexec ${pathOf('podman')!} ${podmanWords(folder).slice(1).join(' ')} "$@"\n`,
  );
  chmodSync(program, 0o755);
  return {
    program,
    run: ({ prepare = '', ...rest }) => {
      const command = podmanCommand(folder, rest);
      return rest.runtime === 'runc' ? run(command, env) : inCgroup2(command, { env, prepare });
    },
  };
}
