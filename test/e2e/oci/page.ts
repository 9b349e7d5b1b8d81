/**
 * The commands of a page in docs that need runtimes (`e2e` behind the language), run as they stand
 * there.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { blocksOf, fileOf, matches, stepsOf } from '../../cli/documents.ts';
import type { Block } from '../../cli/documents.ts';
import { MAIN } from '../../cli/run.ts';
import { pathOf } from './require.ts';

export interface Page {
  /** Where the commands run. */
  place: string;
  /** The content of a file that the page shows. */
  fileOf(name: string): string;
  /** Puts a program before those of the machine: these words, then its arguments. */
  program(name: string, ...words: string[]): void;
  shell(command: string): { text: string; exitCode: number | null };
  /**
   * Runs the wanted ones of the marked blocks: how many commands, and what was not as it stands
   * there.
   */
  run(wanted: (block: Block) => boolean): { count: number; faults: string[] };
}

/** @param folder of the test's own; `place` and `bin` are made in it. */
export function openPage(
  folder: string,
  variables: Record<string, string> = {},
  document = 'docs/oci.md',
): Page {
  const blocks = blocksOf(readFileSync(join(import.meta.dirname, '../../..', document), 'utf8'));
  const place = join(folder, 'place');
  const bin = join(folder, 'bin');
  for (const path of [place, bin]) mkdirSync(path, { recursive: true });
  const env = {
    PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH']}`,
    HOME: folder,
    LC_ALL: 'C',
    NO_COLOR: '1',
    ...variables,
  };
  const page: Page = {
    place,
    fileOf: (name) => blocks.find((block) => fileOf(block) === name)!.lines.join('\n'),
    program(name, ...words) {
      const text = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
      writeFileSync(join(bin, name), `#!/bin/sh\nexec ${text} "$@"\n`);
      chmodSync(join(bin, name), 0o755);
    },
    shell(command) {
      const { stdout, status } = spawnSync('/bin/sh', ['-c', `exec 2>&1\n${command}`], {
        cwd: place,
        env,
        encoding: 'utf8',
        timeout: 60_000,
      });
      return { text: stdout, exitCode: status };
    },
    run(wanted) {
      const faults: string[] = [];
      let count = 0;
      for (const block of blocks) {
        const file = fileOf(block);
        if (file !== undefined) writeFileSync(join(place, file), `${block.lines.join('\n')}\n`);
        if (!block.words.includes('e2e') || !wanted(block)) continue;
        const steps = stepsOf(block);
        for (const [index, step] of steps.entries()) {
          const { text, exitCode } = page.shell(step.command);
          count += 1;
          // Of several commands the exit code is that of the last one.
          const right =
            exitCode === (index === steps.length - 1 ? step.exitCode : 0) &&
            (step.output === undefined || matches(step.output, text));
          if (!right) faults.push(`${document}:${step.line}: ${step.command}\n${text}exit code ${exitCode}`);
        }
      }
      return { count, faults };
    },
  };
  page.program('seccompc', process.execPath, MAIN);
  return page;
}

/** Blocks for a Docker that takes annotations, which not every machine has. */
export const needsDocker = (block: Block) => block.words.includes('docker');

/**
 * Only what a machine without Debian's cgroup layout needs; the commands of a page know nothing of
 * it.
 */
const IN_CGROUP2 =
  'umount -R /sys/fs/cgroup 2>/dev/null || true; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"';
export const inNamespace = ['unshare', '-m', 'sh', '-ec', IN_CGROUP2, 'sh'];

export const CONTAINERS_CONF = `[containers]
netns = "none"
cgroups = "disabled"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "crun"
cgroup_manager = "cgroupfs"
events_logger = "none"
`;

/** Gives the page a podman of its own, with an image named busybox that holds the tree `root`. */
export function addPodman(page: Page, folder: string, root: string): void {
  const at = (name: string) => join(folder, 'podman', name);
  const state = ['--root', at('store'), '--runroot', at('run'), '--tmpdir', at('tmp')];
  page.program('podman', ...inNamespace, pathOf('podman')!, ...state, '--storage-driver', 'vfs');
  const image = join(folder, 'root.tar');
  const imported = page.shell(`tar -C ${root} -cf ${image} . && podman import ${image} busybox`);
  if (imported.exitCode !== 0) throw new Error(imported.text);
}
