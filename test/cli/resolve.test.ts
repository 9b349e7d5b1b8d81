import { describe, expect, it } from 'vitest';
import { DOCKER, PLAIN } from './profiles.ts';
import { documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const resolve = (profile: string, ...args: string[]) =>
  runIn(folder, ['resolve', '-', '--arch', 'x86_64', ...args], { input: profile });

describe('resolve', () => {
  it('prints what a dialect becomes for its target', async () => {
    const here = documentOf(await resolve(DOCKER));
    expect(here['architectures']).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
    const there = documentOf(await resolve(DOCKER, '--arch', 'arm64'));
    expect(there['architectures']).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
    expect(here).not.toHaveProperty('archMap');
  });

  it('gives a plain profile back as it was, and to itself the same again', async () => {
    const once = await resolve(PLAIN);
    expect(once.code).toBe(0);
    expect(documentOf(once)).toEqual(JSON.parse(PLAIN));
    expect((await resolve(once.stdout.toString())).stdout).toEqual(once.stdout);
  });

  it('prints nothing that would run without a filter', async () => {
    const bare = '{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}';
    const refused = await resolve(bare);
    expect(refused.code).toBe(65);
    expect(refused.stdout).toHaveLength(0);
    expect(refused.stderr).toContain('[MISSING_DEFAULT_ACTION]');
  });
});
