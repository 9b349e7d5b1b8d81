import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, existsSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'; // prettier-ignore
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { SeccompcError } from '../../src/errors.ts';
import { startServer } from '../../src/serve/server.ts';
import type { RunningServer } from '../../src/serve/server.ts';
import { defaultSocket } from '../../src/serve/socket.ts';
import { builtScript } from './script.ts';
import { send, socketFolder } from './serve-requests.ts';

const folder = socketFolder();
const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

let count = 0;
function place(name = 's'): string {
  return join(folder, `p${(count += 1)}`, name);
}

async function start(socket: string): Promise<RunningServer> {
  const server = await startServer({ socket });
  running.push(server);
  return server;
}

async function refusal(socket: string): Promise<string> {
  const error: unknown = await start(socket).catch((caught: unknown) => caught);
  if (!(error instanceof SeccompcError)) throw new Error(`${socket} was not refused`);
  expect(error.diagnostics.map(({ code }) => code)).toEqual(['SOCKET_REFUSED']);
  return error.message;
}

/** A socket that nobody listens at, as a killed server leaves it. */
async function abandon(socket: string): Promise<void> {
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${socket}-`, resolve));
  linkSync(`${socket}-`, socket);
  await new Promise((resolve) => server.close(resolve));
  expect(lstatSync(socket).isSocket()).toBe(true);
}

/** A server that is killed. */
function kill(socket: string): void {
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
  const script = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  expect(lstatSync(socket).isSocket()).toBe(true);
}

/** A process that tries to listen wherever it is told to. */
function starter(file: string): { child: ChildProcess; ask: (socket: string) => Promise<string> } {
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    async ask(socket) {
      child.stdin.write(`${socket}\n`);
      const line = await lines.next();
      if (line.done) throw new Error('a starter ended');
      return line.value;
    },
  };
}

describe('the socket', () => {
  it('and its folder are for one user alone', async () => {
    const socket = place();
    await start(socket);
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    expect(lstatSync(dirname(socket)).mode & 0o777).toBe(0o700);
    expect(readdirSync(dirname(socket))).toEqual([basename(socket)]);
  });

  it('is replaced if no server answers at it', async () => {
    const socket = place();
    kill(socket);
    await start(socket);
    expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
  });

  it('is left to a server that answers, also to one that only listens', async () => {
    const socket = place();
    await start(socket);
    expect(await refusal(socket)).toContain('a server answers there already');
    expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
    const silent = place();
    mkdirSync(dirname(silent), { mode: 0o700 });
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(silent, resolve));
    expect(await refusal(silent)).toContain('a server answers there already');
    expect(existsSync(silent)).toBe(true);
    await new Promise((resolve) => other.close(resolve));
  });

  it('goes to one of many servers that start at once, and the others find that out', async () => {
    for (let round = 0; round < 5; round += 1) {
      const socket = place();
      await abandon(socket);
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => start(socket)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
    }
  });

  it('goes to one of many servers, whatever killed ones have left', async () => {
    for (let round = 0; round < 10; round += 1) {
      const socket = place();
      // As left at each moment of a start, the last lock being the deepest.
      for (let lock = 0; lock <= round % 4; lock += 1)
        await abandon(lock === 0 ? socket : `${socket}.${lock}`);
      // What an earlier version locked with: two servers that found it old at the same time both
      // went on.
      writeFileSync(`${socket}.lock`, '');
      utimesSync(`${socket}.lock`, 0, 0);
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => start(socket)));
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
      expect(readdirSync(dirname(socket))).toEqual([basename(socket), `${basename(socket)}.lock`]);
    }
  });

  it('goes to one of many processes, which answers there', { timeout: 120_000 }, async () => {
    const script = await builtScript('serve-socket-starter.mjs');
    const starters = Array.from({ length: 6 }, () => starter(script));
    try {
      for (let round = 0; round < 25; round += 1) {
        const socket = place();
        mkdirSync(dirname(socket), { mode: 0o700 });
        if (round % 2 === 1) await abandon(socket);
        if (round % 4 === 3) await abandon(`${socket}.1`);
        const said = await Promise.all(starters.map(({ ask }) => ask(socket)));
        const listening = said.filter((line) => line.startsWith('listening'));
        expect(listening).toHaveLength(1);
        const { body } = await send(socket, '/');
        expect(`listening ${body.toString()}`).toBe(listening[0]);
        expect(said.filter((line) => /refused .*a server answers there already|refused .*another server is starting/.test(line))).toHaveLength(5); // prettier-ignore
        expect(readdirSync(dirname(socket))).toEqual([basename(socket)]);
      }
    } finally {
      starters.forEach(({ child }) => child.kill('SIGKILL'));
    }
  });

  it('never replaces what is no socket', async () => {
    const socket = place();
    mkdirSync(dirname(socket), { mode: 0o700 });
    writeFileSync(socket, 'precious');
    expect(await refusal(socket)).toContain('something else');
    rmSync(socket);
    symlinkSync('elsewhere', socket);
    expect(await refusal(socket)).toContain('something else');
  });

  it('is not put where others could replace it', async () => {
    const socket = place();
    mkdirSync(dirname(socket));
    mkdirSync(join(dirname(socket), 'below'), { mode: 0o700 });
    chmodSync(dirname(socket), 0o770);
    expect(await refusal(socket)).toContain('can write to it');
    chmodSync(dirname(socket), 0o777);
    expect(await refusal(join(dirname(socket), 'below', 's'))).toContain('everybody can write to it');
  });

  it.runIf(process.geteuid?.() === 0)('is not put into or below the folder of another user', async () => {
    const socket = place();
    mkdirSync(join(dirname(socket), 'below'), { recursive: true, mode: 0o700 });
    chownSync(dirname(socket), 54321, 54321);
    expect(await refusal(socket)).toContain('belongs to another user');
    expect(await refusal(join(dirname(socket), 'below', 's'))).toContain('belongs to another user');
  });

  it('has a path that the system can hold', async () => {
    expect(await refusal(join(folder, 'x'.repeat(120)))).toContain('more than 100 bytes');
    expect(await refusal(join('/proc', 'none', 's'))).toContain('no such file');
  });

  it('of another server is not removed by one that lost it', async () => {
    const socket = place();
    const first = await start(socket);
    rmSync(socket);
    await start(socket);
    running.splice(running.indexOf(first), 1);
    await first.stop();
    expect(await send(socket, '/healthz')).toMatchObject({ status: 200 });
  });

  it('is where the user has such things, unless said', () => {
    expect(defaultSocket({ XDG_RUNTIME_DIR: '/run/user/7' })).toBe('/run/user/7/seccompc/serve.sock');
    const other = process.geteuid?.() === 0 ? '/run/seccompc/serve.sock' : undefined;
    expect(defaultSocket({ XDG_RUNTIME_DIR: 'relative' })).toBe(other);
    expect(defaultSocket({})).toBe(other);
  });
});
