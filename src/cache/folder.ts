import { constants } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { diagnostic } from '../errors.ts';
import { CacheFault } from './store.ts';

/**
 * Where the user's caches belong: XDG base directory specification on Linux, the systems' own customs on macOS
 * and Windows. An environment variable that is not an absolute path is ignored, as XDG asks.
 */
export function defaultCacheFolder(
  environment: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const absolute = (name: string) => {
    const value = environment[name];
    return value !== undefined && isAbsolute(value) ? value : undefined;
  };
  const xdg = absolute('XDG_CACHE_HOME');
  if (xdg !== undefined) return join(xdg, 'seccompc');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'seccompc');
  if (platform === 'win32')
    return join(absolute('LOCALAPPDATA') ?? join(homedir(), 'AppData', 'Local'), 'seccompc', 'Cache');
  return join(homedir(), '.cache', 'seccompc');
}

const WRITABLE_BY_GROUP_OR_WORLD = 0o022;
const WRITABLE_BY_WORLD = 0o002;
const STICKY = 0o1000;

/**
 * Makes the folder if it is missing (0700) and refuses one that others could have put something into: a folder
 * or file of another owner, or writable by group or world, or below a folder in which anybody can replace it.
 * @throws CacheFault
 */
export async function secureFile(file: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseForeign(folder, 'folder');
  for (let above = dirname(resolve(folder)); ; above = dirname(above)) {
    const { mode } = await lstat(above);
    if (ownersAreKnown() && (mode & WRITABLE_BY_WORLD) !== 0 && (mode & STICKY) === 0)
      throw unsafe(above, 'everybody can write to it');
    if (above === dirname(above)) break;
  }
  // SQLite would make it with the umask's mode; its journal files take over the mode that it finds.
  const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
  await (await open(file, flags, 0o600)).close();
  await refuseForeign(file, 'file');
}

async function refuseForeign(path: string, kind: 'folder' | 'file'): Promise<void> {
  const found = await lstat(path);
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
