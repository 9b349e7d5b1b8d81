import { beforeAll, describe, expect, it } from 'vitest';
import { codesOf, documentOf, runEachIn, runIn, scratch } from './run.ts';
import type { Result } from './run.ts';

const folder = scratch();
const run = (args: string[], input = '') => runIn(folder, args, { input });
const runEach = (lines: string[][]) => runEachIn(folder, lines);

const GROUPS = {
  Compile: ['compile', 'resolve', 'import', 'record'],
  Ask: ['explain', 'simulate', 'disasm', 'graph', 'report', 'lookup'],
  Check: ['lint', 'check', 'assert', 'verify', 'diff', 'fingerprint', 'audit', 'doctor'],
  Combine: ['intersect', 'union', 'subtract', 'extend', 'simplify'],
  Deliver: ['runtime', 'hook', 'bundle', 'annotate', 'crun-cache', 'exec'],
  Prepare: ['prebuild', 'serve', 'cache', 'push', 'pull'],
  Help: ['completion', 'man', 'lsp', 'schema'],
};
const COMMANDS = Object.values(GROUPS).flat();
/** Of which each part has it, and a server with a protocol of its own. */
const WITHOUT_JSON = new Set(['runtime', 'hook', 'crun-cache', 'cache', 'lsp']);

describe('help', () => {
  /** What `COMMAND --help` prints. */
  let helps: Record<string, Result>;
  beforeAll(async () => {
    const results = await runEach(COMMANDS.map((command) => [command, '--help']));
    helps = Object.fromEntries(COMMANDS.map((command, index) => [command, results[index]!]));
  });

  it('names every command in its group on standard output', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, ...sections] = stdout.toString().split(/^(?=[A-Z]\w+:\n)/m);
    for (const [group, commands] of Object.entries(GROUPS)) {
      const section = sections.find((text) => text.startsWith(`${group}:\n`)) ?? '';
      expect([...section.matchAll(/^  ([\w-]+) /gm)].map(([, name]) => name)).toEqual(
        group === 'Help' ? [...commands, 'help'] : commands,
      );
    }
    expect(stdout.toString()).not.toContain('Commands:');
  });

  it('of each command says its arguments and gives an example', async () => {
    const asked = await runEach(COMMANDS.map((command) => ['help', command]));
    for (const [index, command] of COMMANDS.entries()) {
      const { code, stdout, stderr } = helps[command]!;
      expect(asked[index]).toEqual(helps[command]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.toString()).toContain(`Usage: seccompc ${command} `);
      expect(stdout.toString()).toMatch(/Examples:\n  (?:\w+ (?:-k )?\| )?seccompc /);
      if (!WITHOUT_JSON.has(command)) expect(stdout.toString()).toContain('--json');
    }
  });

  it('of each part of a command gives an example too', async () => {
    const parts = {
      runtime: ['install', 'status', 'uninstall'],
      hook: ['install', 'status', 'uninstall', 'precreate', 'check'],
      'crun-cache': ['warm', 'status'],
      cache: ['path', 'gc', 'push'],
    };
    const words = Object.entries(parts).flatMap(([command, names]) => names.map((name) => [command, name]));
    const results = await runEach(words.map((each) => ['help', ...each]));
    for (const [index, { code, stdout }] of results.entries()) {
      const name = words[index]!.join(' ');
      expect({ name, code }).toEqual({ name, code: 0 });
      expect(stdout.toString()).toContain(`Usage: seccompc ${name} `);
      expect(stdout.toString()).toMatch(new RegExp(`Examples?:\\n  seccompc ${name}\\b`));
      expect(stdout.toString()).toContain('--json');
    }
  });

  it('keeps to the width that COLUMNS gives', async () => {
    const widest = async (columns: string) => {
      const { stdout } = await runIn(folder, ['compile', '--help'], { env: { COLUMNS: columns } });
      const [lists = ''] = stdout.toString().split('\nExamples:');
      return Math.max(...lists.split('\n').map(({ length }) => length));
    };
    expect(await widest('50')).toBeLessThan(51);
    expect(await widest('120')).toBeGreaterThan(100);
  });

  it('has every flag of the contract', () => {
    const flags = {
      compile: [
        '--output', '--format', '--optimize', '--no-prove', '--require-proof', '--no-cache', '--cache', '--arch',
        '--architectures', '--cap-set', '--cap', '--cap-drop', '--kernel', '--engine', '--semantics',
        '--enosys-stub', '--enosys-after', '--overlap', '--fail-unknown', '--force', '--json', '--quiet',
      ],
      simulate: ['--arch', '--ip', '--json', '--kernel'],
      lookup: ['--arch', '--all'],
      disasm: ['--arch'],
      verify: ['--arch', '--json', '--limit', '--node-budget', '--enosys-after'],
      diff: ['--arch', '--json', '--tightens', '--loosens', '--limit', '--node-budget'],
      fingerprint: ['--arch', '--json', '--node-budget'],
      resolve: ['--cap-set', '--engine', '--arch'],
    }; // prettier-ignore
    for (const [command, expected] of Object.entries(flags)) {
      const text = helps[command]!.stdout.toString();
      expect(expected.filter((flag) => !new RegExp(`${flag}\\b`).test(text))).toEqual([]);
    }
  });

  it('names the options that many commands share, and says with --help=all what they do', async () => {
    const lines = [
      ['compile', '--help'],
      ['compile', '--help=all'],
      ['help', 'compile', '--all'],
    ];
    const [short, full, same] = (await runEach(lines)).map(({ stdout }) => stdout.toString());
    expect(short).toMatch(
      /\nTarget:\n {2}--arch <A>, --architectures <A,B>,[^]*\(--help=all says what they do\)\n/,
    );
    expect(short).not.toContain('for minKernel');
    expect(full).toMatch(/^ {2}--kernel <X\.Y> .*for minKernel/m);
    expect(full).not.toContain('--help=all');
    expect(same).toBe(full);
    expect(short!.split('\n').length + 20).toBeLessThan(full!.split('\n').length);
    expect(
      Math.max(
        ...short!
          .split('\n\nNothing')[0]!
          .split('\n')
          .map(({ length }) => length),
      ),
    ).toBeLessThan(81);
    // After "--" it is a word of somebody else.
    expect(await run(['exec', 'missing.json', '--', 'true', '--help=all'])).toMatchObject({ code: 66 });
  });

  it('and version are answers, so they exit with 0', async () => {
    const { code, stdout } = await run(['--version']);
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/^seccompc \d+\.\d+\.\d+\n$/);
  });
});

describe('--json', () => {
  it('makes data of pictures, manual pages, completions and schemas', async () => {
    const results = await runEach([
      ['graph', 'container-default', '--depth', '1', '--json'],
      ['man', 'lookup', '--json'],
      ['completion', 'bash', '--json'],
      ['schema', 'oci', '--json'],
    ]);
    expect(results.map(documentOf)).toMatchObject([
      {
        root: expect.any(Number),
        nodes: expect.arrayContaining([expect.objectContaining({ kind: 'fold' })]),
      },
      { path: 'lookup', flags: expect.arrayContaining([expect.objectContaining({ names: ['--arch'] })]) },
      { shell: 'bash', script: expect.stringContaining('complete -o default') },
      { $id: 'urn:seccompc:schema:oci' },
    ]);
  });
});

describe('wrong usage', () => {
  const WRONG = [
    [],
    ['frobnicate'],
    ['compile'],
    ['compile', 'a', 'b'],
    ['compile', '-', '--no-such-flag'],
    ['compile', '-', '--format', 'pe'],
    ['compile', '-', '--no-prove', '--require-proof'],
    ['compile', '-', '--arch', 'pdp11'],
    ['compile', '-', '--kernel', 'new'],
    ['compile', '-', '--cache', 'keyv://host'],
    ['lookup'],
    ['lookup', '--all', '--arch', 'all'],
    ['simulate', '-'],
    ['cache'],
    ['cache', 'frobnicate'],
  ];

  it('exits with 64, says why on standard error, and writes nothing else', async () => {
    const results = await runEach(WRONG);
    for (const [index, { code, stdout, stderr }] of results.entries()) {
      const args = WRONG[index]!.join(' ');
      expect({ args, code, stdout: stdout.toString() }).toEqual({ args, code: 64, stdout: '' });
      expect(stderr).not.toBe('');
      expect(stderr).not.toMatch(/^\s+at /m);
    }
  });

  it('without a word names three ways to begin, in a few lines', async () => {
    const { code, stdout, stderr } = await run([]);
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 64, stdout: '' });
    const named = [...stderr.matchAll(/^  seccompc (\w+) /gm)].map(([, command]) => command);
    expect(named).toEqual(['compile', 'explain', 'runtime']);
    expect(stderr).toContain('seccompc --help');
    expect(stderr.split('\n').length).toBeLessThan(12);
  });

  it('suggests what was probably meant', async () => {
    const guesses: [line: string[], guess: string][] = [
      [['compil'], 'Did you mean compile?'],
      [['compile', '-', '--formt', 'c'], 'Did you mean --format?'],
      [['help', 'compil'], 'Did you mean compile?'],
      [['compil', '--help'], 'Did you mean compile?'],
      [['compile', '-', '--arch', 'x86_46'], 'Did you mean x86_64?'],
      [['compile', '-', '--arch', 'amd46'], 'Did you mean amd64?'],
      [['compile', '-', '--format', 'rwa'], 'Did you mean raw?'],
      [['compile', '-', '--engine', 'podmn'], 'Did you mean podman?'],
      [['compile', '-', '--cap', 'SYS_ADMN'], 'did you mean CAP_SYS_ADMIN?'],
      [['schema', 'dokcer'], 'Did you mean docker?'],
      [['man', 'compil'], 'did you mean compile?'],
      [['compile', 'container-defualt'], 'did you mean container-default?'],
      [['lint', 'container-defualt'], 'did you mean container-default?'],
      [['graph', 'container-default', '--call', 'opnat'], 'did you mean openat'],
    ];
    const results = await runEach(guesses.map(([line]) => line));
    for (const [index, { code, stdout, stderr }] of results.entries()) {
      const [line, guess] = guesses[index]!;
      expect([line, stdout + stderr]).toEqual([line, expect.stringContaining(guess)]);
      expect(code).toBeOneOf(index < 4 ? [64] : [64, 65, 66]);
    }
  });

  it('suggests the names that a profile may have meant', async () => {
    const profile = {
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_X86_46', 'SCMP_ARCH_ARM46'],
      syscalls: [{ names: ['raed'], action: 'SCMP_ACT_ERRNO', includes: { arches: ['amd46'] } }],
    };
    const docker = await run(['compile', '-', '--json'], JSON.stringify(profile));
    const hints = (documentOf(docker)['diagnostics'] as { hint: string }[]).map(({ hint }) => hint);
    for (const meant of ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64', 'amd64'])
      expect(hints).toContain(`did you mean "${meant}"?`);
    const named = {
      ...profile,
      architectures: [],
      syscalls: [{ names: ['raed'], action: 'SCMP_ACT_ERRNO' }],
    };
    const { stderr } = await run(['compile', '-', '--format', 'hex'], JSON.stringify(named));
    expect(stderr).toContain('did you mean "read"?');
  });

  it('with --json is one document on standard output', async () => {
    const result = await run(['compile', '-', '--json', '--format', 'c']);
    expect(result).toMatchObject({ code: 64, stderr: '' });
    expect(codesOf(result)).toEqual(['USAGE']);
  });

  it('asks for two products with --json and another format', async () => {
    const results = await runEach([
      ['graph', '-', '--format', 'dot', '--json'],
      ['union', '-', 'container-default', '--format', 'raw', '--json'],
    ]);
    for (const result of results) {
      expect(result).toMatchObject({ code: 64, stderr: '' });
      expect(result.stdout.toString()).toContain('ask for different products');
    }
  });

  it('with --json is one document also where the flags cannot be read', async () => {
    const result = await run(['compile', '-', '--json', '--no-such-flag']);
    expect(result).toMatchObject({ code: 64, stderr: '' });
    expect(codesOf(result)).toEqual(['USAGE']);
    expect(Object.keys(documentOf(result))).toEqual(['diagnostics']);
  });
});

describe('an input that cannot be read', () => {
  it('exits with 66', async () => {
    const [json, ...results] = await runEach([
      ['compile', 'missing.json', '--json'],
      ['compile', 'missing.json'],
      ['resolve', 'missing.json'],
      ['simulate', 'missing.json', 'read'],
      ['disasm', '.'],
    ]);
    expect(results.map(({ code }) => code)).toEqual([66, 66, 66, 66]);
    expect(results[0]!.stderr).toContain('missing.json: error: cannot read: no such file or directory');
    expect(json).toMatchObject({ code: 66, stderr: '' });
    expect(codesOf(json!)).toEqual(['INPUT_UNREADABLE']);
  });
});
