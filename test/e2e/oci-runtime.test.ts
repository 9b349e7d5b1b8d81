/**
 * Engines that start crun through `seccompc runtime`: every container has the filter that `compile`
 * writes.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asOrdinaryUser, isForOrdinaryUsers } from '../cli/ordinary-user.ts';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import {
  IMAGE,
  inCgroup2,
  makeBundle,
  makeFolder,
  makePodman,
  makeRoot,
  PROBE,
  run,
} from './oci/containers.ts';
import type { Outcome, Podman } from './oci/containers.ts';
import { CTR_IMAGE, DOCKER_IMAGE, dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { loadedFilter, processesOf } from './oci/loaded-filter.ts';
import { CONTAINERS_CONF } from './oci/page.ts';
import { pathOf, requirements } from './oci/require.ts';

const needs = requirements(['crun', 'busybox', 'unshare', 'perl', 'awk', 'flock', 'timeout'], { root: true });

const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const REFUSED = { code: 0, text: expect.stringMatching(/No space left on device\nSeccomp:\t2\n$/) };
const FREE = { code: 0, text: 'made\nSeccomp:\t0\n' };

let folder: ReturnType<typeof makeFolder>;
const at = (...names: string[]) => join(folder.path, ...names);
const seccompc = (...args: string[]) =>
  spawnSync(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], HOME: folder.path } });

/** Installs a runtime with a store of its own, in front of a crun that leaves cgroups alone. */
function install(name: string, ...options: string[]): string {
  const crun = at('crun', 'crun');
  mkdirSync(at('crun'), { recursive: true });
  writeFileSync(crun, `#!/bin/sh\nexec ${pathOf('crun')} --cgroup-manager=disabled "$@"\n`);
  chmodSync(crun, 0o755);
  const words = [
    'runtime',
    'install',
    at(name),
    '--runtime',
    crun,
    '--store',
    at(`${name}.store`),
    ...options,
  ];
  const { status, stderr } = seccompc(...words);
  expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
  return at(name, 'crun-seccompc');
}
const pairsOf = (name: string) =>
  readdirSync(at(`${name}.store`), { recursive: true, encoding: 'utf8' }).filter((file) =>
    /^pairs-[^/]+\/\d+$/.test(file),
  );
const logOf = (name: string) => readFileSync(at(`${name}.store`, 'hook.log'), 'utf8');
const missesOf = (name: string) => logOf(name).split('[HOOK_MISS]').length - 1;

/** What `compile` makes of linux.seccomp of a config.json. */
function compiled(config: string): Buffer {
  const { linux } = JSON.parse(readFileSync(config, 'utf8'));
  writeFileSync(
    at('seccomp.json'),
    JSON.stringify({ ociVersion: '1.0.2', linux: { seccomp: linux.seccomp } }),
  );
  return seccompc('compile', at('seccomp.json'), '--no-cache', '-q').stdout;
}

/** The filter of a container's process, waited for until the command that starts it is over. */
async function filterOf(command: readonly string[], started?: Promise<Outcome>): Promise<Buffer> {
  let outcome: Outcome | undefined;
  void started?.then((ended) => (outcome = ended));
  for (;;) {
    const [pid] = processesOf(...command);
    if (pid !== undefined) return loadedFilter(pid);
    if (started === undefined || outcome !== undefined) throw new Error(`no process: ${outcome?.text}`);
    await setTimeout(20);
  }
}

beforeAll(() => {
  folder = makeFolder();
  writeFileSync(at('28.json'), denyMkdir(28));
  makeRoot(at('root'));
});
afterAll(() => folder.remove());

describe.skipIf(skipWithout(needs) || skipWithout(dockerNeeds))('Docker and containerd', () => {
  let engine: Docker;
  const docker = (...words: string[]) => run([engine.docker, ...words]);
  const start = (words: readonly string[], command: readonly string[] = PROBE) =>
    docker('run', '--rm', '--runtime=other', ...words, DOCKER_IMAGE, ...command);
  beforeAll(async () => {
    const other = install('docker-bin');
    engine = await startDocker({ folder: at('docker'), shared: folder.path, root: at('root'), other });
  });
  afterAll(() => engine?.stop());

  const configOf = (space: string, id: string) =>
    at('docker/exec/containerd/daemon/io.containerd.runtime.v2.task', space, id, 'config.json');

  it('give every container of docker its filter, and what is executed in it', async () => {
    for (const words of [[], ['--cap-add', 'SYS_ADMIN'], ['--security-opt', `seccomp=${at('28.json')}`]]) {
      const command = ['/bin/sleep', `${process.pid}.${words.length}`];
      const { text } = await docker('run', '-d', '--runtime=other', ...words, DOCKER_IMAGE, ...command);
      const id = text.trim();
      const filter = compiled(configOf('moby', id));
      expect(filter.length).toBeGreaterThan(0);
      expect(await filterOf(command)).toEqual(filter);
      const executed = docker('exec', id, '/bin/sleep', `${process.pid}.1077`);
      expect(await filterOf(['/bin/sleep', `${process.pid}.1077`], executed)).toEqual(filter);
      await docker('rm', '-f', id);
      await executed;
    }
    expect(pairsOf('docker-bin')).toHaveLength(3);
    // The same once more needs no Node.
    const misses = missesOf('docker-bin');
    expect(await start(['--security-opt', `seccomp=${at('28.json')}`])).toMatchObject(REFUSED);
    expect({ misses, again: missesOf('docker-bin') }).toEqual({ misses: 3, again: 3 });
  });

  it('leave privileged and unconfined containers as they are', async () => {
    // Not every machine has the capabilities that a privileged container gets.
    const privileged = (runtime: string) =>
      docker('run', '--rm', '--runtime', runtime, '--privileged', DOCKER_IMAGE, ...PROBE);
    expect(await privileged('other')).toEqual(await privileged('crun'));
    expect(await start(['--security-opt', 'seccomp=unconfined'])).toEqual(FREE);
  });

  it('keep what a container prints, reads and exits with', async () => {
    expect(await start([], ['/bin/sh', '-c', 'echo out; exit 42'])).toEqual({ code: 42, text: 'out\n' });
  });

  it('give a container of ctr its filter', async () => {
    const command = ['/bin/sleep', `${process.pid}.1088`];
    const words = [
      '--runc-binary',
      at('docker-bin/crun-seccompc'),
      '--seccomp',
      '--seccomp-profile',
      at('28.json'),
    ];
    const started = run([engine.ctr, 'run', '--rm', ...words, CTR_IMAGE, 'demo', ...command]);
    expect(await filterOf(command, started)).toEqual(compiled(configOf('default', 'demo')));
    process.kill(processesOf(...command)[0]!, 'SIGKILL');
    await started;
  });

  it('show why a start was refused', async () => {
    const strict = install('docker-strict', '--strict');
    rmSync(at('docker-strict.store'), { recursive: true });
    writeFileSync(at('docker-strict.store'), 'a file where a folder was');
    writeFileSync(strict, readFileSync(strict, 'utf8').replaceAll(process.execPath, '/nonexistent/node'));
    const words = ['--runc-binary', strict, '--seccomp', CTR_IMAGE, 'refused', ...PROBE];
    const { code, text } = await run([engine.ctr, 'run', '--rm', ...words]);
    expect({ code: code === 0, text }).toEqual({
      code: false,
      text: expect.stringContaining('seccompc: the start is refused'),
    });
  });
});

const podmanNeeds = requirements(['podman', 'conmon', 'tar', 'setpriv']);

describe.skipIf(skipWithout(needs) || skipWithout(podmanNeeds))('podman', () => {
  let podman: Podman;
  let global: string[];
  beforeAll(async () => {
    // Of other names, podman does not know that they work without cgroups.
    install('podman-bin', '--name', 'crun');
    global = ['--runtime', at('podman-bin/crun')];
    podman = await makePodman(at('podman'), at('root'));
  });

  it('gives every container its filter', async () => {
    const command = ['/bin/sleep', `${process.pid}.1099`];
    const started = podman.run({ global, command });
    const loaded = await filterOf(command, started);
    const containers = at('podman/store/vfs-containers');
    const [config] = readdirSync(containers, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('userdata/config.json'),
    );
    expect(loaded).toEqual(compiled(join(containers, config!)));
    process.kill(processesOf(...command)[0]!, 'SIGKILL');
    await started;
  });

  it('starts containers that are custom, privileged and unconfined', async () => {
    for (let count = 0; count < 2; count++)
      expect(
        await podman.run({ global, args: ['--security-opt', `seccomp=${at('28.json')}`] }),
      ).toMatchObject(REFUSED);
    for (const args of [['--privileged'], ['--security-opt', 'seccomp=unconfined']])
      expect(await podman.run({ global, args })).toEqual(FREE);
    expect(missesOf('podman-bin')).toBe(2);
  });

  it('works together with the hooks, whose check proves what only the runtime has read', async () => {
    const hooks = at('hooks');
    const words = ['--store', at('hooks.store'), '--with-check', '--ceiling', at('28.json'), '-q'];
    expect(seccompc('hook', 'install', hooks, ...words).status).toBe(0);
    const args = ['--security-opt', `seccomp=${at('28.json')}`];
    const both = [...global, '--hooks-dir', hooks];
    const misses = missesOf('podman-bin');
    for (let count = 0; count < 2; count++)
      expect(await podman.run({ global: both, args })).toMatchObject(REFUSED);
    expect(missesOf('podman-bin')).toBe(misses);
    rmSync(join(hooks, 'seccompc.json'));
    expect(await podman.run({ global: both, args })).toMatchObject(REFUSED);
    const refused = await podman.run({ global: both });
    expect(refused).toMatchObject({ code: 126, text: expect.stringContaining('seccompc-check') });
  });
});

const rootless =
  'missing' in podmanNeeds || isForOrdinaryUsers()
    ? podmanNeeds
    : { missing: 'a project that other users can read' };

describe.skipIf(skipWithout(needs) || skipWithout(rootless))('podman of an ordinary user', () => {
  const { uid = 65_534, gid = 65_534 } = asOrdinaryUser();
  /** In a folder of the user's own, which has no rights but that. */
  const asUser = (...command: string[]) => {
    const env = [
      `PATH=${process.env['PATH']}`,
      `HOME=${at('user')}`,
      `XDG_RUNTIME_DIR=${at('user/run')}`,
      `CONTAINERS_CONF=${at('user/containers.conf')}`,
    ];
    const user = [
      'setpriv',
      `--reuid=${uid}`,
      `--regid=${gid}`,
      '--clear-groups',
      'env',
      '-i',
      '-C',
      at('user'),
      ...env,
    ];
    return inCgroup2([...user, ...command]);
  };
  beforeAll(async () => {
    mkdirSync(at('user/run'), { recursive: true, mode: 0o700 });
    for (const path of [at('user'), at('user/run')]) chownSync(path, uid, gid);
    const { text } = await asUser(process.execPath, MAIN, 'runtime', 'install', at('user/bin'), '--json');
    const { snippets } = JSON.parse(text) as { snippets: { engine: string; text: string }[] };
    // The snippet as it is printed, and what this machine needs besides.
    const conf = snippets.find(({ engine }) => engine === 'podman')!.text;
    writeFileSync(
      at('user/containers.conf'),
      conf.replace('[engine]', CONTAINERS_CONF.replace('runtime = "crun"', '').trimEnd()),
    );
    const image = await asUser(
      'sh',
      '-ec',
      `tar --owner=0 --group=0 -C "$1" -cf r.tar . && podman --storage-driver vfs import r.tar "$2"`,
      'sh',
      at('root'),
      IMAGE,
    );
    if (image.code !== 0) throw new Error(image.text);
  });

  it('gives every container its filter, which it finds in the store', async () => {
    const command = ['/bin/sleep', `${process.pid}.1100`];
    for (let count = 0; count < 2; count++) {
      const started = asUser(
        'podman',
        '--storage-driver',
        'vfs',
        'run',
        '--rm',
        '--network',
        'none',
        IMAGE,
        ...command,
      );
      const loaded = await filterOf(command, started);
      const containers = at('user/.local/share/containers/storage/vfs-containers');
      const [config] = readdirSync(containers, { recursive: true, encoding: 'utf8' }).filter((file) =>
        file.endsWith('userdata/config.json'),
      );
      expect(loaded).toEqual(compiled(join(containers, config!)));
      process.kill(processesOf(...command)[0]!, 'SIGKILL');
      await started;
    }
    const { text } = await asUser(process.execPath, MAIN, 'runtime', 'status', at('user/bin'), '--json');
    expect(JSON.parse(text)).toMatchObject({ files: 1, misses: 1, diagnostics: [] });
  });
});

describe.skipIf(skipWithout(needs))('crun behind it', () => {
  let serial = 0;
  /** The bundle of a profile that denies mkdir. */
  const bundle = (name: string, seccomp?: string) =>
    makeBundle(at(name), { root: at('root'), ...(seccomp === undefined ? {} : { seccomp }) });
  const start = (runtime: string, path: string, prepare = '') =>
    inCgroup2([runtime, `--root=${at('state')}`, 'run', '-b', path, `c-${process.pid}-${serial++}`], {
      prepare,
    });
  beforeAll(() => {
    mkdirSync(at('state'));
    bundle('28', denyMkdir(28));
    bundle('free');
  });

  it('has the filter of the store', async () => {
    const runtime = install('plain');
    expect(await start(runtime, at('28'))).toMatchObject(REFUSED);
    // Another filter in the place of ours shows where it comes from.
    const [pair] = pairsOf('plain');
    const file = at('plain.store', pair!);
    const filter = (errno: number) => {
      writeFileSync(at('other.json'), denyMkdir(errno));
      return seccompc('compile', at('other.json'), '--format', 'base64', '-q', '--no-cache')
        .stdout.toString()
        .trim();
    };
    writeFileSync(file, readFileSync(file, 'utf8').replace(filter(28), filter(2)));
    expect((await start(runtime, at('28'))).text).toMatch(/No such file or directory\nSeccomp:\t2\n/);
    expect(await start(runtime, at('free'))).toEqual(FREE);
    expect(readdirSync('/run/seccompc').length).toBeLessThan(40);
  });

  it('reads the config that crun reads, wherever it starts', async () => {
    const runtime = install('places');
    const words = (program: string, ...options: string[]) =>
      inCgroup2(
        [
          'env',
          '-C',
          at('free'),
          program,
          `--root=${at('state')}`,
          'run',
          ...options,
          `c-${process.pid}-${serial++}`,
        ],
        {},
      );
    for (const config of ['config.json', './config.json', '../28/config.json', at('28/config.json')]) {
      const options = ['-b', '../28', '-f', config];
      const ofCrun = await words(at('crun/crun'), ...options);
      expect([config, await words(runtime, ...options)]).toEqual([config, ofCrun]);
    }
  });

  it('is started with linux.seccomp by any fault of the runtime, and is not when that is strict', async () => {
    writeFileSync(at('dying'), "#!/bin/sh\nkill -9 $$\n");
    chmodSync(at('dying'), 0o755);
    const otherNode = (node: string) => (file: string) =>
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(process.execPath, node));
    const faults: Record<string, (file: string) => string | void> = {
      'missing node': otherNode('/nonexistent/node'),
      'killed node': otherNode(at('dying')),
      'full disk': () => 'mkdir -p -m 700 /run/seccompc; cd /run/seccompc; mount -t tmpfs -o size=4k,mode=700 tmpfs .; head -c 4096 /dev/zero >/run/seccompc/full; cd /',
      'no place': () => 'mount -t tmpfs -o ro tmpfs /run',
    };
    for (const [what, spoil] of Object.entries(faults)) {
      const name = what.replace(' ', '-');
      for (const strict of [false, true]) {
        const file = install(name, ...(strict ? ['--strict'] : []));
        const { code, text } = await start(file, at('28'), spoil(file) ?? '');
        if (strict) expect([what, code, text]).toEqual([what, 1, expect.stringContaining('seccompc: the start is refused')]);
        else expect([what, code, text]).toEqual([what, 0, REFUSED.text]);
      }
    }
  }); // prettier-ignore

  it('gets its filter although the store is missing, or full of garbage', async () => {
    const runtime = install('spoilt');
    for (let count = 0; count < 3; count++) {
      expect(await start(runtime, at('28'))).toMatchObject(REFUSED);
      expect(missesOf('spoilt')).toBe(count + 1);
      if (count === 0)
        for (const pair of pairsOf('spoilt'))
          writeFileSync(at('spoilt.store', pair), Buffer.alloc(100_000, 'x\ny\0'));
      else for (const pair of pairsOf('spoilt')) rmSync(at('spoilt.store', pair, '..'), { recursive: true });
    }
  });

  it('is started fifty times at once, and compiled for once', async () => {
    const runtime = install('many');
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => start(runtime, at('28'))));
    for (const outcome of outcomes) expect(outcome).toMatchObject(REFUSED);
    expect(missesOf('many')).toBe(1);
  });
});
