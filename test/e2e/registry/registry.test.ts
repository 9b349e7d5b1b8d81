/**
 * `push` and `pull` with a real registry, and with another client that reads what we send and sends
 * what we read.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blocksOf } from '../../cli/documents.ts';
import { codesOf, documentOf, runIn } from '../../cli/run.ts';
import { available, skipWithout } from '../../oracle/compare.ts';
import { runs } from '../../runs.ts';
import type { Server } from '../../stores/servers.ts';
import { requirements } from '../oci/require.ts';
import { startLiar } from './liar.ts';
import { findRegistry, REGISTRY_PASSWORD, REGISTRY_USER, startRegistry } from './start.ts';

const found = { ...findRegistry(), ...requirements(['skopeo', 'openssl']) };
const PROFILES = join(import.meta.dirname, '../../../profiles');
const PROFILE_TYPE = 'application/vnd.cncf.seccomp-profile.config.v1+json';
const FILTER_TYPE = 'application/vnd.seccompc.filter.v1';
const PLAIN = '--plain-http';

describe.skipIf(skipWithout(found))('with a registry', () => {
  let folder: string;
  let server: Server;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'seccompc-push-'));
    server = await startRegistry(available(found).program);
    // The fields of the proposal in another order, indented otherwise: what is sent is one text for
    // both.
    writeFileSync(join(folder, 'web.json'), JSON.stringify(profile(['read', 'write', 'exit_group'])));
  });
  afterAll(async () => {
    await server?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  const profile = (names: string[], more: object[] = []) => ({
    syscalls: [{ action: 'SCMP_ACT_ALLOW', names }, ...more],
    defaultAction: 'SCMP_ACT_ERRNO',
  });
  const run = (...words: string[]) => runIn(folder, words);
  const ok = async (...words: string[]) => {
    const result = await run(...words);
    expect(result.stderr).not.toMatch(/error/);
    expect(result.code).toBe(0);
    return result;
  };
  const skopeo = (...words: string[]) => execFileSync('skopeo', words, { stdio: 'pipe' });
  const image = (name: string) => `docker://127.0.0.1:${server.port}/${name}`;
  const raw = (name: string) => skopeo('inspect', '--raw', '--tls-verify=false', image(name));
  const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
  const api = (path: string) => `http://127.0.0.1:${server.port}/v2/${path}`;

  it('sends a profile that another client copies, byte for byte', async () => {
    const { stdout } = await ok('push', 'web.json', `${server.url}/copied:v1`, PLAIN);
    const manifest = raw('copied:v1');
    expect(stdout.toString()).toBe(`${server.url}/copied:v1@sha256:${hash(manifest)}\n`);
    const { artifactType, config, layers } = JSON.parse(manifest.toString());
    expect(artifactType).toBe(PROFILE_TYPE);
    expect(config.mediaType).toBe('application/vnd.oci.empty.v1+json');
    expect(layers).toHaveLength(1);
    const layout = join(folder, 'layout');
    skopeo('copy', '--src-tls-verify=false', image('copied:v1'), `oci:${layout}:v1`);
    const layer = readFileSync(join(layout, 'blobs/sha256', layers[0].digest.slice(7)));
    expect(JSON.parse(layer.toString())).toEqual(profile(['read', 'write', 'exit_group']));
    const pulled = await ok('pull', `${server.url}/copied:v1`, PLAIN);
    expect(pulled.stdout.equals(layer)).toBe(true);
  });

  it('reads a profile that another client has sent', async () => {
    const layout = join(folder, 'theirs');
    const blobs = join(layout, 'blobs/sha256');
    mkdirSync(blobs, { recursive: true });
    const keep = (content: string) => {
      writeFileSync(join(blobs, hash(Buffer.from(content))), content);
      return { digest: `sha256:${hash(Buffer.from(content))}`, size: content.length };
    };
    const text = `{ "defaultAction": "SCMP_ACT_ERRNO",\t"syscalls": [] }`;
    const config = { mediaType: PROFILE_TYPE, ...keep('{}') };
    const layers = [{ mediaType: 'application/octet-stream', ...keep(text) }];
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const manifest = keep(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
    const annotations = { 'org.opencontainers.image.ref.name': 'v1' };
    const index = { schemaVersion: 2, manifests: [{ mediaType, ...manifest, annotations }] };
    writeFileSync(join(layout, 'index.json'), JSON.stringify(index));
    writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
    skopeo('copy', '--dest-tls-verify=false', `oci:${layout}:v1`, image('theirs:v1'));
    const { stdout } = await ok('pull', `${server.url}/theirs@${manifest.digest}`, PLAIN);
    expect(stdout.toString()).toBe(text);
  });

  it('sends the filters of several targets as referrers, and takes a proved one back', async () => {
    const pushed = documentOf(
      await ok('push', 'web.json', `${server.url}/filters`, PLAIN, '--arch', 'x86_64,arm64', '--json'),
    );
    const [{ digest }] = pushed['profiles'] as [{ digest: string }];
    const index = JSON.parse(raw(`filters:${digest.replace(':', '-')}`).toString());
    expect(
      index.manifests.map(({ artifactType, annotations }: { artifactType: string; annotations: object }) => [
        artifactType,
        (annotations as Record<string, string>)['vnd.seccompc.arch'],
      ]),
    ).toEqual([
      [FILTER_TYPE, 'x86_64'],
      [FILTER_TYPE, 'aarch64'],
    ]);
    await ok('pull', `${server.url}/filters@${digest}`, PLAIN, '--filter', 'arm64.bpf', '--arch', 'arm64');
    const fresh = await ok('compile', 'web.json', '--arch', 'arm64', '--no-cache');
    expect(fresh.stdout.equals(readFileSync(join(folder, 'arm64.bpf')))).toBe(true);
    const none = await run('pull', `${server.url}/filters`, PLAIN, '--filter', 'none.bpf', '--arch', 's390x');
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('REGISTRY_NO_FILTER');
    expect(readdirSync(folder)).not.toContain('none.bpf');
  });

  it('gives a filter to a host without Node, as the documentation says', async () => {
    const pushed = await ok(
      'push',
      'web.json',
      `${server.url}/seccomp/web`,
      PLAIN,
      '--arch',
      'arm64',
      '--json',
    );
    const [{ filters }] = documentOf(pushed)['profiles'] as [
      { filters: [{ digest: string; sha256: string }] },
    ];
    const page = readFileSync(join(import.meta.dirname, '../../../docs/registry.md'), 'utf8');
    const [block] = blocksOf(page).filter(({ words }) => words.includes('registry'));
    const script = block!.lines
      .join('\n')
      .replace('registry.example', `127.0.0.1:${server.port}`)
      .replace('skopeo copy', 'skopeo copy --src-tls-verify=false');
    const { digest, sha256 } = filters[0];
    const env = { ...process.env, FILTER_DIGEST: digest, FILTER_SHA256: sha256 };
    execFileSync('sh', ['-euc', script], { cwd: folder, env, stdio: 'pipe' });
    const fresh = await ok('compile', 'web.json', '--arch', 'arm64', '--no-cache');
    expect(fresh.stdout.equals(readFileSync(join(folder, 'web.bpf')))).toBe(true);
  });

  it('keeps the referrers of others, and moves the tag after its own', async () => {
    await ok('push', 'web.json', `${server.url}/shared`, PLAIN);
    const tag = `sha256-${hash(raw('shared:latest'))}`;
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const foreign = { schemaVersion: 2, mediaType, manifests: [], annotations: { of: 'somebody else' } };
    const put = (reference: string, body: object) =>
      fetch(api(`shared/manifests/${reference}`), {
        method: 'PUT',
        headers: { 'content-type': mediaType },
        body: JSON.stringify(body),
      });
    await put('theirs', foreign);
    const size = JSON.stringify(foreign).length;
    const digest = `sha256:${hash(Buffer.from(JSON.stringify(foreign)))}`;
    const entry = { mediaType, digest, size, artifactType: 'application/x', annotations: { a: 'b' } };
    expect((await put(tag, { ...foreign, manifests: [entry] })).status).toBe(201);
    await ok('push', 'web.json', `${server.url}/shared`, PLAIN, '--arch', 'x86_64');
    const index = JSON.parse(raw(`shared:${tag}`).toString());
    expect(index.annotations).toEqual({ of: 'somebody else' });
    expect(index.manifests).toHaveLength(2);
    expect(index.manifests[0]).toEqual(entry);
  });

  it('sends many profiles, each to a repository of its own, and nothing in a second run', async () => {
    const many = join(folder, 'many');
    mkdirSync(many);
    const count = runs(6, 12);
    for (let at = 0; at < count; at += 1)
      writeFileSync(
        join(many, `p${at}.json`),
        JSON.stringify(
          profile(
            ['read', 'exit'],
            [
              {
                names: ['kill'],
                action: 'SCMP_ACT_KILL',
                args: [{ index: 1, value: at, op: 'SCMP_CMP_EQ' }],
              },
            ],
          ),
        ),
      );
    const push = async () =>
      documentOf(
        await ok('push', many, `${server.url}/fleet:v2`, PLAIN, '--arch', 'x86_64,arm64,riscv64', '--json'),
      ) as { sent: number; profiles: { reference: string; filters: unknown[] }[] };
    const first = await push();
    expect(first.profiles).toHaveLength(count);
    expect(first.profiles.map(({ filters }) => filters.length)).toEqual(Array(count).fill(3));
    expect(first.profiles[0]!.reference).toContain('/fleet/p0:v2@sha256:');
    expect(first.sent).toBeGreaterThan(8 * count);
    // The empty config is mounted from where it is, except for those that are sent at once.
    expect(first.sent).toBeLessThan(10 * count + 9);
    const second = await push();
    expect(second).toEqual({ ...first, sent: 0 });
  });

  it('sends a profile of the Docker dialect only for one target', async () => {
    const docker = join(PROFILES, 'docker-capabilities.json');
    const refused = await run('push', docker, `${server.url}/docker`, PLAIN, '--json');
    expect(codesOf(refused)).toContain('PROFILE_NEEDS_TARGET');
    expect(refused.code).toBe(65);
    const target = ['--arch', 'x86_64', '--kernel', '6.1'];
    await ok('push', docker, `${server.url}/docker`, PLAIN, ...target);
    const { stdout } = await ok('pull', `${server.url}/docker`, PLAIN);
    const resolved = await ok('resolve', docker, ...target);
    expect(stdout.toString()).toBe(resolved.stdout.toString());
  });

  it('sends none of the profiles that runtimes refuse as artifacts, and all others', async () => {
    const folderOf = join(folder, 'mixed');
    mkdirSync(folderOf);
    const write = (name: string, content: object) =>
      writeFileSync(join(folderOf, `${name}.json`), JSON.stringify(content));
    write('good', profile(['read']));
    write('notify', profile(['read'], [{ names: ['mount'], action: 'SCMP_ACT_NOTIFY' }]));
    write('listener', { ...profile(['read']), listenerPath: '/run/x' });
    write('killable', { ...profile(['read']), flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] });
    write('errno', profile([], [{ names: ['read'], action: 'SCMP_ACT_ALLOW', errnoRet: 3 }]));
    write('conflict', profile(['read', 'kill'], [{ names: ['kill'], action: 'SCMP_ACT_LOG' }]));
    write(
      'many',
      profile(
        [],
        Array.from({ length: 129 }, () => ({ names: ['read'], action: 'SCMP_ACT_ALLOW' })),
      ),
    );
    const result = await run('push', folderOf, `${server.url}/mixed`, PLAIN, '--json');
    expect(result.code).toBe(65);
    const { profiles, diagnostics } = documentOf(result) as {
      profiles: { file: string }[];
      diagnostics: { file: string; severity: string; code: string }[];
    };
    expect(profiles.map(({ file }) => file)).toEqual([join(folderOf, 'good.json')]);
    const refused = diagnostics.filter(({ severity }) => severity === 'error');
    expect(new Set(refused.map(({ file }) => file)).size).toBe(6);
    expect(refused.filter(({ code }) => code === 'PROFILE_NOT_PORTABLE').length).toBeGreaterThan(4);
  });

  it('moves a cache there and back, and takes only what a trusted key has signed', async () => {
    const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'own.pem');
    openssl('pkey', '-in', 'own.pem', '-pubout', '-out', 'own.pub');
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'other.pem');
    openssl('pkey', '-in', 'other.pem', '-pubout', '-out', 'other.pub');
    const url = `${server.url}/cache?plain-http`;
    await ok('prebuild', 'web.json', '--arch', 'x86_64,arm64', '--cache', './here');
    const sent = documentOf(
      await ok('cache', 'push', url, '--cache', './here', '--sign', 'own.pem', '--json'),
    );
    expect(sent).toMatchObject({ sent: 6, present: 0, skipped: 0 });
    expect(
      documentOf(await ok('cache', 'push', url, '--cache', './here', '--sign', 'own.pem', '--json')),
    ).toMatchObject({ sent: 0, present: 6 });
    expect(
      documentOf(await ok('cache', 'verify', '--cache', url, '--trust', 'own.pub', '--json')),
    ).toMatchObject({
      checked: 6,
      signed: 4,
    });
    const wrong = documentOf(
      await run('cache', 'pull', url, '--cache', './there', '--trust', 'other.pub', '--json'),
    );
    expect(wrong).toMatchObject({ sent: 2, skipped: 4 });
    const right = documentOf(
      await ok('cache', 'pull', url, '--cache', './there', '--trust', 'own.pub', '--json'),
    );
    expect(right).toMatchObject({ sent: 4, present: 2, skipped: 0 });
    const tierOf = async (...words: string[]) => {
      const words2 = ['compile', 'web.json', '--arch', 'arm64', '--json', ...words];
      return (documentOf(await ok(...words2))['cache'] as { tier: string }).tier;
    };
    expect(await tierOf('--cache', './there')).toBe('sqlite');
    expect(await tierOf('--cache', url, '--trust', 'own.pub')).toBe('oci');
  });

  it('gives a start of a container the filter that a trusted key has signed, and is only read', async () => {
    const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
    openssl('genpkey', '-algorithm', 'ed25519', '-out', 'fleet.pem');
    openssl('pkey', '-in', 'fleet.pem', '-pubout', '-out', 'fleet.pub');
    const liar = await startLiar(server.port);
    try {
      const url = `${liar.url}/starts?plain-http`;
      await ok('prebuild', 'web.json');
      // The server gets it, although the own cache has it already.
      const pushing = ['prebuild', 'web.json', '--out', 'built', '--push'];
      await ok(...pushing, url, '--sign', 'fleet.pem');
      expect((await run(...pushing, 'oci://127.0.0.1:1/none?plain-http')).code).toBe(69);
      liar.asked.length = 0;
      const trust = join(folder, 'fleet.pub');
      const precreate = async (seccomp: object, ...words: string[]) => {
        const input = JSON.stringify({ ociVersion: '1.0.2', linux: { seccomp } });
        const result = await runIn(folder, ['hook', 'precreate', ...words], { input });
        expect(result).toMatchObject({ code: 0, stderr: '' });
        const { annotations } = JSON.parse(result.stdout.toString()) as { annotations: object };
        return Buffer.from(Object.values(annotations)[0] as string, 'base64');
      };
      const known = profile(['read', 'write', 'exit_group']);
      const fresh = await ok('compile', 'web.json', '--no-cache');
      expect((await precreate(known, '--cache', url, '--trust', trust)).equals(fresh.stdout)).toBe(true);
      expect(liar.asked.some(({ path }) => path.includes('/blobs/sha256:'))).toBe(true);
      // No record of the server is for this one, and the host sends none.
      const other = profile(['read', 'close']);
      writeFileSync(join(folder, 'other.json'), JSON.stringify(other));
      const compiled = await ok('compile', 'other.json', '--no-cache');
      expect((await precreate(other, '--cache', url, '--trust', trust)).equals(compiled.stdout)).toBe(true);
      expect(new Set(liar.asked.map(({ method }) => method))).toEqual(new Set(['GET']));
    } finally {
      await liar.close();
    }
  });

  it('reads and writes with the credentials of a login, and says so without them', async () => {
    const locked = await startRegistry(available(found).program, { basic: true });
    try {
      const words = ['push', 'web.json', `${locked.url}/locked`, PLAIN];
      const refused = await run(...words);
      expect(refused.code).toBe(69);
      expect(refused.stderr).toContain('there are no credentials for it');
      const file = join(folder, 'auth.json');
      skopeo(
        'login',
        '--tls-verify=false',
        '--authfile',
        file,
        '-u',
        REGISTRY_USER,
        '-p',
        REGISTRY_PASSWORD,
        `127.0.0.1:${locked.port}`,
      );
      const env = { REGISTRY_AUTH_FILE: file };
      expect((await runIn(folder, words, { env })).code).toBe(0);
      expect((await runIn(folder, ['pull', `${locked.url}/locked`, PLAIN], { env })).code).toBe(0);
    } finally {
      await locked.remove();
    }
  });
});
