import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { HeaderFolders } from './headers.ts';
import { generate, stalePaths, writeOutputs } from './run.ts';

/**
 * The developer command that writes every generated file; no part of the package's interface.
 *
 *   npm run generate                                       all modules, from the checked-in tables
 *   npm run generate -- --headers DIR --headers-s390 DIR   the tables too, from unpacked header packages
 *   npm run generate -- --check                            writes nothing; 1 when a file is stale
 *
 * Exit code 2: an input is not as it must be, or wrong usage.
 */
async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { check: { type: 'boolean' }, headers: { type: 'string' }, 'headers-s390': { type: 'string' } },
  });
  const headers = headerFolders(values.headers, values['headers-s390']);
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const outputs = await generate({ root, ...(headers ? { headers } : {}) });
  if (!values.check) {
    for (const path of writeOutputs(root, outputs)) console.log(`wrote ${path}`);
    return 0;
  }
  const stale = stalePaths(root, outputs);
  for (const path of stale) console.error(`stale: ${path}`);
  const options = headers ? ` -- --headers ${headers.headers} --headers-s390 ${headers['headers-s390']}` : '';
  if (stale.length > 0) console.error(`run: npm run generate${options}`);
  return stale.length > 0 ? 1 : 0;
}

function headerFolders(headers: string | undefined, s390: string | undefined): HeaderFolders | undefined {
  if (headers === undefined && s390 === undefined) return undefined;
  if (headers === undefined || s390 === undefined)
    throw new Error('--headers and --headers-s390 go together');
  return { headers, 'headers-s390': s390 };
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`generate: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
