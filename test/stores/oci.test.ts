/** The store in a repository of a registry, against a real one. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ociStore } from '../../src/cache/stores/oci.ts';
import { requirements } from '../e2e/oci/require.ts';
import { findRegistry, startRegistry } from '../e2e/registry/start.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { describeStore } from './conformance.ts';
import type { Server } from './servers.ts';

const found = { ...findRegistry(), ...requirements(['skopeo']) };
const INFO = { kind: 'object', label: 'one' } as const;
const KEY = 'a'.repeat(64);

describe.skipIf(skipWithout(found))('with a registry', () => {
  let server: Server;
  let places = 0;
  const address = () => `${server.url}/cache/${(places += 1)}?plain-http`;
  beforeAll(async () => {
    server = await startRegistry(available(found).program);
  });
  afterAll(() => server?.remove());

  const base = () => `http://127.0.0.1:${server.port}/v2`;
  const skopeo = (...words: string[]) => execFileSync('skopeo', words, { encoding: 'utf8', stdio: 'pipe' });

  describeStore('the store in a registry', {
    place() {
      const url = address();
      const at = `${base()}/cache/${places}`;
      const manifest = {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [],
      };
      return {
        open: () => ociStore(url),
        foreign: {
          async put() {
            const headers = { 'content-type': manifest.mediaType };
            const body = JSON.stringify(manifest);
            for (const tag of ['latest', '_x', KEY.slice(1)])
              await fetch(`${at}/manifests/${tag}`, { method: 'PUT', headers, body });
          },
          get: async () =>
            Promise.all(['latest', '_x'].map(async (tag) => (await fetch(`${at}/manifests/${tag}`)).status)),
        },
      };
    },
    tier: 'oci',
    shared: true,
    slow: true,
  });

  it('keeps each record as an artifact that other clients read', async () => {
    const store = ociStore(address());
    await store.set(KEY, 'the text', INFO);
    const image = `docker://127.0.0.1:${server.port}/cache/${places}:${KEY}`;
    const manifest = JSON.parse(skopeo('inspect', '--raw', '--tls-verify=false', image)) as {
      artifactType: string;
      layers: { digest: string }[];
    };
    expect(manifest.artifactType).toBe('application/vnd.seccompc.record.v1');
    const blob = await fetch(`${base()}/cache/${places}/blobs/${manifest.layers[0]!.digest}`);
    expect(await blob.text()).toBe('"the text"');
  });

  it('gives a damaged text as one that no reader accepts, and lists the others', async () => {
    const store = ociStore(address());
    const at = `${base()}/cache/${places}/manifests`;
    await store.set(KEY, 'x', INFO);
    await store.set('b'.repeat(64), 'y', INFO);
    const manifest = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [],
    };
    await fetch(`${at}/${KEY}`, {
      method: 'PUT',
      headers: { 'content-type': manifest.mediaType },
      body: JSON.stringify(manifest),
    });
    expect(await store.get(KEY)).toBe('');
    expect((await store.list()).map(({ key }) => key)).toEqual(['b'.repeat(64)]);
  });

  it('says what it cannot do, in time, when the registry is away', async () => {
    const store = ociStore(address());
    await store.set(KEY, 'x', INFO);
    await server.kill();
    await expect(store.get(KEY)).rejects.toThrow(/127\.0\.0\.1:\d+\/cache\/\d+ cannot be asked/);
    await server.start();
    expect(await store.get(KEY)).toBe('x');
  });

  it('says that a registry removes nothing', async () => {
    const other = await startRegistry(available(found).program, { remove: false });
    try {
      const store = ociStore(`${other.url}/cache?plain-http`);
      await store.set(KEY, 'x', INFO);
      await expect(store.remove([KEY])).rejects.toThrow(/refuses: status 405/);
      expect(await store.get(KEY)).toBe('x');
    } finally {
      await other.remove();
    }
  });
});
