/** The commands of docs/oci.md; those of docker are run by oci-engines.test.ts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeFolder, makeRoot } from './oci/containers.ts';
import { dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { addPodman, CONTAINERS_CONF, inNamespace, needsDocker, openPage } from './oci/page.ts';
import type { Page } from './oci/page.ts';
import { pathOf, requirements } from './oci/require.ts';

const programs = requirements(['crun', 'podman', 'conmon', 'bwrap', 'busybox', 'unshare', 'awk'], {
  root: true,
});
const needs = [programs, dockerNeeds].find((part) => 'missing' in part) ?? {};

describe.skipIf(skipWithout(needs))('docs/oci.md', () => {
  let folder: ReturnType<typeof makeFolder>;
  let page: Page;
  let engine: Docker;

  beforeAll(async () => {
    folder = makeFolder();
    const at = (...names: string[]) => join(folder.path, ...names);
    writeFileSync(at('containers.conf'), CONTAINERS_CONF);
    page = openPage(folder.path, { CONTAINERS_CONF: at('containers.conf') });
    page.program(
      'crun',
      ...inNamespace,
      pathOf('crun')!,
      `--root=${at('crun')}`,
      '--cgroup-manager=disabled',
    );
    const root = makeRoot(at('root'));
    makeBundle(join(page.place, 'bundle'), { root, seccomp: page.fileOf('profile.json') });
    mkdirSync(at('crun'));
    addPodman(page, folder.path, root);
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
