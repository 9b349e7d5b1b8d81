/**
 * A registry of Debian's, started by a test for itself: on loopback, at a free port, in a temporary
 * folder.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Oracle } from '../../oracle/compare.ts';
import { freePort, startServer } from '../../stores/servers.ts';
import type { Server } from '../../stores/servers.ts';
import { pathOf } from '../oci/require.ts';

export const REGISTRY_USER = 'seccompc';
export const REGISTRY_PASSWORD = 'p@ss:w/rd %?#';
/** bcrypt of the password, as `htpasswd -B` writes it. */
const HTPASSWD = '$2y$05$abcdefghijklmnopqrstuuDAmMO7y5priRnumwHdgOsV8wd33BaV.';

export function findRegistry(): Oracle<{ program: string }> {
  const program = pathOf('docker-registry');
  return program === undefined
    ? { missing: 'no docker-registry (Debian package: docker-registry)' }
    : { program };
}

export interface RegistrySettings {
  /** Whether only {@link REGISTRY_USER} may read and write, by Basic. */
  basic?: boolean;
  /** Whether manifests and blobs can be removed, as Debian's own settings allow. */
  remove?: boolean;
}

/**
 * `url` is `oci://127.0.0.1:PORT`; a name follows it. Blobs and manifests are below `folder`/data.
 */
export async function startRegistry(program: string, settings: RegistrySettings = {}): Promise<Server> {
  const { basic = false, remove = true } = settings;
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-registry-'));
  const port = await freePort();
  const users = join(folder, 'htpasswd');
  writeFileSync(users, `${REGISTRY_USER}:${HTPASSWD}\n`);
  // Every YAML reader reads JSON.
  const config = {
    version: '0.1',
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(folder, 'data') },
      delete: { enabled: remove },
      cache: { blobdescriptor: 'inmemory' },
    },
    http: { addr: `127.0.0.1:${port}`, secret: 'of a test' },
    ...(basic ? { auth: { htpasswd: { realm: 'test', path: users } } } : {}),
  };
  const file = join(folder, 'config.yml');
  writeFileSync(file, JSON.stringify(config));
  const command = [program, 'serve', file];
  return startServer({ command, ready: 'listening on', folder, port, url: `oci://127.0.0.1:${port}` });
}
