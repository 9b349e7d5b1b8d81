/** The commands of docs/oci.md; those of docker are run by oci-engines.test.ts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeFolder, makeRoot } from './oci/containers.ts';
import { dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { needsDocker, openPage } from './oci/page.ts';
import type { Page } from './oci/page.ts';
import { pathOf, requirements } from './oci/require.ts';

const programs = requirements(['crun', 'podman', 'conmon', 'bwrap', 'busybox', 'unshare', 'awk'], {
  root: true,
});
const needs = [programs, dockerNeeds].find((part) => 'missing' in part) ?? {};

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
  let page: Page;
  let engine: Docker;

  beforeAll(async () => {
    folder = makeFolder();
    const at = (...names: string[]) => join(folder.path, ...names);
    writeFileSync(at('containers.conf'), CONTAINERS_CONF);
    page = openPage(folder.path, { CONTAINERS_CONF: at('containers.conf') });
    const inNamespace = ['unshare', '-m', 'sh', '-ec', IN_CGROUP2, 'sh'];
    page.program(
      'crun',
      ...inNamespace,
      pathOf('crun')!,
      `--root=${at('crun')}`,
      '--cgroup-manager=disabled',
    );
    const state = ['--root', at('podman/store'), '--runroot', at('podman/run'), '--tmpdir', at('podman/tmp')];
    page.program('podman', ...inNamespace, pathOf('podman')!, ...state, '--storage-driver', 'vfs');

    const root = makeRoot(at('root'));
    makeBundle(join(page.place, 'bundle'), { root, seccomp: page.fileOf('profile.json') });
    mkdirSync(at('crun'));
    const imported = page.shell(
      `tar -C ${root} -cf ${at('root.tar')} . && podman import ${at('root.tar')} busybox`,
    );
    if (imported.exitCode !== 0) throw new Error(imported.text);
    engine = await startDocker({ folder: at('docker'), shared: page.place, root });
    page.program('ctr', engine.ctr);
  });
  afterAll(async () => {
    await engine?.stop();
    folder.remove();
  });

  it('shows what the commands do', () => {
    const { count, faults } = page.run((block) => !needsDocker(block));
    expect(faults).toEqual([]);
    expect(count).toBeGreaterThan(20);
  });
});
