/**
 * Clients that want to keep the server from its others, and profiles whose compilation has no end.
 */
import { join } from 'node:path';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/cache/open.ts';
import type { CacheStore } from '../../src/cache/stores/store.ts';
import { compile } from '../../src/compile.ts';
import { startServer } from '../../src/serve/server.ts';
import type { RunningServer, ServerSettings } from '../../src/serve/server.ts';
import { makeTarget } from '../../src/target.ts';
import { codesOf, documentOf, metric, rawConnection, send, socketFolder, untilClosed, untilText } from './serve-requests.ts'; // prettier-ignore

const QUERY = '/v1/compile?arch=x86_64&kernel=6.1';
const RAW = { Accept: 'application/octet-stream' };
const WORKER = fileURLToPath(new URL('stuck-worker.mjs', import.meta.url));

const folder = socketFolder();
const running: RunningServer[] = [];
const sockets: Socket[] = [];
let count = 0;
afterEach(async () => {
  sockets.splice(0).forEach((socket) => socket.destroy());
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function start(
  limits: ServerSettings['limits'] = {},
  more: Partial<ServerSettings> = {},
): Promise<string> {
  const socket = join(folder, `${(count += 1)}.sock`);
  // Nothing ends because the machine is slow.
  const patient = { workers: 2, compileTime: 600_000, answerTime: 600_000 };
  running.push(await startServer({ socket, limits: { ...patient, ...limits }, ...more }, { worker: WORKER }));
  return socket;
}

async function connection(socket: string): Promise<Socket> {
  const made = await rawConnection(socket);
  sockets.push(made);
  return made;
}

/** A profile of that number, unlike any other. */
function profile(number: number, name = 'read'): string {
  return `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":${number},"syscalls":[{"names":["${name}"],"action":"SCMP_ACT_ALLOW"}]}`;
}

/** Its compilation never ends. */
const endless = (number: number) => profile(number, 'stuck');

async function program(text: string): Promise<Buffer> {
  const target = makeTarget({ arch: 'X86_64', kernel: { major: 6, minor: 1 } });
  return Buffer.from((await compile(text, { target })).bytes);
}

function post(body: string, query = QUERY): string {
  return `POST ${query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Everything that has come so far. */
function collected(socket: Socket): () => string {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  return () => text;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('profiles whose compilation never ends', () => {
  it('do not delay other requests, however many connections send them', async () => {
    const socket = await start();
    const hostile = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connection(socket)));
    const answers = hostile.map((one, index) => {
      one.write([1, 2, 3].map((part) => post(endless(10 * index + part))).join(''));
      return collected(one);
    });
    await until(async () => (await metric(socket, 'seccompc_open_requests')) >= 18);
    for (const number of [101, 102]) {
      const reply = await send(socket, QUERY, { body: profile(number), headers: RAW });
      expect(reply).toMatchObject({ status: 200, body: await program(profile(number)) });
    }
    expect((await send(socket, '/healthz')).status).toBe(200);
    expect(answers.map((text) => text())).toEqual(hostile.map(() => ''));
  });

  it('do not delay a short profile that another client queued after them', async () => {
    const socket = await start();
    const hostile = await connection(socket);
    hostile.write([1, 2, 3, 4, 5].map((number) => post(endless(number))).join('') + post(profile(7)));
    const answer = collected(hostile);
    await until(async () => (await metric(socket, 'seccompc_open_requests')) >= 6);
    const reply = await send(socket, QUERY, { body: profile(7), headers: RAW });
    expect(reply.body).toEqual(await program(profile(7)));
    // Answers are in the order of the requests.
    expect(answer()).toBe('');
  });

  it('are ended at their limit, and refused at once when they come again', async () => {
    const socket = await start({ compileTime: 200 });
    for (const origin of ['compiler', 'memory', 'memory']) {
      const before = await metric(socket, `seccompc_refusals_total{origin="${origin}"}`);
      const reply = await send(socket, QUERY, { body: endless(1) });
      expect([reply.status, codesOf(reply)]).toEqual([503, ['COMPILE_TOO_SLOW']]);
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(1);
      expect(await metric(socket, `seccompc_refusals_total{origin="${origin}"}`)).toBe(before + 1);
    }
    // Another target is another request.
    await send(socket, `${QUERY}&optimize=size`, { body: endless(1) });
    expect(await metric(socket, 'seccompc_refusals_total{origin="compiler"}')).toBe(2);
  });

  it('are tried again some time later, since it may have been for the machine', async () => {
    const socket = await start({ compileTime: 200, refusalTime: 0 });
    for (const times of [1, 2]) {
      await send(socket, QUERY, { body: endless(1) });
      expect(await metric(socket, 'seccompc_refusals_total{origin="compiler"}')).toBe(times);
    }
  });

  it('hold their own request for a limited time only', async () => {
    const socket = await start({ answerTime: 100 });
    const reply = await send(socket, QUERY, { body: endless(1) });
    expect([reply.status, codesOf(reply)]).toEqual([503, ['SERVER_BUSY']]);
  });

  it('do not begin once their client has gone', async () => {
    const socket = await start();
    for (const number of [1, 2, 3, 4, 5]) {
      const one = await connection(socket);
      one.write(post(endless(number)));
      await until(async () => (await metric(socket, 'seccompc_compilations')) > 0);
      one.destroy();
    }
    // One that runs is ended when another needs its thread.
    await until(async () => (await metric(socket, 'seccompc_open_requests')) === 1);
    for (const number of [11, 12, 13]) await send(socket, QUERY, { body: profile(number) });
    await until(async () => (await metric(socket, 'seccompc_compilations')) <= 2);
    expect(await metric(socket, 'seccompc_compile_seconds_count')).toBe(3);
  });
});

describe('a profile that is refused', () => {
  it('is compiled once, and its refusal is remembered with all that is wrong with it', async () => {
    const socket = await start();
    const faulty = profile(1).replace('SCMP_ACT_ALLOW', 'SCMP_ACT_ALOW');
    const first = await send(socket, QUERY, { body: faulty });
    const second = await send(socket, QUERY, { body: faulty });
    expect([first.status, codesOf(first)]).toEqual([422, ['UNKNOWN_ACTION']]);
    expect(second).toMatchObject({ status: 422, body: first.body });
    expect(first.headers['retry-after']).toBeUndefined();
    expect(await metric(socket, 'seccompc_refusals_total{origin="compiler"}')).toBe(1);
    expect(await metric(socket, 'seccompc_refusals_total{origin="memory"}')).toBe(1);
    expect(await metric(socket, 'seccompc_memory_entries')).toBe(1);
  });

  it('takes a bounded part of memory, and none of that of filters', async () => {
    const socket = await start({ memory: 80_000 });
    await send(socket, QUERY, { body: profile(1) });
    for (let number = 0; number < 40; number += 1)
      await send(socket, QUERY, { body: `{"defaultAction":"${number}${'x'.repeat(500)}"}` });
    expect(await metric(socket, 'seccompc_memory_evicted_total')).toBeGreaterThan(10);
    expect(await metric(socket, 'seccompc_memory_bytes')).toBeLessThanOrEqual(80_000);
    expect(documentOf(await send(socket, QUERY, { body: profile(1) }))['cache']).toMatchObject({
      tier: 'memory',
    });
  });
});

describe('a client', () => {
  it('that sends requests without end and reads nothing is disconnected', async () => {
    const socket = await start({ writeTime: 100 });
    await send(socket, QUERY, { body: profile(1) });
    const greedy = await connection(socket);
    greedy.pause();
    const request = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(16);
    const closed = new Promise((resolve) => greedy.once('error', resolve));
    const write = () => void greedy.write(request, () => setImmediate(write));
    write();
    await closed;
    await until(async () => (await metric(socket, 'seccompc_connections')) === 1);
    expect((await send(socket, '/healthz')).status).toBe(200);
  });

  it('that takes its answers a little at a time is disconnected', async () => {
    const socket = await start({ writeTime: 100 });
    // More than the system holds for a connection.
    const names = Array.from({ length: 100 }, (_, index) => `"${'long'.repeat(20)}${index}"`).join(',');
    const slow = await connection(socket);
    slow.pause();
    slow.write(post(profile(1).replace('"read"', names)).repeat(40));
    const closed = new Promise((resolve) => slow.once('close', resolve));
    await until(async () => {
      slow.read(1);
      return (await metric(socket, 'seccompc_connections')) === 1;
    });
    slow.resume();
    await closed;
    expect((await send(socket, '/healthz')).status).toBe(200);
  });

  it('that sends many requests at once is answered in order', async () => {
    const socket = await start({ requests: 2 });
    await send(socket, QUERY, { body: profile(1) });
    const eager = await connection(socket);
    const numbers = Array.from({ length: 40 }, (_, index) => index + 1);
    const done = untilText(eager, '"status": "ok"');
    eager.write(
      numbers.map((number) => post(profile(number))).join('') + 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n',
    );
    const text = await done;
    const expected = await Promise.all(numbers.map(async (number) => (await program(profile(number))).toString('base64'))); // prettier-ignore
    expect([...text.matchAll(/"bytes": "([^"]+)"/g)].map(([, bytes]) => bytes)).toEqual(expected);
  });

  it('that sends more requests than it may is disconnected, and keeps nothing', async () => {
    const socket = await start();
    const flood = await connection(socket);
    const closed = untilClosed(flood);
    flood.write(post(endless(1)) + 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(500));
    expect(await closed).toBe('');
    await until(async () => (await metric(socket, 'seccompc_open_requests')) === 1);
  });

  it('that is too slow behind its own request gets no answer that would be taken for that one', async () => {
    const socket = await start({ requestTime: 200 });
    const mixed = await connection(socket);
    const closed = untilClosed(mixed);
    mixed.write(post(endless(1)) + 'GET /heal');
    expect(await closed).toBe('');
  });

  it('that only connects makes room for others', async () => {
    const socket = await start({ connections: 4 });
    const idle = await Promise.all([1, 2, 3, 4].map(() => connection(socket)));
    // One for the connection below, one for those after it.
    const closed = Promise.all(idle.slice(0, 2).map(untilClosed));
    const sending = await connection(socket);
    sending.write(`POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{`);
    for (const number of [1, 2, 3, 4, 5, 6])
      expect((await send(socket, QUERY, { body: profile(number) })).status).toBe(200);
    await closed;
  });

  it('that waits for its answer keeps its connection, also when there are too many', async () => {
    const socket = await start({ connections: 4 });
    const waiting = await Promise.all([1, 2, 3].map(() => connection(socket)));
    waiting.forEach((one, number) => one.write(post(endless(number))));
    await until(async () => (await metric(socket, 'seccompc_open_requests')) >= 4);
    for (const number of [1, 2, 3, 4, 5, 6])
      expect((await send(socket, QUERY, { body: profile(number) })).status).toBe(200);
    expect(waiting.map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
  });

  it('that holds back the end of large profiles leaves room for those of others', async () => {
    const socket = await start({ connections: 8, bodies: 8000, body: 8000 });
    const hogs = await Promise.all([1, 2, 3, 4, 5].map(() => connection(socket)));
    for (const hog of hogs)
      hog.write(`POST ${QUERY} HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n${' '.repeat(7000)}`);
    await until(async () => (await metric(socket, 'seccompc_open_requests')) >= 2);
    for (const number of [1, 2, 3])
      expect((await send(socket, QUERY, { body: profile(number) })).status).toBe(200);
  });

  it('that asks for programs which a silent store may have does not collect questions', async () => {
    let pending = 0;
    const store: CacheStore = {
      ...openStore(join(folder, 'silent')),
      get: () => {
        pending += 1;
        return new Promise(() => {});
      },
    };
    const socket = await start({}, { cache: { stores: [store] } });
    const path = (number: number) => `/v1/filters/${String(number).padStart(64, '0')}`;
    const replies = await Promise.all(Array.from({ length: 100 }, (_, number) => send(socket, path(number))));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([404]));
    expect(pending).toBeLessThanOrEqual(64);
  });
});
