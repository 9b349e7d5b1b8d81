import { closeSync, constants, lstatSync, openSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { diagnostic } from '../errors.ts';
import { userCacheFolder } from './location.ts';
import { makeFolder } from './make-folder.ts';
import { CacheFault } from './store.ts';

/** Where this user's caches belong. */
export function defaultCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  return userCacheFolder(environment, platform, () => process.getBuiltinModule('node:os').homedir());
}

const WRITABLE_BY_GROUP_OR_WORLD = 0o022;
const WRITABLE_BY_WORLD = 0o002;
const STICKY = 0o1000;

/**
 * Makes the folder if it is missing (0700) and refuses one that others could have put something into: a folder
 * or file of another owner, or writable by group or world, or below a folder in which anybody can replace it.
 * @throws CacheFault
 */
export function secureFile(file: string): void {
  const folder = dirname(file);
  makeFolder(folder);
  refuseForeign(folder, 'folder');
  // A link above is fine, wherever it leads, as long as nobody else could turn it.
  for (const path of new Set([resolve(folder), realpathSync(folder)])) refuseReplaceable(path);
  // SQLite would make it with the umask's mode; its journal files take over the mode that it finds.
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  closeSync(openSync(file, flags, 0o600));
  refuseForeign(file, 'file');
}

function refuseReplaceable(folder: string): void {
  if (!ownersAreKnown()) return;
  for (let above = dirname(folder); ; above = dirname(above)) {
    const found = lstatSync(above);
    const writable = (found.mode & WRITABLE_BY_WORLD) !== 0 && (found.mode & STICKY) === 0;
    if (writable && !found.isSymbolicLink()) throw unsafe(above, 'everybody can write to it');
    if (above === dirname(above)) return;
  }
}

function refuseForeign(path: string, kind: 'folder' | 'file'): void {
  const found = lstatSync(path);
  if (kind === 'folder' ? !found.isDirectory() : !found.isFile())
    throw unsafe(path, `it is no plain ${kind}`);
  if (!ownersAreKnown()) return;
  if (found.uid !== process.geteuid?.()) throw unsafe(path, 'it belongs to another user');
  if ((found.mode & WRITABLE_BY_GROUP_OR_WORLD) !== 0) throw unsafe(path, 'others can write to it');
}

/** Windows has neither owners nor modes that Node could tell. */
function ownersAreKnown(): boolean {
  return process.geteuid !== undefined;
}

function unsafe(location: string, reason: string): CacheFault {
  return new CacheFault(diagnostic('CACHE_FOLDER_UNSAFE', { location, reason }));
}
