/**
 * What a look-up costs the servers that a fleet can share: Redis, PostgreSQL and an OCI registry.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/cache/open.ts';
import { pathOf } from '../e2e/oci/require.ts';
import { freePort } from '../stores/servers.ts';
import type { Server } from '../stores/servers.ts';
import type { Table } from './table.ts';

const LOOKUPS = 3000;
const AT_ONCE = 4;
/** As long as the signed record of a default profile. */
const RECORD = 'x'.repeat(2400);
/** A filter of a default profile. */
const FILTER = 'x'.repeat(1400);
/** Of /proc/PID/stat: `getconf CLK_TCK`. */
const TICKS_PER_SECOND = 100;

export async function serverTable(servers: readonly [string, Server][]): Promise<Table> {
  const rows: Table['rows'] = [];
  for (const [what, { url, folder }] of servers) {
    const store = openStore(url);
    const key = 'ab'.repeat(32);
    await store.set(key, RECORD, { kind: 'alias', label: 'a record' });
    const alone = async () => {
      const own = openStore(url);
      await own.get(key);
      await own.close();
    };
    rows.push({ what: `${what}: a record`, cpu: await cpuOf(folder, () => store.get(key)) });
    rows.push({ what: `${what}: a connection and a record`, cpu: await cpuOf(folder, alone) });
    await store.remove([key]);
    await store.close();
  }
  const registry = pathOf('docker-registry');
  if (registry !== undefined) rows.push(...(await registryRows(registry)));
  return {
    title: 'What a look-up costs a server',
    method: `Processor time of all processes of the server, the mean of ${LOOKUPS} look-ups, ${AT_ONCE} at once, on loopback.`,
    columns: [
      { key: 'what', title: 'server' },
      { key: 'cpu', title: 'µs of processor time', digits: 0 },
    ],
    rows,
  };
}

async function registryRows(program: string): Promise<Table['rows']> {
  const folder = mkdtempSync(join(tmpdir(), 'seccompc-registry-'));
  const host = `127.0.0.1:${await freePort()}`;
  const settings = { version: 0.1, storage: { filesystem: { rootdirectory: folder } }, http: { addr: host }, log: { level: 'error', accesslog: { disabled: true } } }; // prettier-ignore
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(settings));
  const child = spawn(program, ['serve', 'config.yml'], { cwd: folder, stdio: 'ignore' });
  try {
    const base = `http://${host}/v2`;
    for (let tries = 0; !(await fetch(base).catch(() => undefined))?.ok; tries++) {
      if (tries > 300) throw new Error('docker-registry does not start');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const digestOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
    const push = async (text: string) => {
      const started = await fetch(`${base}/filters/blobs/uploads/`, { method: 'POST' });
      const place = `${started.headers.get('location')}&digest=${digestOf(text)}`;
      const headers = { 'content-type': 'application/octet-stream' };
      const { status } = await fetch(place, { method: 'PUT', body: text, headers });
      if (status !== 201) throw new Error(`docker-registry answers ${status}`);
      const mediaType = 'application/octet-stream';
      return { mediaType, digest: digestOf(text), size: text.length };
    };
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const config = { ...(await push('{}')), mediaType: 'application/vnd.oci.image.config.v1+json' };
    const layers = [await push(FILTER)];
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config, layers });
    const headers = { 'content-type': mediaType };
    await fetch(`${base}/filters/manifests/a`, { method: 'PUT', body: manifest, headers });
    const get = async (path: string) => {
      const answer = await fetch(`${base}/filters/${path}`, { headers: { accept: mediaType } });
      const { length } = await answer.text();
      if (!answer.ok || length < 100) throw new Error(`docker-registry answers ${answer.status} to ${path}`);
    };
    return [
      { what: 'docker-registry: a manifest', cpu: await cpuOf(folder, () => get('manifests/a')) },
      { what: 'docker-registry: a blob', cpu: await cpuOf(folder, () => get(`blobs/${digestOf(FILTER)}`)) },
    ];
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Microseconds of the server for one look-up. */
async function cpuOf(folder: string, lookUp: () => Promise<unknown>): Promise<number> {
  const ask = async (count: number) => {
    let left = count;
    const one = async () => {
      while (left-- > 0) await lookUp();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
  };
  await ask(LOOKUPS / 10);
  const before = ticksOf(folder);
  await ask(LOOKUPS);
  return ((ticksOf(folder) - before) / TICKS_PER_SECOND / LOOKUPS) * 1e6;
}

/** Of all processes that work in a folder. */
function ticksOf(folder: string): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
    try {
      if (!readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)) continue;
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // Behind the name, those of user and system, and of children that have ended.
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 15);
      ticks += fields.reduce((sum, field) => sum + Number(field), 0);
    } catch {
      // It has ended, or is another user's.
    }
  return ticks;
}
