import { STATUS_CODES } from 'node:http';
import type { ServerResponse } from 'node:http';
import { diagnostic, diagnosticJson, EXIT, SeccompcError } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import { Refusal } from './refusal.ts';

export const JSON_TYPE = 'application/json';
export const RAW_TYPE = 'application/octet-stream';

/** A whole answer. Headers are names and values in turn, without Content-Length. */
export interface Answer {
  status: number;
  headers: string[];
  body: Buffer;
}

const STATUS: Partial<Record<Code, number>> = {
  REQUEST_INVALID: 400,
  TARGET_INVALID: 400,
  ROUTE_UNKNOWN: 404,
  FILTER_UNKNOWN: 404,
  METHOD_UNKNOWN: 405,
  ANSWER_TYPE: 406,
  REQUEST_TOO_SLOW: 408,
  REQUEST_TOO_LARGE: 413,
  REQUEST_TYPE: 415,
  SERVER_BUSY: 503,
  SERVER_STOPPING: 503,
  COMPILE_TOO_SLOW: 503,
  COMPILE_TOO_LARGE: 503,
};

/** The diagnostics of a failure. A bug is reported without details. */
export function errorAnswer(error: unknown, headers: string[] = []): Answer {
  const known = error instanceof SeccompcError;
  const found = known
    ? error.diagnostics
    : [diagnostic('INTERNAL_ERROR', { reason: 'the request' }, { hint: 'please report it' })];
  const status = known ? statusOf(error) : 500;
  const seconds = retryAfter(error) ?? (status === 503 ? 1 : undefined);
  const later = seconds === undefined ? [] : ['Retry-After', String(seconds)];
  return jsonAnswer(status, { diagnostics: found.map(diagnosticJson) }, [...later, ...headers]);
}

function statusOf({ diagnostics, exitCode }: SeccompcError): number {
  const first = diagnostics.find(({ severity }) => severity === 'error');
  const status = first && STATUS[first.code];
  // A profile that is refused, or that cannot be proved, is well-formed HTTP: 422.
  return status ?? (exitCode === EXIT.software ? 500 : 422);
}

/**
 * Seconds after which a refused request is compiled again; undefined if that would change nothing.
 */
function retryAfter(error: unknown): number | undefined {
  if (!(error instanceof Refusal) || error.until === Infinity) return undefined;
  return Math.max(1, Math.ceil((error.until - performance.now()) / 1000));
}

export function faultAnswer(found: Diagnostic, headers: string[] = []): Answer {
  return errorAnswer(new SeccompcError([found]), headers);
}

export function jsonAnswer(status: number, document: unknown, headers: string[] = []): Answer {
  const body = jsonBody(document);
  return { status, headers: ['Content-Type', JSON_TYPE, 'Cache-Control', 'no-store', ...headers], body };
}

/** As the command prints it. */
export function jsonBody(document: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}

export function sendAnswer(response: ServerResponse, { status, headers, body }: Answer): void {
  const length = status === 204 || status === 304 ? [] : ['Content-Length', String(body.length)];
  response.writeHead(status, [...headers, ...length]);
  response.end(body);
}

/** The last bytes on a connection whose request could not be read. */
export function rawAnswer({ status, headers, body }: Answer): Buffer {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close'];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  lines.push(`Content-Length: ${body.length}`, '', '');
  return Buffer.concat([Buffer.from(lines.join('\r\n'), 'latin1'), body]);
}
