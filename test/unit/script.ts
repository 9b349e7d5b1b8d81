import { basename, join } from 'node:path';
import { build } from 'esbuild';

/** A script of this folder with the sources it imports, as one file that Node can run. */
export async function builtScript(name: string): Promise<string> {
  const outfile = join(import.meta.dirname, '../../node_modules/.cache/tests', basename(name));
  const entryPoints = [join(import.meta.dirname, name)];
  await build({ entryPoints, outfile, bundle: true, packages: 'external', platform: 'node', format: 'esm' });
  return outfile;
}
