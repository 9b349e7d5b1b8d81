/**
 * Inputs that ask for no filter: no command takes one for success, unless --allow-unconfined says
 * that this is meant.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PLAIN, UNCONFINED_CONFIG } from './profiles.ts';
import { codesOf, documentOf, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const at = (...names: string[]) => join(folder, ...names);
const run = (...args: string[]) => runIn(folder, args);

/** Every way to ask for no filter, each with the options under which it does. */
const INPUTS: Record<string, { text: string; options: string[] }> = {
  'no-seccomp': { text: UNCONFINED_CONFIG, options: [] },
  'no-linux': { text: '{"ociVersion": "1.2.0"}', options: [] },
  null: { text: '{"ociVersion": "1.2.0", "linux": {"seccomp": null}}', options: [] },
  'runc-empty': {
    text: '{"ociVersion": "1.2.0", "linux": {"seccomp": {}}}',
    options: ['--semantics', 'runc'],
  },
  'runc-profile': { text: '{"syscalls": []}', options: ['--semantics', 'runc'] },
};

const CRUN_FEATURES = JSON.stringify({
  annotations: { 'run.oci.crun.version': '1.21', 'io.github.seccomp.libseccomp.version': '2.6.0' },
});

beforeAll(async () => {
  for (const [name, { text }] of Object.entries(INPUTS)) {
    mkdirSync(at(name));
    writeFileSync(at(name, 'config.json'), text);
  }
  writeFileSync(at('plain.json'), PLAIN);
  writeFileSync(at('crun'), `#!/bin/sh\necho '${CRUN_FEATURES}'\n`);
  chmodSync(at('crun'), 0o755);
  const { code } = await run('compile', 'plain.json', '--arch', 'x86_64', '--no-cache', '-qo', 'plain.bpf');
  if (code !== 0) throw new Error('there is no filter to compare with');
});

/**
 * A refusal for want of a filter, and nothing on standard output; a table of `bundle` and
 * `crun-cache` may be there.
 */
function expectRefusal({ code, stdout, stderr }: Result, table = ''): void {
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: table });
  expect(stderr).toMatch(/error: .*WITHOUT one \[NOT_CONFINED\]$/m);
}

describe('every input without a filter', () => {
  it.each(Object.entries(INPUTS))('is refused by compile and resolve (%s)', async (name, { options }) => {
    for (const command of ['compile', 'resolve'])
      expectRefusal(await run(command, `${name}/config.json`, '--arch', 'x86_64', ...options));
  });
});

/** One whose configuration has no profile, and one whose profile has no rules. */
const PAIR = Object.entries(INPUTS).filter(([name]) => name === 'no-seccomp' || name === 'runc-profile');

describe.each(PAIR)('an input without a filter (%s)', (name, { options }) => {
  const input = `${name}/config.json`;
  const target = ['--arch', 'x86_64', ...options];

  it('is an error of every command that reads a profile', async () => {
    const fresh = ['--no-cache', ...target];
    for (const args of [
      ['compile', input, ...fresh],
      ['compile', input, '-q', ...fresh],
      ['compile', input, '--require-proof', '-q', ...fresh],
      ['compile', input, '--no-prove', '--format', 'asm', ...fresh],
      ['resolve', input, ...target],
      ['simulate', input, 'read', ...target],
      ['verify', input, 'plain.bpf', ...target],
      ['diff', input, 'plain.bpf', ...target],
      ['diff', 'plain.bpf', input, ...target],
      ['fingerprint', input, ...target],
      ['annotate', input, ...fresh],
      ['exec', input, '--no-cache', ...options, '--', 'true'],
      ['prebuild', input, '--cache', `prebuilt-${name}`, ...target],
    ])
      expectRefusal(await run(...args));
  });

  it('leaves the file of an output as it was, or away', async () => {
    for (const command of ['compile', 'resolve']) {
      writeFileSync(at('old'), 'a good filter');
      for (const words of [
        [],
        ['-q'],
        ['--require-proof', '-q', '--no-cache'].slice(command === 'compile' ? 0 : 3),
      ])
        expectRefusal(await run(command, input, '-o', 'old', ...words, ...target));
      expect(readFileSync(at('old'), 'utf8')).toBe('a good filter');
      expectRefusal(await run(command, input, '-o', 'new', ...target));
      expect(existsSync(at('new'))).toBe(false);
    }
  });

  it('is one document of diagnostics with --json', async () => {
    for (const args of [
      ['compile', input, '--no-cache'],
      ['annotate', input],
      ['verify', input, 'plain.bpf'],
    ]) {
      const result = await run(...args, '--json', ...target);
      expect(result.code).toBe(65);
      expect(documentOf(result)['bytes']).toBeUndefined();
      expect(codesOf(result)).toContain('NOT_CONFINED');
    }
  });

  it('is in no index of prebuild', async () => {
    const out = `out-${name}`;
    expectRefusal(await run('prebuild', input, '--out', out, ...target));
    expect(readdirSync(at(out, 'filters'))).toEqual([]);
    expect(JSON.parse(readFileSync(at(out, 'index.json'), 'utf8'))).toMatchObject({ filters: [] });
  });

  it('is the empty result where that is allowed', async () => {
    const allow = ['--allow-unconfined', ...target];
    const compiled = await run('compile', input, '--no-cache', ...allow);
    expect(compiled).toMatchObject({ code: 0, stdout: Buffer.alloc(0) });
    expect(compiled.stderr).toMatch(/warning: .*WITHOUT one \[NOT_CONFINED\]$/m);
    const document = await run('compile', input, '--no-cache', '--json', ...allow);
    expect(documentOf(document)).toMatchObject({ bytes: '', instructions: 0, confined: false });
    expect(codesOf(document)).toContain('NOT_CONFINED');
    const resolved = await run('resolve', input, ...allow);
    expect(resolved).toMatchObject({ code: 0, stdout: Buffer.from('null\n') });
    const index = await run('prebuild', input, '--out', `allowed-${name}`, '--json', ...allow);
    expect(index.code).toBe(0);
    expect(documentOf(index)).toMatchObject({ filters: [{ filter: null, proved: false }], failed: [] });
  });

  it('comes out of no cache for a command that does not allow it', async () => {
    const cache = ['--cache', `cache-${name}`, ...target];
    const compile = (...words: string[]) => run('compile', input, ...words, ...cache);
    for (const words of [['-q'], ['--json']]) {
      // The second time is when the hot tier would answer.
      for (let time = 0; time < 2; time++)
        expect(await compile(...words, '--allow-unconfined')).toMatchObject({ code: 0 });
      for (let time = 0; time < 2; time++) {
        const { code, stdout } = await compile(...words);
        expect(code).toBe(65);
        expect(stdout.toString()).not.toContain('"bytes"');
      }
    }
    expect(await compile('-q', '--allow-unconfined')).toMatchObject({ code: 0 });
    expect(existsSync(at(`cache-${name}`, 'hot'))).toBe(false);
  });
});

describe('bundles and configurations without a filter', () => {
  const names = Object.keys(INPUTS).filter((name) => INPUTS[name]!.options.length === 0);
  const lines = names.map((name) => `unconfined\t${name}\n`).join('');

  it('are refused by bundle, which touches nothing and does the others', async () => {
    const common = ['--arch', 'x86_64', '--no-cache'];
    for (const task of [[], ['--check']]) {
      expectRefusal(await run('bundle', ...names, ...task, ...common), lines);
      const allowed = await run('bundle', ...names, '--allow-unconfined', ...task, ...common);
      expect({ code: allowed.code, stdout: allowed.stdout.toString() }).toEqual({ code: 0, stdout: lines });
      expect(allowed.stderr).toMatch(/warning: .*\[NOT_CONFINED\]/);
    }
    for (const name of names) expect(readFileSync(at(name, 'config.json'), 'utf8')).toBe(INPUTS[name]!.text);
    mkdirSync(at('good'));
    writeFileSync(at('good/config.json'), `{"ociVersion":"1","linux":{"seccomp":${PLAIN}}}`);
    const mixed = await run('bundle', 'null', 'good', ...common);
    expectRefusal(mixed, 'unconfined\tnull\nwritten\tgood\n');
    const document = await run('bundle', 'null', 'good', '--json', ...common);
    expect(document.code).toBe(65);
  });

  it('are refused by crun-cache', async () => {
    const common = ['--crun', at('crun'), '--root', at('state'), '--no-cache'];
    for (const task of ['warm', 'status']) {
      expectRefusal(await run('crun-cache', task, ...names, ...common), lines);
      const allowed = await run('crun-cache', task, ...names, '--allow-unconfined', ...common);
      expect({ code: allowed.code, stdout: allowed.stdout.toString() }).toEqual({ code: 0, stdout: lines });
    }
    expect(existsSync(at('state'))).toBe(false);
  });

  it('are no ceiling', async () => {
    const args = ['--with-check', '--ceiling', 'null/config.json', '--store', 'store'];
    expectRefusal(await run('hook', 'install', 'hooks', ...args));
    expect(existsSync(at('hooks'))).toBe(false);
    writeFileSync(at('good/config.json'), `{"ociVersion":"1","linux":{"seccomp":${PLAIN}}}`);
    const state = JSON.stringify({ ociVersion: '1', id: 'a', status: 'creating', bundle: at('good') });
    const check = await runIn(folder, ['hook', 'check', '--ceiling', 'null/config.json'], { input: state });
    expectRefusal(check);
    expect(await runIn(folder, ['hook', 'check'], { input: state })).toMatchObject({ code: 0 });
  });

  it('keep no annotation of others through the precreate hook when that is to be refused', async () => {
    const annotations = '"annotations":{"run.oci.seccomp_bpf_data":"BgAAAAAA/38="}';
    const hook = ['hook', 'precreate', '--foreign', 'refuse'];
    for (const [seccomp, options] of [
      ['null', []],
      ['{"syscalls":[]}', ['--semantics', 'runc']],
    ] as const) {
      const input = `{"ociVersion":"1",${annotations},"linux":{"seccomp":${seccomp}}}`;
      const { code, stdout, stderr } = await runIn(folder, [...hook, ...options], { input });
      expect({ code, stdout: stdout.toString() }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('FOREIGN_ANNOTATION');
    }
  });
});

describe('a document of another kind that has a linux', () => {
  it.each([
    ['{"linux": {"type": "object", "properties": {"seccomp": {"type": "object"}}}}', 'a JSON Schema'],
    ['{"linux": {"seccomp": {"type": "object", "properties": {"syscalls": {}}}}}', 'a JSON Schema'],
    ['{"ociVersion": "1.2.0", "linux": {"seccomp": {"$ref": "defs-linux.json"}}}', 'a JSON Schema'],
    ['{"linux": {"namespaces": ["ipc"], "capabilities": ["CAP_KILL"]}}', 'an OCI features document'],
    ['{"ociVersion": "1.2.0", "id": "a", "status": "running"}', 'the state of a container'],
    ['{"linux": {"security_context": {}}}', 'a container or pod of the Kubernetes CRI'],
  ])('is not taken for an input without a filter: %s', async (text, what) => {
    for (const semantics of ['crun', 'runc'])
      for (const args of [
        ['compile', '-', '--allow-unconfined', '--no-cache'],
        ['simulate', '-', 'read'],
      ]) {
        const input = { input: text };
        const { code, stdout, stderr } = await runIn(folder, [...args, '--semantics', semantics], input);
        expect({ code, size: stdout.length }).toEqual({ code: 65, size: 0 });
        expect(stderr).toContain(`this is ${what}`);
      }
  });
});
