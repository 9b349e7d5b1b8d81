/**
 * podman, docker and ctr, with the words that `annotate` prints: whichever runtime they start, the
 * container has a filter. The annotation says errno 2 and the profile says 28, so what mkdir fails
 * with tells which of them is in force.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeFolder, makePodman, makeRoot, PROBE, run } from './oci/containers.ts';
import type { Outcome } from './oci/containers.ts';
import { needs as treeNeeds } from './oci/debian.ts';
import type { DebianTree } from './oci/debian.ts';
import { CTR_IMAGE, DOCKER_IMAGE, dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { loadedFilter, processesOf } from './oci/loaded-filter.ts';
import { needsDocker, openPage } from './oci/page.ts';
import { requirements } from './oci/require.ts';
import { sharedTree } from './oci/shared-tree.ts';

const denyMkdir = (errno: number) =>
  `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":${errno}}]}`;
const FROM_PROFILE = { code: 0, text: expect.stringMatching(/No space left on device\nSeccomp:\t2\n$/) };
const FROM_ANNOTATION = { code: 0, text: expect.stringMatching(/No such file or directory\nSeccomp:\t2\n$/) };
const NO_FILTER = { code: 0, text: 'made\nSeccomp:\t0\n' };

type Client = 'podman' | 'docker' | 'ctr';
/** `run` of a client, with what stands before the image, and a command: PROBE unless given. */
type Run = (
  runtime: 'crun' | 'runc',
  words: readonly string[],
  command?: readonly string[],
) => Promise<Outcome>;

/** An engine can lose what a container prints that ends at once; a probe always prints. */
function printing(start: Run): Run {
  return async (...args) => {
    let outcome = await start(...args);
    for (let again = 0; again < 4 && outcome.code === 0 && outcome.text === ''; again += 1)
      outcome = await start(...args);
    return outcome;
  };
}

let folder: ReturnType<typeof makeFolder>;
const at = (...names: string[]) => join(folder.path, ...names);

beforeAll(() => {
  folder = makeFolder();
  for (const errno of [2, 28]) writeFileSync(at(`${errno}.json`), denyMkdir(errno));
  writeFileSync(at('config.json'), `{"ociVersion":"1.0.2","linux":{"seccomp":${denyMkdir(28)}}}`);
  makeRoot(at('root'));
});
afterAll(() => folder.remove());

const seccompc = (...args: string[]) =>
  spawnSync(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], HOME: folder.path },
  });

/** `verify` of what runs in a container of this client, which is first in the path. */
function verifyRunning(file: string, name: string, program: string) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'verify', at(file), '--container', name],
    {
      env: { PATH: `${dirname(program)}:${process.env['PATH']}`, HOME: folder.path },
      cwd: folder.path,
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr };
}

/** What `annotate` gives for a client: the argument, and what it is told to be given beside it. */
function wordsFor(client: Client) {
  const { stdout, stderr } = seccompc('annotate', at('2.json'), '--for', client, '--no-cache');
  const [, hint = ''] = new RegExp(`also give ${client}: (.*)\n`).exec(stderr.toString()) ?? [];
  const words = hint.split(' ');
  const isRuntime = (word: string) => /^--(?:runtime|runc-binary)=/.test(word);
  return {
    annotation: stdout.toString().trim(),
    crun: words.filter(isRuntime),
    /** The same words with another profile, to be told from the annotation. */
    profile: (file: string) =>
      words.filter((word) => !isRuntime(word)).map((word) => word.replace(at('2.json'), file)),
  };
}

/**
 * What holds of every client. `program`: one that answers for this client, if it can be asked for a
 * container.
 */
function confines(client: Client, engine: () => Run, program?: () => string) {
  const start = () => printing(engine());
  it('enforces the annotation under crun, which loads exactly our program', async () => {
    const { annotation, crun, profile } = wordsFor(client);
    const name = program && ['--name', 'found-by-its-name'];
    const words = [...crun, annotation, ...profile(at('28.json')), ...(name ?? [])];
    expect(await start()('crun', words)).toMatchObject(FROM_ANNOTATION);

    const command = ['sleep', `${1_000_000 + process.pid}`];
    const started = { over: false };
    const ended = start()('crun', words, command).finally(() => (started.over = true));
    while (!started.over && processesOf(...command).length === 0) await new Promise(setImmediate);
    const [pid] = processesOf(...command);
    const loaded = pid === undefined ? undefined : loadedFilter(pid);
    const verdicts =
      program && ['2.json', '28.json'].map((file) => verifyRunning(file, `${client}:${name![1]}`, program()));
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await ended;
    expect(loaded).toEqual(seccompc('compile', at('2.json'), '--no-cache', '-q').stdout);
    const note = expect.stringContaining(
      `container ${client}:found-by-its-name is process ${pid} (${client})`,
    );
    if (program)
      expect(verdicts).toEqual([
        { status: 0, stdout: expect.stringMatching(/^equal: /), stderr: note },
        { status: 1, stdout: expect.stringMatching(/^different: /), stderr: note },
      ]);
  });

  it('enforces the profile under runc, which does not read the annotation', async () => {
    const { annotation, profile } = wordsFor(client);
    expect(await start()('runc', [annotation, ...profile(at('28.json'))])).toMatchObject(FROM_PROFILE);
  });

  it('enforces the profile where annotate fails and gives no argument', async () => {
    const { crun, profile } = wordsFor(client);
    const { status, stdout } = seccompc('annotate', at('none.json'), '--for', client);
    expect({ status, size: stdout.length }).toEqual({ status: 66, size: 0 });
    for (const runtime of ['crun', 'runc'] as const) {
      const words = [...(runtime === 'crun' ? crun : []), ...profile(at('28.json'))];
      expect(await start()(runtime, words)).toMatchObject(FROM_PROFILE);
    }
  });

  it('starts nothing where the profile is missing', async () => {
    const { annotation, crun, profile } = wordsFor(client);
    const { code, text } = await start()('crun', [...crun, annotation, ...profile(at('none.json'))]);
    expect(code).not.toBe(0);
    expect(text).not.toContain('Seccomp:');
  });

  it('takes a config.json for no profile at all, so annotate refuses one and resolve makes a profile of it', async () => {
    const { profile } = wordsFor(client);
    expect(await start()('runc', profile(at('config.json')))).toEqual(NO_FILTER);
    expect(seccompc('annotate', at('config.json'), '--for', client)).toMatchObject({ status: 65 });
    expect(seccompc('resolve', at('config.json'), '-o', at('resolved.json'))).toMatchObject({ status: 0 });
    expect(await start()('runc', profile(at('resolved.json')))).toMatchObject(FROM_PROFILE);
  });
}

describe.skipIf(
  skipWithout(requirements(['podman', 'conmon', 'crun', 'runc', 'perl', 'busybox'], { root: true })),
)('podman', () => {
  let podman: Awaited<ReturnType<typeof makePodman>>;
  beforeAll(async () => {
    podman = await makePodman(at('podman'), at('root'));
  });
  confines(
    'podman',
    () =>
      (runtime, args, command = PROBE) =>
        podman.run({ runtime, args, command }),
    () => podman.program,
  );
});

/** From a folder that is there in a tree too. */
const from = (path: string, ...command: string[]) => run(['env', '-C', path, ...command]);

describe.skipIf(skipWithout(dockerNeeds))("this machine's Docker and containerd", () => {
  let engine: Docker;
  let serial = 0;
  beforeAll(async () => {
    engine = await startDocker({ folder: at('docker'), shared: folder.path, root: at('root') });
  });
  afterAll(() => engine?.stop());

  describe('ctr', () => {
    const ctr: Run = (_, words, command = PROBE) =>
      from(folder.path, engine.ctr, 'run', '--rm', ...words, CTR_IMAGE, `test-${(serial += 1)}`, ...command);
    confines('ctr', () => ctr);

    it('leaves the container without a filter where the profile is not given', async () => {
      const { annotation } = wordsFor('ctr');
      expect(await printing(ctr)('runc', [annotation])).toEqual(NO_FILTER);
    });

    it('applies the rules of the Docker dialect whatever their conditions, so annotate refuses one', async () => {
      const includes = '"includes":{"caps":["CAP_SYS_ADMIN"]}';
      writeFileSync(at('docker.json'), denyMkdir(28).replace('"errnoRet"', `${includes},"errnoRet"`));
      const { profile } = wordsFor('ctr');
      expect(await printing(ctr)('runc', profile(at('docker.json')))).toMatchObject(FROM_PROFILE);
      expect(seccompc('annotate', at('docker.json'), '--for', 'ctr')).toMatchObject({ status: 65 });
      seccompc('resolve', at('docker.json'), '-o', at('resolved.json'));
      expect(await printing(ctr)('runc', profile(at('resolved.json')))).toEqual({
        code: 0,
        text: 'made\nSeccomp:\t2\n',
      });
    });
  });

  it('starts nothing where Docker is too old for annotations', async () => {
    const { stdout } = spawnSync('dockerd', ['--version'], { encoding: 'utf8' });
    const { annotation, crun, profile } = wordsFor('docker');
    const words = [...crun, annotation, ...profile(at('28.json'))];
    const { code, text } = await from(
      folder.path,
      engine.docker,
      'run',
      '--rm',
      ...words,
      DOCKER_IMAGE,
      ...PROBE,
    );
    const isOld = Number(/version (\d+)/.exec(stdout)![1]) < 24;
    expect(text.includes('Seccomp:')).toBe(!isOld);
    expect(code === 0).toBe(!isOld);
  });
});

describe.skipIf(skipWithout(treeNeeds))('a Docker that takes annotations', () => {
  let made: Awaited<ReturnType<typeof sharedTree>>;
  let tree: Pick<DebianTree, 'path' | 'enter'> | undefined;
  let engine: Docker;
  beforeAll(async () => {
    made = await sharedTree();
    if ('missing' in made) return;
    tree = made;
    const state = join(tree.path, 'srv/docker');
    engine = await startDocker({ folder: state, tree: tree.path, shared: folder.path, root: at('root') });
  });
  // Not in beforeAll: a fault there counts as tests that were skipped.
  beforeEach(({ skip }) => skip(skipWithout(made)));
  afterAll(async () => {
    await engine?.stop();
    if (tree !== undefined) rmSync(join(tree.path, 'srv/docker'), { recursive: true, force: true });
  });

  confines(
    'docker',
    () =>
      (_, words, command = PROBE) =>
        from(folder.path, engine.docker, 'run', '--rm', ...words, DOCKER_IMAGE, ...command),
    () => engine.docker,
  );

  it('does what docs/oci.md shows', () => {
    const page = openPage(folder.path);
    page.program('docker', engine.docker);
    const { count, faults } = page.run(needsDocker);
    expect(faults).toEqual([]);
    expect(count).toBe(2);
  });
});
