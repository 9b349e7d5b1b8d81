import { keyvStore } from './keyv-store.ts';
import { CONNECT_TIME, parseAddress, refuseAddress, remoteStore, SERVER_HINT } from './remote.ts';
import type { CacheStore } from './store.ts';

const SCHEMES = new Set(['postgres:', 'postgresql:']);

/**
 * Records in a table of a PostgreSQL database: `postgres://[USER[:PASSWORD]@][HOST][:PORT]/DATABASE[?sslmode=...]`, or
 * `postgresql:`. What it leaves open is taken from the variables of libpq, PGHOST and the like. Nothing is connected to
 * yet.
 *
 * @throws SeccompcError CACHE_ADDRESS_WRONG
 */
export function postgresStore(address: string): CacheStore {
  const { url, location } = parseAddress(address);
  if (!SCHEMES.has(url.protocol))
    return refuseAddress(location, `"${url.protocol}" is no scheme of PostgreSQL`);
  askForVerification(url);
  return remoteStore({
    tier: 'postgres',
    location,
    shared: true,
    make: async () => {
      // Only a cache like this pays for loading the client.
      const { postgresConnection } = await import('./keyv-postgres.ts');
      const connection = postgresConnection(url.href, CONNECT_TIME);
      return { connection, store: keyvStore({ tier: 'postgres', location, keyv: connection.keyv }) };
    },
    hint: SERVER_HINT,
  });
}

/** Ways to ask for TLS whose certificate libpq does not check; the client does, and says so on standard error each time. */
const UNVERIFIED = new Set<unknown>(['prefer', 'require', 'verify-ca']);

/** Asks for what these modes come to, in words that need no warning. Who wants no check says `no-verify`. */
function askForVerification({ searchParams }: URL): void {
  if (searchParams.has('uselibpqcompat')) return;
  if (UNVERIFIED.has(searchParams.get('sslmode'))) searchParams.set('sslmode', 'verify-full');
}
