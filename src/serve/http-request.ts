import type { IncomingMessage } from 'node:http';
import { fail } from '../errors.ts';
import { JSON_TYPE, RAW_TYPE } from './response.ts';
import type { Connection, Connections } from './connections.ts';

/** The client left before its request was complete, so there is no answer. */
export class RequestAborted extends Error {
  override readonly name = 'RequestAborted';
}

/**
 * The whole body of a request, which is held for its connection: give its length back when it is
 * done with. What comes beyond the limit is not kept.
 * @throws SeccompcError REQUEST_TOO_LARGE, SERVER_BUSY, REQUEST_INVALID; RequestAborted
 */
export async function readBody(
  request: IncomingMessage,
  connection: Connection,
  connections: Connections,
): Promise<Buffer> {
  // Its event has been missed.
  if (request.destroyed) throw new RequestAborted('the connection was closed');
  const limit = connections.limits.body;
  const chunks: Buffer[] = [];
  let size = 0;
  connection.reading += 1;
  try {
    await new Promise<void>((resolve, reject) => {
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        chunks.push(chunk);
        if (!connections.take(connection, chunk.length) || size > limit) reject(new BodyRefused());
      });
      request.once('end', () => resolve());
      request.once('close', () => reject(new RequestAborted('the connection was closed')));
      request.once('error', (cause) => reject(new RequestAborted('the connection failed', { cause })));
    });
  } catch (error) {
    connections.give(connection, size);
    if (!(error instanceof BodyRefused)) throw error;
    request.removeAllListeners('data');
    request.resume();
    if (size > limit) tooLarge(limit);
    fail('SERVER_BUSY');
  } finally {
    connection.reading -= 1;
  }
  if (size === 0) fail('REQUEST_INVALID', { reason: 'the body is empty: it is to be the profile' });
  return Buffer.concat(chunks, size);
}

class BodyRefused extends Error {}

/**
 * @throws SeccompcError REQUEST_TOO_LARGE for a body that announces itself as larger than the limit
 */
export function refuseDeclared(request: IncomingMessage, limit: number): void {
  if (Number(request.headers['content-length'] ?? 0) > limit) tooLarge(limit);
}

function tooLarge(limit: number): never {
  return fail('REQUEST_TOO_LARGE', { limit: `${limit} bytes` });
}

/** @throws SeccompcError REQUEST_TYPE for a body that does not say it is JSON */
export function refuseOtherTypes({ headers }: IncomingMessage): void {
  const [type = ''] = (headers['content-type'] ?? JSON_TYPE).toLowerCase().split(';');
  if (!/^(?:application|text)\/(?:[\w.-]+\+)?json$/.test(type.trim())) fail('REQUEST_TYPE', { type });
  const coding = headers['content-encoding'] ?? 'identity';
  if (coding !== 'identity') fail('REQUEST_TYPE', { type: coding });
}

/**
 * Which of the two types an Accept header prefers (RFC 9110 section 12.5.1); JSON when it has no
 * preference.
 * @throws SeccompcError ANSWER_TYPE when it wants neither
 */
export function preferredType(accept: string | undefined): typeof JSON_TYPE | typeof RAW_TYPE {
  const ranges = new Map<string, number>();
  for (const part of (accept ?? '*/*').toLowerCase().split(',')) {
    const [range = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((text) => text.startsWith('q='));
    ranges.set(range, weight === undefined ? 1 : Number(weight.slice(2)) || 0);
  }
  const weightOf = (type: string) =>
    ranges.get(type) ?? ranges.get('application/*') ?? ranges.get('*/*') ?? 0;
  const [json, raw] = [weightOf(JSON_TYPE), weightOf(RAW_TYPE)];
  if (json === 0 && raw === 0) fail('ANSWER_TYPE');
  if (raw === json) return ranges.has(RAW_TYPE) && !ranges.has(JSON_TYPE) ? RAW_TYPE : JSON_TYPE;
  return raw > json ? RAW_TYPE : JSON_TYPE;
}
