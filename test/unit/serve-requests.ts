/** A server on a socket of its own, and plain requests to it: no client of the product's. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Request {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/**
 * A folder with a short name, since the path of a socket may have 107 bytes; removed at the end of
 * the file.
 */
export function socketFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sc-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** One request on a connection of its own. */
export function send(
  socketPath: string,
  path: string,
  { method, headers, body }: Request = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      path,
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      agent: false,
    });
    request.once('error', reject);
    request.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks),
        }),
      );
    });
    request.end(body);
  });
}

/** The JSON document of a reply. */
export function documentOf({ body }: Reply): Record<string, unknown> {
  const value: unknown = JSON.parse(body.toString());
  if (typeof value !== 'object' || value === null) throw new TypeError('no JSON object');
  return { ...value };
}

/** The codes of its diagnostics. */
export function codesOf(reply: Reply): string[] {
  return [...reply.body.toString().matchAll(/"code": "([A-Z_]+)"/g)].map(([, code]) => code!);
}

/** A number of the metrics; `name` with its labels. */
export async function metric(socketPath: string, name: string): Promise<number> {
  const { body } = await send(socketPath, '/metrics');
  const line = body
    .toString()
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** A connection for bytes that no client would send. */
export async function rawConnection(socketPath: string): Promise<Socket> {
  const socket = connect(socketPath);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  // What a server says before it hangs up counts, not how it hangs up.
  socket.on('error', () => {});
  return socket;
}

/** All that comes until the server closes the connection. */
export function untilClosed(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}

/** The bytes up to and including `end`. */
export function untilText(socket: Socket, end: string): Promise<string> {
  let text = '';
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.includes(end)) resolve(text);
    });
    socket.once('close', () => reject(new Error(`closed after: ${text}`)));
  });
}
