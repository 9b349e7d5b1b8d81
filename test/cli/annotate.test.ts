import { describe, expect, it } from 'vitest';
import { FAULTY, PLAIN, UNCONFINED_CONFIG } from './profiles.ts';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const annotate = (input: string, ...args: string[]) =>
  runIn(folder, ['annotate', '-', '--arch', 'x86_64', '--no-cache', ...args], { input });

async function base64(profile: string): Promise<string> {
  const args = ['compile', '-', '--arch', 'x86_64', '--no-cache', '--format', 'base64', '-q'];
  return (await runIn(folder, args, { input: profile })).stdout.toString().trim();
}

describe('annotate', () => {
  it('prints one word that no shell changes', async () => {
    const { code, stdout, stderr } = await annotate(PLAIN);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.toString()).toBe(`--annotation=run.oci.seccomp_bpf_data=${await base64(PLAIN)}\n`);
    expect(stdout.toString()).toMatch(/^[-A-Za-z0-9_.+/=]+\n$/);
  });

  it.each([
    ['docker', '--runtime=crun'],
    ['ctr', '--runc-binary=crun'],
  ])('tells users of %s how to have crun started', async (client, argument) => {
    const { code, stdout, stderr } = await annotate(PLAIN, '--for', client);
    expect(code).toBe(0);
    expect(stdout.toString()).toContain(await base64(PLAIN));
    expect(stderr).toContain(argument);
    expect((await annotate(PLAIN, '--for', client, '-q')).stderr).toBe('');
  });

  it('warns of what an annotation cannot carry', async () => {
    const flags = PLAIN.replace('{', '{"flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/x",');
    const { code, stderr } = await annotate(flags);
    expect(code).toBe(0);
    expect(stderr).toMatch(/not the flags and listenerPath of the profile.*NOT_IN_ANNOTATION/);
    const result = await annotate(flags, '--json');
    expect(documentOf(result)).toMatchObject({ for: 'podman', proved: true });
    expect(codesOf(result)).toEqual(['NOT_IN_ANNOTATION']);
  });

  it('prints nothing for a faulty profile, and none for no filter', async () => {
    for (const input of [FAULTY, UNCONFINED_CONFIG])
      expect(await annotate(input)).toMatchObject({ code: 65, stdout: Buffer.alloc(0) });
  });
});
