/**
 * dockerd, with the containerd that it starts: everything of them is below one folder, and they
 * have no network. Either those of this machine, or those of a Debian tree, whose Docker takes
 * annotations (24 and later do).
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountCgroup2, run } from './containers.ts';
import { ENTER } from './debian.ts';
import { pathOf, requirements } from './require.ts';

/** What {@link startDocker} needs of this machine when it is given no tree. */
export const dockerNeeds = requirements(
  ['dockerd', 'docker', 'containerd', 'ctr', 'crun', 'runc', 'unshare', 'setpriv', 'busybox', 'tar'],
  { root: true },
);

/** The image that both have, of one busybox; containerd wants the whole name. */
export const DOCKER_IMAGE = 'busybox';
export const CTR_IMAGE = 'localhost/busybox:latest';

export interface Docker {
  /**
   * Programs that run docker(1) and ctr(1) where they find their server, in the folder that they
   * are started in.
   */
  docker: string;
  ctr: string;
  stop(): Promise<void>;
}

export interface DockerOptions {
  /** A folder of the test's own; with a tree, below it. */
  folder: string;
  /** The root of a Debian tree with all that is named above, in which all of this runs. */
  tree?: string;
  /** A folder that the commands find under its own name in the tree too. */
  shared: string;
  /** The root folder of the image. */
  root: string;
  /** Another runtime, by the path of its program, for `--runtime=other`. */
  other?: string;
  /** A daemon.json. */
  config?: string;
}

/** Makes the folder $0 be in the tree $1 too. */
export const SHARE = 'mkdir -p "$1$0"; mount --bind "$0" "$1$0"';

const IMPORT = `
  cd "$1"
  tar -C "$2" -c . | "$3" import - "$5" >/dev/null
  "$3" tag "$5" "$6"
  "$3" save "$5" | "$4" images import - >/dev/null`;

/**
 * Starts the daemons, imports the image, and waits for both.
 * @throws Error with what dockerd has said
 */
export async function startDocker({
  folder,
  tree,
  shared,
  root,
  other,
  config,
}: DockerOptions): Promise<Docker> {
  const at = (...names: string[]) => join(folder, ...names);
  /** As a program in the tree sees it. */
  const seen = (...names: string[]) => at(...names).slice(tree?.length ?? 0);
  for (const name of ['data', 'exec', 'bin']) mkdirSync(at(name), { recursive: true });
  const script = (name: string, ...lines: string[]) => {
    writeFileSync(at('bin', name), `#!/bin/sh\n${lines.join('\n')}\n`);
    chmodSync(at('bin', name), 0o755);
    return at('bin', name);
  };
  // crun sets limits that not every machine lets it set, unless it leaves cgroups alone.
  const real = (program: string) => (tree === undefined ? pathOf(program)! : `/usr/bin/${program}`);
  script('crun', `exec ${real('crun')} --cgroup-manager=disabled "$@"`);

  const dockerd = [
    'dockerd', '--iptables=false', '--ip6tables=false', '--bridge=none', '--storage-driver=vfs',
    '--data-root', seen('data'), '--exec-root', seen('exec'), '--pidfile', seen('pid'),
    '-H', `unix://${seen('docker.sock')}`, '--add-runtime', `crun=${seen('bin/crun')}`,
    ...(other === undefined ? [] : ['--add-runtime', `other=${other}`]),
    ...(config === undefined ? [] : ['--config-file', config]),
  ]; // prettier-ignore
  const path = `${seen('bin')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
  const words =
    tree === undefined
      ? ['sh', '-ec', `${mountCgroup2()} exec "$@"`, 'sh', ...dockerd]
      : ['sh', '-ec', SHARE + ENTER, shared, tree, ...dockerd];
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', 'unshare', '-m', ...words], {
    env: { PATH: path, HOME: seen() },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await listening(child);

  const inTree = tree === undefined ? '' : `nsenter -t ${child.pid} -m -r env -C "$PWD"`;
  const docker = script('docker', `exec ${inTree} ${real('docker')} -H unix://${seen('docker.sock')} "$@"`);
  const socket = seen('exec/containerd/containerd.sock');
  const ctr = script(
    'ctr',
    'command=$1; shift',
    // Without controllers of cgroup2, runc could not set the default of ctr.
    '[ "$command" != run ] || set -- --cpu-shares=0 "$@"',
    `export CONTAINERD_SNAPSHOTTER=native`,
    `exec ${inTree} ${real('ctr')} -a ${socket} "$command" "$@"`,
  );
  const started: Docker = { docker, ctr, stop: () => stopped(child) };
  const imported = await run(['sh', '-ec', IMPORT, 'sh', shared, root, docker, ctr, CTR_IMAGE, DOCKER_IMAGE]);
  if (imported.code === 0) return started;
  await started.stop();
  throw new Error(`no image: ${imported.text}`);
}

function listening(child: ChildProcess): Promise<void> {
  let text = '';
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', () => reject(new Error(`dockerd has ended: ${text}`)));
    child.stderr!.on('data', (data: Buffer) => {
      if (text.includes('API listen on')) return;
      text += data.toString();
      if (text.includes('API listen on')) resolve();
    });
  });
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
