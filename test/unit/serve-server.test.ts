import { createHash } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { compile } from '../../src/compile.ts';
import { startServer } from '../../src/serve/server.ts';
import type { RunningServer, ServerSettings } from '../../src/serve/server.ts';
import { makeTarget } from '../../src/target.ts';
import { codesOf, documentOf, metric, rawConnection, send, socketFolder, untilClosed, untilText } from './serve-requests.ts'; // prettier-ignore
import { runs } from '../runs.ts';

const PROFILE =
  '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW"}]}';
const QUERY = '/v1/compile?arch=x86_64&kernel=6.1';
const RAW = { Accept: 'application/octet-stream' };

const folder = socketFolder();
const running: RunningServer[] = [];
let count = 0;
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function start(
  limits: ServerSettings['limits'] = {},
  more: Partial<ServerSettings> = {},
): Promise<string> {
  const socket = join(folder, `${(count += 1)}.sock`);
  running.push(await startServer({ socket, limits, ...more }));
  return socket;
}

/** As the compiler gives it, without any server. */
async function expected(profile = PROFILE): Promise<Buffer> {
  const target = makeTarget({ arch: 'X86_64', kernel: { major: 6, minor: 1 } });
  return Buffer.from((await compile(profile, { target })).bytes);
}

/** A profile of that number, unlike any other. */
function variant(number: number): string {
  return PROFILE.replace('"syscalls"', `"defaultErrnoRet":${number},"syscalls"`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describe('a request to compile', () => {
  it('is answered with the program, raw or in a document, and with its digest', async () => {
    const socket = await start();
    const program = await expected();
    const raw = await send(socket, QUERY, { body: PROFILE, headers: RAW });
    expect(raw).toMatchObject({ status: 200, body: program });
    expect(raw.headers).toMatchObject({
      etag: `"${sha256(program)}"`,
      'content-location': `/v1/filters/${sha256(program)}`,
      'content-type': 'application/octet-stream',
    });
    const json = await send(socket, QUERY, { body: PROFILE });
    expect(documentOf(json)).toMatchObject({
      bytes: program.toString('base64'),
      sha256: sha256(program),
      confined: true,
      cache: { tier: 'memory' },
      diagnostics: [],
    });
    expect([json.headers.etag, json.headers['content-location']]).toEqual([undefined, undefined]);
  });

  it('compiles once for many who ask at the same time, and never again', async () => {
    const socket = await start();
    const replies = await Promise.all(
      Array.from({ length: 40 }, () => send(socket, QUERY, { body: PROFILE, headers: RAW })),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => sha256(body)))).toEqual(new Set([sha256(await expected())]));
    await send(socket, QUERY, { body: PROFILE });
    expect(await metric(socket, 'seccompc_compile_seconds_count')).toBe(1);
    expect(await metric(socket, 'seccompc_requests_total{route="compile",code="200"}')).toBe(41);
  });

  it('is refused with the diagnostics of the profile', async () => {
    const socket = await start();
    const faulty = PROFILE.replace('SCMP_ACT_ALLOW', 'SCMP_ACT_ALOW');
    const reply = await send(socket, QUERY, { body: faulty });
    expect([reply.status, codesOf(reply)]).toEqual([422, ['UNKNOWN_ACTION']]);
    expect(documentOf(reply)).toMatchObject({
      diagnostics: [{ file: '-', line: 1, pointer: '/syscalls/0/action' }],
    });
    expect(codesOf(await send(socket, QUERY, { body: '{' }))).toContain('JSON_SYNTAX');
  });

  it('is refused where the profile asks for no filter, unless that is allowed', async () => {
    const socket = await start();
    const body = '{"ociVersion":"1.2.0","linux":{}}';
    const allowed = `${QUERY}&allow-unconfined`;
    // What was compiled for one who allows it is in memory for one who does not.
    for (let time = 0; time < 2; time++) {
      for (const headers of [{}, RAW]) {
        const refused = await send(socket, QUERY, { body, headers });
        expect([refused.status, codesOf(refused)]).toEqual([422, ['NOT_CONFINED']]);
      }
      expect(await send(socket, allowed, { body, headers: RAW })).toMatchObject({
        status: 204,
        body: Buffer.alloc(0),
      });
      expect(documentOf(await send(socket, allowed, { body }))).toMatchObject({ confined: false, bytes: '' });
    }
    const empty = sha256(new Uint8Array());
    expect(await send(socket, `/v1/filters/${empty}`)).toMatchObject({ status: 404 });
  });

  it.each([
    [400, 'REQUEST_INVALID', { body: '' }, QUERY],
    [400, 'REQUEST_INVALID', { body: PROFILE }, '/v1/compile?arch=vax'],
    [400, 'TARGET_INVALID', { body: PROFILE }, `${QUERY}&cap=FLY`],
    [405, 'METHOD_UNKNOWN', { method: 'GET' }, QUERY],
    [406, 'ANSWER_TYPE', { body: PROFILE, headers: { Accept: 'text/html' } }, QUERY],
    [415, 'REQUEST_TYPE', { body: PROFILE, headers: { 'Content-Type': 'text/plain' } }, QUERY],
    [415, 'REQUEST_TYPE', { body: PROFILE, headers: { 'Content-Encoding': 'gzip' } }, QUERY],
    [404, 'ROUTE_UNKNOWN', { body: PROFILE }, '/v2/compile'],
    [404, 'FILTER_UNKNOWN', {}, '/v1/filters/../../etc/passwd'],
    [404, 'FILTER_UNKNOWN', {}, `/v1/filters/${'0'.repeat(64)}`],
    [405, 'METHOD_UNKNOWN', { method: 'DELETE' }, `/v1/filters/${'0'.repeat(64)}`],
  ])('that is wrong gets %i %s', async (status, code, request, path) => {
    const socket = await start();
    const reply = await send(socket, path, request);
    expect([reply.status, codesOf(reply)]).toEqual([status, [code]]);
    expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
  });
});

describe('a program', () => {
  it('is had by its digest, and never changes', async () => {
    const socket = await start();
    const program = await expected();
    await send(socket, QUERY, { body: PROFILE });
    const path = `/v1/filters/${sha256(program)}`;
    const found = await send(socket, path);
    expect(found).toMatchObject({ status: 200, body: program });
    expect(found.headers['cache-control']).toContain('immutable');
    const head = await send(socket, path, { method: 'HEAD' });
    expect([head.status, head.body.length, head.headers['content-length']]).toEqual([
      200,
      0,
      String(program.length),
    ]);
    const again = await send(socket, path, { headers: { 'If-None-Match': found.headers.etag! } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const other = await send(socket, path, { headers: { 'If-None-Match': `"${'0'.repeat(64)}"` } });
    expect(other.status).toBe(200);
  });

  it('leaves memory when there is no room, and is compiled again', async () => {
    const socket = await start({ memory: 8000 });
    const programs = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => expected(variant(number))));
    for (const number of [1, 2, 3, 4, 5, 6]) await send(socket, QUERY, { body: variant(number) });
    expect(await metric(socket, 'seccompc_memory_evicted_total')).toBeGreaterThan(0);
    expect(await metric(socket, 'seccompc_memory_bytes')).toBeLessThanOrEqual(8000);
    const first = await send(socket, QUERY, { body: variant(1), headers: RAW });
    expect(first.body).toEqual(programs[0]);
  });
});

describe('limits', () => {
  it('hold for the size of a body, announced or not', async () => {
    const socket = await start({ body: 1000 });
    const large = PROFILE + ' '.repeat(1000);
    const announced = await send(socket, QUERY, {
      body: large,
      headers: { 'Content-Length': `${large.length}` },
    });
    expect([announced.status, codesOf(announced)]).toEqual([413, ['REQUEST_TOO_LARGE']]);
    const chunked = await send(socket, QUERY, { body: large, headers: { 'Transfer-Encoding': 'chunked' } });
    expect([chunked.status, codesOf(chunked)]).toEqual([413, ['REQUEST_TOO_LARGE']]);
    expect((await send(socket, QUERY, { body: PROFILE })).status).toBe(200);
  });

  it('are told before the body is sent to a client that asks', async () => {
    const socket = await start({ body: 1000 });
    const connection = await rawConnection(socket);
    const head = (length: number) =>
      `POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
    connection.write(head(5000));
    const refused = await untilText(connection, 'REQUEST_TOO_LARGE');
    expect(refused).toMatch(/^HTTP\/1\.1 413 /);
    connection.destroy();
    const other = await rawConnection(socket);
    other.write(head(PROFILE.length));
    expect(await untilText(other, '\r\n\r\n')).toMatch(/^HTTP\/1\.1 100 /);
    other.write(PROFILE);
    expect(await untilText(other, '"sha256"')).toContain('200 OK');
    other.destroy();
  });

  it('hold for all bodies together', async () => {
    const socket = await start({ bodies: 150 });
    const slow = await rawConnection(socket);
    slow.write(`POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 140\r\n\r\n${' '.repeat(100)}`);
    // The part of a body that has come counts as soon as it is there.
    let status = 0;
    for (let attempt = 0; attempt < 100 && status !== 503; attempt += 1) {
      const reply = await send(socket, `${QUERY}&force=${attempt % 2}`, { body: PROFILE });
      ({ status } = reply);
      if (status === 503) expect(codesOf(reply)).toEqual(['SERVER_BUSY']);
    }
    expect(status).toBe(503);
    slow.destroy();
    for (let attempt = 0; attempt < 100 && status !== 200; attempt += 1)
      ({ status } = await send(socket, QUERY, { body: PROFILE }));
    expect(status).toBe(200);
  });

  it('hold for the head of a request', async () => {
    const socket = await start();
    const connection = await rawConnection(socket);
    connection.write(`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(await untilClosed(connection)).toMatch(/^HTTP\/1\.1 431 .*REQUEST_TOO_LARGE/s);
  });

  it('hold for the time of a request, in its head or its body', async () => {
    const socket = await start({ requestTime: 300 });
    for (const part of [
      'GET /heal',
      `POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{"def`,
    ]) {
      const connection = await rawConnection(socket);
      connection.write(part);
      expect(await untilClosed(connection)).toMatch(/^HTTP\/1\.1 408 .*REQUEST_TOO_SLOW/s);
    }
    expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
  });

  it('hold for the time of a compilation, and the next one gets another thread', async () => {
    const socket = await start({ compileTime: 1 });
    for (const number of [1, 2]) {
      const reply = await send(socket, QUERY, { body: variant(number) });
      expect([reply.status, codesOf(reply)]).toEqual([503, ['COMPILE_TOO_SLOW']]);
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(1);
    }
    expect(await metric(socket, 'seccompc_compilations')).toBe(0);
  });
});

describe('a client that', () => {
  it('speaks no HTTP is told so', async () => {
    const socket = await start();
    const connection = await rawConnection(socket);
    connection.write('seccomp please\r\n\r\n');
    expect(await untilClosed(connection)).toMatch(/^HTTP\/1\.1 400 .*REQUEST_INVALID/s);
  });

  it('sends anything at all does no harm', async () => {
    const socket = await start({ requestTime: 5000 });
    const program = await expected();
    const whole = `POST ${QUERY} HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\nContent-Length: ${PROFILE.length}\r\n\r\n${PROFILE}`;
    const damage = fc.record({
      at: fc.nat(whole.length),
      put: fc.uint8Array({ maxLength: 12 }),
      cut: fc.nat(12),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        let bytes = Buffer.from(whole);
        for (const { at, put, cut } of damages)
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
        const connection = await rawConnection(socket);
        connection.on('data', () => {});
        await new Promise<void>((resolve) => connection.write(bytes, () => resolve()));
        const reply = await send(socket, QUERY, { body: PROFILE, headers: RAW });
        expect(reply).toMatchObject({ status: 200, body: program });
        connection.destroy();
      }),
      { numRuns: runs(50, 200) },
    );
    expect(await metric(socket, 'seccompc_crashes_total')).toBe(0);
  });

  it('goes away in the middle of its request leaves nothing behind', async () => {
    const socket = await start({ bodies: 1000 });
    for (let round = 0; round < 30; round += 1) {
      const connection = await rawConnection(socket);
      connection.write(`POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n${' '.repeat(800)}`);
      connection.destroy();
    }
    // Thirty times 800 bytes would be more than there is.
    let status = 0;
    for (let attempt = 0; attempt < 50 && status !== 200; attempt += 1)
      ({ status } = await send(socket, QUERY, { body: PROFILE }));
    expect(status).toBe(200);
  });

  it('does not cancel the work of others by leaving before its answer', async () => {
    const socket = await start();
    const connection = await rawConnection(socket);
    connection.write(
      `POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: ${PROFILE.length}\r\n\r\n${PROFILE}`,
    );
    const other = send(socket, QUERY, { body: PROFILE, headers: RAW });
    connection.destroy();
    expect(await other).toMatchObject({ status: 200, body: await expected() });
  });

  it('asks for health is answered while profiles are compiled', async () => {
    const socket = await start();
    let compiled = false;
    const work = send(socket, QUERY, { body: PROFILE }).then(() => (compiled = true));
    expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
    expect(compiled).toBe(false);
    await work;
  });
});

describe('a server that stops', () => {
  it('answers what has begun, refuses what is new, then removes its socket', async () => {
    const socket = await start();
    const connection = await rawConnection(socket);
    connection.write(`POST ${QUERY} HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\n`);
    connection.write(`Content-Length: ${PROFILE.length}\r\n\r\n${PROFILE.slice(0, 20)}`);
    // Its first bytes are read before any later connection's.
    await send(socket, '/healthz');
    const stopped = running.pop()!.stop();
    const refused = await send(socket, QUERY, { body: PROFILE });
    expect([refused.status, codesOf(refused)]).toEqual([503, ['SERVER_STOPPING']]);
    expect(await send(socket, '/healthz')).toMatchObject({ status: 503 });
    expect(existsSync(socket)).toBe(true);
    const answer = untilClosed(connection);
    connection.write(PROFILE.slice(20));
    await stopped;
    const text = await answer;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.endsWith((await expected()).toString('latin1'))).toBe(true);
    expect(existsSync(socket)).toBe(false);
  });

  it('does not wait for ever', async () => {
    const socket = await start({ stopTime: 50 });
    const connection = await rawConnection(socket);
    connection.write(`POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{`);
    await send(socket, '/healthz');
    const closed = untilClosed(connection);
    await running.pop()!.stop();
    await closed;
    expect(existsSync(socket)).toBe(false);
  });

  it('was alone with its user', async () => {
    expect(statSync(await start()).mode & 0o777).toBe(0o600);
  });
});
