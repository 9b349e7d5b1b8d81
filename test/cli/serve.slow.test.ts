import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { codesOf, documentOf, metric, rawConnection, send, untilClosed } from '../unit/serve-requests.ts';
import { DOCKER, FAULTY, PLAIN, UNCONFINED_CONFIG, WITH_WARNING } from './profiles.ts';
import { documentOf as printed, environment, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const started: Server[] = [];
afterEach(async () => {
  for (const { child, ended } of started.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});

beforeAll(() => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
});

interface Server {
  child: ChildProcessWithoutNullStreams;
  socket: string;
  /** All it said, once it has ended; `code` is null when a signal ended it. */
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** Starts the command and waits until it listens. */
async function serve(socket: string, ...args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--socket', socket, ...args], {
    cwd: folder,
    env: environment(folder),
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Awaited<Server['ended']>>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  const server = { child, socket: join(folder, socket), ended };
  started.push(server);
  await new Promise<void>((resolve, reject) => {
    const look = () => (/listening/.test(stderr + stdout) ? resolve() : undefined);
    child.stderr.on('data', look);
    child.stdout.on('data', look);
    child.once('close', () => reject(new Error(`it ended: ${stderr}`)));
  });
  return server;
}

function compileWith(args: string[], input: string): Promise<Buffer> {
  const command = ['compile', '-', '--no-cache', '-q', ...args];
  return runIn(folder, command, { input }).then(({ stdout }) => stdout);
}

describe('seccompc serve', () => {
  it.each([
    ['arch=x86_64&kernel=6.1', PLAIN],
    ['arch=arm64&kernel=4.4&cap=SYS_ADMIN', DOCKER],
    ['arch=amd64&kernel=5.10&engine=podman&semantics=runc&optimize=size', DOCKER],
    ['arch=x86_64&kernel=6.1&no-prove', WITH_WARNING],
    ['arch=x86_64&kernel=6.1&require-proof&enosys-after=5.4', PLAIN],
    ['architectures=native', PLAIN],
    ['arch=s390x', UNCONFINED_CONFIG],
    ['arch=s390x&allow-unconfined', UNCONFINED_CONFIG],
    ['arch=x86_64', FAULTY],
  ])('gives what compile gives for %s', async (query, profile) => {
    const { socket } = await serve('same.sock', '--no-cache');
    const flags = query.split('&').map((word) => `--${word}`);
    const raw = await send(socket, `/v1/compile?${query}`, {
      body: profile,
      headers: { Accept: 'application/octet-stream' },
    });
    if (raw.status < 300) expect(raw.body).toEqual(await compileWith(flags, profile));
    const json = await send(socket, `/v1/compile?${query}`, { body: profile });
    const { cache: _, ...document } = documentOf(json);
    const command = await runIn(folder, ['compile', '-', '--no-cache', '--json', ...flags], {
      input: profile,
    });
    const { cache: __, ...own } = printed(command);
    expect(document).toEqual(own);
    expect(json.status).toBe(command.code === 0 ? 200 : 422);
  });

  it('finishes the requests that have begun on SIGTERM, then removes its socket', async () => {
    const { child, socket, ended } = await serve('stop.sock', '--no-cache');
    const slow = await Promise.all(
      [1, 2, 3].map(async () => {
        const connection = await rawConnection(socket);
        connection.write(
          'POST /v1/compile?arch=x86_64 HTTP/1.1\r\nHost: x\r\nAccept: application/octet-stream\r\n',
        );
        connection.write(`Content-Length: ${PLAIN.length}\r\n\r\n${PLAIN.slice(0, 30)}`);
        return connection;
      }),
    );
    await send(socket, '/healthz');
    child.kill('SIGTERM');
    let status = 200;
    while (status === 200) ({ status } = await send(socket, '/healthz'));
    expect(status).toBe(503);
    const refused = await send(socket, '/v1/compile?arch=x86_64', { body: PLAIN });
    expect([refused.status, codesOf(refused)]).toEqual([503, ['SERVER_STOPPING']]);
    const answers = slow.map(untilClosed);
    slow.forEach((connection) => connection.write(PLAIN.slice(30)));
    const program = (await compileWith(['--arch', 'x86_64'], PLAIN)).toString('latin1');
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer.endsWith(program)).toBe(true);
    }
    expect(await ended).toMatchObject({ code: 0, stdout: '', stderr: 'listening at stop.sock\n' });
    expect(existsSync(socket)).toBe(false);
  });

  it('ends on SIGINT too, and takes over what a killed one left', async () => {
    const first = await serve('again.sock', '--json');
    expect(statSync(first.socket).mode & 0o777).toBe(0o600);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(existsSync(first.socket)).toBe(true);
    const second = await serve('again.sock', '--json');
    expect(await send(second.socket, '/healthz')).toMatchObject({ status: 200 });
    const third = await runIn(folder, ['serve', '--socket', 'again.sock']);
    expect([third.code, third.stdout.length]).toEqual([73, 0]);
    expect(third.stderr).toContain('a server answers there already [SOCKET_REFUSED]');
    second.child.kill('SIGINT');
    expect(await second.ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('shares its cache with the command', async () => {
    const query = '/v1/compile?arch=x86_64&kernel=6.1';
    const flags = ['--arch', 'x86_64', '--kernel', '6.1', '--cache', 'shared', '--json'];
    const first = await serve('cache.sock', '--cache', 'shared');
    await send(first.socket, query, { body: PLAIN });
    first.child.kill('SIGTERM');
    await first.ended;
    const hit = printed(await runIn(folder, ['compile', 'plain.json', ...flags]));
    expect(hit['cache']).toMatchObject({ tier: 'sqlite' });
    const second = await serve('cache.sock', '--cache', 'shared');
    expect(documentOf(await send(second.socket, query, { body: PLAIN }))['cache']).toEqual(hit['cache']);
    expect(await metric(second.socket, 'seccompc_filters_total{tier="sqlite"}')).toBe(1);
    const digest = String(hit['sha256']);
    expect((await send(second.socket, `/v1/filters/${digest}`)).body.toString('base64')).toBe(hit['bytes']);
  });

  it('goes on without a faulty cache, and reports that once on standard error only', async () => {
    const { child, socket, ended } = await serve('faulty.sock', '--cache', '/proc/none');
    for (const number of [3, 4]) {
      const body = PLAIN.replace('38', String(number));
      const reply = await send(socket, '/v1/compile?arch=x86_64', { body });
      expect([reply.status, codesOf(reply)]).toEqual([200, []]);
      expect(reply.body.toString()).not.toContain('/proc');
    }
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect([code, stderr.match(/CACHE_/g)?.length]).toEqual([0, 1]);
  });

  it('wants a place, and whole numbers', async () => {
    const workers = await runIn(folder, ['serve', '--socket', 's', '--workers', '0']);
    expect([workers.code, workers.stderr]).toEqual([64, expect.stringContaining('Give a whole number')]);
    const long = await runIn(folder, ['serve', '--socket', 'x'.repeat(200)]);
    expect([long.code, long.stderr]).toEqual([73, expect.stringContaining('100 bytes')]);
  });
});
