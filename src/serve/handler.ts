import type { IncomingMessage, ServerResponse } from 'node:http';
import { keyedOptions } from '../cache/key.ts';
import type { KeyedOptions } from '../cache/key.ts';
import { Lru } from '../cache/stores/lru.ts';
import { diagnostic, fail, SeccompcError } from '../errors.ts';
import { errorAnswer, faultAnswer, JSON_TYPE, jsonAnswer, RAW_TYPE, sendAnswer } from './response.ts';
import type { Answer } from './response.ts';
import type { Connection, Connections } from './connections.ts';
import { UNNAMED } from './filters.ts';
import type { Filters, ServedFilter } from './filters.ts';
import type { Metrics, Route } from './metrics.ts';
import { readQuery } from './query.ts';
import type { HostDefaults, QueryOptions } from './query.ts';
import { preferredType, readBody, refuseDeclared, refuseOtherTypes, RequestAborted } from './http-request.ts'; // prettier-ignore

export interface HandlerSettings {
  filters: Filters;
  metrics: Metrics;
  connections: Connections;
  /** Defaults of a query. */
  host: HostDefaults;
}

export interface Handler {
  /** @param expects whether the client waits for "100 Continue" before it sends the body */
  handle(request: IncomingMessage, response: ServerResponse, expects: boolean): void;
  /** From now on new requests are refused; resolves when none is open any more. */
  stop(): Promise<void>;
}

const FILTERS = '/v1/filters/';
const READING = 'GET, HEAD';
const ROUTES = new Map<string, [Route, string]>([
  ['/v1/compile', ['compile', 'POST']],
  ['/healthz', ['healthz', READING]],
  ['/metrics', ['metrics', READING]],
]);
/** The options of a query. `allowUnconfined` is not part of the filter's key. */
interface Query {
  keyed: KeyedOptions<QueryOptions>;
  allowUnconfined: boolean;
}

/** Bytes of queries whose options are remembered. */
const QUERIES = 1024 ** 2;

/** Answers every request of the server, and counts it. */
export function makeHandler({ filters, metrics, connections, host }: HandlerSettings): Handler {
  const queries = new Lru<Query>(QUERIES);
  let stopping = false;

  function handle(request: IncomingMessage, response: ServerResponse, expects: boolean): void {
    const url = request.url!;
    const connection = connections.of(request.socket);
    if (connection === undefined || request.socket.destroyed) return;
    // A hit by digest needs no promise and parses nothing. It waits for earlier answers of its
    // connection.
    if (url.startsWith(FILTERS) && request.method === 'GET' && response.socket !== null && !stopping) {
      const digest = url.slice(FILTERS.length);
      const program = filters.inMemory(digest);
      if (program !== undefined) {
        sendProgram(request, response, digest, program);
        connections.guard(response, connection.socket);
        metrics.request('filters', response.statusCode);
        return;
      }
    }
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const [route, allowed] = routeOf(path);
    response.once('close', () => response.headersSent && metrics.request(route, response.statusCode));
    connections.begin(connection, response, () => {
      answer(route, allowed, { request, response, connection, expects }).catch((error: unknown) => {
        if (connection.closed || error instanceof RequestAborted) return;
        if (!(error instanceof SeccompcError)) metrics.crashed();
        sendAnswer(response, errorAnswer(error, stopping ? ['Connection', 'close'] : []));
      });
    });
  }

  async function answer(route: Route, allowed: string, exchange: Exchange): Promise<void> {
    const { request, response } = exchange;
    if (route === 'none') fail('ROUTE_UNKNOWN');
    if (!allowed.split(', ').includes(request.method!)) {
      sendAnswer(response, faultAnswer(diagnostic('METHOD_UNKNOWN', { allowed }), ['Allow', allowed]));
      return;
    }
    if (stopping) fail('SERVER_STOPPING');
    const [path = '', query = ''] = splitOnce(request.url!, '?');
    if (route === 'compile') await compileRoute(exchange, query);
    else if (route === 'filters') await filterRoute(exchange, path.slice(FILTERS.length));
    else sendAnswer(response, route === 'healthz' ? HEALTHY : metricsAnswer(metrics.render()));
  }

  async function compileRoute(exchange: Exchange, query: string): Promise<void> {
    const { request, response, connection, expects } = exchange;
    const type = preferredType(request.headers.accept);
    refuseOtherTypes(request);
    const { keyed, allowUnconfined } = await optionsOf(query);
    refuseDeclared(request, connections.limits.body);
    if (expects) response.writeContinue();
    const body = await readBody(request, connection, connections);
    let filter: ServedFilter;
    try {
      filter = await filters.compile(body, keyed, connection);
    } finally {
      connections.give(connection, body.length);
    }
    if (connection.closed) return;
    metrics.filter(filter.tier);
    if (!filter.confined && !allowUnconfined) fail('NOT_CONFINED', {}, { file: UNNAMED });
    sendAnswer(response, filterAnswer(filter, type));
  }

  async function optionsOf(query: string): Promise<Query> {
    const kept = queries.get(query);
    if (kept !== undefined) return kept;
    const { allowUnconfined = false, ...options } = readQuery(new URLSearchParams(query), host);
    const read = { keyed: await keyedOptions(options), allowUnconfined };
    queries.set(query, read, query.length + 3 * JSON.stringify(options).length);
    return read;
  }

  async function filterRoute({ request, response, connection }: Exchange, digest: string): Promise<void> {
    if (!/^[0-9a-f]{64}$/.test(digest)) fail('FILTER_UNKNOWN');
    const program = filters.inMemory(digest) ?? (await filters.inStore(digest)) ?? fail('FILTER_UNKNOWN');
    if (!connection.closed) sendProgram(request, response, digest, program);
  }

  return {
    handle,
    async stop() {
      stopping = true;
      await new Promise<void>((resolve) => connections.whenIdle(resolve));
    },
  };
}

/** One request and what belongs to it. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  connection: Connection;
  expects: boolean;
}

function routeOf(path: string): [Route, string] {
  if (path.startsWith(FILTERS)) return ['filters', READING];
  return ROUTES.get(path) ?? ['none', ''];
}

function splitOnce(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** The content of a digest never changes. */
function sendProgram(
  request: IncomingMessage,
  response: ServerResponse,
  digest: string,
  program: Buffer,
): void {
  const headers = ['Content-Type', RAW_TYPE, 'ETag', `"${digest}"`, 'Cache-Control', IMMUTABLE];
  if (request.headers['if-none-match']?.includes(digest)) {
    response.writeHead(304, headers).end();
    return;
  }
  headers.push('Content-Length', String(program.length));
  response.writeHead(200, headers).end(program);
}

const IMMUTABLE = 'public, max-age=31536000, immutable';
const NOT_KEPT = ['Cache-Control', 'no-store'];

function filterAnswer({ confined, sha256, bytes, json }: ServedFilter, type: string): Answer {
  // There is no program, and an empty one would not be the same.
  if (type === RAW_TYPE && !confined) return { status: 204, headers: NOT_KEPT, body: Buffer.alloc(0) };
  if (type === JSON_TYPE) return { status: 200, headers: ['Content-Type', type, ...NOT_KEPT], body: json };
  // These describe the raw program, so they do not fit the JSON document.
  const place = ['ETag', `"${sha256}"`, 'Content-Location', `${FILTERS}${sha256}`];
  return { status: 200, headers: ['Content-Type', type, ...NOT_KEPT, ...place], body: bytes };
}

const HEALTHY = jsonAnswer(200, { status: 'ok' });

function metricsAnswer(text: string): Answer {
  const headers = ['Content-Type', 'text/plain; version=0.0.4; charset=utf-8', ...NOT_KEPT];
  return { status: 200, headers, body: Buffer.from(text) };
}
