import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import type { Cache } from '../cache/compile-cached.ts';
import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import { faultAnswer, rawAnswer } from './response.ts';
import { makeConnections } from './connections.ts';
import type { Connections } from './connections.ts';
import { makeFilters } from './filters.ts';
import { makeHandler } from './handler.ts';
import { makeMetrics } from './metrics.ts';
import type { HostDefaults } from './query.ts';
import { listenAt } from './socket.ts';

export interface ServerSettings {
  /** Path of the Unix socket. */
  socket: string;
  /** Where filters are looked up and kept beyond this process; not closed here. */
  cache?: Cache | undefined;
  /** Defaults of a query. */
  host?: HostDefaults;
  limits?: Partial<ServerLimits>;
  /** Called for faults of the cache, which are in no answer. */
  onWarning?: (found: Diagnostic) => void;
}

export interface ServerLimits {
  /** Threads that compile. */
  workers: number;
  /** Bytes of filters and refusals that are held in memory. */
  memory: number;
  /** Bytes of one profile. */
  body: number;
  /**
   * Bytes of profiles of unanswered requests: so many in equal shares for the connections, and as
   * many beyond them.
   */
  bodies: number;
  /** Connections. */
  connections: number;
  /** Requests of one connection that are worked on at a time. */
  requests: number;
  /** Milliseconds in which a request must be complete. */
  requestTime: number;
  /** Milliseconds that one compilation may take. */
  compileTime: number;
  /** Milliseconds that a request waits for its filter, the compilation included. */
  answerTime: number;
  /** Milliseconds in which a client must have taken an answer. */
  writeTime: number;
  /** Milliseconds for which a compilation that exceeded a limit is not tried again. */
  refusalTime: number;
  /** Milliseconds that requests have to end when the server stops. */
  stopTime: number;
}

const MIB = 1024 ** 2;
export const DEFAULT_LIMITS: ServerLimits = {
  // With two, a compilation without end leaves one to the others.
  workers: Math.max(2, availableParallelism()),
  memory: 64 * MIB,
  body: MIB,
  bodies: 64 * MIB,
  connections: 128,
  requests: 8,
  requestTime: 10_000,
  compileTime: 10_000,
  answerTime: 30_000,
  writeTime: 10_000,
  refusalTime: 300_000,
  stopTime: 10_000,
};

/** The query of a request with every flag is below 1 KiB. */
const HEADER_BYTES = 8 * 1024;
/** Clients keep a connection for as long as they like, within reason. */
const IDLE_TIME = 300_000;

export interface RunningServer {
  /** Answers requests that have begun, refuses new ones, then removes the socket. */
  stop(): Promise<void>;
}

/**
 * A resident compiler at a Unix socket; docs/serve.md has its interface.
 * @throws SeccompcError SOCKET_REFUSED
 */
export async function startServer(
  settings: ServerSettings,
  { worker }: { worker?: string } = {},
): Promise<RunningServer> {
  const limits: ServerLimits = { ...DEFAULT_LIMITS, ...settings.limits };
  const filters = makeFilters({
    ...limits,
    cache: settings.cache,
    worker,
    onWarning(found) {
      metrics.cacheFault();
      settings.onWarning?.(found);
    },
    onCompiled: (seconds) => metrics.compiled(seconds),
    onRefused: (remembered) => metrics.refused(remembered),
  });
  const gauge = (name: string, help: string, read: () => number) =>
    ({ name, help, type: 'gauge', read }) as const;
  const metrics = makeMetrics([
    gauge('seccompc_compilations', 'Compilations that run or wait.', () => filters.running()),
    gauge('seccompc_connections', 'Connections.', () => connections.count),
    gauge('seccompc_open_requests', 'Requests that are not answered yet.', () => connections.open),
    gauge('seccompc_memory_bytes', 'Bytes of filters in memory.', () => filters.memory.bytes),
    gauge('seccompc_memory_entries', 'Filters in memory, by request and by digest.', () => filters.memory.entries), // prettier-ignore
    { ...gauge('seccompc_memory_evicted_total', 'Filters that had to leave memory.', () => filters.memory.evicted), type: 'counter' }, // prettier-ignore
  ]);
  const connections = makeConnections(limits, (connection) => filters.leave(connection));
  const handler = makeHandler({ filters, metrics, connections, host: settings.host ?? {} });
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      requestTimeout: limits.requestTime,
      headersTimeout: limits.requestTime,
      keepAliveTimeout: IDLE_TIME,
      connectionsCheckingInterval: Math.min(1000, limits.requestTime),
    },
    (request, response) => handler.handle(request, response, false),
  );
  server.on('connection', (socket) => connections.opened(socket));
  server.on('clientError', (error: Error & { code?: string }, socket: Socket) =>
    answerUnreadable(error, socket, connections),
  );
  // The client asks whether to send its body at all.
  server.on('checkContinue', (request, response) => handler.handle(request, response, true));
  const socket = await listenAt(server, settings.socket);
  filters.ready();

  return {
    async stop() {
      // Connections stay: one that looks idle may have a request on its way, which gets a refusal.
      await withinTime(handler.stop(), limits.stopTime);
      await filters.close();
      await socket.remove();
      await closeServer(server);
    },
  };
}

async function withinTime(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Milliseconds for the last bytes to reach the client. */
const FLUSH_TIME = 500;

async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), FLUSH_TIME);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(timer);
}

/**
 * A request that is not HTTP, has a too long head, or is too slow. The rest of the connection
 * cannot be read.
 */
function answerUnreadable(error: Error & { code?: string }, socket: Socket, connections: Connections): void {
  const { open, reading } = connections.of(socket) ?? { open: 0, reading: 0 };
  // If an earlier request is unanswered, the client would take this answer for that one's.
  if (!socket.writable || error.code === 'ECONNRESET' || open > reading) {
    socket.destroy();
    return;
  }
  const [code, status] = UNREADABLE.get(error.code ?? '') ?? (['REQUEST_INVALID', 400] as const);
  const values = { reason: 'this is not HTTP/1.1', limit: `${HEADER_BYTES} bytes before its body` };
  connections.endWith(socket, rawAnswer({ ...faultAnswer(diagnostic(code, values)), status }));
}

const UNREADABLE = new Map<string, readonly [Code, number]>([
  ['HPE_HEADER_OVERFLOW', ['REQUEST_TOO_LARGE', 431]],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['REQUEST_TOO_SLOW', 408]],
]);
