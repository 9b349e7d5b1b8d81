import { readFileSync } from 'node:fs';

/**
 * Whether a group that may write to `directory` holds nobody but the caller: a user private group,
 * as Debian, Ubuntu and Fedora make one for each user, who then has umask 002.
 *
 * The group must be the caller's primary one by /etc/passwd, /etc/group must know it, and neither
 * file may give it to another user. Users of other databases (LDAP) cannot be listed, so their
 * groups do not count. A directory with an access control list does not count either, because its
 * group bits are only the upper bound of that list.
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
 * Node cannot read access control lists, so ls(1) is asked, which marks them with a `+` behind the
 * mode. `--author` makes an ls fail that has no such mark (busybox); a failure counts as a list.
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
