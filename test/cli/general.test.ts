import { describe, expect, it } from 'vitest';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input = '') => runIn(folder, args, { input });

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
    const helps = await Promise.all(
      COMMANDS.flatMap((command) => [run(['help', command]), run([command, '--help'])]),
    );
    for (const [index, { code, stdout, stderr }] of helps.entries()) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.toString()).toContain(`Usage: seccompc ${COMMANDS[index >> 1]} `);
      expect(stdout.toString()).toMatch(/Examples:\n  (?:\w+ (?:-k )?\| )?seccompc /);
      if (!WITHOUT_JSON.has(COMMANDS[index >> 1]!)) expect(stdout.toString()).toContain('--json');
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
    const helps = await Promise.all(words.map((each) => run(['help', ...each])));
    for (const [index, { code, stdout }] of helps.entries()) {
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

  it('has every flag of the contract', async () => {
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
      const text = (await run([command, '--help'])).stdout.toString();
      expect(expected.filter((flag) => !new RegExp(`${flag}\\b`).test(text))).toEqual([]);
    }
  });

  it('names the options that many commands share, and says with --help=all what they do', async () => {
    const [short, full] = await Promise.all(
      ['--help', '--help=all'].map(async (flag) => (await run(['compile', flag])).stdout.toString()),
    );
    expect(short).toMatch(
      /\nTarget:\n {2}--arch <A>, --architectures <A,B>,[^]*\(--help=all says what they do\)\n/,
    );
    expect(short).not.toContain('for minKernel');
    expect(full).toMatch(/^ {2}--kernel <X\.Y> .*for minKernel/m);
    expect(full).not.toContain('--help=all');
    expect((await run(['help', 'compile', '--all'])).stdout.toString()).toBe(full);
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
    const documents = await Promise.all(
      [
        ['graph', 'container-default', '--depth', '1'],
        ['man', 'lookup'],
        ['completion', 'bash'],
        ['schema', 'oci'],
      ].map(async (args) => documentOf(await run([...args, '--json']))),
    );
    expect(documents).toMatchObject([
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
    const results = await Promise.all(WRONG.map((args) => run(args)));
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
    expect((await run(['compil'])).stderr).toContain('Did you mean compile?');
    expect((await run(['compile', '-', '--formt', 'c'])).stderr).toContain('Did you mean --format?');
    for (const args of [
      ['help', 'compil'],
      ['compil', '--help'],
    ])
      expect(await run(args)).toMatchObject({ code: 64, stderr: expect.stringContaining('mean compile?') });
  });

  it.each([
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
  ])('suggests a value: %j', async (args, guess) => {
    const { code, stdout, stderr } = await run(args);
    expect([64, 65, 66]).toContain(code);
    expect(`${stdout.toString()}${stderr}`).toContain(guess);
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
    for (const args of [
      ['graph', '-', '--format', 'dot'],
      ['union', '-', 'container-default', '--format', 'raw'],
    ]) {
      const result = await run([...args, '--json']);
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
    const results = await Promise.all([
      run(['compile', 'missing.json']),
      run(['resolve', 'missing.json']),
      run(['simulate', 'missing.json', 'read']),
      run(['disasm', '.']),
    ]);
    expect(results.map(({ code }) => code)).toEqual([66, 66, 66, 66]);
    expect(results[0].stderr).toContain('missing.json: error: cannot read: no such file or directory');
    const json = await run(['compile', 'missing.json', '--json']);
    expect(json).toMatchObject({ code: 66, stderr: '' });
    expect(codesOf(json)).toEqual(['INPUT_UNREADABLE']);
  });
});
