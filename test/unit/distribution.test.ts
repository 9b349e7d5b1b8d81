/**
 * The client of registries, with a small server for each answer that a real registry gives too
 * seldom.
 */
import dns from 'node:dns/promises';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ociStore } from '../../src/cache/stores/oci.ts';
import { credentialsFor } from '../../src/distribution/credentials.ts';
import { formatReference, parseReference } from '../../src/distribution/reference.ts';
import { Repository } from '../../src/distribution/repository.ts';
import type { Manifest } from '../../src/distribution/repository.ts';

const folder = mkdtempSync(join(tmpdir(), 'seccompc-registry-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const HEX = 'a1'.repeat(32);
const digestOf = (bytes: string | Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

describe('a reference', () => {
  it.each([
    'oci://registry.example/a',
    'oci://registry.example:5000/a/b-c__d.e:v1.0_x',
    `oci://[::1]:5000/a:v1@sha256:${HEX}`,
    `oci://localhost/a@sha256:${HEX}`,
  ])('is read and written: %s', (text) => {
    expect(formatReference(parseReference(text))).toBe(text);
  });

  it.each([
    ['registry.example/a', /does not have this form/],
    ['oci://registry.example', /names no host/],
    ['oci:///a', /names no host/],
    ['oci://-x/a', /names no host/],
    ['oci://registry.example:99999/a', /names no host/],
    ['oci://127.999.0.1/a', /names no host/],
    ['oci://[::::]/a', /names no host/],
    ['oci://registry.example/', /words of a-z/],
    ['oci://registry.example/A', /words of a-z/],
    ['oci://registry.example/a/../b', /words of a-z/],
    ['oci://registry.example/a//b', /words of a-z/],
    ['oci://registry.example/a%2fb', /words of a-z/],
    [`oci://registry.example/${'a'.repeat(250)}`, /words of a-z/],
    ['oci://registry.example/a:', /a tag has/],
    ['oci://registry.example/a:x:y', /a tag has/],
    ['oci://registry.example/a@sha256:12', /a digest is/],
    ['oci://registry.example/a@sha512:12', /a digest is/],
    ['oci://registry.example/a?x=1', /only "plain-http"/],
    ['oci://registry.example/a?plain-http', /this machine only/],
    ['oci://127.0.0.1.registry.example/a?plain-http', /this machine only/],
    ['oci://10.0.0.1/a?plain-http', /this machine only/],
  ])('is refused: %s', (text, reason) => {
    expect(() => parseReference(text)).toThrow(reason);
  });

  it('with a password is refused, and the password not repeated', () => {
    const read = () => parseReference('oci://me:hunter2@registry.example/a');
    expect(read).toThrow(/docker login/);
    expect(read).not.toThrow(/hunter2/);
  });

  it('allows plain HTTP to this machine', () => {
    for (const host of ['127.0.0.1:5000', 'localhost:5000', '[::1]:5000', '127.1.2.3'])
      expect(parseReference(`oci://${host}/a`, { plainHttp: true }).plainHttp).toBe(true);
  });
});

describe('credentials', () => {
  const address = { host: 'registry.example:5000', name: 'team/web', plainHttp: false };
  const write = (path: string, content: unknown) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };
  const auth = (user: string) => ({ auth: Buffer.from(`${user}:p:${user}`).toString('base64') });
  const of = (username: string) => ({ username, password: `p:${username}` });
  const env = (changes: Record<string, string>) => ({ HOME: join(folder, 'home'), ...changes });

  it('are those of the nearest namespace, and never those of another host', async () => {
    const auths = {
      'registry.example': auth('no port'),
      'registry.example:5000': auth('host'),
      'registry.example:5000/team': auth('team'),
      'registry.example:5000/teamwork': auth('teamwork'),
      'other.example/team/web': auth('other'),
    };
    const file = write('near.json', { auths });
    const find = (name: string) => credentialsFor({ ...address, name }, env({ REGISTRY_AUTH_FILE: file }));
    expect(await find('team/web')).toEqual(of('team'));
    expect(await find('team')).toEqual(of('team'));
    expect(await find('else')).toEqual(of('host'));
    const other = await credentialsFor({ ...address, host: 'x.example' }, env({ REGISTRY_AUTH_FILE: file }));
    expect(other).toBeUndefined();
  });

  it('are looked for in the places of podman, and then of docker', async () => {
    const content = (user: string) => ({ auths: { 'https://registry.example:5000/v1/': auth(user) } });
    expect(await credentialsFor(address, env({}))).toBeUndefined();
    write('home/.docker/config.json', content('docker'));
    expect(await credentialsFor(address, env({}))).toEqual(of('docker'));
    write('home/.config/containers/auth.json', content('podman'));
    expect(await credentialsFor(address, env({}))).toEqual(of('podman'));
    write('run/containers/auth.json', content('session'));
    expect(await credentialsFor(address, env({ XDG_RUNTIME_DIR: join(folder, 'run') }))).toEqual(
      of('session'),
    );
    write('docker/config.json', content('named'));
    expect(await credentialsFor(address, env({ DOCKER_CONFIG: join(folder, 'docker') }))).toEqual(
      of('named'),
    );
  });

  it('may be a token, or what a helper gives for the host', async () => {
    const program = write(
      'bin/docker-credential-test',
      `#!/bin/sh
read server
case $server in
  registry.example:5000) echo '{"Username":"helped","Secret":"s"}' ;;
  token.example) echo '{"Username":"<token>","Secret":"t"}' ;;
  broken.example) exit 3 ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`,
    );
    chmodSync(program, 0o755);
    const file = write('helper.json', {
      auths: { 'own.example': auth('own'), 'id.example': { identitytoken: 'i' } },
      credsStore: 'test',
      credHelpers: { 'own.example': 'test' },
    });
    const find = (host: string) =>
      credentialsFor(
        { ...address, host },
        env({ REGISTRY_AUTH_FILE: file, PATH: `${dirname(program)}${delimiter}${process.env['PATH']}` }),
      );
    expect(await find('registry.example:5000')).toEqual({ username: 'helped', password: 's' });
    expect(await find('token.example')).toEqual({ refresh: 't' });
    expect(await find('own.example')).toEqual(of('own'));
    expect(await find('id.example')).toEqual({ refresh: 'i' });
    expect(await find('nobody.example')).toBeUndefined();
    await expect(find('broken.example')).rejects.toThrow(/docker-credential-test ends with 3/);
    write('helper.json', { credsStore: '../../bin/sh' });
    await expect(find('a.example')).rejects.toThrow(/no name of a program/);
    write('helper.json', { credsStore: 'absent' });
    await expect(find('a.example')).rejects.toThrow(/docker-credential-absent is not there/);
  });

  it('that cannot be read are a fault, and not repeated', async () => {
    const file = write('broken.json', '{"auths":{"registry.example:5000":{"auth":"hunter2"');
    await expect(credentialsFor(address, env({ REGISTRY_AUTH_FILE: file }))).rejects.toThrow(
      /^((?!hunter2).)*not JSON/,
    );
    write('broken.json', { auths: { 'registry.example:5000': { auth: 'aHVudGVyMg==' } } });
    await expect(credentialsFor(address, env({ REGISTRY_AUTH_FILE: file }))).rejects.toThrow(/USER:PASSWORD/);
  });
});

describe('a cache in a registry', () => {
  it('lets go of a registry that does not answer when it is closed', async () => {
    // Whatever waits for a time waits for ever.
    vi.spyOn(AbortSignal, 'timeout').mockReturnValue(new AbortController().signal);
    let ask: () => void;
    const isAsked = new Promise<void>((resolve) => (ask = resolve));
    const server = createServer(() => ask());
    const isLeft = new Promise<void>((resolve) =>
      server.on('connection', (socket) => socket.on('close', () => resolve())),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const store = ociStore(`oci://127.0.0.1:${(server.address() as AddressInfo).port}/a?plain-http`);
    const answer = store.get(HEX).catch(String);
    await isAsked;
    await store.close();
    await isLeft;
    expect(await answer).toContain('its connection was closed');
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    vi.restoreAllMocks();
  });

  it.each(['oci://registry.example/a:v1', `oci://registry.example/a@sha256:${HEX}`])(
    'has no tag and no digest in its address: %s',
    (address) => expect(() => ociStore(address)).toThrow(/CACHE_ADDRESS_WRONG/),
  );
});

describe('a repository', () => {
  type Answers = (request: IncomingMessage, response: ServerResponse, body: string) => void;
  const servers: Server[] = [];
  /** What was asked: method, path, authorization. */
  let asked: string[];
  async function serve(answers: Answers): Promise<string> {
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
      request.on('end', () => {
        asked.push([request.method, request.url, request.headers.authorization ?? ''].join(' ').trim());
        answers(request, response, body);
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const open = (host: string, tries = 3) =>
    new Repository({ host, name: 'a/b', plainHttp: true }, { patience: { time: 10_000, tries } });
  const login = (host: string, entry: object) => {
    const file = join(folder, `${host.replace(':', '-')}.json`);
    writeFileSync(file, JSON.stringify({ auths: { [host]: entry } }));
    vi.stubEnv('REGISTRY_AUTH_FILE', file);
  };
  const USER = { username: 'me', password: 'secret' };
  const BASIC = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  const BLOB = Buffer.from('the blob');
  const blob = { mediaType: 'x', digest: digestOf(BLOB), size: BLOB.length };
  const MANIFEST: Manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    layers: [],
  };

  beforeEach(() => {
    asked = [];
    vi.stubEnv('REGISTRY_AUTH_FILE', join(folder, 'none.json'));
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('gets a token from the server that the registry names, once for many requests', async () => {
    const host = await serve((request, response) => {
      if (request.url!.startsWith('/token')) return response.end('{"token":"T"}');
      if (request.headers.authorization === 'Bearer T') return response.end(BLOB);
      const realm = `realm="http://${request.headers.host}/token",service="s",scope="repository:a/b:pull"`;
      return response.writeHead(401, { 'www-authenticate': `Bearer ${realm}` }).end();
    });
    login(host, USER);
    const repository = open(host);
    await Promise.all([1, 2, 3].map(() => repository.blob(blob, 100)));
    await repository.blob(blob, 100);
    expect(asked.filter((line) => line.includes('/token'))).toEqual([
      `GET /token?service=s&scope=repository%3Aa%2Fb%3Apull ${BASIC}`,
    ]);
    expect(asked.filter((line) => line.endsWith('Bearer T'))).toHaveLength(4);
  });

  it('renews a token that has expired, and exchanges an identity token', async () => {
    let tokens = 0;
    const forms: string[] = [];
    const host = await serve((request, response, body) => {
      if (request.url === '/token') {
        forms.push(`${request.method} ${body}`);
        return response.end(`{"access_token":"T${(tokens += 1)}"}`);
      }
      if (request.headers.authorization === `Bearer T${tokens}`) return response.end(BLOB);
      return response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` })
        .end();
    });
    login(host, { identitytoken: 'refresh me' });
    const repository = open(host);
    await repository.blob(blob, 100);
    tokens += 10;
    await repository.blob(blob, 100);
    expect(tokens).toBe(12);
    const form = 'grant_type=refresh_token&client_id=seccompc&refresh_token=refresh+me';
    expect(forms[0]).toBe(`POST service=&scope=repository%3Aa%2Fb%3Apull&${form}`);
  });

  it('does not repeat a token that is none', async () => {
    const host = await serve((_, response) => response.writeHead(401).end());
    login(host, { registrytoken: 'secret\nx' });
    await expect(open(host).blob(blob, 100)).rejects.toThrow(/^((?!secret).)*REGISTRY_CREDENTIALS/);
  });

  it('answers a Basic challenge, and gives up when that is refused', async () => {
    let accepts = BASIC;
    const host = await serve((request, response) => {
      if (request.headers.authorization === accepts) return response.end(BLOB);
      return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    });
    await expect(open(host).blob(blob, 100)).rejects.toThrow(/no credentials/);
    login(host, USER);
    await open(host).blob(blob, 100);
    accepts = 'another';
    await expect(open(host).blob(blob, 100)).rejects.toThrow(/REGISTRY_DENIED/);
    expect(asked).toHaveLength(5);
  });

  it('sends no credentials after a redirect to another host, nor answers its challenge', async () => {
    let status = 200;
    const store = await serve((request, response) =>
      response
        .writeHead(status, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` })
        .end(BLOB),
    );
    const host = await serve((request, response) => {
      if (request.headers.authorization !== BASIC)
        return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return response.writeHead(307, { location: `http://${store}/elsewhere` }).end();
    });
    login(host, USER);
    const repository = open(host);
    expect(Buffer.from(await repository.blob(blob, 100))).toEqual(BLOB);
    status = 401;
    await expect(repository.blob(blob, 100)).rejects.toThrow(/REGISTRY_DENIED/);
    expect(asked.filter((line) => line.includes('elsewhere'))).toEqual(['GET /elsewhere', 'GET /elsewhere']);
    expect(asked.filter((line) => line.includes('token'))).toEqual([]);
  });

  it.each([
    ['http://registry.example/x', /without TLS/],
    ['file:///etc/passwd', /without TLS/],
    ['http://', /names the place/],
    ['https://me:hunter2@registry.example/x', /registry\.example, with a password/],
  ])('is not led to %s', async (location, reason) => {
    const host = await serve((request, response) => {
      if (request.url!.includes('tags'))
        response.writeHead(200, { link: `<${location}>; rel="next"` }).end('{}');
      else if (request.url!.includes('sha256'))
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${location}"` }).end();
      else response.writeHead(307, { location }).end();
    });
    login(host, USER);
    await expect(open(host).manifest('v1')).rejects.toThrow(reason);
    await expect(open(host).manifest('v1')).rejects.not.toThrow(/hunter2/);
    await expect(open(host).tags()).rejects.toThrow(reason);
    await expect(open(host).blob(blob, 100)).rejects.toThrow(reason);
  });

  it('sends nothing to a localhost that is another machine', async () => {
    const host = (await serve((_, response) => response.end(BLOB))).replace('127.0.0.1', 'localhost');
    expect(Buffer.from(await open(host).blob(blob, 100))).toEqual(BLOB);
    asked.length = 0;
    const lookup = vi.spyOn(dns, 'lookup') as unknown as { mockResolvedValue(value: object): void };
    lookup.mockResolvedValue([
      { address: '127.0.0.1', family: 4 },
      { address: '192.0.2.1', family: 4 },
    ]);
    syncBuiltinESMExports();
    try {
      await expect(open(host).blob(blob, 100)).rejects.toThrow(/localhost is 192\.0\.2\.1 here/);
    } finally {
      vi.restoreAllMocks();
      syncBuiltinESMExports();
    }
    expect(asked).toEqual([]);
  });

  it('gives up a redirect in circles', async () => {
    const host = await serve((request, response) =>
      response.writeHead(302, { location: request.url! }).end(),
    );
    await expect(open(host).manifest('v1')).rejects.toThrow(/redirects more than/);
  });

  it.each([
    ['other bytes', Buffer.from('THE BLOB'), /its content is other bytes/],
    ['fewer bytes', BLOB.subarray(1), /its content is other bytes/],
    ['more bytes than are accepted', Buffer.alloc(1000), /more than 100 bytes/],
  ])('hands out no blob with %s', async (_, body, reason) => {
    const host = await serve((__, response) => response.end(body));
    await expect(open(host).blob(blob, 100)).rejects.toThrow(reason);
  });

  it('hands out no manifest with other bytes than its digest, or the header, says', async () => {
    let header = {};
    const host = await serve((_, response) => response.writeHead(200, header).end(JSON.stringify(MANIFEST)));
    await expect(open(host).manifest(blob.digest)).rejects.toThrow(/REGISTRY_DAMAGED/);
    expect(await open(host).manifest('v1')).toMatchObject({ digest: digestOf(JSON.stringify(MANIFEST)) });
    header = { 'docker-content-digest': blob.digest };
    await expect(open(host).manifest('v1')).rejects.toThrow(/REGISTRY_DAMAGED/);
  });

  it('asks again when the registry is busy or breaks off, and says how that ended', async () => {
    let faults = 2;
    const host = await serve((request, response) => {
      if ((faults -= 1) >= 0) {
        if (faults % 2 === 0) return request.socket.destroy();
        return response.writeHead(429, { 'retry-after': '0' }).end();
      }
      return response.end(BLOB);
    });
    await open(host).blob(blob, 100);
    expect(asked).toHaveLength(3);
    faults = 100;
    await expect(open(host, 2).blob(blob, 100)).rejects.toThrow(/REGISTRY_(UNREACHABLE|REFUSED)/);
    expect(asked).toHaveLength(5);
  });

  it('says that a registry speaks no TLS', async () => {
    const host = await serve((_, response) => response.end());
    const repository = new Repository(
      { host, name: 'a', plainHttp: false },
      { patience: { time: 10_000, tries: 1 } },
    );
    await expect(repository.manifest('v1')).rejects.toThrow(/does not speak TLS .*--plain-http/);
  });

  it('says what the registry says', async () => {
    const host = await serve((_, response) =>
      response.writeHead(400, {}).end('{"errors":[{"code":"NAME_INVALID","message":"no such name"}]}'),
    );
    await expect(open(host).manifest('v1')).rejects.toThrow(
      /refuses: status 400, NAME_INVALID, no such name/,
    );
  });

  it('sends a blob to the place that the registry names, without credentials to another host', async () => {
    const received: string[] = [];
    const store = await serve((_, response, body) => {
      received.push(body);
      response.writeHead(201).end();
    });
    const host = await serve((request, response) => {
      if (request.headers.authorization !== BASIC)
        return response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      if (request.method === 'HEAD') return response.writeHead(404).end();
      return response.writeHead(202, { location: `http://${store}/upload?id=1` }).end();
    });
    login(host, USER);
    const repository = open(host);
    await repository.putBlob(BLOB);
    await repository.putBlob(BLOB);
    expect(received).toEqual(['the blob']);
    expect(asked.at(-1)).toBe(`PUT /upload?id=1&digest=${encodeURIComponent(blob.digest)}`);
  });

  it('takes nothing for sent that the registry keeps as something else', async () => {
    const host = await serve((_, response) =>
      response.writeHead(201, { 'docker-content-digest': blob.digest }).end(),
    );
    await expect(open(host).putManifest(MANIFEST, 'v1')).rejects.toThrow(/has kept it as/);
  });

  it('says whether the registry lists a manifest as a referrer itself', async () => {
    let headers = {};
    const host = await serve((_, response) => response.writeHead(201, headers).end());
    expect(await open(host).putManifest(MANIFEST)).toBe(false);
    headers = { 'oci-subject': blob.digest };
    expect(await open(host).putManifest(MANIFEST)).toBe(true);
  });

  it('begins an upload anew that breaks off', async () => {
    let breaks = 1;
    const host = await serve((request, response) => {
      if (request.method === 'HEAD') return response.writeHead(404).end();
      if (request.method === 'POST') return response.writeHead(202, { location: '/upload' }).end();
      return (breaks -= 1) >= 0 ? request.socket.destroy() : response.writeHead(201).end();
    });
    const repository = open(host);
    await repository.putBlob(BLOB, 'a/c');
    expect(repository.sent).toBe(1);
    const mount = `mount=${encodeURIComponent(blob.digest)}&from=a%2Fc`;
    expect(asked.filter((line) => line.startsWith('POST'))).toEqual(
      Array(2).fill(`POST /v2/a/b/blobs/uploads/?${mount}`),
    );
  });

  it('follows the pages of a list', async () => {
    const host = await serve((request, response) => {
      const last = Number(new URL(request.url!, 'http://x').searchParams.get('last') ?? 0);
      const link = { link: `</v2/a/b/tags/list?n=1&last=${last + 1}>; rel="next"` };
      response.writeHead(200, last < 2 ? link : {}).end(JSON.stringify({ tags: [`t${last}`] }));
    });
    expect(await open(host).tags()).toEqual(['t0', 't1', 't2']);
  });

  it('lists referrers by the registry, and by a tag where that has no list', async () => {
    const own = { mediaType: 'x', digest: blob.digest, size: 1 };
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [own],
    };
    let lists = true;
    const host = await serve((request, response) => {
      if (lists === request.url!.includes('/referrers/')) response.end(JSON.stringify(index));
      else response.writeHead(404).end();
    });
    expect(await open(host).referrers(blob.digest)).toEqual([own]);
    lists = false;
    expect(await open(host).referrers(blob.digest)).toEqual([own]);
    expect(asked.at(-1)).toBe(`GET /v2/a/b/manifests/${blob.digest.replace(':', '-')}`);
  });
});
