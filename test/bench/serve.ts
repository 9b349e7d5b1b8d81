/**
 * How many requests a resident server answers: `npm run bench:serve`, on Linux, after a build.
 *
 * The server is the built command in its own process; the client is this process, with connections
 * that it keeps, one request at a time on each, and nothing parsed but the end of the answer.
 * Rounds with different numbers of connections take turns, because the machine is never quiet.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { load } from './machine.ts';
import { markdown, median } from './table.ts';
import type { Table } from './table.ts';

const CONNECTIONS = [1, 2, 4, 6, 8, 10];
const PROFILE = 'profiles/container-default.json';
/** Of /proc/PID/stat, on every architecture that Node runs on: `getconf CLK_TCK`. */
const TICKS_PER_SECOND = 100;

/** A kind of request, always the same one. */
interface Subject {
  title: string;
  request: Buffer;
  /** SHA-256 of the body of every answer. */
  digest: string;
}

/** Times in microseconds, for one request. */
interface Sample {
  rate: number;
  serverCpu: number;
  clientCpu: number;
}

interface Server {
  child: ChildProcess;
  socket: string;
}

async function main(args: string[]): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ args, options: { requests: text, rounds: text } });
  const requests = Number(values.requests ?? 20_000);
  const rounds = Number(values.rounds ?? 5);
  const folder = mkdtempSync(join(tmpdir(), 'sc-'));
  const server = await startServer(join(folder, 's'));
  try {
    const before = load();
    const tables: Table[] = [];
    for (const subject of await makeSubjects(server.socket))
      tables.push(await measure(server, subject, requests, rounds));
    tables.push(await measureBesideHostile(server.socket));
    process.stdout.write(`# seccompc serve, Node ${process.version}, load ${before} to ${load()}\n\n`);
    process.stdout.write(tables.map(markdown).join('\n'));
  } finally {
    server.child.kill('SIGTERM');
    await new Promise((resolve) => server.child.once('exit', resolve));
    rmSync(folder, { recursive: true });
  }
}

async function startServer(socket: string): Promise<Server> {
  const child = spawn(process.execPath, ['dist/cli/main.cjs', 'serve', '--socket', socket, '--no-cache'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stderr.once('data', () => resolve());
    child.once('exit', () => reject(new Error('the server did not start')));
  });
  return { child, socket };
}

async function makeSubjects(socket: string): Promise<Subject[]> {
  const profile = readFileSync(PROFILE);
  const compile = Buffer.concat([
    Buffer.from(
      [
        'POST /v1/compile?arch=x86_64&kernel=6.1 HTTP/1.1',
        'Host: localhost',
        'Content-Type: application/json',
        'Accept: application/octet-stream',
        `Content-Length: ${profile.length}\r\n\r\n`,
      ].join('\r\n'),
    ),
    profile,
  ]);
  const connection = await openConnection(socket);
  const digest = sha256(await connection.ask(compile));
  connection.close();
  const byDigest = Buffer.from(`GET /v1/filters/${digest} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return [
    { title: 'Programs by their digest', request: byDigest, digest },
    { title: `A profile of ${profile.length} bytes that is in memory`, request: compile, digest },
  ];
}

async function measure(server: Server, subject: Subject, requests: number, rounds: number): Promise<Table> {
  const samples = new Map<number, Sample[]>(CONNECTIONS.map((count) => [count, []]));
  await measureRound(server, subject, 4, requests / 2);
  for (let round = 0; round < rounds; round += 1)
    for (const count of CONNECTIONS)
      samples.get(count)!.push(await measureRound(server, subject, count, requests));
  const rows = CONNECTIONS.map((count) => {
    const of = (key: keyof Sample) => median(samples.get(count)!.map((sample) => sample[key]));
    const serverCpu = of('serverCpu');
    return {
      connections: count,
      rate: of('rate'),
      server: serverCpu,
      client: of('clientCpu'),
      perCore: 1e6 / serverCpu,
    };
  });
  return {
    title: subject.title,
    method: `Medians of ${rounds} rounds of ${requests} requests. CPU time is user and system, in us a request.`,
    columns: [
      { key: 'connections', title: 'connections' },
      { key: 'rate', title: 'requests/s' },
      { key: 'server', title: 'server CPU, us', digits: 1 },
      { key: 'client', title: 'client CPU, us', digits: 1 },
      { key: 'perCore', title: 'requests per CPU second of the server' },
    ],
    rows,
  };
}

async function measureRound(
  { child, socket }: Server,
  { request, digest }: Subject,
  count: number,
  requests: number,
): Promise<Sample> {
  const connections = await Promise.all(Array.from({ length: count }, () => openConnection(socket)));
  const serverBefore = cpuMicroseconds(child.pid!);
  const clientBefore = process.cpuUsage();
  const begin = performance.now();
  let left = requests;
  await Promise.all(
    connections.map(async ({ ask }) => {
      let body: Buffer = Buffer.alloc(0);
      while (left-- > 0) body = await ask(request);
      if (body.length > 0 && sha256(body) !== digest) throw new Error('an answer was wrong');
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  const client = process.cpuUsage(clientBefore);
  const server = cpuMicroseconds(child.pid!) - serverBefore;
  connections.forEach(({ close }) => close());
  return {
    rate: requests / seconds,
    serverCpu: server / requests,
    clientCpu: (client.user + client.system) / requests,
  };
}

/**
 * Connections that send profiles which take as long as any to compile, each a new one after every
 * answer.
 */
const HOSTILE = [0, 1, 4, 16];
const SMALL_REQUESTS = 40;

/** How long somebody waits for a small new profile meanwhile. */
async function measureBesideHostile(socket: string): Promise<Table> {
  const rows: Record<string, number>[] = [];
  let number = 0;
  for (const count of HOSTILE) {
    const connections = await Promise.all(Array.from({ length: count }, () => openConnection(socket, true)));
    const state = { over: false };
    const attack = Promise.all(
      connections.map(async ({ ask }) => {
        while (!state.over) await ask(post(hostileProfile((number += 1))));
      }),
    );
    const victim = await openConnection(socket);
    const times: number[] = [];
    for (let request = 0; request < SMALL_REQUESTS; request += 1) {
      const begin = performance.now();
      await victim.ask(post(smallProfile((number += 1))));
      times.push(performance.now() - begin);
    }
    state.over = true;
    victim.close();
    rows.push({ hostile: count, median: median(times), worst: Math.max(...times) });
    await attack;
    connections.forEach(({ close }) => close());
  }
  return {
    title: 'A small new profile while others send the worst',
    method: `${SMALL_REQUESTS} requests one after the other; the first ones are sent together with the attack.`,
    columns: [
      { key: 'hostile', title: 'hostile connections' },
      { key: 'median', title: 'median, ms', digits: 1 },
      { key: 'worst', title: 'longest, ms', digits: 1 },
    ],
    rows,
  };
}

function post(profile: string): Buffer {
  const head = [
    'POST /v1/compile?arch=x86_64&kernel=6.1 HTTP/1.1',
    'Host: localhost',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(profile)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${profile}`);
}

function smallProfile(number: number): string {
  const rule = {
    names: ['read'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: number, op: 'SCMP_CMP_EQ' }],
  };
  return JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule] });
}

/** Comparisons of four arguments with values that have nothing in common. */
function hostileProfile(number: number): string {
  let state = number;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 16;
  const syscalls = Array.from({ length: 36 }, () => ({
    names: ['read'],
    action: 'SCMP_ACT_ALLOW',
    args: [0, 1, 2, 3].map((index) => ({ index, value: random(), op: 'SCMP_CMP_GT' })),
  }));
  const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
  return JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', architectures, syscalls });
}

interface Connection {
  /** Sends a whole request and gives the body of its answer. */
  ask: (request: Buffer) => Promise<Buffer>;
  close: () => void;
}

/** @param mayFail whether the answers may be failures */
async function openConnection(path: string, mayFail = false): Promise<Connection> {
  const socket: Socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let received: Buffer = Buffer.alloc(0);
  let bodyAt = -1;
  let end = -1;
  let resolve: ((body: Buffer) => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    if (bodyAt < 0) {
      bodyAt = received.indexOf('\r\n\r\n') + 4;
      if (bodyAt < 4) {
        bodyAt = -1;
        return;
      }
      const head = received.toString('latin1', 0, bodyAt);
      if (!mayFail && !head.startsWith('HTTP/1.1 200 ')) throw new Error(head);
      end = bodyAt + Number(/\ncontent-length: (\d+)/i.exec(head)?.[1]);
    }
    if (received.length < end) return;
    const body = received.subarray(bodyAt, end);
    received = Buffer.alloc(0);
    bodyAt = -1;
    resolve?.(body);
  });
  return {
    ask: (request) =>
      new Promise((done) => {
        resolve = done;
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

/** User and system time of a process and all its threads (proc_pid_stat(5), fields 14 and 15). */
function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

await main(process.argv.slice(2));
