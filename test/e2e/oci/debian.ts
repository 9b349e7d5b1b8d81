/** A tree of a newer Debian, for what older releases lack: a crun that keeps a cache, a Docker that takes annotations. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, run } from './containers.ts';
import { pathOf, requirements } from './require.ts';

/** Debian 13: crun 1.21, libseccomp 2.6, Docker 26.1. Any suite of which Debian's mirrors have a crun will do. */
const SUITE = process.env['SECCOMPC_SUITE'] ?? 'trixie';
/** Takes 15 to 25 on a machine with a mirror near. */
const SECONDS = '240';
/** What {@link makeDebianTree} needs. */
export const needs = requirements(['debootstrap', 'dpkg-deb', 'unshare', 'timeout'], { root: true });

export interface DebianTree {
  /** Where its root is. */
  path: string;
  /** A program that runs the tree's crun in the tree, and takes its arguments. Paths in these are the tree's. */
  crun: string;
  /** Makes a command of the words after it, to run in the tree. */
  enter: readonly string[];
  remove(): void;
}

/**
 * A tree below the folder for temporary files, of 220 MB (530 MB with Docker): packages are unpacked, and none is set up,
 * since nothing here needs that. Takes the mirror that apt of this machine takes. `missing` tells what went wrong, such
 * as no network.
 */
export async function makeDebianTree(
  packages = ['crun'],
  suite = SUITE,
): Promise<DebianTree | { missing: string }> {
  const folder = makeFolder();
  const path = join(folder.path, 'tree');
  const made = await run([
    'timeout',
    SECONDS,
    'unshare',
    '-m',
    'sh',
    '-ec',
    UNPACK,
    pathOf('debootstrap')!,
    packages.join(','),
    suite,
    path,
    ...mirrorOfApt(),
  ]);
  if (made.code !== 0) {
    folder.remove();
    return { missing: `debootstrap ${suite}: ${made.text.trimEnd().split('\n').at(-1)}` };
  }
  const crun = join(folder.path, 'crun');
  writeFileSync(crun, `#!/bin/sh\nexec unshare -m sh -ec '${ENTER}' sh ${path} crun "$@"\n`);
  chmodSync(crun, 0o755);
  const enter = ['unshare', '-m', 'sh', '-ec', ENTER, 'sh', path];
  return { path, crun, enter, remove: () => folder.remove() };
}

const UNPACK = `
  packages=$1 suite=$2 tree=$3; shift 3
  "$0" --foreign --variant=minbase --include="$packages" "$suite" "$tree" "$@"
  for package in "$tree"/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$tree"; done`;

/** For `sh -ec` in a mount namespace: becomes a command in the tree, which is the first argument. */
export const ENTER = `
  cd "$1"; shift
  mount --rbind . .; cd "$PWD"
  mount -t proc proc proc; mount --rbind /dev dev; mount -t sysfs sysfs sys
  mount -t cgroup2 none sys/fs/cgroup; mount -t tmpfs tmpfs run
  exec chroot . "$@"`;

/** As an argument for debootstrap, which has a default. */
function mirrorOfApt(): string[] {
  const sources: [string, RegExp][] = [
    ['/etc/apt/sources.list.d/debian.sources', /^URIs: *(\S+)/m],
    ['/etc/apt/sources.list', /^deb +(?:\[[^\]]*\] *)?(\S+)/m],
  ];
  for (const [file, pattern] of sources) {
    try {
      const found = pattern.exec(readFileSync(file, 'utf8'));
      if (found !== null) return [found[1]!];
    } catch {
      // The other one, then.
    }
  }
  return [];
}
