import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageVersion } from '../../src/cache/version.ts';
import { nodeIn, projectWithPackage, writeIn } from './packed.ts';

const ROOT = join(import.meta.dirname, '../..');

let project = '';
beforeAll(() => {
  project = projectWithPackage();
}, 300_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

const node = (...args: string[]) => nodeIn(project, ...args);
const write = (path: string, text: string) => writeIn(project, path, text);

/** Compiles a profile, and says what came of it. */
const USE = `
const profile = '{ "defaultAction": "SCMP_ACT_LOG", "syscalls": [] }';
const cache = { stores: [memoryStore()] };
(async () => {
  const filter = await compile(profile, { arch: 'x86_64' });
  const tiers = [];
  for (const input of [profile, profile]) {
    const cached = await compileCached(input, { arch: 'x86_64' }, cache);
    tiers.push(cached.tier, Buffer.compare(cached.filter.bytes, filter.bytes));
  }
  const failed = await compile('{}', { arch: 'x86_64' }).catch((error) => error instanceof SeccompcError);
  const sandbox = policy({ default: 'allow' }).use(noPtrace).compile({ arch: 'arm64' });
  console.log(filter.proved, ...tiers, typeof connect, failed, sandbox.proved);
})();
`;
const USED = { code: 0, stdout: 'true none 0 memory 0 function true true\n', stderr: '' };

test('the version in the sources is that of the package', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(packageVersion()).toBe(manifest.version);
});

test('the schemas for editors are in the package, and its command prints them', async () => {
  const name = "require('seccompc/schema/docker.json').$id";
  expect(await node('-p', name)).toMatchObject({ code: 0, stdout: 'urn:seccompc:schema:docker\n' });
  const printed = await node('node_modules/seccompc/dist/cli/main.cjs', 'schema', 'oci');
  expect(JSON.parse(printed.stdout)).toMatchObject({ $id: 'urn:seccompc:schema:oci' });
});

test('the packed manifest has no script that an installation runs, of which npm warns', () => {
  const file = join(project, 'node_modules/seccompc/package.json');
  const { scripts } = JSON.parse(readFileSync(file, 'utf8')) as { scripts: Record<string, string> };
  const warned = [
    'preinstall',
    'install',
    'postinstall',
    'prepublish',
    'preprepare',
    'prepare',
    'postprepare',
  ];
  expect(Object.keys(scripts).filter((name) => warned.includes(name))).toEqual([]);
  // What builds a clone after "npm ci", and the package before "npm pack" and "npm publish".
  expect(scripts).toMatchObject({ dependencies: 'npm run build', prepack: 'npm run build' });
});

describe('the package can be loaded', () => {
  test('by import', async () => {
    write(
      'use.mjs',
      `import { compile, SeccompcError } from 'seccompc';
       import { compileCached, memoryStore } from 'seccompc/cache';
       import { noPtrace, policy } from 'seccompc/sandbox';
       import { connect } from 'seccompc/serve';
       ${USE}`,
    );
    expect(await node('use.mjs')).toEqual(USED);
  });

  test('by require, without a warning', async () => {
    write(
      'use.cjs',
      `const { compile, SeccompcError } = require('seccompc');
       const { compileCached, memoryStore } = require('seccompc/cache');
       const { noPtrace, policy } = require('seccompc/sandbox');
       const { connect } = require('seccompc/serve');
       ${USE}`,
    );
    expect(await node('use.cjs')).toEqual(USED);
  });

  test('by both in one process, which get the same module', async () => {
    write(
      'both.mjs',
      `import { createRequire } from 'node:module';
       import * as imported from 'seccompc';
       const required = createRequire(import.meta.url)('seccompc');
       console.log(imported.SeccompcError === required.SeccompcError);`,
    );
    expect(await node('both.mjs')).toEqual({ code: 0, stdout: 'true\n', stderr: '' });
  });
});

/** What a page has: the language and its encoders; no process, Buffer, require or node:*. */
async function onPage(script: string): Promise<string> {
  const page = createContext({ TextDecoder, TextEncoder });
  return String(await runInContext(`${script}\npage.answer;`, page));
}

const PAGE = `
import { compile, run } from 'seccompc';
const profile = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['getpid'], action: 'SCMP_ACT_ALLOW' }] };
export const answer = compile(JSON.stringify(profile), { arch: 'x86_64', prove: 'require' }).then((filter) =>
  [39, 40].map((nr) => run(filter.instructions, { nr, arch: 0xc000003e, ip: 0n, args: [] }).value).join(),
);
`;
const ANSWER = [0x7fff0000, 0x00050001].join();

describe('the library can be bundled for a page', () => {
  test('by esbuild, without a warning', async () => {
    const { outputFiles, warnings } = await build({
      entryPoints: [write('page.js', PAGE)],
      bundle: true,
      platform: 'browser',
      format: 'iife',
      globalName: 'page',
      target: 'es2023',
      write: false,
      logLevel: 'silent',
    });
    expect(warnings).toEqual([]);
    expect(await onPage(outputFiles[0]!.text)).toBe(ANSWER);
  });

  test('by rolldown, without a warning', async () => {
    const warnings: string[] = [];
    const bundle = await rolldown({
      input: write('page.js', PAGE),
      platform: 'browser',
      onLog: (_level, { message }) => void warnings.push(message),
    });
    const { output } = await bundle.generate({ format: 'iife', name: 'page', codeSplitting: false });
    expect(warnings).toEqual([]);
    expect(output).toHaveLength(1);
    expect(output[0].imports).toEqual([]);
    expect(await onPage(output[0].code)).toBe(ANSWER);
  });

  test('by esbuild for Node as CommonJS', async () => {
    await build({
      entryPoints: [
        write(
          'entry.mjs',
          `export * from 'seccompc'; export { compileCached, memoryStore } from 'seccompc/cache';
           export { noPtrace, policy } from 'seccompc/sandbox';`,
        ),
      ],
      outfile: join(project, 'bundled.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      logLevel: 'silent',
    });
    write(
      'use-bundled.cjs',
      `const { compile, compileCached, memoryStore, noPtrace, policy, SeccompcError } = require('./bundled.cjs');
       const connect = () => {};
       ${USE}`,
    );
    expect(await node('use-bundled.cjs')).toEqual(USED);
  });
});
