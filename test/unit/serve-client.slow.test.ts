import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/cache/open.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { connect, startServer } from '../../src/serve/index.ts';
import type { Connection, RunningServer, ServerSettings } from '../../src/serve/index.ts';
import { makeTarget } from '../../src/target.ts';
import { socketFolder } from './serve-requests.ts';
import { runs } from '../runs.ts';

const folder = socketFolder();
const servers: RunningServer[] = [];
const connections: Connection[] = [];
const impostors: Server[] = [];
const stores: CacheStore[] = [];
let count = 0;
afterEach(async () => {
  connections.splice(0).forEach((connection) => connection.close());
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await Promise.all(stores.splice(0).map((store) => store.close()));
  for (const server of impostors.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function start(settings: Partial<ServerSettings> = {}): Promise<string> {
  const socket = join(folder, `${(count += 1)}.sock`);
  servers.push(await startServer({ socket, ...settings }));
  return socket;
}

function client(socket: string, timeout = 20_000): Connection {
  const connection = connect({ socket, timeout });
  connections.push(connection);
  return connection;
}

/** Something that answers as it likes. */
async function impostor(listener: RequestListener): Promise<string> {
  const socket = join(folder, `${(count += 1)}.sock`);
  const server = createServer(listener);
  impostors.push(server);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return socket;
}

async function codes(work: Promise<unknown>): Promise<string[]> {
  const error: unknown = await work.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof SeccompcError)) throw new Error('it did not fail as it should', { cause: error });
  return error.diagnostics.map(({ code }) => code);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const target = makeTarget({ arch: 'X86_64', kernel: { major: 6, minor: 1 } });

function profile(number: number): string {
  return JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 1 + number,
    syscalls: [{ names: ['read', 'raed'], action: 'SCMP_ACT_ALLOW' }],
  });
}

describe('the client', () => {
  it('gets what the compiler gives, and its diagnostics', async () => {
    const connection = client(await start());
    const filter = await connection.compile(profile(1), { target });
    const own = await compile(profile(1), { target });
    expect(Buffer.from(filter.bytes)).toEqual(Buffer.from(own.bytes));
    expect(filter).toMatchObject({
      sha256: sha256(own.bytes),
      confined: true,
      arches: own.arches,
      target,
      proved: true,
      instructions: own.instructions.length,
    });
    expect(filter.diagnostics).toEqual(own.diagnostics);
    expect(filter.diagnostics.map(({ code }) => code)).toEqual(['UNKNOWN_SYSCALL']);
    expect(await connection.getByDigest(filter.sha256)).toEqual(Buffer.from(own.bytes));
    const plain = await connection.compile(profile(1), { arch: 'amd64', kernel: '6.1', file: 'p.json' });
    expect(plain).toMatchObject({ bytes: filter.bytes, target, diagnostics: [{ file: 'p.json' }] });
    const refused = connection.compile('{"defaultAction":1}', { arch: 'amd64', file: 'p.json' });
    await expect(refused).rejects.toMatchObject({ diagnostics: [{ code: 'WRONG_TYPE', file: 'p.json' }] });
    expect(await codes(connection.compile(profile(1), { arch: 'vax' }))).toEqual(['TARGET_INVALID']);
    expect(await connection.getByDigest('0'.repeat(64))).toBeUndefined();
  });

  it('throws what the server found', async () => {
    const connection = client(await start());
    expect(await codes(connection.compile('{"defaultAction":1}', { target }))).toEqual(['WRONG_TYPE']);
    expect(await codes(connection.getByDigest('no digest'))).toEqual(['USAGE']);
  });

  it('gets no answer without a filter that it has not allowed', async () => {
    const connection = client(await start());
    const none = '{"ociVersion":"1.2.0","linux":{}}';
    expect(await codes(connection.compile(none, { target }))).toEqual(['NOT_CONFINED']);
    const allowed = await connection.compile(none, { target, allowUnconfined: true });
    expect(allowed).toMatchObject({ confined: false, bytes: Buffer.alloc(0) });
    const { bytes: _, ...document } = allowed;
    const careless = await impostor((request, response) => {
      request.resume();
      response.end(JSON.stringify({ ...document, bytes: '' }));
    });
    expect(await codes(client(careless).compile(none, { target }))).toEqual(['SERVER_ANSWER_REFUSED']);
  });

  it('says when there is no server, or one that is silent', async () => {
    expect(await codes(client(join(folder, 'none')).compile(profile(1), { target }))).toEqual([
      'SERVER_UNAVAILABLE',
    ]);
    const silent = await impostor(() => {});
    expect(await codes(client(silent, 100).compile(profile(1), { target }))).toEqual(['SERVER_UNAVAILABLE']);
  });

  it('goes on with another server at the same socket', async () => {
    const socket = await start();
    const connection = client(socket);
    await connection.compile(profile(1), { target });
    await servers.pop()!.stop();
    servers.push(await startServer({ socket }));
    expect((await connection.compile(profile(1), { target })).confined).toBe(true);
  });

  it('takes no program whose digest is another one', async () => {
    const { bytes, endian, arches } = await compile(profile(1), { target });
    const document = {
      bytes: Buffer.from(bytes).toString('base64'),
      sha256: sha256(bytes),
      confined: true,
      endian,
      arches,
      target,
      diagnostics: [],
    };
    let answer: unknown = document;
    const socket = await impostor((request, response) => {
      request.resume();
      const body = request.url!.startsWith('/v1/filters')
        ? Buffer.from(bytes).fill(6, 0, 1)
        : JSON.stringify(answer);
      response.end(body);
    });
    const connection = client(socket);
    const ask = () => connection.compile(profile(1), { target });
    expect((await ask()).sha256).toBe(document.sha256);
    const flipped = Buffer.from(bytes);
    flipped[5] = flipped[5]! ^ 1;
    for (answer of [
      { ...document, bytes: flipped.toString('base64') },
      { ...document, sha256: '0'.repeat(64) },
      { ...document, confined: false },
      { ...document, bytes: '', sha256: sha256(new Uint8Array()) },
      { ...document, bytes: 7 },
      [],
      'filter',
    ])
      expect(await codes(ask())).toEqual(['SERVER_ANSWER_REFUSED']);
    expect(await codes(connection.getByDigest(document.sha256))).toEqual(['SERVER_ANSWER_REFUSED']);
  });
});

describe('a server with a store', () => {
  it('finds programs there that are not in its memory, after a restart too', async () => {
    const store = openStore(join(folder, 'store'));
    stores.push(store);
    const first = client(await start({ cache: { stores: [store] }, limits: { memory: 0 } }));
    const { sha256: digest, bytes } = await first.compile(profile(1), { target });
    await servers.pop()!.stop();
    const second = client(await start({ cache: { stores: [store] }, limits: { memory: 0 } }));
    expect(await second.getByDigest(digest)).toEqual(bytes);
    expect((await second.compile(profile(1), { target })).cache.tier).toBe(store.tier);
    await store.set(digest, Buffer.alloc(64).toString('base64'), { kind: 'object', label: '' });
    expect(await second.getByDigest(digest)).toBeUndefined();
  });

  it('answers without it, and says nothing of its place, when it fails', async () => {
    const found: string[] = [];
    const store: CacheStore = {
      ...openStore(join(folder, 'gone')),
      get: () => Promise.reject(new Error('/secret/place is gone')),
    };
    const socket = await start({
      cache: { stores: [store] },
      onWarning: ({ message }) => found.push(message),
    });
    const filter = await client(socket).compile(profile(2), { target });
    expect(JSON.stringify(filter)).not.toContain('secret');
    expect(filter.diagnostics.map(({ code }) => code)).toEqual(['UNKNOWN_SYSCALL']);
    expect(found.join()).toContain('/secret/place');
  });
});

describe('many clients at once', () => {
  it('get every answer, and each the right one', { timeout: 120_000 }, async () => {
    const arches = ['X86_64', 'AARCH64', 'S390X'] as const;
    const expected = new Map<string, Buffer>();
    for (const number of [0, 1, 2, 3])
      for (const arch of arches) {
        const { bytes } = await compile(profile(number), { target: makeTarget({ ...target, arch }) });
        expected.set(`${number} ${arch}`, Buffer.from(bytes));
      }
    const request = fc.record({
      number: fc.nat(3),
      arch: fc.constantFrom(...arches),
      how: fc.constantFrom('compile', 'digest', 'faulty'),
    });
    const clients = fc.array(fc.array(request, { minLength: 1, maxLength: 8 }), {
      minLength: 1,
      maxLength: 12,
    });
    const settings = fc.record({
      // From "everything is forgotten at once" to "everything fits".
      memory: fc.constantFrom(0, 6000, 1_000_000),
      workers: fc.constantFrom(1, 2),
      stored: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(clients, settings, async (plans, { memory, workers, stored }) => {
        const store = stored ? openStore(join(folder, `many${(count += 1)}`)) : undefined;
        const socket = await start({ cache: store && { stores: [store] }, limits: { memory, workers } });
        let answers = 0;
        await Promise.all(
          plans.map(async (plan) => {
            const connection = client(socket);
            for (const { number, arch, how } of plan) {
              const right = expected.get(`${number} ${arch}`)!;
              if (how === 'compile') {
                const filter = await connection.compile(profile(number), {
                  target: makeTarget({ ...target, arch }),
                });
                expect(filter.bytes).toEqual(right);
                expect(filter.target.arch).toBe(arch);
              } else if (how === 'digest') {
                const program = await connection.getByDigest(sha256(right));
                if (program !== undefined) expect(program).toEqual(right);
              } else {
                expect(await codes(connection.compile(`{"x":${number}}`, { target }))).not.toEqual([]);
              }
              answers += 1;
            }
          }),
        );
        expect(answers).toBe(plans.flat().length);
        await servers.pop()!.stop();
        await store?.close();
      }),
      { numRuns: runs(3, 15) },
    );
  });
});
