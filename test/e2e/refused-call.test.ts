/** The walk through docs/refused-call.md with a container, the kernel's log and all. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { skipWithout } from '../oracle/compare.ts';
import { makeFolder, makeRoot } from './oci/containers.ts';
import { addPodman, CONTAINERS_CONF, openPage } from './oci/page.ts';
import type { Page } from './oci/page.ts';
import { requirements } from './oci/require.ts';

const needs =
  process.arch === 'x64'
    ? requirements(['crun', 'podman', 'conmon', 'busybox', 'unshare', 'dmesg'], { root: true })
    : { missing: 'an x86_64 machine, whose calls the page shows' };

describe.skipIf(skipWithout(needs))('docs/refused-call.md', () => {
  let folder: ReturnType<typeof makeFolder>;
  let page: Page;

  beforeEach(() => {
    folder = makeFolder();
    const settings = join(folder.path, 'containers.conf');
    writeFileSync(settings, CONTAINERS_CONF);
    page = openPage(folder.path, { CONTAINERS_CONF: settings }, 'docs/refused-call.md');
    addPodman(page, folder.path, makeRoot(join(folder.path, 'root')));
  });
  afterEach(() => folder.remove());

  // The kernel drops records of its log for some seconds where others make many:
  // kernel.printk_ratelimit.
  it('leads from a failing container to one that works', { retry: 20 }, () => {
    const { count, faults } = page.run(() => true);
    expect(faults).toEqual([]);
    expect(count).toBeGreaterThan(3);
  });
});
