/** What a test needs of the machine. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The Debian package that has a program, where it is named otherwise. */
const PACKAGES: Record<string, string> = {
  bwrap: 'bubblewrap',
  busybox: 'busybox-static',
  groff: 'groff-base',
  'musl-gcc': 'musl-tools',
  'systemd-analyze': 'systemd',
  unshare: 'util-linux',
  ...Object.fromEntries(
    ['aarch64', 'arm', 'ppc64le', 'riscv64', 's390x'].map((arch) => [
      `qemu-${arch}-static`,
      'qemu-user-static',
    ]),
  ),
};

/** The path of a program, or undefined. */
export function pathOf(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * Whether the machine has all of these, and (`root`) lets us make namespaces: what is missing, else
 * nothing.
 */
export function requirements(
  programs: readonly string[],
  { root = false } = {},
): { missing: string } | object {
  const absent = programs.filter((program) => pathOf(program) === undefined);
  if (absent.length > 0) {
    const packages = absent.map((program) => PACKAGES[program] ?? program);
    return { missing: `no ${absent.join(', ')} (Debian packages: ${packages.join(', ')})` };
  }
  if (!root) return {};
  if (process.getuid?.() !== 0) return { missing: 'containers are started as root' };
  const unshare = spawnSync('unshare', ['-m', 'true']);
  return unshare.status === 0 ? {} : { missing: 'no right to make a mount namespace' };
}
