import type { RedisServer } from './keyv-redis.ts';
import { CONNECT_TIME, parseAddress, refuseAddress, serverStore } from './remote.ts';
import type { CacheStore } from './store.ts';

const SCHEMES: Record<string, { tls: boolean }> = {
  'redis:': { tls: false },
  'rediss:': { tls: true },
  'valkey:': { tls: false },
  'valkeys:': { tls: true },
};
const PORT = 6379;

/**
 * Records on a Redis or Valkey server: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or
 * `rediss:` (TLS), `valkey:`, `valkeys:`.
 *
 * @throws SeccompcError CACHE_ADDRESS_WRONG
 */
export function redisStore(address: string): CacheStore {
  const { server, location } = parseRedisAddress(address);
  return serverStore('redis', location, async () => {
    const { redisConnection } = await import('./keyv-redis.ts');
    return redisConnection(server, CONNECT_TIME);
  });
}

function parseRedisAddress(address: string): { server: RedisServer; location: string } {
  const { url, location } = parseAddress(address);
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) return refuseAddress(location, `"${url.protocol}" is no scheme of Redis`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (host === '') return refuseAddress(location, 'it names no host');
  const database = url.pathname.replace(/^\//, '');
  if (!/^\d{0,9}$/.test(database)) return refuseAddress(location, 'its path is not the number of a database');
  if (url.search !== '' || url.hash !== '')
    return refuseAddress(location, 'it has a query or fragment, which have no meaning here');
  const username = decoded(url.username);
  const password = decoded(url.password);
  if (username === undefined || password === undefined)
    return refuseAddress(location, 'its name or password has a % that begins no byte');
  const server: RedisServer = {
    host,
    port: Number(url.port || PORT),
    tls: scheme.tls,
    database: Number(database),
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
  };
  return { server, location };
}

/** undefined for text that is not percent-encoded UTF-8. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
