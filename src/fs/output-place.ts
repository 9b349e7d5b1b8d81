/**
 * Where the name of an output leads. Otherwise a user who can write to a directory on the way could
 * decide which of our files is replaced.
 */
import { closeSync, constants, existsSync, lstatSync, openSync, readlinkSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { isOwn, MOST_LINKS, namesIn, STICKY, WRITABLE_BY_OTHERS } from './trust.ts';

export interface OutputPlace {
  /** On Linux it begins at an open descriptor, so that no directory above can be exchanged. */
  path: string;
  /** What is there; undefined for nothing. Never a link that leads to a file. */
  found: Stats | undefined;
  close: () => void;
}

/** asm-generic/fcntl.h: a descriptor that only names a directory, which need not be readable. */
const O_PATH = 0o10000000;

/**
 * Follows a name through links of the caller and root only. In a sticky directory that others can
 * write to, such as /tmp, it refuses files of other users, as fs.protected_symlinks,
 * protected_regular and protected_fifos do.
 * @throws Error; the system's error if a directory is missing
 */
export function outputPlace(file: string): OutputPlace {
  const pending = namesIn(file);
  let directory = hold(file.startsWith('/') ? '/' : '.');
  let links = 0;
  try {
    for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
      const path = `${directory.path}/${name}`;
      const found = name === '..' ? undefined : lstatSync(path, { throwIfNoEntry: false });
      if (found?.isSymbolicLink() && !isMagic(path)) {
        if (!isOwn(found))
          throw new Error(`it leads through "${name}", a symbolic link of user ${found.uid}`);
        if (++links > MOST_LINKS) throw new Error('it leads through too many symbolic links');
        const target = readlinkSync(path);
        if (target.startsWith('/')) directory = moved(directory, '/');
        pending.unshift(...namesIn(target));
      } else if (name === '..' || pending.length > 0 || file.endsWith('/'))
        directory = moved(directory, path);
      else {
        refuseForeign(found, statSync(directory.path));
        return { path, found, close: directory.close };
      }
    }
    throw new Error('it is a directory');
  } catch (error) {
    directory.close();
    throw error;
  }
}

interface Held {
  path: string;
  close: () => void;
}

function hold(path: string): Held {
  if (!existsSync('/proc/self/fd')) return { path, close: () => {} };
  const fd = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return { path: `/proc/self/fd/${fd}`, close: () => closeSync(fd) };
}

function moved(from: Held, path: string): Held {
  const to = hold(path);
  from.close();
  return to;
}

/** proc_pid_fd(5): `pipe:[1]` is not a path, but opening the link opens the pipe. */
function isMagic(path: string): boolean {
  return /^[a-z_]+:\[?\w+\]?$/.test(readlinkSync(path));
}

function refuseForeign(found: Stats | undefined, directory: Stats): void {
  const isShared = (directory.mode & STICKY) !== 0 && (directory.mode & WRITABLE_BY_OTHERS) !== 0;
  if (found !== undefined && isShared && !isOwn(found) && found.uid !== directory.uid)
    throw new Error(`it belongs to user ${found.uid}, in a directory where others can put files`);
}
