/** The commands and the files of docs/under-a-filter.md. */
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { skipWithout } from '../oracle/compare.ts';
import { makeFolder, makeRoot, run } from './oci/containers.ts';
import { ENTER, needs as treeNeeds } from './oci/debian.ts';
import { addPodman, CONTAINERS_CONF, openPage } from './oci/page.ts';
import type { Page } from './oci/page.ts';
import { pathOf, requirements } from './oci/require.ts';
import { sharedTree } from './oci/shared-tree.ts';

const programs = requirements(
  [
    'bwrap',
    'busybox',
    'conmon',
    'crun',
    'firejail',
    'musl-gcc',
    'podman',
    'systemd',
    'systemd-analyze',
    'unshare',
  ],
  { root: true },
);
const needs = 'missing' in programs ? programs : treeNeeds;

/**
 * Before the words of a script for `sh -ec` in a mount namespace: the launcher of this folder is
 * where the page installs it.
 */
const INSTALLED = 'mount -t tmpfs tmpfs /usr/local/bin; cp sandboxed /usr/local/bin;';
/**
 * Makes the folder that it is started in be in the tree $1 too, and becomes a command there, in
 * that folder.
 */
const IN_TREE = `mkdir -p "$1$PWD"; mount --bind "$PWD" "$1$PWD"; tree=$1; shift; set -- "$tree" env -C "$PWD" "$@"; ${ENTER}`;

/**
 * A manager for one unit, which ends with it and with its exit code. It is that of a user, since
 * the other kind has to be the first process.
 */
const SYSTEMD = `${INSTALLED}
  umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup
  mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/system /run/user
  exec env -i PATH="$PATH" XDG_RUNTIME_DIR=/run/user XDG_CONFIG_HOME="$PWD/config" SYSTEMD_LOG_TARGET=null \\
    timeout 60 systemd --user --unit="$1" </dev/null`;
const ENDS_WITH_UNIT = '[Unit]\nSuccessAction=exit\nFailureAction=exit\n';

/**
 * Alpine's C library, which is the loader too; and a program that ends with the errno of mkdir(2).
 */
const MUSL = `/lib/ld-musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`;
const MKDIR = `#include <errno.h>\n#include <sys/stat.h>\nint main(void) { return mkdir("/tmp/d", 0700) ? errno : 0; }\n`;

describe.skipIf(skipWithout(needs))('docs/under-a-filter.md', () => {
  let folder: ReturnType<typeof makeFolder>;
  let page: Page;
  let made: Awaited<ReturnType<typeof sharedTree>>;

  beforeAll(async () => {
    folder = makeFolder();
    made = await sharedTree();
    if ('missing' in made) return;
    const at = (name: string) => join(folder.path, name);
    writeFileSync(at('containers.conf'), CONTAINERS_CONF);
    page = openPage(folder.path, { CONTAINERS_CONF: at('containers.conf') }, 'docs/under-a-filter.md');
    const root = makeRoot(at('root'));
    writeFileSync(at('musl.c'), MKDIR);
    const built = page.shell(`musl-gcc ${at('musl.c')} -o ${join(root, 'bin/musl')}`);
    if (built.exitCode !== 0) throw new Error(built.text);
    mkdirSync(join(root, 'lib'));
    copyFileSync(MUSL, join(root, MUSL));
    addPodman(page, folder.path, root);
    page.shell('podman tag busybox alpine distroless');
    const namespace = ['unshare', '-m', 'sh', '-ec'];
    page.program('systemd-analyze', ...namespace, `${INSTALLED} exec "$@"`, 'sh', pathOf('systemd-analyze')!);
    page.program('quadlet', join(made.path, 'usr/libexec/podman/quadlet'));
    page.program('minijail0', ...namespace, IN_TREE, 'sh', made.path, 'minijail0');
  });
  // Not in beforeAll: a fault there counts as tests that were skipped.
  beforeEach(({ skip }) => skip(skipWithout(made)));
  afterAll(() => folder.remove());

  it('shows what the commands do', () => {
    const { count, faults } = page.run(() => true);
    expect(faults).toEqual([]);
    expect(count).toBeGreaterThan(15);
  });

  it('shows images whose launcher starts programs of other C libraries than that of the machine it was made on', () => {
    const start = (command: string) =>
      page.shell(`podman run --rm --entrypoint '${command}' reports`).exitCode;
    expect(start('["/bin/musl"]')).toBe(0);
    expect(start('["/sandboxed", "/bin/musl"]')).toBe(28);
  });

  /** What becomes of a unit of the page, with these lines after its own. */
  async function startUnit(name: string, lines = '') {
    const units = join(page.place, 'config/systemd/user');
    const more = join(units, `${name}.d`);
    mkdirSync(more, { recursive: true });
    cpSync(join(page.place, name), join(units, name));
    const output = join(page.place, `${name}.log`);
    const service = `[Service]\nStandardOutput=truncate:${output}\nStandardError=inherit\n${lines}\n`;
    writeFileSync(join(more, 'test.conf'), ENDS_WITH_UNIT + service);
    const command = ['env', '-C', page.place, 'unshare', '-m', '-C', 'sh', '-ec', SYSTEMD, 'sh', name];
    const { code } = await run(command);
    return { code, text: page.shell(`cat ${output}`).text };
  }

  const REFUSED = { code: 1, text: expect.stringMatching(/^\/bin\/mkdir: .*No space left on device\n$/) };
  const STATUS = 'ExecStart=\nExecStart=/usr/local/bin/sandboxed grep ^Seccomp_filters: /proc/self/status';
  const filtersOf = ({ text }: { text: string }) => Number(/^Seccomp_filters:\t(\d+)\n$/.exec(text)?.[1]);

  it('shows units with which systemd starts a program under the filter, alone and beside its own', async () => {
    expect(await startUnit('reports.service')).toEqual(REFUSED);
    expect(await startUnit('both.service')).toEqual(REFUSED);
    expect(filtersOf(await startUnit('reports.service', STATUS))).toBe(1);
    expect(filtersOf(await startUnit('both.service', STATUS))).toBeGreaterThan(1);
  });

  it('says what becomes of a unit whose SystemCallFilter= refuses seccomp: no program runs', async () => {
    const { code, text } = await startUnit('both.service', 'SystemCallFilter=~seccomp');
    expect(code).toBe(69);
    expect(text).toMatch(/^seccompc: [^\n]*\n$/);
  });

  it('shows a unit of podman whose words give a container the filter', () => {
    const { text } = page.shell('QUADLET_UNIT_DIRS=$PWD quadlet -dryrun');
    const words = /^ExecStart=\/usr\/bin\/podman run (.*)$/m.exec(text)![1]!.split(' ');
    const wordsOf = (option: string) => words.slice(words.indexOf(option), words.indexOf(option) + 2);
    const profile = `seccomp=${join(page.place, 'profile.json')}`;
    const given = [...wordsOf('--annotation'), '--security-opt', profile].join(' ');
    expect(wordsOf('--security-opt')).toEqual(['--security-opt', 'seccomp=/etc/containers/reports.json']);
    expect(page.shell(`podman run --rm ${given} busybox mkdir /tmp/d`)).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('No space left on device'),
    });
  });
});
