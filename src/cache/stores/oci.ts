import { formatReference, parseReference } from '../../distribution/reference.ts';
import { refuseAddress, remoteStore } from './remote.ts';
import type { CacheStore } from './store.ts';

/** Milliseconds for a record, which takes some requests, and for all of them. */
const TIMES = { answerTime: 20_000, sweepTime: 600_000 };

/**
 * Records in a repository of an OCI registry: `oci://HOST[:PORT]/NAME[?plain-http]`.
 * @throws SeccompcError REFERENCE_INVALID, CACHE_ADDRESS_WRONG
 */
export function ociStore(text: string): CacheStore {
  const address = parseReference(text);
  const location = formatReference(address);
  if (address.tag !== undefined || address.digest !== undefined)
    refuseAddress(location, 'the tags of a cache are the keys of its records');
  return remoteStore({
    tier: 'oci',
    location,
    shared: true,
    ...TIMES,
    async make() {
      const { ociRecords } = await import('./oci-records.ts');
      const questions = new AbortController();
      // Every question is a request of its own.
      const connection = {
        async connect() {},
        alive: () => true,
        async end() {},
        destroy: () => questions.abort(),
      };
      return { connection, store: ociRecords(address, questions.signal) };
    },
  });
}
