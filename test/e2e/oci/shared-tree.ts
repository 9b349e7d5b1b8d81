import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import { makeDebianTree } from './debian.ts';
import type { DebianTree } from './debian.ts';

/**
 * A crun with a cache, a newer runc, a Docker that takes annotations, minijail, which no release
 * has so far, of podman the generator for systemd, and the newest clients of registries.
 */
const PACKAGES = [
  'crun',
  'runc',
  'docker.io',
  'docker-cli',
  'containerd',
  'minijail/sid',
  'podman!',
  'oras/sid',
  'cosign/sid',
];

/**
 * The Debian tree that all test files have in common, made by the first that asks. They run one
 * after another, and each keeps to a folder of its own below /srv there.
 */
export async function sharedTree(): Promise<Omit<DebianTree, 'remove'> | { missing: string }> {
  const folder = join(inject('shared'), 'debian');
  const file = `${folder}.json`;
  if (!existsSync(file))
    writeFileSync(file, JSON.stringify(await makeDebianTree(PACKAGES, undefined, folder)));
  return JSON.parse(readFileSync(file, 'utf8'));
}
