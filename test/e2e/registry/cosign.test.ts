/** oras and cosign, from a newer Debian: filters and signatures that they put beside a profile. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { codesOf, documentOf, runIn, scratch } from '../../cli/run.ts';
import { PLAIN } from '../../cli/profiles.ts';
import { available, skipWithout } from '../../oracle/compare.ts';
import type { Server } from '../../stores/servers.ts';
import { needs as treeNeeds } from '../oci/debian.ts';
import type { DebianTree } from '../oci/debian.ts';
import { sharedTree } from '../oci/shared-tree.ts';
import { findRegistry, startRegistry } from './start.ts';

const registry = findRegistry();
const needs = 'missing' in registry ? registry : treeNeeds;
const PROFILE_TYPE = 'application/vnd.cncf.seccomp-profile.config.v1+json';
const FILTER_TYPE = 'application/vnd.seccompc.filter.v1';

describe.skipIf(skipWithout(needs))('of other clients', () => {
  const folder = scratch();
  let made: Awaited<ReturnType<typeof sharedTree>>;
  let tree: Omit<DebianTree, 'remove'>;
  let server: Server;
  let host = '';
  /** A folder of ours in the tree. */
  const there = '/srv/registry';
  const at = (name: string) => join(tree.path, there, name);
  beforeAll(async () => {
    made = await sharedTree();
    if ('missing' in made) return;
    tree = made;
    mkdirSync(at(''), { recursive: true });
    server = await startRegistry(available(registry).program);
    host = `127.0.0.1:${server.port}`;
    writeFileSync(join(folder, 'web.json'), PLAIN);
  });
  // Not in beforeAll: a fault there counts as tests that were skipped.
  beforeEach(({ skip }) => skip(skipWithout(made)));
  afterAll(async () => {
    await server?.remove();
    if (tree !== undefined) rmSync(at(''), { recursive: true, force: true });
  });

  /** Standard output of a command in the tree. */
  function inTree(...words: string[]): string {
    const script = `cd ${there}; export HOME=${there} COSIGN_PASSWORD=; exec "$@"`;
    const [program = '', ...enter] = tree.enter;
    const child = spawnSync(program, [...enter, 'sh', '-ec', script, 'sh', ...words], { encoding: 'utf8' });
    if (child.status !== 0) throw new Error(`${words.join(' ')}: ${child.stderr}`);
    return child.stdout;
  }
  const seccompc = (...words: string[]) => runIn(folder, words);
  const oras = (task: string[], ...words: string[]) => inTree('oras', ...task, '--plain-http', ...words);
  const read = (name: string) => readFileSync(join(folder, name));
  const push = async (name: string, ...words: string[]) => {
    const result = await seccompc(
      'push',
      'web.json',
      `oci://${host}/${name}:v1`,
      '--plain-http',
      '--json',
      ...words,
    );
    const { profiles } = documentOf(result) as {
      profiles: { digest: string; filters: { digest: string }[] }[];
    };
    return profiles[0]!;
  };
  const pull = (name: string, ...words: string[]) =>
    seccompc(
      'pull',
      `oci://${host}/${name}:v1`,
      '--plain-http',
      '--json',
      '-o',
      'out.json',
      '--filter',
      'out.bpf',
      '--arch',
      'x86_64',
      ...words,
    );

  it('oras attaches a filter that we take if it is the profile’s', async () => {
    writeFileSync(at('theirs.json'), PLAIN);
    oras(['push'], '--artifact-type', PROFILE_TYPE, `${host}/theirs:v1`, 'theirs.json:application/json');
    expect(codesOf(await pull('theirs'))).toEqual(['REGISTRY_NO_FILTER']);
    const other = PLAIN.replace('"write"', '"write", "ptrace"');
    writeFileSync(join(folder, 'other.json'), other);
    const attach = async (profile: string) => {
      const { stdout } = await seccompc(
        'compile',
        profile,
        '--arch',
        'x86_64',
        '--format',
        'raw',
        '--no-cache',
        '-q',
      );
      writeFileSync(at('filter.bpf'), stdout);
      const note = ['--annotation', 'vnd.seccompc.arch=x86_64', '--artifact-type', FILTER_TYPE];
      oras(['attach'], ...note, `${host}/theirs:v1`, 'filter.bpf:application/octet-stream');
      return stdout;
    };
    await attach('other.json');
    expect(codesOf(await pull('theirs'))).toEqual(['REGISTRY_NO_FILTER']);
    const right = await attach('web.json');
    expect(documentOf(await pull('theirs'))).toMatchObject({ filter: { trust: 'proved' } });
    expect(read('out.json').toString()).toBe(PLAIN);
    expect(read('out.bpf').equals(right)).toBe(true);
  });

  it('cosign signs a profile and its filter, and we believe its key', async () => {
    for (const name of ['cosign', 'stranger']) {
      inTree('cosign', 'generate-key-pair', '--output-key-prefix', name);
      writeFileSync(join(folder, `${name}.pub`), readFileSync(at(`${name}.pub`)));
    }
    // Without servers of Sigstore.
    const alone = ['-y', '--use-signing-config=false', '--tlog-upload=false', '--allow-http-registry'];
    const sign = (digest: string) =>
      inTree('cosign', 'sign', ...alone, '--key', 'cosign.key', `${host}/team/signed@${digest}`);
    const { digest, filters } = await push('team/signed', '--arch', 'x86_64');
    const trusting = (name: string) => pull('team/signed', '--trust', `${name}.pub`);
    expect(codesOf(await trusting('cosign'))).toEqual(['REGISTRY_UNSIGNED']);
    sign(digest);
    expect(documentOf(await trusting('cosign'))).toMatchObject({ filter: { trust: 'proved' } });
    expect(codesOf(await trusting('stranger'))).toEqual(['REGISTRY_UNSIGNED']);
    sign(filters[0]!.digest);
    expect(documentOf(await trusting('cosign'))).toMatchObject({ filter: { trust: 'signed' } });
  });
});
