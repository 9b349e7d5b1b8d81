import { readFileSync } from 'node:fs';
import { join } from 'node:path';
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

  it('cuts architectures for a runtime, says what that does, and lets nothing more through', async () => {
    const made = await resolve(DOCKER, '--for', 'runc', '--architectures', 'native', '-o', 'native.json');
    expect(made.code).toBe(0);
    expect(made.stderr).toMatch(/every call of X86, X32 now ends its thread.*\[ARCHITECTURES_CUT\]/);
    expect((await resolve(DOCKER, '--for', 'runc')).stderr).not.toContain('ARCHITECTURES_CUT');
    const document: unknown = JSON.parse(readFileSync(join(folder, 'native.json'), 'utf8'));
    expect(document).toMatchObject({ architectures: ['SCMP_ARCH_X86_64'] });
    const diff = (relation: string) =>
      runIn(folder, ['diff', '-', 'native.json', '--arch', 'x86_64', relation], { input: DOCKER });
    expect((await diff('--tightens')).code).toBe(0);
    expect((await diff('--loosens')).stdout.toString()).toMatch(/^total of calls: .* on X86, .* on X32$/m);
  });

  const withFlag = `{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_LOG"],"syscalls":[]}`;
  const waiting = withFlag.replace('FLAG_LOG', 'FLAG_WAIT_KILLABLE_RECV');
  const entry = (args: string) =>
    `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["dup3"],"action":"SCMP_ACT_ERRNO","args":[${args}]}]}`;
  const condition = (index: number, value: number) =>
    `{"index":${index},"value":${value},"op":"SCMP_CMP_EQ"}`;
  it.each([
    ['runc', withFlag, 'FLAG_NEEDS_RELEASE'],
    ['runc@1.1.15', withFlag, 'FLAG_NEEDS_RELEASE'],
    ['runc@1.3', withFlag, undefined],
    ['runc@1.3', waiting, 'FLAG_NEEDS_RELEASE'],
    ['youki', withFlag, undefined],
    ['youki', waiting, 'YOUKI_REFUSES'],
    ['youki', entry(`${condition(0, 1)},${condition(1, 2)}`), 'YOUKI_REFUSES'],
    // Alternatives for all runtimes.
    ['youki', entry(`${condition(0, 1)},${condition(0, 2)}`), undefined],
    ['youki', entry(condition(0, 1)), undefined],
    ['youki', PLAIN.replace('SCMP_ARCH_X86_64', 'SCMP_ARCH_LOONGARCH64'), 'YOUKI_REFUSES'],
    ['runc', PLAIN.replace('SCMP_ARCH_X86_64', 'SCMP_ARCH_PARISC64'), 'UNKNOWN_ARCHITECTURE'],
    ['crun', entry(`${condition(0, 1)},${condition(1, 2)}`), undefined],
  ])('--for %s judges %s', async (runtime, profile, code) => {
    const result = await resolve(profile, '--for', runtime);
    expect(result.code).toBe(code === undefined ? 0 : 65);
    if (code === undefined) expect(result.stdout).not.toHaveLength(0);
    else expect([result.stdout.length, result.stderr]).toEqual([0, expect.stringContaining(`[${code}]`)]);
  });

  it('refuses an unknown runtime, and two readings at once', async () => {
    for (const words of [['runc@0.9'], ['kata'], ['runc', '--semantics', 'runc']])
      expect((await resolve(PLAIN, '--for', ...words)).code).toBe(64);
  });

  it('prints nothing that would run without a filter', async () => {
    const bare = '{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}';
    const refused = await resolve(bare);
    expect(refused.code).toBe(65);
    expect(refused.stdout).toHaveLength(0);
    expect(refused.stderr).toContain('[MISSING_DEFAULT_ACTION]');
  });
});
