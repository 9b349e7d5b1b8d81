import { CONNECT_TIME, parseAddress, refuseAddress, serverStore } from './remote.ts';
import type { CacheStore } from './store.ts';

const SCHEMES = new Set(['postgres:', 'postgresql:']);

/**
 * Records in a table of a PostgreSQL database:
 * `postgres://[USER[:PASSWORD]@][HOST][:PORT]/DATABASE[?sslmode=...]`, or `postgresql:`. What it
 * leaves open is taken from the variables of libpq, PGHOST and the like.
 *
 * @throws SeccompcError CACHE_ADDRESS_WRONG
 */
export function postgresStore(address: string): CacheStore {
  const { url, location } = parseAddress(address);
  if (!SCHEMES.has(url.protocol))
    return refuseAddress(location, `"${url.protocol}" is no scheme of PostgreSQL`);
  askForVerification(url);
  return serverStore('postgres', location, async () => {
    const { postgresConnection } = await import('./keyv-postgres.ts');
    return postgresConnection(url.href, CONNECT_TIME);
  });
}

/** Modes in which libpq does not check a certificate. The client does, and warns each time. */
const UNVERIFIED = new Set<unknown>(['prefer', 'require', 'verify-ca']);

/** Asks for what the client makes of these modes, without its warning. `no-verify` stays. */
function askForVerification({ searchParams }: URL): void {
  if (searchParams.has('uselibpqcompat')) return;
  if (UNVERIFIED.has(searchParams.get('sslmode'))) searchParams.set('sslmode', 'verify-full');
}
