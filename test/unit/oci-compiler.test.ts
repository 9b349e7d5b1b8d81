import { describe, expect, it } from 'vitest';
import { makeConfigCompiler } from '../../src/oci/compiler.ts';
import { readConfig } from '../../src/oci/config.ts';
import { makeTarget } from '../../src/target.ts';

const target = makeTarget({ arch: 'x86_64' });

/** A configuration whose profile has one warning. */
function configOf(unknown: string) {
  const seccomp = `{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["${unknown}"],"action":"SCMP_ACT_ALLOW"}]}`;
  return readConfig(Buffer.from(`{"ociVersion":"1.0.2","linux":{"seccomp":${seccomp}}}`), 'config.json');
}

/** The number of warnings about each configuration; 0 if its profile was remembered. */
async function warnings(names: readonly string[], limit?: number): Promise<number[]> {
  const compiler = makeConfigCompiler({ target }, async () => undefined, limit);
  const counts: number[] = [];
  for (const config of names.map(configOf)) {
    const compiled = await compiler.compile(config);
    expect(compiled.confined && compiled.filter.proved).toBe(true);
    counts.push(compiled.diagnostics.length);
  }
  return counts;
}

describe('a compiler of configurations', () => {
  it('compiles equal profiles once', async () => {
    expect(await warnings(['one', 'two', 'one', 'two'])).toEqual([1, 1, 0, 0]);
  });

  it('forgets the profiles that were not used for longest beyond its limit', async () => {
    expect(await warnings(['one', 'two', 'one', 'one'], 100_000)).toEqual([1, 1, 1, 0]);
    expect(await warnings(['one', 'one'], 0)).toEqual([1, 1]);
  });
});
