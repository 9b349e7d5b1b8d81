import { describe, expect, it } from 'vitest';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input = '') => runIn(folder, args, { input });

const COMMANDS = [
  'compile', 'resolve', 'import', 'lookup', 'simulate', 'explain', 'assert', 'lint', 'check', 'disasm', 'report', 'graph', 'verify', 'diff',
  'intersect', 'union', 'subtract', 'simplify', 'fingerprint', 'audit', 'record', 'doctor', 'bundle', 'annotate', 'hook', 'exec', 'crun-cache', 'cache', 'completion',
]; // prettier-ignore

describe('help', () => {
  it('names every command on standard output', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const command of COMMANDS) expect(stdout.toString()).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it('of each command says its arguments and gives an example', async () => {
    const helps = await Promise.all(
      COMMANDS.flatMap((command) => [run(['help', command]), run([command, '--help'])]),
    );
    for (const [index, { code, stdout, stderr }] of helps.entries()) {
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.toString()).toContain(`Usage: seccompc ${COMMANDS[index >> 1]} `);
      expect(stdout.toString()).toMatch(/Examples:\n  (?:\w+ (?:-k )?\| )?seccompc /);
    }
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

  it('and version are answers, so they exit with 0', async () => {
    const { code, stdout } = await run(['--version']);
    expect(code).toBe(0);
    expect(stdout.toString()).toMatch(/^seccompc \d+\.\d+\.\d+\n$/);
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

  it('suggests what was probably meant', async () => {
    expect((await run(['compil'])).stderr).toContain('Did you mean compile?');
    expect((await run(['compile', '-', '--formt', 'c'])).stderr).toContain('Did you mean --format?');
  });

  it('with --json is one document on standard output', async () => {
    const result = await run(['compile', '-', '--json', '--format', 'c']);
    expect(result).toMatchObject({ code: 64, stderr: '' });
    expect(codesOf(result)).toEqual(['USAGE']);
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
