/** A server in front of a registry that passes everything on, and lies where a test says how. */
import { createServer, request } from 'node:http';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  method: string;
  /** With the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

/**
 * Takes the true answer and gives another, or `sent` after it has written to the response itself.
 * Before the request is passed on, `before` may answer in place of the registry.
 */
export interface Lie {
  before?(asked: Asked): Answer | 'broken' | undefined | Promise<Answer | undefined>;
  after?(
    asked: Asked,
    answer: Answer,
    response: ServerResponse,
  ): Answer | 'sent' | 'broken' | Promise<Answer | 'sent' | 'broken'>;
}

export interface Liar {
  /** `oci://127.0.0.1:PORT` */
  url: string;
  asked: Asked[];
  lie: Lie;
  close(): Promise<void>;
}

/** @param port of the registry at 127.0.0.1 */
export async function startLiar(port: number): Promise<Liar> {
  const server = createServer(async (incoming, response) => {
    const parts: Buffer[] = [];
    incoming.on('error', () => {});
    for await (const part of incoming) parts.push(part as Buffer);
    const { method = '', url: path = '', headers } = incoming;
    const asked = { method, path, headers, body: Buffer.concat(parts) };
    liar.asked.push(asked);
    try {
      const early = await liar.lie.before?.(asked);
      if (early === 'broken') return void response.destroy();
      const honest = early ?? (await passOn(port, asked));
      const answer =
        early ?? (liar.lie.after === undefined ? honest : await liar.lie.after(asked, honest, response));
      if (answer === 'broken') response.destroy();
      else if (answer !== 'sent') {
        const length = method === 'HEAD' ? {} : { 'content-length': String(answer.body.length) };
        response.writeHead(answer.status, { ...answer.headers, ...length });
        response.end(method === 'HEAD' ? undefined : answer.body);
      }
    } catch {
      response.destroy(); // the registry is gone
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = (server.address() as AddressInfo).port;
  const liar: Liar = {
    url: `oci://127.0.0.1:${own}`,
    asked: [],
    lie: {},
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return liar;
}

/** The host in the request stays, so the registry names this server in what it answers. */
function passOn(port: number, { method, path, headers, body }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { 'transfer-encoding': _, ...rest } = headers;
    const sent = request(
      { port, host: '127.0.0.1', method, path, headers: rest, agent: false },
      (received) => {
        const parts: Buffer[] = [];
        received.on('data', (part: Buffer) => parts.push(part));
        received.on('error', reject);
        received.on('aborted', () => reject(new Error('the registry broke off')));
        received.on('end', () => {
          const { 'transfer-encoding': __, connection: ___, ...kept } = received.headers;
          const known = Object.entries(kept).map(([name, value]) => [name, String(value)]);
          resolve({
            status: received.statusCode ?? 0,
            headers: Object.fromEntries(known),
            body: Buffer.concat(parts),
          });
        });
      },
    );
    sent.on('error', reject);
    if (rest['content-length'] === undefined && body.length > 0)
      sent.setHeader('content-length', body.length);
    sent.end(body);
  });
}
