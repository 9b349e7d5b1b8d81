import { parseArgs } from 'node:util';
import type { HeaderFolders } from './headers.ts';
import { generate, stalePaths, writeOutputs } from './run.ts';

/** Output of the command: what it did, and errors. */
export interface Streams {
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
}

/**
 * The developer command that writes every generated file; no part of the package's interface.
 *
 *   npm run generate                                       all modules, from the checked-in tables
 *   npm run generate -- --headers DIR --headers-s390 DIR --headers-kernel DIR
 *                                                          the tables too, from unpacked header
 *   packages npm run generate -- --check                            writes nothing; 1 when a file
 *   is stale
 *
 * Returns the exit code; 2 means that an input is not as it must be, or wrong usage.
 */
export async function runCommand(args: string[], root: string, streams: Streams): Promise<number> {
  try {
    return await run(args, root, streams);
  } catch (error) {
    streams.err(`generate: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}

async function run(args: string[], root: string, { out, err }: Streams): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      check: { type: 'boolean' },
      headers: { type: 'string' },
      'headers-s390': { type: 'string' },
      'headers-kernel': { type: 'string' },
    },
  });
  const headers = headerFolders(values);
  const outputs = await generate({ root, ...(headers ? { headers } : {}) });
  if (!values.check) {
    for (const path of writeOutputs(root, outputs)) out(`wrote ${path}`);
    return 0;
  }
  const stale = stalePaths(root, outputs);
  if (stale.length === 0) return 0;
  for (const path of stale) err(`stale: ${path}`);
  const options = headers ? ` -- ${FOLDERS.map((name) => `--${name} ${headers[name]}`).join(' ')}` : '';
  err(`run: npm run generate${options}`);
  return 1;
}

const FOLDERS = ['headers', 'headers-s390', 'headers-kernel'] as const;

function headerFolders(values: Partial<Record<string, unknown>>): HeaderFolders | undefined {
  const given = FOLDERS.filter((name) => values[name] !== undefined);
  if (given.length === 0) return undefined;
  if (given.length < FOLDERS.length)
    throw new Error('--headers, --headers-s390 and --headers-kernel go together');
  return values as HeaderFolders;
}
