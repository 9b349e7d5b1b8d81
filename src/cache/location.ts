import { isAbsolute, join, resolve } from 'node:path';

/**
 * Where the user's caches belong: XDG base directory specification on Linux, the systems' own customs on macOS
 * and Windows. An environment variable that is not an absolute path is ignored, as XDG asks.
 *
 * @throws whatever `home` throws, where the place depends on it
 */
export function userCacheFolder(
  environment: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
  home: () => string,
): string {
  const absolute = (name: string) => {
    const value = environment[name];
    return value !== undefined && isAbsolute(value) ? value : undefined;
  };
  const xdg = absolute('XDG_CACHE_HOME');
  if (xdg !== undefined) return join(xdg, 'seccompc');
  if (platform === 'darwin') return join(home(), 'Library', 'Caches', 'seccompc');
  if (platform === 'win32')
    return join(absolute('LOCALAPPDATA') ?? join(home(), 'AppData', 'Local'), 'seccompc', 'Cache');
  return join(home(), '.cache', 'seccompc');
}

/** `sqlite` of `sqlite:FILE`; undefined for a path. Two letters at least, so that a Windows drive is no scheme. */
export function schemeOf(location: string): string | undefined {
  // The first use of a regular expression takes longer than many an answer has.
  if (!location.includes(':')) return undefined;
  return /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(location)?.[1]?.toLowerCase();
}

/** The folder that `--cache LOCATION` names; undefined where it names no folder. */
export function folderAt(location: string): string | undefined {
  return location === '' || schemeOf(location) !== undefined ? undefined : resolve(location);
}

/** Whether a location is a server, which has the user's own cache before it. */
export function isServer(location: string): boolean {
  const scheme = schemeOf(location);
  return scheme !== undefined && scheme !== 'sqlite';
}
