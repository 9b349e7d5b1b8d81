import { RegistryFault } from '../../distribution/fault.ts';
import type { RepositoryAddress } from '../../distribution/reference.ts';
import { descriptorOf, EMPTY_CONFIG, IMAGE_MANIFEST, Repository } from '../../distribution/repository.ts';
import type { Manifest } from '../../distribution/repository.ts';
import { atOnce } from '../at-once.ts';
import { parseJson } from '../json-object.ts';
import { listOf, readRow, rowOf, statsOf, writeRow } from './list-rows.ts';
import type { Row } from './list-rows.ts';
import { LARGEST_TEXT } from './store.ts';
import type { CacheStore } from './store.ts';

/** A process that waits longer for a record would do better to compile. */
const PATIENCE = { time: 10_000, tries: 3 };

const RECORD_TYPE = 'application/vnd.seccompc.record.v1';
const ROW = 'vnd.seccompc.row';
const KEY = 'vnd.seccompc.key';
const EMPTY = Buffer.from('{}');

/**
 * Each record is a manifest: its tag is the key, its only layer the text as a JSON string, its
 * annotations are the row of the list, and the key, so that no two records are one manifest. That a
 * record is read is not noted.
 */
export function ociRecords(
  address: RepositoryAddress,
  signal: AbortSignal,
): Omit<CacheStore, 'tier' | 'location' | 'shared' | 'close'> {
  const repository = new Repository(address, { patience: { ...PATIENCE, signal } });

  async function get(key: string): Promise<string | undefined> {
    try {
      const stored = await repository.manifest(tagOf(key));
      if (stored === undefined) return undefined;
      const { artifactType, layers: [layer] = [] } = stored.manifest;
      if (artifactType !== RECORD_TYPE || layer === undefined) return '';
      // In JSON, a character may take six bytes.
      const text = parseJson(Buffer.from(await repository.blob(layer, 6 * LARGEST_TEXT)).toString());
      return typeof text === 'string' ? text : '';
    } catch (cause) {
      if (cause instanceof RegistryFault && cause.code === 'REGISTRY_DAMAGED') return '';
      throw cause;
    }
  }

  async function rows(): Promise<Map<string, Row>> {
    const found = new Map<string, Row>();
    await atOnce(await repository.tags(), async (tag) => {
      const key = keyOf(tag);
      const { annotations = {}, artifactType } = (key && (await repository.manifest(tag))?.manifest) || {};
      const row = readRow(annotations[ROW]);
      if (key !== undefined && row !== undefined && artifactType === RECORD_TYPE) found.set(key, row);
    });
    return found;
  }

  async function remove(keys: Iterable<string>): Promise<void> {
    await atOnce(keys, async (key) => {
      const digest = await repository.digest(tagOf(key));
      if (digest !== undefined) await repository.removeManifest(digest);
    });
  }

  return {
    get,
    async set(key, text, info) {
      const layer = Buffer.from(JSON.stringify(text));
      await Promise.all([repository.putBlob(layer), repository.putBlob(EMPTY)]);
      const manifest: Manifest = {
        schemaVersion: 2,
        mediaType: IMAGE_MANIFEST,
        artifactType: RECORD_TYPE,
        config: EMPTY_CONFIG,
        layers: [descriptorOf('application/json', layer)],
        annotations: { [KEY]: key, [ROW]: writeRow(rowOf(text, info)) },
      };
      await repository.putManifest(manifest, tagOf(key));
    },
    remove,
    list: async () => listOf(await rows()),
    clear: async () => remove((await rows()).keys()),
    stats: async () => statsOf(listOf(await rows())),
  };
}

/** Every key that is in use is a tag as it is. */
function tagOf(key: string): string {
  return /^[0-9a-f]{64}$/.test(key) ? key : `_${Buffer.from(key).toString('base64url')}`;
}

/** Undefined for the tag of something else. */
function keyOf(tag: string): string | undefined {
  const key = tag.startsWith('_') ? Buffer.from(tag.slice(1), 'base64url').toString() : tag;
  return tagOf(key) === tag ? key : undefined;
}
