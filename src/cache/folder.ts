import { closeSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { diagnostic } from '../errors.ts';
import { errorCode } from '../fs/system-reason.ts';
import { openTrusted, trustedDirectory, UntrustedPath } from '../fs/trust.ts';
import { userCacheFolder } from './location.ts';
import { CacheFault } from './stores/store.ts';

/** Where this user's caches belong. */
export function defaultCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  return userCacheFolder(environment, platform, homedir);
}

/** What SQLite keeps beside a database and believes when it opens it (sqlite.org/tempfiles.html). */
const COMPANIONS = ['-wal', '-shm', '-journal'];

/**
 * Makes a database file and its directory if they are missing, for the caller alone, and gives its path without symbolic
 * links.
 *
 * @throws CacheFault where somebody else could have written the file or can put another one in its place; the system's error
 */
export function privateDatabaseFile(file: string): string {
  try {
    const directory = trustedDirectory(dirname(file), { make: true });
    const path = join(directory, basename(file));
    // SQLite would make it with the umask's mode; its companions take over the mode that it finds.
    closeSync(openTrusted(path, constants.O_RDWR | constants.O_CREAT));
    for (const suffix of COMPANIONS) judgeCompanion(path + suffix);
    return path;
  } catch (error) {
    if (!(error instanceof UntrustedPath)) throw error;
    const { path: location, reason } = error;
    throw new CacheFault(diagnostic('CACHE_FOLDER_UNSAFE', { location, reason }), error);
  }
}

/** One of them can be missing, or be removed at any time by a process that has finished with it. */
function judgeCompanion(path: string): void {
  try {
    closeSync(openTrusted(path, constants.O_RDWR));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
