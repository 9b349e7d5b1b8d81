/** The commands of docs/oci.md that need runtimes (`e2e` behind the language), run as they stand there. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf, fileOf, matches, stepsOf } from '../cli/documents.ts';
import { MAIN } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeFolder, makeRoot } from './oci/containers.ts';
import { pathOf, requirements } from './oci/require.ts';

const needs = requirements(['crun', 'podman', 'conmon', 'bwrap', 'busybox', 'unshare', 'awk'], {
  root: true,
});
const page = readFileSync(join(import.meta.dirname, '../../docs/oci.md'), 'utf8');

/** Only what a machine without Debian's cgroup layout needs; the commands of the page know nothing of it. */
const IN_CGROUP2 =
  'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"';

const CONTAINERS_CONF = `[containers]
netns = "none"
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "none"
`;

describe.skipIf(skipWithout(needs))('docs/oci.md', () => {
  let folder: ReturnType<typeof makeFolder>;
  let place: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(() => {
    folder = makeFolder();
    place = join(folder.path, 'place');
    const bin = join(folder.path, 'bin');
    for (const path of [place, bin]) mkdirSync(path);
    const program = (name: string, ...words: string[]) => {
      const text = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${text} "$@"\n`);
      chmodSync(join(bin, name), 0o755);
    };
    const inNamespace = ['unshare', '-m', 'sh', '-ec', IN_CGROUP2, 'sh'];
    program('seccompc', process.execPath, MAIN);
    program(
      'crun',
      ...inNamespace,
      pathOf('crun')!,
      `--root=${folder.path}/crun`,
      '--cgroup-manager=disabled',
    );
    const state = ['--root', 'store', '--runroot', 'run', '--tmpdir', 'tmp'].map((word) =>
      word.startsWith('--') ? word : join(folder.path, 'podman', word),
    );
    program('podman', ...inNamespace, pathOf('podman')!, ...state, '--storage-driver', 'vfs');
    writeFileSync(join(folder.path, 'containers.conf'), CONTAINERS_CONF);
    env = {
      PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH']}`,
      HOME: folder.path,
      CONTAINERS_CONF: join(folder.path, 'containers.conf'),
      LC_ALL: 'C',
      NO_COLOR: '1',
    };

    const root = makeRoot(join(folder.path, 'root'));
    const profile = blocksOf(page)
      .find((block) => fileOf(block) === 'profile.json')!
      .lines.join('\n');
    makeBundle(join(place, 'bundle'), { root, seccomp: profile });
    mkdirSync(join(folder.path, 'crun'));
    const imported = shell(
      `tar -C ${root} -cf ${folder.path}/root.tar . && podman import ${folder.path}/root.tar busybox`,
    );
    if (imported.exitCode !== 0) throw new Error(imported.text);
  });
  afterAll(() => folder.remove());

  function shell(command: string): { text: string; exitCode: number | null } {
    const { stdout, status } = spawnSync('/bin/sh', ['-c', `exec 2>&1\n${command}`], {
      cwd: place,
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { text: stdout, exitCode: status };
  }

  it('shows what the commands do', () => {
    const faults: string[] = [];
    let count = 0;
    for (const block of blocksOf(page)) {
      const file = fileOf(block);
      if (file !== undefined) writeFileSync(join(place, file), `${block.lines.join('\n')}\n`);
      if (!block.words.includes('e2e')) continue;
      for (const [index, step] of stepsOf(block).entries()) {
        const { text, exitCode } = shell(step.command);
        count += 1;
        // Of several commands the exit code is that of the last one.
        const last = index === stepsOf(block).length - 1;
        const right =
          exitCode === (last ? step.exitCode : 0) &&
          (step.output === undefined || matches(step.output, text));
        if (!right) faults.push(`docs/oci.md:${step.line}: ${step.command}\n${text}exit code ${exitCode}`);
      }
    }
    expect(faults).toEqual([]);
    expect(count).toBeGreaterThan(15);
  });
});
