/**
 * Which filter a runtime loads for each of many configurations: asked of the kernel, in the process
 * that waits to start.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Oracle } from '../../oracle/compare.ts';
import { run } from './containers.ts';
import { pathOf } from './require.ts';

/**
 * `refused`: the runtime did not make the container, or its process ended while it waited to start,
 * by its own filter; with the reason. `odd`: the filter of the process could not be found out.
 */
export type Loaded = { refused: string } | { odd: string } | 'none' | { program: Buffer };

export interface Runtime {
  name: string;
  /** Makes a command of the words after it, to run where the runtime can work. */
  enter: readonly string[];
  /** The runtime and its options; the folder of its state comes after them. */
  words: readonly string[];
  /** Paths of the runtime have this in front of them here. */
  tree: string;
}

/** The program that asks, or why there is none. */
export function buildLoaded(): Oracle<{ path: string }> {
  const script = fileURLToPath(new URL('../../oracle/build.sh', import.meta.url));
  const { status, stdout, stderr } = spawnSync(script, ['loaded'], { encoding: 'utf8' });
  return status === 0 ? { path: join(stdout.trim(), 'loaded') } : { missing: stderr.trim() };
}

/**
 * Mounts go with the command. crun wants a pure cgroup2 tree, even to leave it alone; runc takes
 * what there is.
 */
const HERE = 'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"';

export const crunHere = (): Runtime => ({
  name: 'crun',
  enter: ['unshare', '-m', 'sh', '-ec', HERE, 'sh'],
  words: [pathOf('crun')!, '--cgroup-manager=disabled'],
  tree: '',
});

export const runcHere = (): Runtime => ({
  name: 'runc',
  enter: ['unshare', '-m'],
  words: [pathOf('runc')!],
  tree: '',
});

/** Two at a time: a start is mostly waiting. */
const LANES = 2;

/**
 * Makes a container of each document and throws it away.
 * @param folder For bundles and state; made and removed. In the runtime's tree.
 */
export async function loadAll(
  { enter, words, tree, name }: Runtime,
  folder: string,
  documents: readonly Uint8Array[],
  loaded: string,
): Promise<Loaded[]> {
  const here = join(tree, folder);
  mkdirSync(here, { recursive: true });
  try {
    copyFileSync(loaded, join(here, 'loaded'));
    for (const [index, document] of documents.entries()) {
      mkdirSync(join(here, `${index % LANES}.bundles`, `${index}`), { recursive: true });
      writeFileSync(join(here, `${index % LANES}.bundles`, `${index}`, 'config.json'), document);
    }
    const lanes = Array.from({ length: LANES }, (_, lane) => `${lane}`);
    const ends = await Promise.all(
      lanes.map((lane) => {
        const id = `seccompc-test-${process.pid}-${lane}`;
        return run([...enter, 'sh', '-uc', LOOP, 'sh', folder, lane, id, ...words]);
      }),
    );
    const wrong = ends.find(({ code, text }) => code !== 0 || text !== '');
    if (wrong !== undefined) throw new Error(`${name}: ${wrong.code} ${wrong.text.slice(0, 2000)}`);
    return documents.map((_, index) => outcomeIn(join(here, `${index % LANES}.bundles`, `${index}`)));
  } finally {
    rmSync(here, { recursive: true, force: true });
  }
}

/**
 * The state is new for each: some releases of crun keep compiled profiles in there, under names
 * that do not tell errnos.
 */
const LOOP = `
  cd "$1"; lane=$2 id=$3; shift 3; state=$PWD/$lane.state
  for bundle in "$PWD/$lane.bundles"/*; do
    [ -d "$bundle" ] || continue
    if timeout 60 "$@" --root="$state" create --pid-file "$state.pid" -b "$bundle" "$id" </dev/null >"$bundle/log" 2>&1
    then
      read -r pid <"$state.pid"
      ./loaded "$pid" >"$bundle/program" 2>>"$bundle/log"
      echo $? >"$bundle/loaded"
    fi
    rm -rf "$state"
  done
  for group in /sys/fs/cgroup/*/"$id" /sys/fs/cgroup/"$id"; do
    [ ! -d "$group" ] || for try in 1 2 3 4 5 6 7 8 9; do rmdir "$group" 2>/dev/null && break; sleep 0.1; done
  done`;

function outcomeIn(bundle: string): Loaded {
  const text = (file: string) => readFileSync(join(bundle, file), 'utf8').trim();
  if (!existsSync(join(bundle, 'loaded'))) return { refused: text('log') };
  switch (text('loaded')) {
    case '0':
      return { program: readFileSync(join(bundle, 'program')) };
    case '1':
      return 'none';
    case '3':
      return { refused: 'ended' };
    default:
      return { odd: text('log') };
  }
}
