/** What oras, from a newer Debian, reads of ours in a registry, and what we read of its. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runIn } from '../../cli/run.ts';
import { available, skipWithout } from '../../oracle/compare.ts';
import type { Server } from '../../stores/servers.ts';
import { needs } from '../oci/debian.ts';
import { sharedTree } from '../oci/shared-tree.ts';
import { findRegistry, startRegistry } from './start.ts';

const found = { ...findRegistry(), ...needs };
const PROFILE_TYPE = 'application/vnd.cncf.seccomp-profile.config.v1+json';
const FILTER_TYPE = 'application/vnd.seccompc.filter.v1';
const PROFILE =
  '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}';

describe.skipIf(skipWithout(found))('oras', () => {
  let tree: Awaited<ReturnType<typeof sharedTree>>;
  let server: Server;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'seccompc-oras-'));
    writeFileSync(join(folder, 'web.json'), PROFILE);
    tree = await sharedTree();
    server = await startRegistry(available(found).program);
  });
  // Not in beforeAll: a fault there counts as tests that were skipped.
  beforeEach(({ skip }) => skip(skipWithout(tree)));
  afterAll(async () => {
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const oras = (command: string, ...words: string[]) =>
    execFileSync(join((tree as { path: string }).path, 'usr/bin/oras'), [command, '--plain-http', ...words], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  const at = (name: string) => `127.0.0.1:${server.port}/${name}`;
  const ok = async (...words: string[]) => {
    const result = await runIn(folder, [...words, '--plain-http']);
    expect(result).toMatchObject({ code: 0 });
    return result.stdout;
  };

  it('lists our filters beside what it has attached itself, and gets them as files', async () => {
    const push = (arch: string) => ok('push', 'web.json', `oci://${at('ours:v1')}`, '--arch', arch);
    await push('x86_64');
    writeFileSync(join(folder, 'note.txt'), 'a note');
    oras('attach', '--artifact-type', 'application/x-note', at('ours:v1'), 'note.txt');
    await push('x86_64,arm64');
    const listed = JSON.parse(oras('discover', '--format', 'json', at('ours:v1'))) as {
      referrers: { artifactType: string; digest: string; annotations: Record<string, string> }[];
    };
    expect(listed.referrers.map(({ artifactType }) => artifactType).toSorted()).toEqual(
      [FILTER_TYPE, FILTER_TYPE, 'application/x-note'].toSorted(),
    );
    const filter = listed.referrers.find(
      ({ annotations }) => annotations['vnd.seccompc.arch'] === 'aarch64',
    )!;
    oras('pull', at(`ours@${filter.digest}`));
    const fresh = await runIn(folder, ['compile', 'web.json', '--arch', 'arm64', '--no-cache']);
    expect(fresh.stdout.equals(readFileSync(join(folder, 'aarch64.bpf')))).toBe(true);
    oras('pull', at('ours:v1'));
    expect(JSON.parse(readFileSync(join(folder, 'profile.json'), 'utf8'))).toEqual(JSON.parse(PROFILE));
  });

  it('sends profiles that we read, with the type of the artifact or of its config', async () => {
    oras('push', '--artifact-type', PROFILE_TYPE, at('theirs:v1'), 'web.json:application/json');
    writeFileSync(join(folder, 'config.json'), '{}');
    oras('push', '--config', `config.json:${PROFILE_TYPE}`, at('theirs:v2'), 'web.json');
    for (const tag of ['v1', 'v2'])
      expect((await ok('pull', `oci://${at(`theirs:${tag}`)}`)).toString()).toBe(PROFILE);
    oras('push', at('theirs:v3'), 'web.json');
    const other = await runIn(folder, ['pull', `oci://${at('theirs:v3')}`, '--plain-http']);
    expect(other).toMatchObject({ code: 65, stderr: expect.stringContaining('REGISTRY_NO_PROFILE') });
  });
});
