/** The types of the package, checked by tsc in projects that import it. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeIn, projectWithPackage, writeIn } from './packed.ts';
import type { Outcome } from './packed.ts';

const TSC = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');

let project = '';
beforeAll(() => {
  project = projectWithPackage(['@types/node', 'undici-types']);
});
afterAll(() => rmSync(project, { recursive: true, force: true }));

const write = (path: string, text: string) => writeIn(project, path, text);

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
  return nodeIn(project, TSC, '-p', config);
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
