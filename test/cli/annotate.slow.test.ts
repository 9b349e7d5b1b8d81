import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DOCKER, FAULTY, PLAIN, UNCONFINED_CONFIG } from './profiles.ts';
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
    expect(code).toBe(0);
    expect(stderr).toMatch(/^seccompc: note: .*\[ONLY_CRUN_READS\]\n {4}[^\n]+\n$/);
    expect(stdout.toString()).toBe(`--annotation=run.oci.seccomp_bpf_data=${await base64(PLAIN)}\n`);
    expect(stdout.toString()).toMatch(/^[-A-Za-z0-9_.+/=]+\n$/);
  });

  it.each([
    ['podman', '--security-opt seccomp=PROFILE'],
    ['docker', '--runtime=crun --security-opt seccomp=PROFILE'],
    ['ctr', '--runc-binary=crun --seccomp --seccomp-profile PROFILE'],
  ])('tells users of %s how to have crun started, and other runtimes confined', async (client, words) => {
    const { code, stdout, stderr } = await annotate(PLAIN, '--for', client);
    expect(code).toBe(0);
    expect(stdout.toString()).toContain(await base64(PLAIN));
    expect(stderr).toContain(` ${words}\n`);
    expect((await annotate(PLAIN, '--for', client, '-q')).stderr).toBe('');
    writeFileSync(join(folder, 'my profile.json'), PLAIN);
    const named = await runIn(folder, ['annotate', 'my profile.json', '--no-cache', '--for', client]);
    expect(named.stderr).toContain(` ${words.replace('PROFILE', "'my profile.json'")}\n`);
  });

  it.each(['podman', 'docker', 'ctr'])('shows both in the help, for %s', async (client) => {
    const { stdout } = await runIn(folder, ['annotate', '--help']);
    const examples = stdout
      .toString()
      .replaceAll(/ \\\n +/g, ' ')
      .split('\n')
      .filter((line) => line.includes(`${client} run`));
    expect(examples).toHaveLength(1);
    expect(examples[0]).toMatch(/\$\(seccompc annotate .*\) .*seccomp(?:=|-profile )\w+\.json /);
  });

  it('refuses a profile that the client would read otherwise, and starts nothing by it', async () => {
    const config = `{"ociVersion": "1.2.0", "linux": {"seccomp": ${PLAIN}}}`;
    const cases = [
      ['podman', config, 'a config.json'],
      ['docker', config, 'a config.json'],
      ['ctr', config, 'a config.json'],
      ['ctr', DOCKER, 'the Docker dialect'],
    ] as const;
    for (const [client, input, what] of cases) {
      const { code, stdout, stderr } = await annotate(input, '--for', client);
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: '' });
      expect(stderr).toContain(`${client} does not read ${what} as a profile`);
      expect(stderr).toContain('seccompc resolve');
    }
    for (const client of ['podman', 'docker'])
      expect(await annotate(DOCKER, '--for', client)).toMatchObject({ code: 0 });
  });

  it('warns of what an annotation cannot carry', async () => {
    const flags = PLAIN.replace('{', '{"flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/x",');
    const { code, stderr } = await annotate(flags);
    expect(code).toBe(0);
    expect(stderr).toMatch(/not the flags and listenerPath of the profile.*NOT_IN_ANNOTATION/);
    const result = await annotate(flags, '--json');
    expect(documentOf(result)).toMatchObject({ for: 'podman', proved: true });
    expect(codesOf(result)).toEqual(['NOT_IN_ANNOTATION', 'ONLY_CRUN_READS']);
  });

  it('prints nothing for a faulty profile, and none for no filter', async () => {
    for (const input of [FAULTY, UNCONFINED_CONFIG])
      expect(await annotate(input)).toMatchObject({ code: 65, stdout: Buffer.alloc(0) });
  });
});
