import { Agent, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { membersOf } from '../cache/json-object.ts';
import type { CompileOptions } from '../compile.ts';
import { compileSettings } from '../compile/settings.ts';
import { fail, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { JSON_TYPE, RAW_TYPE } from './response.ts';
import { sha256 } from '../cache/records/sha256.ts';
import { readDiagnostic } from '../format/filter-document.ts';
import type { FilterDocument } from '../format/filter-document.ts';
import { writeQuery } from './query.ts';
import { systemReason } from '../fs/system-reason.ts';
import { defaultSocket } from './socket.ts';

/** A filter that a server compiled: the members of `compile --json`, with the program as bytes. */
export type ServerFilter = Omit<FilterDocument, 'bytes' | 'diagnostics'> & {
  /**
   * The raw program, whose digest was checked; empty when `confined` is false, as only
   * `allowUnconfined` allows.
   */
  bytes: Uint8Array;
  diagnostics: Diagnostic[];
};

export interface ConnectOptions {
  /** Path of the server's socket; the server's own default unless given. */
  socket?: string;
  /** Milliseconds for one answer; 60 s unless given. */
  timeout?: number;
}

/**
 * A client of `seccompc serve`. Connections are opened when they are needed, kept, and shared by
 * parallel calls.
 */
export interface Connection {
  /**
   * Compiles as {@link compile} of the library does, with the same options. The server's machine
   * has no influence.
   * @throws SeccompcError with the diagnostics of the server; SERVER_UNAVAILABLE,
   *   SERVER_ANSWER_REFUSED
   */
  compile(input: string | Uint8Array, options: CompileOptions): Promise<ServerFilter>;
  /**
   * The program with this SHA-256 (64 hex digits), if the server has it.
   * @throws SeccompcError SERVER_UNAVAILABLE, SERVER_ANSWER_REFUSED
   */
  getByDigest(digest: string): Promise<Uint8Array | undefined>;
  close(): void;
}

const TIMEOUT = 60_000;
/** More would only wait in the server. */
const SOCKETS = 16;
/** Larger than any answer: 4096 instructions, with a warning for every name of a large profile. */
const LARGEST_ANSWER = 64 * 1024 ** 2;

/** @throws SeccompcError USAGE when there is neither a path nor a default */
export function connect({ socket = defaultSocket(), timeout = TIMEOUT }: ConnectOptions = {}): Connection {
  if (socket === undefined) fail('USAGE', { reason: 'XDG_RUNTIME_DIR is not set: name a socket' });
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS });
  const ask = (request: Omit<Question, 'socket' | 'agent' | 'timeout'>) =>
    exchange({ ...request, socket, agent, timeout }).catch((cause: unknown) =>
      fail('SERVER_UNAVAILABLE', { path: socket, reason: systemReason(cause) }, { cause }),
    );
  const refuse = (reason: string) => fail('SERVER_ANSWER_REFUSED', { path: socket, reason });

  function refuseFailure({ status, body }: Reply, file?: string): void {
    if (status === 200) return;
    const found = membersOf(parseJson(body))?.get('diagnostics');
    if (!Array.isArray(found) || found.length === 0) refuse(`its status is ${status}`);
    else throw new SeccompcError(found.map((one) => readNamed(one, file)));
  }

  return {
    async compile(input, options) {
      const settings = compileSettings(options);
      const isAllowed = options.allowUnconfined === true;
      const reply = await ask({
        method: 'POST',
        path: `/v1/compile?${writeQuery({ ...settings, allowUnconfined: isAllowed }).toString()}`,
        accept: JSON_TYPE,
        body: Buffer.from(input),
      });
      const { file } = settings;
      refuseFailure(reply, file);
      const document = parseJson(reply.body);
      if (!isFilterDocument(document)) return refuse('it is no filter');
      const bytes = Buffer.from(document.bytes, 'base64');
      if (sha256(bytes) !== document.sha256) refuse('the program has another digest');
      if (document.confined === (bytes.length === 0)) refuse('its members contradict each other');
      if (!document.confined && !isAllowed) refuse('it is no filter');
      return { ...document, bytes, diagnostics: document.diagnostics.map((one) => readNamed(one, file)) };
    },
    async getByDigest(digest) {
      if (!/^[0-9a-f]{64}$/.test(digest)) fail('USAGE', { reason: 'a digest is 64 lower-case hex digits' });
      const reply = await ask({ method: 'GET', path: `/v1/filters/${digest}`, accept: RAW_TYPE });
      if (reply.status === 404) return undefined;
      refuseFailure(reply);
      if (sha256(reply.body) !== digest) refuse('the program has another digest');
      return reply.body;
    },
    close: () => agent.destroy(),
  };
}

/** A diagnostic of the server, which does not know the name of the file. */
function readNamed(value: unknown, file: string | undefined): Diagnostic {
  const found = readDiagnostic(value);
  return found.file === undefined || file === undefined ? found : { ...found, file };
}

interface Question {
  socket: string;
  agent: Agent;
  timeout: number;
  method: 'GET' | 'POST';
  path: string;
  accept: string;
  body?: Buffer;
}

interface Reply {
  status: number;
  body: Buffer;
}

async function exchange(question: Question, again = true): Promise<Reply> {
  let reused = false;
  try {
    return await new Promise<Reply>((resolve, reject) => {
      const { socket, agent, method, path, accept, body, timeout } = question;
      const headers = {
        Accept: accept,
        ...(body === undefined ? {} : { 'Content-Type': JSON_TYPE, 'Content-Length': body.length }),
      };
      const signal = AbortSignal.timeout(timeout);
      const request = httpRequest({ socketPath: socket, agent, method, path, headers, signal });
      request.once('error', (cause) => {
        reused = request.reusedSocket;
        reject(signal.aborted ? new Error(`nothing within ${timeout / 1000} s`, { cause }) : cause);
      });
      request.once('response', (response) => void readReply(response).then(resolve, reject));
      request.end(body);
    });
  } catch (error) {
    // A kept connection that the server closed in the meantime; asking twice does no harm.
    if (again && reused && error instanceof Error && /ECONNRESET|EPIPE|hang up/.test(error.message))
      return exchange(question, false);
    throw error;
  }
}

async function readReply(response: IncomingMessage): Promise<Reply> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_ANSWER) throw new RangeError('the answer has no end');
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(chunks) };
}

/** Undefined for a text that is not JSON. */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The members that are used here or that a container would depend on. */
function isFilterDocument(value: unknown): value is FilterDocument {
  const document = membersOf(value);
  return (
    typeof document?.get('bytes') === 'string' &&
    typeof document.get('sha256') === 'string' &&
    typeof document.get('confined') === 'boolean' &&
    Array.isArray(document.get('arches')) &&
    Array.isArray(document.get('diagnostics')) &&
    membersOf(document.get('target')) !== undefined
  );
}
