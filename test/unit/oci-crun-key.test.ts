import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/oci/config.ts';
import { crunCacheKey } from '../../src/oci/crun/crun-key.ts';

/** Names that real cruns gave their files, for known profiles and a known uname(2). */
const text = readFileSync(new URL('../fixtures/crun-cache-keys.json', import.meta.url), 'utf8');

interface Vectors {
  uname: { release: string; version: string; machine: string };
  vectors: { crun: string; libseccomp: string; profile: string; failUnknownSyscall: boolean; key: string }[];
}
const { uname, vectors }: Vectors = JSON.parse(text);

/** A profile of the file as it is written there: its 64-bit numbers do not survive JSON.parse. */
function profile(name: string) {
  const begin = text.indexOf('{', text.indexOf(`"${name}": `));
  let end = begin;
  for (let depth = 0; end === begin || depth > 0; end++) depth += { '{': 1, '}': -1 }[text[end]!] ?? 0;
  const config = readConfig(Buffer.from(`{"linux":{"seccomp":${text.slice(begin, end)}}}`), 'c');
  return config.seccomp!;
}

describe('the name of a file in the cache of crun', () => {
  it.each(vectors)('is that of crun $crun for $profile, $failUnknownSyscall', (vector) => {
    const [major, minor, micro] = vector.libseccomp.split('.').map(Number);
    const build = { version: vector.crun, libseccomp: [major!, minor!, micro!] as const };
    expect(crunCacheKey(profile(vector.profile), build, uname, vector.failUnknownSyscall)).toBe(vector.key);
  });

  it('was compared with two releases, 64-bit numbers included', () => {
    expect(vectors).toHaveLength(30);
    expect(new Set(vectors.map(({ crun }) => crun)).size).toBe(2);
    expect(text).toContain('18446744073709551615');
  });
});
