import type { Diagnostic } from '../../errors.ts';
import { fail } from '../../errors.ts';
import type { HostDefaults } from '../../serve/query.ts';
import { DEFAULT_LIMITS, startServer } from '../../serve/server.ts';
import { defaultSocket } from '../../serve/socket.ts';
import { CliCommand } from '../command.ts';
import { addCacheOptions, workingCache } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { hostArch, hostKernel } from '../../host.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions, wholeNumber } from '../options/add-options.ts';
import { printable, printDiagnostics, writeStderr, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';

interface Options extends CacheFlags, OutputOptions {
  socket?: string;
  workers?: number;
  memory: number;
  maxBody: number;
  timeout: number;
}

const MIB = 1024 ** 2;

/** Each takes some 25 MB. */
const MOST_WORKERS = 256;
const POSITIVE = wholeNumber(1, 999_999);

const HELP = `
HTTP/1.1 at a Unix socket that only you can open:
  POST /v1/compile?arch=x86_64    the profile as body, the target's flags as parameters
  GET /v1/filters/SHA256          a program by its digest
  GET /healthz, GET /metrics

It runs until SIGTERM or SIGINT, answers what has begun, and removes the socket.

Examples:
  seccompc serve --socket run/seccompc.sock &
  curl --unix-socket run/seccompc.sock -H 'Content-Type: application/json' --data-binary @profile.json \\
    'http://localhost/v1/compile?arch=x86_64'`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('serve')
    .description('Compiles on request at a Unix socket, without a process for each profile.')
    .option(
      '--socket <PATH>',
      'where to listen (default: seccompc/serve.sock in XDG_RUNTIME_DIR, for root in /run)',
    )
    .option(
      '--workers <N>',
      'threads that compile (default: one for each core, at least 2)',
      wholeNumber(1, MOST_WORKERS),
    )
    .option('--memory <MIB>', 'how much of filters to keep in memory', POSITIVE, DEFAULT_LIMITS.memory / MIB)
    .option('--max-body <MIB>', 'the largest profile', POSITIVE, DEFAULT_LIMITS.body / MIB)
    .option('--timeout <SECONDS>', 'for one compilation', POSITIVE, DEFAULT_LIMITS.compileTime / 1000)
    .addHelpText('after', HELP)
    .runs(run);
  return addCacheOptions(addOutputOptions(command));
}

async function run(options: Options): Promise<void> {
  const socket = options.socket ?? defaultSocket();
  if (socket === undefined)
    fail('USAGE', { reason: 'XDG_RUNTIME_DIR is not set: name a socket by --socket' });
  const onWarning = warnOnce(options);
  const cache = await workingCache(options, onWarning);
  const stopped = signalled();
  const server = await startServer({
    socket,
    cache,
    host: hostDefaults(),
    limits: {
      workers: options.workers ?? DEFAULT_LIMITS.workers,
      memory: options.memory * MIB,
      body: options.maxBody * MIB,
      bodies: Math.max(DEFAULT_LIMITS.bodies, options.maxBody * MIB),
      compileTime: options.timeout * 1000,
    },
    onWarning,
  });
  if (options.json) await writeProduct(toJson({ listening: socket }));
  else if (!options.quiet) await writeStderr(`listening at ${printable(socket)}\n`);
  await stopped;
  await server.stop();
  if (cache !== undefined) {
    const { closeCache } = await import('../../cache/open.ts');
    await closeCache(cache);
  }
}

/** A request that does not say them gets this machine's, as the command does. */
function hostDefaults(): HostDefaults {
  const kernel = hostKernel();
  const known = kernel === undefined ? {} : { kernel };
  try {
    return { arch: hostArch(), ...known };
  } catch {
    return known;
  }
}

/** A cache that is gone would be reported with every request. */
function warnOnce(output: OutputOptions): (found: Diagnostic) => void {
  const said = new Set<string>();
  return (found) => {
    if (said.has(found.code)) return;
    said.add(found.code);
    void printDiagnostics([found], output);
  };
}

/** Resolves at the first request to stop; the second one ends the process as it always would. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const stop = () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, stop);
      resolve();
    };
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, stop);
  });
}
