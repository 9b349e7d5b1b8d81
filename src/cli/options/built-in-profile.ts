import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { fail } from '../../errors.ts';
import { builtFile } from '../../fs/built-file.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { isBuiltIn } from '../../options/built-in.ts';
import type { BuiltInName } from '../../options/built-in.ts';

/**
 * The path of the profile that a word stands for: a built-in name or, for any other word, the word
 * itself. A name never means a file of the current folder: `./container-default` does.
 * @param root where the host's files are
 * @throws SeccompcError PROFILE_NOT_ON_HOST
 */
export function profilePath(word: string, root = '/'): string {
  return isBuiltIn(word) ? PATHS[word](root) : word;
}

const PATHS: Record<BuiltInName, (root: string) => string> = {
  'container-default': () => builtFile('profiles/container-default.json'),
  'docker-default': (root) => {
    const name = 'docker-default';
    const file = join(root, 'etc/docker/daemon.json');
    const value = settingIn(name, file, dockerSetting);
    if (value !== undefined && value !== '' && value !== 'builtin') return absolute(name, file, value);
    return missing(name, `it is compiled into dockerd, and ${file} sets no "seccomp-profile"`);
  },
  'podman-default': (root) => {
    const name = 'podman-default';
    for (const file of podmanSettings(root)) {
      const value = settingIn(name, file, podmanSetting);
      if (value !== undefined && value !== '') return absolute(name, file, value);
    }
    const files = ['etc/containers', 'usr/share/containers'].map((path) => join(root, path, 'seccomp.json'));
    const found = files.find((path) => existsSync(path));
    return found ?? missing(name, `it is compiled into podman: there is no ${files.join(' and no ')}`);
  },
};

/** The files that podman reads for every user, the one that wins first. */
function podmanSettings(root: string): string[] {
  const folder = join(root, 'etc/containers/containers.conf.d');
  const parts = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.conf')) : [];
  return [
    ...parts
      .toSorted()
      .toReversed()
      .map((name) => join(folder, name)),
    join(root, 'etc/containers/containers.conf'),
    join(root, 'usr/share/containers/containers.conf'),
  ];
}

/** @param read gives the setting in a text, and null if it cannot tell */
function settingIn(
  name: BuiltInName,
  file: string,
  read: (text: string) => string | null | undefined,
): string | undefined {
  if (!existsSync(file)) return undefined;
  let value;
  try {
    value = read(readFileSync(file, 'utf8'));
  } catch (cause) {
    return missing(name, `cannot read ${file}: ${systemReason(cause)}`);
  }
  return value === null ? missing(name, `cannot tell which profile ${file} names`) : value;
}

function dockerSetting(text: string): string | null | undefined {
  const { 'seccomp-profile': value } = JSON.parse(text) as Record<string, unknown>;
  return value === undefined || typeof value === 'string' ? value : null;
}

function podmanSetting(text: string): string | null | undefined {
  const line = text.split('\n').findLast((each) => /^\s*["']?seccomp_profile\b/.test(each));
  if (line === undefined) return undefined;
  return /^\s*seccomp_profile\s*=\s*(["'])([^"'\\]*)\1\s*(?:#.*)?$/.exec(line)?.[2] ?? null;
}

/** Also refuses "unconfined", which is no profile. */
function absolute(name: BuiltInName, file: string, value: string): string {
  return isAbsolute(value) ? value : missing(name, `${file} sets ${JSON.stringify(value)}`);
}

function missing(name: BuiltInName, reason: string): never {
  return fail('PROFILE_NOT_ON_HOST', { name, reason });
}
