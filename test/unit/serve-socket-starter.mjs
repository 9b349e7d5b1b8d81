/** For each line of standard input, a path: tries to listen there, and says whether it does, until the next line. */
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { listenAt } from '../../src/serve/socket.ts';

let stop = async () => {};
for await (const path of createInterface({ input: process.stdin })) {
  await stop();
  const server = createServer((_, response) => response.end(String(process.pid)));
  try {
    const socket = await listenAt(server, path);
    stop = async () => {
      await socket.remove();
      server.close();
      server.closeAllConnections();
    };
    console.log(`listening ${process.pid}`);
  } catch (error) {
    stop = async () => {};
    console.log(`refused ${error instanceof Error ? error.message : String(error)}`);
  }
}
await stop();
