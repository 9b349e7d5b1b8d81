import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Cache } from '../cache/index.ts';
import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import { faultAnswer, rawAnswer } from './answer.ts';
import { makeFilters } from './filters.ts';
import { makeHandler } from './handler.ts';
import { makeMetrics } from './metrics.ts';
import type { HostDefaults } from './query.ts';
import { refuseDeclared } from './request.ts';
import type { BodyBudget } from './request.ts';
import { listenAt } from './socket.ts';

export interface ServerSettings {
  /** Path of the unix socket. */
  socket: string;
  /** Where filters are looked up and kept beyond this process; closed by whoever opened it. */
  cache?: Cache | undefined;
  /** What a query need not say. */
  host?: HostDefaults;
  limits?: Partial<Limits>;
  /** Told of faults of the cache, which no answer speaks of. */
  onWarning?: (found: Diagnostic) => void;
}

export interface Limits {
  /** Threads that compile. */
  workers: number;
  /** Bytes of filters that are held in memory. */
  memory: number;
  /** Bytes of one profile. */
  body: number;
  /** Bytes of all profiles whose requests are not answered yet. */
  bodies: number;
  /** Milliseconds in which a request must be complete. */
  requestTime: number;
  /** Milliseconds that one compilation may take. */
  compileTime: number;
  /** Compilations that run or wait. */
  compilations: number;
  /** Milliseconds that requests have to end when the server stops. */
  stopTime: number;
}

const MIB = 1024 ** 2;
export const DEFAULT_LIMITS: Limits = {
  workers: 1,
  memory: 64 * MIB,
  body: 4 * MIB,
  bodies: 64 * MIB,
  requestTime: 10_000,
  compileTime: 30_000,
  compilations: 256,
  stopTime: 10_000,
};

/** The query of a request with every flag is below 1 KiB. */
const HEADER_BYTES = 8 * 1024;
const CONNECTIONS = 1024;
/** Clients keep a connection for as long as they like, within reason. */
const IDLE_TIME = 300_000;

export interface RunningServer {
  /** Answers what has begun, refuses what is new, then removes the socket. */
  stop(): Promise<void>;
}

/**
 * A resident compiler at a unix socket; docs/serve.md has its interface.
 * @throws SeccompcError SOCKET_REFUSED
 */
export async function startServer(
  settings: ServerSettings,
  { worker }: { worker?: string } = {},
): Promise<RunningServer> {
  const limits: Limits = { ...DEFAULT_LIMITS, ...settings.limits };
  const filters = makeFilters({
    ...limits,
    cache: settings.cache,
    worker,
    deadline: limits.compileTime,
    onWarning(found) {
      metrics.cacheFault();
      settings.onWarning?.(found);
    },
    onCompiled: (seconds) => metrics.compiled(seconds),
  });
  const gauge = (name: string, help: string, read: () => number) =>
    ({ name, help, type: 'gauge', read }) as const;
  const metrics = makeMetrics([
    gauge('seccompc_compilations', 'Compilations that run or wait.', () => filters.running()),
    gauge('seccompc_memory_bytes', 'Bytes of filters in memory.', () => filters.memory.bytes),
    gauge('seccompc_memory_entries', 'Filters in memory, by request and by digest.', () => filters.memory.entries), // prettier-ignore
    { ...gauge('seccompc_memory_evicted_total', 'Filters that had to leave memory.', () => filters.memory.evicted), type: 'counter' }, // prettier-ignore
  ]);
  const budget: BodyBudget = { limit: limits.body, free: limits.bodies };
  const handler = makeHandler({ filters, metrics, host: settings.host ?? {}, budget });
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES,
      requestTimeout: limits.requestTime,
      headersTimeout: limits.requestTime,
      keepAliveTimeout: IDLE_TIME,
      connectionsCheckingInterval: Math.min(1000, limits.requestTime),
    },
    (request, response) => handler.handle(request, response),
  );
  server.maxConnections = CONNECTIONS;
  server.on('clientError', answerUnreadable);
  // Asked by the client whether to send its body at all.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    try {
      refuseDeclared(request, limits.body);
      response.writeContinue();
    } catch {
      // The handler finds the same, and answers it.
    }
    handler.handle(request, response);
  });
  const socket = await listenAt(server, settings.socket);
  filters.ready();

  return {
    async stop() {
      // Connections stay: one that looks idle may have a request on its way, which is to be refused in words.
      await withinTime(handler.stop(), limits.stopTime);
      await filters.close();
      if (await socket.isOurs()) await closeServer(server);
      else server.closeAllConnections();
    },
  };
}

async function withinTime(work: Promise<void>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** Milliseconds for what is written to reach its reader. */
const FLUSH_TIME = 500;

async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), FLUSH_TIME);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  clearTimeout(timer);
}

/** A request that is no HTTP, too long in its head, or too slow: nothing after it on this connection can be read. */
function answerUnreadable(error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [code, status] = UNREADABLE.get(error.code ?? '') ?? (['REQUEST_INVALID', 400] as const);
  const values = { reason: 'this is not HTTP/1.1', limit: `${HEADER_BYTES} bytes before its body` };
  socket.end(rawAnswer({ ...faultAnswer(diagnostic(code, values)), status }));
}

const UNREADABLE = new Map<string, readonly [Code, number]>([
  ['HPE_HEADER_OVERFLOW', ['REQUEST_TOO_LARGE', 431]],
  ['ERR_HTTP_REQUEST_TIMEOUT', ['REQUEST_TOO_SLOW', 408]],
]);
