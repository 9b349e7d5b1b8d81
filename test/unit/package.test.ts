import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageVersion } from '../../src/cache/version.ts';
import { projectWithPackage } from './packed.ts';

const ROOT = join(import.meta.dirname, '../..');

let project = '';
beforeAll(() => {
  project = projectWithPackage(['@types/node', 'undici-types']);
}, 300_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs Node in the project, with nothing in the environment that could change what it prints. */
function node(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] };
    const child = execFile(process.execPath, args, { cwd: project, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (child.exitCode ?? 1), stdout, stderr });
    });
  });
}

function write(path: string, text: string): string {
  const file = join(project, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

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

/** A program that uses the types of the main entry. */
const TYPED = `
export const options: TargetOptions = { arch: 'x86_64', kernel: '6.1' };
export const target: Target = makeTarget(options);
export async function load(text: string): Promise<Filter | readonly Diagnostic[]> {
  try {
    const filter = await compile(text, { ...options, prove: 'require', file: 'p.json' });
    const bytes: Uint8Array = filter.bytes;
    const proof: ProofResult = await proveProfile(bytes, text, { target });
    return proof.verdict === 'equal' ? await compile(text, { target }) : [];
  } catch (error) {
    if (error instanceof SeccompcError) return error.diagnostics;
    throw error;
  }
}
// @ts-expect-error: a target has an architecture
export const without = compile('', { kernel: '6.1' });
// @ts-expect-error: there is no such mode
export const wrong = compile('', { arch: 'x86_64', prove: 'perhaps' });
`;
const TYPED_CACHE = `
export const store: CacheStore = memoryStore({ maxBytes: 1024 });
export const cached: Promise<CachedFilter> = compileCached('', { arch: 'arm64' }, { stores: [store] });
export const connection: Connection = connect({ socket: '/run/x.sock' });
export const served: Promise<ServerFilter> = connection.compile('', { arch: 'arm64' });
`;
const TYPED_SANDBOX = `
export const sandbox: Policy = policy({ default: 'allow', errno: 'EACCES' })
  .use(noUnixSockets)
  .deny(['ptrace', 'kcmp'])
  .errno('ENOSYS', 'socket', arg('family').is('AF_VSOCK', 40n), arg(1).fieldIs('SOCK_STREAM'));
export const bytes: Uint8Array = sandbox.compile({ arch: 'arm64', architectures: 'native' }).bytes;
export const condition: Condition = arg('cmd').is(1);
export const preset: Preset = noUnixSockets;
// @ts-expect-error: there is no such call
sandbox.deny('sockket');
// @ts-expect-error: a condition is no value
sandbox.deny('socket', 1);
// @ts-expect-error: there is no such default
policy({ default: 'block' });
// @ts-expect-error: bubblewrap runs here
sandbox.toBwrap({ arch: 'arm64' });
`;
const NAMES = 'compile, makeTarget, proveProfile, SeccompcError';
const TYPES = 'Diagnostic, Filter, ProofResult, Target, TargetOptions';

/** Checks a file as strictly as tsc can, the package's declarations included. */
async function typecheck(file: string, options: Record<string, unknown>): Promise<Outcome> {
  const compilerOptions = {
    target: 'es2022',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    noEmit: true,
    types: [],
    ...options,
  };
  const config = write(`${file}.json`, JSON.stringify({ compilerOptions, files: [file] }));
  return node(join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config);
}

describe('the types can be used', () => {
  const clean = { code: 0, stdout: '', stderr: '' };

  test('by a module of Node', async () => {
    write(
      'typed.mts',
      `import { ${NAMES} } from 'seccompc';
       import type { ${TYPES} } from 'seccompc';
       ${TYPED}`,
    );
    expect(await typecheck('typed.mts', { module: 'nodenext' })).toEqual(clean);
  });

  test('by a CommonJS module of Node', async () => {
    write(
      'typed.cts',
      `import seccompc = require('seccompc');
       import type { ${TYPES} } from 'seccompc' with { 'resolution-mode': 'import' };
       const { ${NAMES} } = seccompc;
       ${TYPED.replaceAll('export ', '')}`,
    );
    expect(await typecheck('typed.cts', { module: 'nodenext' })).toEqual(clean);
  });

  test('by what a bundler makes for a page', async () => {
    write(
      'typed.ts',
      `import { ${NAMES} } from 'seccompc';
       import type { ${TYPES} } from 'seccompc';
       ${TYPED}`,
    );
    const options = { module: 'esnext', moduleResolution: 'bundler', lib: ['es2022', 'dom'] };
    expect(await typecheck('typed.ts', options)).toEqual(clean);
  });

  test.each([
    ['sandbox.mts', { module: 'nodenext' }],
    ['sandbox.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('of sandboxes, by %s', async (file, options) => {
    write(
      file,
      `import { arg, noUnixSockets, policy } from 'seccompc/sandbox';
       import type { Condition, Policy, Preset } from 'seccompc/sandbox';
       ${TYPED_SANDBOX}`,
    );
    expect(await typecheck(file, { ...options, types: ['node'] })).toEqual(clean);
  });

  test('with the cache and the client of the server', async () => {
    write(
      'cached.mts',
      `import { compileCached, memoryStore } from 'seccompc/cache';
       import type { CachedFilter, CacheStore } from 'seccompc/cache';
       import { connect } from 'seccompc/serve';
       import type { Connection, ServerFilter } from 'seccompc/serve';
       ${TYPED_CACHE}`,
    );
    expect(await typecheck('cached.mts', { module: 'nodenext', types: ['node'] })).toEqual(clean);
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
