/**
 * The packed library in a page: esbuild bundles it, Chromium runs it from a file, without a server.
 */
import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compile } from '../../src/compile.ts';
import { skipWithout } from '../oracle/compare.ts';
import { projectWithPackage } from '../unit/packed.ts';
import { requirements } from './oci/require.ts';

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [
    { names: ['read', 'write', 'exit_group'], action: 'SCMP_ACT_ALLOW' },
    { names: ['personality'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 0, op: 'SCMP_CMP_EQ' }] },
  ],
}).replace('"value":0', '"value":18446744073709551615'); // no number of JavaScript

const PAGE = `
import { compile, proveProfile } from 'seccompc';
const profile = ${JSON.stringify(PROFILE)};
async function answer() {
  const filter = await compile(profile, { arch: 'arm64', architectures: ['arm'] });
  const { verdict } = await proveProfile(filter.bytes, profile, { arch: 'arm64', architectures: ['arm'] });
  const refused = await compile('{"defaultAction":1}', { arch: 'arm64' }).catch((error) =>
    error.diagnostics.map(({ code }) => code),
  );
  return { instructions: filter.instructions, proved: filter.proved, verdict, refused };
}
answer().then(
  (found) => (document.body.textContent = JSON.stringify(found)),
  (error) => (document.body.textContent = String(error)),
);
`;

describe.skipIf(skipWithout(requirements(['chromium'])))('the library in Chromium', () => {
  let project = '';
  beforeAll(() => void (project = projectWithPackage()));
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  test('compiles, proves and refuses as in Node', async () => {
    writeFileSync(join(project, 'page.mjs'), PAGE);
    const outfile = join(project, 'page.js');
    await build({ entryPoints: [join(project, 'page.mjs')], outfile, bundle: true, charset: 'utf8' });
    const page = join(project, 'page.html');
    writeFileSync(page, '<!doctype html><meta charset="utf-8"><body><script src="page.js"></script>');
    const { stdout } = await promisify(execFile)('chromium', [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      `--user-data-dir=${join(project, 'chromium')}`,
      '--dump-dom',
      pathToFileURL(page).href,
    ]);
    const { instructions, proved } = await compile(PROFILE, { arch: 'arm64', architectures: ['arm'] });
    expect(proved).toBe(true);
    expect(/\{.*\}/.exec(stdout)?.[0]).toBe(
      JSON.stringify({ instructions, proved, verdict: 'equal', refused: ['WRONG_TYPE'] }),
    );
  });
});
