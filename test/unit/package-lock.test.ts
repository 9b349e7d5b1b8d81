import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Locked {
  version?: string;
  link?: boolean;
  resolved?: string;
  integrity?: string;
}

const { packages } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
) as {
  packages: Record<string, Locked>;
};
/** The packages that npm downloads: neither this one, nor one of its folders, nor a link to one. */
const downloaded = Object.entries(packages).filter(
  ([path, { link }]) => path.includes('node_modules/') && !link,
);

it('the lock file has the SHA-512 of every package that is downloaded, for whatever platform', () => {
  expect(downloaded.length).toBeGreaterThan(100);
  // Base64 of 64 bytes; several algorithms would be several words.
  const without = downloaded.filter(
    ([, { integrity = '' }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity),
  );
  expect(without.map(([path]) => path)).toEqual([]);
});

it('the lock file names no place to download from, so every registry will do', () => {
  expect(downloaded.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
  for (const { resolved } of Object.values(packages)) expect(resolved ?? '').not.toMatch(/:/);
});
