import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, closeSync, constants, lchownSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isPrivateGroup } from '../../src/fs/private-group.ts';
import {
  openTrusted,
  readTrusted,
  trustedDirectory,
  trustedFile,
  UntrustedPath,
} from '../../src/fs/trust.ts';

const isRoot = process.geteuid?.() === 0;
/** No user of this machine. */
const STRANGER = 12345;

let base: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'seccompc-trust-')));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** The path and the reason with which `work` is refused; undefined if it is not. */
function refusal(work: () => unknown): [string, string] | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (!(error instanceof UntrustedPath)) throw error;
    return [error.path, error.reason];
  }
}

/** Makes directories below each other and gives the innermost. */
function nest(...names: string[]): string {
  const path = join(base, ...names);
  mkdirSync(path, { recursive: true });
  return path;
}

describe.runIf(process.geteuid !== undefined)('a trusted directory', () => {
  it('is given without links, and made for its owner alone where it is missing', () => {
    const path = join(base, 'a', 'b', 'c');
    expect(() => trustedDirectory(path)).toThrow('ENOENT');
    expect(trustedDirectory(path, { make: true })).toBe(path);
    expect(['a', 'a/b', 'a/b/c'].map((name) => statSync(join(base, name)).mode & 0o777)).toEqual([
      0o700, 0o700, 0o700,
    ]);
    expect(trustedDirectory(join(base, 'open', 'x'), { make: 0o755 })).toBe(join(base, 'open', 'x'));
    expect(statSync(join(base, 'open')).mode & 0o777).toBe(0o755);
    symlinkSync('a/b', join(base, 'link'));
    expect(trustedDirectory(join(base, 'link', 'c'))).toBe(path);
    symlinkSync('../link/../b/c', join(base, 'a', 'winding'));
    expect(trustedDirectory(join(base, 'a', 'winding'))).toBe(path);
    expect(trustedDirectory('/')).toBe('/');
  });

  it('is refused when others can write to it, also through its sticky bit', () => {
    const path = nest('d');
    for (const mode of [0o707, 0o777, 0o1777, 0o702]) {
      chmodSync(path, mode);
      expect(refusal(() => trustedDirectory(path))).toEqual([path, 'everybody can write to it']);
    }
    chmodSync(path, 0o770);
    expect(refusal(() => trustedDirectory(path))).toEqual([
      path,
      expect.stringMatching(/^group \d+ can write/),
    ]);
    chmodSync(path, 0o755);
    expect(trustedDirectory(path)).toBe(path);
  });

  it('is refused when others can write to a directory above it, at any height', () => {
    const path = nest('a', 'b', 'c');
    for (const above of ['a', 'a/b'])
      for (const mode of [0o757, 0o775]) {
        chmodSync(join(base, above), mode);
        // Root's group has members on no machine, but only a user's own private group counts.
        if (isRoot || mode === 0o757)
          expect(refusal(() => trustedDirectory(path))?.[0]).toBe(join(base, above));
        chmodSync(join(base, above), 0o755);
      }
    expect(trustedDirectory(path)).toBe(path);
  });

  it.runIf(isRoot)('may be below a sticky directory of root, but of nobody else', () => {
    const path = nest('sticky', 'mine');
    chmodSync(join(base, 'sticky'), 0o1777);
    expect(trustedDirectory(path)).toBe(path);
    chownSync(join(base, 'sticky'), STRANGER, STRANGER);
    expect(refusal(() => trustedDirectory(path))).toEqual([
      join(base, 'sticky'),
      expect.stringContaining('another user'),
    ]);
  });

  it.runIf(isRoot)('is refused when it, or one above, belongs to another user', () => {
    const path = nest('a', 'b');
    for (const foreign of ['a/b', 'a']) {
      chownSync(join(base, foreign), STRANGER, STRANGER);
      expect(refusal(() => trustedDirectory(path))).toEqual([
        join(base, foreign),
        `it belongs to another user (uid ${STRANGER})`,
      ]);
      chownSync(join(base, foreign), 0, 0);
    }
  });

  it.runIf(isRoot)('makes nothing below a directory of another user', () => {
    const home = nest('home');
    chownSync(home, STRANGER, STRANGER);
    expect(refusal(() => trustedDirectory(join(home, '.cache', 'x'), { make: true }))?.[0]).toBe(home);
    expect(readdirSync(home)).toEqual([]);
  });

  it('follows a link only if no other user can change it or its path', () => {
    const open = nest('open');
    const path = nest('safe', 'd');
    symlinkSync('../safe/d', join(base, 'open', 'link'));
    symlinkSync('open/link', join(base, 'way'));
    expect(trustedDirectory(join(base, 'way'))).toBe(path);
    chmodSync(open, 0o777);
    // The last directory is fine, but a link on the way to it is not.
    expect(refusal(() => trustedDirectory(join(base, 'way')))).toEqual([open, 'everybody can write to it']);
    expect(trustedDirectory(path)).toBe(path);
  });

  it.runIf(isRoot)('does not follow a link of another user out of a sticky directory', () => {
    const path = nest('safe');
    const sticky = nest('sticky');
    chmodSync(sticky, 0o1777);
    symlinkSync(path, join(sticky, 'link'));
    expect(trustedDirectory(join(sticky, 'link'))).toBe(path);
    lchownSync(join(sticky, 'link'), STRANGER, STRANGER);
    expect(refusal(() => trustedDirectory(join(sticky, 'link')))).toEqual([
      join(sticky, 'link'),
      expect.stringContaining('symbolic link'),
    ]);
  });

  it('gives up on links without end', () => {
    symlinkSync('b', join(base, 'a'));
    symlinkSync('a', join(base, 'b'));
    expect(refusal(() => trustedDirectory(join(base, 'a')))?.[1]).toContain('too many symbolic links');
  });

  it('is not a file, nor below one', () => {
    writeFileSync(join(base, 'file'), '');
    for (const path of [join(base, 'file'), join(base, 'file', 'below')])
      expect(() => trustedDirectory(path, { make: true })).toThrow('ENOTDIR');
  });
});

describe.runIf(process.geteuid !== undefined)('a trusted file', () => {
  const write = (mode = 0o600) => {
    const path = join(base, 'file');
    writeFileSync(path, 'content');
    chmodSync(path, mode);
    return path;
  };

  it('is read from the descriptor that was judged', () => {
    expect(readTrusted(write())?.toString()).toBe('content');
    expect(readTrusted(join(base, 'none'))).toBeUndefined();
    expect(readTrusted(write(0o644))?.toString()).toBe('content');
  });

  it('is refused when others can write to it, own it, or reach another one through it', () => {
    for (const mode of [0o622, 0o602, 0o620, 0o666])
      expect(refusal(() => readTrusted(write(mode)))?.[0]).toBe(join(base, 'file'));
    if (isRoot) {
      chownSync(write(), STRANGER, STRANGER);
      expect(refusal(() => readTrusted(join(base, 'file')))?.[1]).toContain('another user');
      chownSync(join(base, 'file'), 0, 0);
    }
    symlinkSync(write(), join(base, 'link'));
    expect(refusal(() => readTrusted(join(base, 'link')))?.[1]).toBe('it is a symbolic link');
    expect(refusal(() => readTrusted(base))?.[1]).toBe('it is not a regular file');
    spawnSync('mkfifo', ['-m', '600', join(base, 'pipe')]);
    expect(refusal(() => readTrusted(join(base, 'pipe')))?.[1]).toBe('it is not a regular file');
    chmodSync(base, 0o777);
    expect(refusal(() => readTrusted(write()))?.[0]).toBe(base);
  });

  it('is made for its owner alone', () => {
    closeSync(openTrusted(join(base, 'new'), constants.O_WRONLY | constants.O_CREAT));
    expect(statSync(join(base, 'new')).mode & 0o777).toBe(0o600);
  });

  it('may be reached through links of the caller where it is only named', () => {
    symlinkSync(write(0o755), join(base, 'link'));
    expect(trustedFile(join(base, 'link'))).toBe(join(base, 'file'));
    chmodSync(join(base, 'file'), 0o775);
    expect(refusal(() => trustedFile(join(base, 'link')))?.[0]).toBe(join(base, 'file'));
    expect(refusal(() => trustedFile(base))?.[1]).toBe('it is not a regular file');
  });
});

describe('a private group', () => {
  const passwd = [
    ['root', 'x', '0', '0', '', '/root', '/bin/sh'],
    ['ann', 'x', '1000', '1000', '', '/home/ann', '/bin/sh'],
    ['bob', 'x', '1001', '1001', '', '/home/bob', '/bin/sh'],
    ['cat', 'x', '1002', '100', '', '/home/cat', '/bin/sh'],
  ];
  const groups = [
    ['ann', 'x', '1000', ''],
    ['bob', 'x', '1001', 'ann'],
    ['users', 'x', '100', ''],
    ['staff', 'x', '50', 'ann'],
  ];

  it('is the primary group of the caller and of no other user', () => {
    expect(isPrivateGroup(1000, passwd, groups, 1000)).toBe(true);
    expect(isPrivateGroup(1000, passwd, groups, 1001)).toBe(false);
  });

  it('has no other member', () => {
    expect(isPrivateGroup(1001, passwd, groups, 1001)).toBe(false);
    expect(isPrivateGroup(1000, passwd, [['ann', 'x', '1000', 'ann']], 1000)).toBe(true);
    expect(isPrivateGroup(1000, passwd, [...groups, ['again', 'x', '1000', 'bob']], 1000)).toBe(false);
  });

  it('is the primary one of no other user', () => {
    const more = [...passwd, ['dan', 'x', '1003', '1000', '', '', '']];
    expect(isPrivateGroup(1000, more, groups, 1000)).toBe(false);
    // Another name of the same user is the same user.
    expect(isPrivateGroup(1000, [...passwd, ['ann2', 'x', '1000', '1000', '', '', '']], groups, 1000)).toBe(
      true,
    );
  });

  it('is known to both files, and not a group that the user only is a member of', () => {
    expect(isPrivateGroup(50, passwd, groups, 1000)).toBe(false);
    expect(isPrivateGroup(1000, passwd, [], 1000)).toBe(false);
    expect(isPrivateGroup(1000, [], groups, 1000)).toBe(false);
    expect(isPrivateGroup(2000, passwd, [['x', 'x', '2000', '']], 1000)).toBe(false);
  });
});
