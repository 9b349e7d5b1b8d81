/**
 * A tree of a newer Debian, for what older releases lack: a crun that keeps a cache, a Docker that
 * takes annotations.
 */
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, run } from './containers.ts';
import { requirements } from './require.ts';

/**
 * Debian 13: crun 1.21, libseccomp 2.6, Docker 26.1. Any suite of which Debian's mirrors have a
 * crun will do.
 */
const SUITE = process.env['SECCOMPC_SUITE'] ?? 'trixie';
/** Takes 8 to 15 on a machine with a mirror near. */
const SECONDS = '240';
/** What {@link makeDebianTree} needs. */
export const needs = requirements(['apt-get', 'dpkg-deb', 'unshare', 'timeout', 'xargs'], { root: true });

export interface DebianTree {
  /** Where its root is. */
  path: string;
  /**
   * A program that runs the tree's crun in the tree, and takes its arguments. Paths in these are
   * the tree's.
   */
  crun: string;
  /** Makes a command of the words after it, to run in the tree. */
  enter: readonly string[];
  remove(): void;
}

/**
 * A tree below the folder for temporary files, or in `folder`, of 60 MB (330 MB with Docker):
 * packages and what they depend on are unpacked, and none is set up, since nothing here needs that.
 * A package of another suite is `NAME/SUITE`, one without what it depends on is `NAME!`. Takes the
 * mirror that apt of this machine takes. `missing` tells what went wrong, such as no network.
 */
export async function makeDebianTree(
  packages: readonly string[],
  suite = SUITE,
  folder = makeFolder().path,
): Promise<DebianTree | { missing: string }> {
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const path = join(folder, 'tree');
  const others = packages.map((name) => name.split('/')[1]).filter((name) => name !== undefined);
  const mirror = mirrorOfApt();
  if (mirror === undefined) return { missing: 'a mirror of Debian in the settings of apt' };
  const sources = [...new Set([suite, ...others])]
    .map((name) => `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} ${name} main\n`)
    .join('');
  const words = ['timeout', SECONDS, 'sh', '-ec', UNPACK, folder, suite, sources, 'dash', 'coreutils'];
  const made = await run([...words, ...packages]);
  if (made.code !== 0) {
    remove();
    return { missing: `a tree of Debian ${suite}: ${made.text.trimEnd().split('\n').at(-1)}` };
  }
  const crun = join(folder, 'crun');
  writeFileSync(crun, `#!/bin/sh\nexec unshare -m sh -ec '${ENTER}' sh ${path} crun "$@"\n`);
  chmodSync(crun, 0o755);
  return { path, crun, enter: ['unshare', '-m', 'sh', '-ec', ENTER, 'sh', path], remove };
}

/**
 * apt with a state of its own, to which no package is installed; then a tree whose /bin is
 * /usr/bin, as Debian's is.
 */
const UNPACK = `
  folder=$0 suite=$1 sources=$2; shift 2
  mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/tree"
  cd "$folder/apt"
  printf %s "$sources" >sources; : >status
  apt() {
    apt-get -q -o Dir::Etc::sourcelist="$folder/apt/sources" -o Dir::Etc::sourceparts=- \
      -o Dir::State::lists="$folder/apt/lists" -o Dir::State::status="$folder/apt/status" \
      -o Dir::Cache="$folder/apt/cache" -o APT::Sandbox::User= -o Acquire::Languages=none -o Acquire::Retries=2 "$@" 2>&1
  }
  apt update
  for package; do
    shift
    case $package in
      *!) (cd cache/archives && apt download "\${package%!}/$suite") ;;
      *) set -- "$@" "$package" ;;
    esac
  done
  apt install -y --download-only --no-install-recommends -t "$suite" "$@"
  cd "$folder/tree"
  for name in bin sbin lib lib64; do mkdir -p "usr/$name"; ln -s "usr/$name" "$name"; done
  mkdir -p dev etc proc run srv sys tmp
  find "$folder/apt/cache/archives" -name '*.deb' -print0 | xargs -0 -n1 -P2 sh -c 'dpkg-deb -x "$1" .' sh
  rm -r "$folder/apt"`;

/**
 * For `sh -ec` in a mount namespace: becomes a command in the tree, which is the first argument.
 */
export const ENTER = `
  cd "$1"; shift
  mount --rbind . .; cd "$PWD"
  mount -t proc proc proc; mount --rbind /dev dev; mount -t sysfs sysfs sys
  mount -t cgroup2 none sys/fs/cgroup; mount -t tmpfs tmpfs run
  exec chroot . "$@"`;

/** Where apt of this machine fetches; undefined if its settings do not say. */
function mirrorOfApt(): string | undefined {
  const sources: [string, RegExp][] = [
    ['/etc/apt/sources.list.d/debian.sources', /^URIs: *(\S+)/m],
    ['/etc/apt/sources.list', /^deb +(?:\[[^\]]*\] *)?(\S+)/m],
  ];
  for (const [file, pattern] of sources) {
    try {
      const found = pattern.exec(readFileSync(file, 'utf8'));
      if (found !== null) return found[1]!;
    } catch {
      // The other one, then.
    }
  }
  return undefined;
}
