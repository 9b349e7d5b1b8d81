/**
 * The commands of docs/oci.md, without those of docker that oci-engines.test.ts runs, and of
 * docs/runc.md.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runIn } from '../cli/run.ts';
import { skipWithout } from '../oracle/compare.ts';
import { makeBundle, makeFolder, makeRoot } from './oci/containers.ts';
import { dockerNeeds, startDocker } from './oci/docker.ts';
import type { Docker } from './oci/docker.ts';
import { loadedFilter, processesOf } from './oci/loaded-filter.ts';
import { addPodman, CONTAINERS_CONF, inNamespace, needsDocker, openPage } from './oci/page.ts';
import type { Page } from './oci/page.ts';
import { pathOf, requirements } from './oci/require.ts';

const programs = requirements(['crun', 'podman', 'conmon', 'bwrap', 'busybox', 'unshare', 'awk'], {
  root: true,
});
const needs = [programs, dockerNeeds].find((part) => 'missing' in part) ?? {};

describe.skipIf(skipWithout(needs))('the documentation', () => {
  let folder: ReturnType<typeof makeFolder>;
  let page: Page;
  let runc: Page;
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

    runc = openPage(folder.path, { CONTAINERS_CONF: at('containers.conf') }, 'docs/runc.md');
    symlinkSync(root, join(page.place, 'root'));
    const profile = join(import.meta.dirname, '../../profiles/container-default.json');
    const made = ['resolve', profile, '--for', 'runc', '--architectures', 'native', '-o', 'runc.json'];
    await runIn(folder.path, made, { cwd: page.place });
    writeFileSync(at('daemon.json'), runc.fileOf('daemon.json').replace('/etc/docker', page.place));
    engine = await startDocker({
      folder: at('docker'),
      shared: page.place,
      root,
      config: at('daemon.json'),
    });
    page.program('ctr', engine.ctr);
    page.program('docker', engine.docker);
  });
  afterAll(async () => {
    await engine?.stop();
    folder.remove();
  });

  it('shows in docs/oci.md what the commands do', () => {
    const { count, faults } = page.run((block) => !needsDocker(block));
    expect(faults).toEqual([]);
    expect(count).toBeGreaterThan(20);
  });

  it('shows in docs/runc.md what the commands do', () => {
    const { count, faults } = runc.run(() => true);
    expect(faults).toEqual([]);
    expect(count).toBe(9);
  });

  it('starts no dockerd that has lost the file of its profile', async () => {
    const config = join(folder.path, 'lost.json');
    writeFileSync(config, `{"seccomp-profile":"${folder.path}/none.json"}`);
    const started = startDocker({ folder: join(folder.path, 'lost'), shared: page.place, root: '', config });
    await expect(started).rejects.toThrow('opening seccomp profile');
  });

  it('loads under runc the filter that docs/runc.md lets resolve write', async () => {
    const command = ['sleep', `${1_000_000 + process.pid}`];
    writeFileSync(join(page.place, 'small.json'), page.fileOf('profile.json'));
    const cut = ['resolve', 'small.json', '--for', 'runc', '--architectures', 'native', '-o', 'cut.json'];
    expect(await runIn(folder.path, cut, { cwd: page.place })).toMatchObject({ code: 0 });
    const started = page.shell(
      `docker run -d --rm --name cut --security-opt seccomp=cut.json busybox ${command.join(' ')}`,
    );
    expect(started).toMatchObject({ exitCode: 0 });
    // The runtime may still be about to become the command.
    while (processesOf(...command).length === 0) await new Promise(setImmediate);
    writeFileSync(join(page.place, 'loaded.bpf'), loadedFilter(processesOf(...command)[0]!));
    page.shell('docker kill cut');
    const words = ['verify', 'cut.json', 'loaded.bpf', '--semantics', 'runc@1.1'];
    expect(await runIn(folder.path, words, { cwd: page.place })).toMatchObject({ code: 0 });
    words[1] = 'small.json';
    expect(await runIn(folder.path, words, { cwd: page.place })).toMatchObject({ code: 1 });
  });
});
