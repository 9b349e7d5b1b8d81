/** Inputs as people have them: which commands read them, and which must not. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input?: string) => runIn(folder, args, input === undefined ? {} : { input });

const PROFILE = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
};
const TEXT = JSON.stringify(PROFILE);
const FILES = {
  'plain.json': TEXT,
  'inspect.json': JSON.stringify({
    info: { runtimeSpec: { ociVersion: '1.1.0', linux: { seccomp: PROFILE } } },
  }),
  'profile.b64': Buffer.from(TEXT).toString('base64'),
  'profile.yaml': 'defaultAction: SCMP_ACT_ALLOW\nsyscalls: [{names: [mkdir], action: SCMP_ACT_ERRNO}]\n',
  'profile.jsonc': `// ours\n${TEXT}`,
};
const WRAPPED = ['inspect.json', 'profile.b64', 'profile.yaml'] as const;

beforeAll(() => {
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text);
  mkdirSync(join(folder, 'bundle'));
});

describe('commands whose result stands alone', () => {
  it('compile the profile inside a document to the same bytes, also from the cache, and say where it was', async () => {
    const plain = await run(['compile', 'plain.json', '--arch', 'x86_64', '--no-cache']);
    for (const file of WRAPPED) {
      const first = await run(['compile', file, '--arch', 'x86_64', '-o', 'f.bpf']);
      const again = await run(['compile', file, '--arch', 'x86_64']);
      expect([first.code, again.code]).toEqual([0, 0]);
      expect(again.stdout).toEqual(plain.stdout);
      const note = (text: string) => text.split('\n').find((line) => line.includes('[PROFILE_FOUND]'));
      expect(note(first.stderr)).toBeDefined();
      expect(note(again.stderr)).toBe(note(first.stderr));
    }
  });

  it('read one too as the side of a comparison, and comments with --jsonc', async () => {
    const equal = await run(['diff', 'inspect.json', 'profile.jsonc', '--jsonc', '--arch', 'x86_64']);
    expect(equal).toMatchObject({ code: 0 });
    expect((await run(['diff', 'plain.json', 'profile.jsonc', '--arch', 'x86_64'])).code).toBe(65);
  });

  it('say where a profile was that is no JSON', async () => {
    const broken = Buffer.from('{"defaultAction": }').toString('base64');
    for (const args of [
      ['simulate', '-', 'read'],
      ['diff', 'plain.json', '-'],
      ['verify', '-', 'f.bpf'],
      ['explain', '-'],
    ]) {
      const { code, stderr } = await run([...args, '--arch', 'x86_64'], broken);
      expect({ args, code }).toEqual({ args, code: 65 });
      expect(stderr).toMatch(/PROFILE_FOUND[^]*JSON_SYNTAX/);
    }
  });

  it('call standard input by its name', async () => {
    const { code, stderr } = await run(['simulate', '-', 'mkdir'], '{"defaultAction": 1}');
    expect(code).toBe(65);
    expect(stderr).toMatch(/^<stdin>:1:19: error: /);
  });
});

describe('import', () => {
  it('makes a deny list of two words that the kernel enforces', async () => {
    const made = await run(['import', '--deny', 'mkdir,mkdirat', '--allow-rest', '-o', 'deny.json']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const denied = await run(['exec', 'deny.json', '-q', '--', 'mkdir', 'new']);
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain('Operation not permitted');
  });

  it('reads a unit from standard input and names the line that it cannot say', async () => {
    const unit = '[Service]\nSystemCallFilter=~@mount\nSystemCallErrorNumber=EACCES\n';
    const made = await run(['import', '--from', 'systemd', '-', '--arch', 'x86_64'], unit);
    expect(JSON.parse(made.stdout.toString())).toMatchObject({ syscalls: [{ errnoRet: 13 }] });
    const refused = await run(['import', '--from', 'systemd', '-'], `${unit}SystemCallFilter=~nope\n`);
    expect(refused).toMatchObject({ code: 65, stdout: Buffer.from('') });
    expect(refused.stderr).toMatch(/^<stdin>:4:1: error: .*"nope" \[IMPORT_REFUSED\]/);
  });

  it('writes the JSON of a profile in YAML, and nothing that would compile with a warning', async () => {
    const yaml = await run(['import', '--from', 'yaml', 'profile.yaml', '--arch', 'x86_64']);
    expect(JSON.parse(yaml.stdout.toString())).toEqual(PROFILE);
    // Not with all of its 64 bits on the 32-bit architectures of the machine.
    const policy = '2\ndenylist\nmount errno 1 [0,0x100000001,==]\n';
    const lxc = await run(['import', '--from', 'lxc', '-', '--arch', 'x86_64'], policy);
    expect(lxc).toMatchObject({ code: 65, stdout: Buffer.from('') });
    expect(lxc.stderr).toContain('[CONSTANT_CUT]');
  });

  it.each([
    [],
    ['--deny', 'mount'],
    ['--deny', 'mount', '--allow', 'read'],
    ['--from', 'names'],
    ['--allow', 'read', 'plain.json'],
    ['--from', 'lxc', 'plain.json', '--errno', 'EPERM'],
    ['--allow', 'read', '--allow-rest'],
    ['--from', 'firejail', 'plain.json'],
  ])('refuses wrong usage: %s %s %s %s', async (...args) => {
    expect((await run(['import', ...args])).code).toBe(64);
  });
});

describe('commands for a file that a runtime reads', () => {
  it.each(WRAPPED)('refuse %s, which the runtime would refuse or read as something else', async (file) => {
    writeFileSync(join(folder, 'bundle/config.json'), FILES[file]);
    const results = await Promise.all(
      [
        ['annotate', file],
        ['annotate', file, '--for', 'docker'],
        ['bundle', 'bundle'],
        ['prebuild', file, '-o', 'out', '--arch', 'x86_64'],
      ].map((args) => run(args)),
    );
    for (const { code, stdout, stderr } of results) {
      expect(code).toBe(65);
      expect(stdout.toString()).not.toContain('--annotation');
      expect(stderr).toMatch(/error: .*\[(NOT_A_PROFILE|NOT_A_CONFIG|JSON_SYNTAX)\]/);
    }
  });

  it('know no --jsonc', async () => {
    for (const command of ['annotate', 'prebuild', 'bundle'])
      expect((await run([command, 'profile.jsonc', '--jsonc'])).code).toBe(64);
  });
});
