import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * Where this user's caches belong: the XDG base directory specification on Linux, the conventions
 * of macOS and Windows. An environment variable that is not an absolute path is ignored, as XDG
 * asks.
 *
 * @throws the system's error for a user without a home, if the directory depends on it
 */
export function userCacheFolder(
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

/** `sqlite` of `sqlite:FILE`; undefined for a path. One letter is a drive of Windows. */
export function schemeOf(location: string): string | undefined {
  // The first use of a regular expression takes longer than many an answer has.
  if (!location.includes(':')) return undefined;
  return /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(location)?.[1]?.toLowerCase();
}
