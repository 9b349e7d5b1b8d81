import { readFileSync } from 'node:fs';

/**
 * Whether only the caller is in a group that may write to `directory`: a user private group, as
 * Debian, Ubuntu and Fedora make one for each user, who then has umask 002.
 *
 * By /etc/passwd it must be the caller's primary group, /etc/group must have it, and neither may
 * give it to another user. Groups in other databases (LDAP) do not count, because their users
 * cannot be listed. Nor do directories with an access control list, whose group bits are only an
 * upper bound.
 */
export function isWritableByCallerAlone(directory: string, gid: number): boolean {
  return (
    gid !== 0 && isPrivateGroup(gid, readRows('/etc/passwd'), readRows('/etc/group')) && !hasAcl(directory)
  );
}

/**
 * @param passwd rows of passwd(5): name, password, uid, primary gid, ...
 * @param groups rows of group(5): name, password, gid, members separated by commas
 */
export function isPrivateGroup(
  gid: number,
  passwd: readonly string[][],
  groups: readonly string[][],
  uid: number | undefined = process.geteuid?.(),
): boolean {
  const names = passwd.filter((row) => row[2] === String(uid)).map((row) => row[0]);
  const primary = passwd.filter((row) => row[3] === String(gid));
  const lines = groups.filter((row) => row[2] === String(gid));
  const members = lines.flatMap((row) => (row[3] ?? '').split(',')).filter((name) => name !== '');
  return (
    primary.length > 0 &&
    primary.every((row) => row[2] === String(uid)) &&
    lines.length > 0 &&
    members.every((name) => names.includes(name))
  );
}

function readRows(file: string): string[][] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch {
    return [];
  }
}

/**
 * Node cannot read access control lists, but ls(1) marks them with a `+` after the mode. `--author`
 * fails in an ls without such marks (busybox); a failure counts as a list.
 */
function hasAcl(directory: string): boolean {
  // Loading it takes milliseconds, and most directories do not need it.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  for (const ls of ['/usr/bin/ls', '/bin/ls']) {
    const { status, stdout } = spawnSync(ls, ['-ldn', '--author', '--', directory], {
      encoding: 'latin1',
      env: { LC_ALL: 'C' },
    });
    if (status === 0) return stdout[10] !== ' ' && stdout[10] !== '.';
  }
  return true;
}
