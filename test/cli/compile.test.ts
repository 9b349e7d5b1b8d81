import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { DOCKER, FAULTY, PLAIN, UNCONFINED_CONFIG, WITH_WARNING } from './profiles.ts';
import { codesOf, documentOf, environment, MAIN, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input = '') => runIn(folder, args, { input });
const compile = (...args: string[]) => run(['compile', ...args, '--arch', 'x86_64', '--no-cache']);

beforeAll(() => {
  writeFileSync(join(folder, 'plain.json'), PLAIN);
  writeFileSync(join(folder, 'warning.json'), WITH_WARNING);
  writeFileSync(join(folder, 'faulty.json'), FAULTY);
  writeFileSync(join(folder, 'docker.json'), DOCKER);
  writeFileSync(join(folder, 'config.json'), UNCONFINED_CONFIG);
});

describe('compile', () => {
  it('writes the raw filter to standard output, and one line about it to standard error', async () => {
    const { code, stdout, stderr } = await compile('plain.json');
    expect(code).toBe(0);
    expect(stdout.length % 8).toBe(0);
    // The last instruction of a program is a RET.
    expect(stdout.readUInt16LE(stdout.length - 8)).toBe(0x06);
    expect(stderr).toMatch(
      new RegExp(
        `^X86_64: ${stdout.length / 8} instructions \\(\\d+ as eBPF\\); ` +
          'X86_64 allows 3 of \\d+ calls and 1 by their arguments; proved; compiled in \\d+ ms\n$',
      ),
    );
  });

  it('reads standard input for -, and says the same', async () => {
    const file = await compile('plain.json');
    const { code, stdout } = await run(['compile', '-', '--arch', 'x86_64', '--no-cache'], PLAIN);
    expect({ code, stdout }).toEqual({ code: 0, stdout: file.stdout });
  });

  it('says nothing with -q', async () => {
    expect(await compile('plain.json', '-q')).toMatchObject({ code: 0, stderr: '' });
    expect(await compile('warning.json', '-q')).toMatchObject({ code: 0, stderr: '' });
  });

  it('writes every format of one and the same program', async () => {
    const raw = (await compile('plain.json')).stdout;
    const text = async (format: string) =>
      (await compile('plain.json', '--format', format)).stdout.toString();
    expect(Buffer.from((await text('hex')).replaceAll('\n', ''), 'hex')).toEqual(raw);
    expect(Buffer.from(await text('base64'), 'base64')).toEqual(raw);
    expect(await text('c')).toContain(`seccomp_filter[${raw.length / 8}]`);
    expect(await text('rust')).toContain(`[SockFilter; ${raw.length / 8}]`);
    expect(await text('go')).toContain(`[${raw.length / 8}]SockFilter`);
    const asm = await text('asm');
    expect(asm.trimEnd().split('\n')).toHaveLength(raw.length / 8);
    expect(asm).toMatch(/; ERRNO ENOSYS$/m);
    writeFileSync(join(folder, 'plain.bpf'), raw);
    expect((await run(['disasm', 'plain.bpf'])).stdout.toString()).toBe(asm);
  });

  it('writes the byte order of the target', async () => {
    const little = (await compile('plain.json')).stdout;
    const { code, stdout } = await run(
      ['compile', '-', '--arch', 's390x', '--no-cache'],
      PLAIN.replace('X86_64', 'S390X'),
    );
    expect(code).toBe(0);
    expect(little.readUInt16LE(0)).toBe(0x20);
    expect(stdout.readUInt16BE(0)).toBe(0x20);
  });

  it('with --json is one document with everything in it, and silent', async () => {
    const raw = (await compile('warning.json')).stdout;
    const result = await compile('warning.json', '--json');
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const document = documentOf(result);
    expect(document).toMatchObject({
      bytes: raw.toString('base64'),
      instructions: raw.length / 8,
      convertedLength: expect.any(Number),
      sha256: createHash('sha256').update(raw).digest('hex'),
      target: { arch: 'X86_64', engine: 'moby', semantics: 'crun' },
      flags: null,
      listenerPath: null,
      proved: true,
      cache: { tier: 'none', key: null },
    });
    expect(document['diagnostics']).toEqual([
      {
        code: 'UNKNOWN_SYSCALL',
        severity: 'warning',
        file: 'warning.json',
        line: 5,
        column: expect.any(Number),
        pointer: '/syscalls/0/names/1',
        message: expect.stringContaining('raed'),
        hint: expect.toBeOneOf([null, expect.any(String)]),
      },
    ]);
    expect((await compile('warning.json', '--format', 'json')).stdout).toEqual(result.stdout);
  });

  it('writes warnings as file:line:column: severity: message [CODE]', async () => {
    const { code, stderr } = await compile('warning.json');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning\.json:5:\d+: warning: .*"raed".* \[UNKNOWN_SYSCALL\]$/m);
  });

  it('lets no name in a profile write to the terminal', async () => {
    const hostile = WITH_WARNING.replace('raed', String.raw`\u001b[2J\nfake.json:1:1: error: none\u202e`);
    const { code, stderr } = await run(['compile', '-', '--arch', 'x86_64', '--no-cache'], hostile);
    expect(code).toBe(0);
    expect(stderr).toContain('UNKNOWN_SYSCALL');
    expect(['\u001b', '\u202e', '\nfake'].filter((text) => stderr.includes(text))).toEqual([]);
  });

  it('proves on demand, or not at all', async () => {
    expect(await compile('plain.json', '--require-proof')).toMatchObject({ code: 0 });
    const unproved = await compile('plain.json', '--no-prove');
    expect(unproved.stderr).toContain('not proved');
    expect(unproved.stdout).toEqual((await compile('plain.json')).stdout);
  });
});

describe('a profile with faults', () => {
  it('exits with 65, lists every fault with its line, and gives no filter', async () => {
    const { code, stdout, stderr } = await compile('faulty.json');
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 65, stdout: '' });
    expect(stderr).toMatch(/^faulty\.json:2:\d+: error: .*SCMP_ACT_DENY/m);
    expect(stderr).toMatch(/^faulty\.json:4:\d+: error: .*SCMP_ACT_PERMIT/m);
    expect(await compile('faulty.json', '-q')).toMatchObject({ code: 65, stderr });
  });

  it('prints only its errors with -q', async () => {
    const both = WITH_WARNING.replace(
      '"SCMP_ACT_ALLOW"}',
      '"SCMP_ACT_DENY"}, {"names": ["raed"], "action": "SCMP_ACT_ALLOW"}',
    );
    const compileBoth = (...flags: string[]) => run(['compile', '-', '--arch', 'x86_64', ...flags], both);
    const loud = await compileBoth();
    const lines = loud.stderr.split(/^(?=<stdin>:)/m);
    const errors = lines.filter((line) => line.includes(' error: '));
    expect({ all: lines.length > errors.length, some: errors.length > 0 }).toEqual({ all: true, some: true });
    for (const flags of [['-q'], ['--quiet']])
      expect(await compileBoth(...flags)).toMatchObject({ code: loud.code, stderr: errors.join('') });
  });

  it('with --json is a document with the faults on standard output', async () => {
    const result = await compile('faulty.json', '--json');
    expect(result).toMatchObject({ code: 65, stderr: '' });
    expect(codesOf(result).length).toBeGreaterThanOrEqual(2);
  });
});

const resolve = async (...args: string[]) => {
  const { code, stdout } = await run(['resolve', 'docker.json', '--kernel', '6.1', ...args]);
  expect(code).toBe(0);
  return stdout.toString();
};

describe('the target', () => {
  it('decides what a Docker profile becomes', async () => {
    const plain = JSON.stringify(JSON.parse(await resolve('--arch', 'x86_64')));
    expect(plain).toContain('"SCMP_ARCH_X32"');
    expect(plain).toContain('ptrace');
    expect(plain).toContain('clone3');
    expect(plain).not.toContain('mount');
    expect(await resolve('--arch', 'arm64')).toContain('SCMP_ARCH_ARM');
    expect(await resolve('--arch', 'x86_64', '--kernel', '4.7')).not.toContain('ptrace');
    expect(await resolve('--arch', 'x86_64', '--kernel', '4.7', '--engine', 'podman')).toContain('ptrace');
    const admin = await resolve('--arch', 'x86_64', '--cap', 'SYS_ADMIN');
    expect(admin).toContain('mount');
    expect(admin).not.toContain('clone3');
    expect(await resolve('--arch', 'x86_64', '--cap-set', 'all')).toBe(admin);
    expect(
      await resolve('--arch', 'x86_64', '--cap-set', 'all', '--cap-drop', 'CAP_SYS_ADMIN'),
    ).not.toContain('mount');
  });

  it('is the same for a profile and for what it resolves to', async () => {
    writeFileSync(join(folder, 'resolved.json'), await resolve('--arch', 'x86_64'));
    const direct = await compile('docker.json', '--kernel', '6.1');
    const resolved = await compile('resolved.json');
    expect(direct.code).toBe(0);
    expect(resolved.stdout).toEqual(direct.stdout);
  });

  it('has flags for architectures, ENOSYS and strictness', async () => {
    const listing = async (...args: string[]) =>
      (await compile('plain.json', '--format', 'asm', ...args)).stdout.toString();
    expect(await listing('--architectures', 'x86_64,x86')).toContain('arch == X86;');
    expect(await listing('--architectures', 'native')).toBe(await listing());
    expect(await listing('--enosys-after', '5.4')).not.toBe(await listing());
    expect(await listing('--semantics', 'runc')).toBe(await listing('--enosys-stub'));
    expect(await listing('--semantics', 'runc', '--no-enosys-stub')).toBe(await listing());
    expect(await compile('warning.json', '--fail-unknown')).toMatchObject({ code: 65 });
  });
});

describe('simulate with a profile', () => {
  it('answers as its filter does', async () => {
    const answers = await Promise.all(
      [['read'], ['socket', '40'], ['socket', '2'], ['clone3'], ['mount']].map(async (call) => {
        const document = documentOf(
          await run(['simulate', 'plain.json', ...call, '--arch', 'x86_64', '--json']),
        );
        return [document['action'], document['errno']];
      }),
    );
    expect(answers).toEqual([
      ['ALLOW', null],
      ['ERRNO', 1],
      ['ALLOW', null],
      ['ERRNO', 38],
      ['ERRNO', 1],
    ]);
  });

  it('refuses to answer for no filter, and for a faulty profile', async () => {
    expect(await run(['simulate', 'config.json', 'read'])).toMatchObject({ code: 65 });
    expect(await run(['simulate', 'faulty.json', 'read'])).toMatchObject({ code: 65 });
  });
});

describe('resolve', () => {
  it('prints the faults of a profile', async () => {
    expect(await run(['resolve', 'faulty.json'])).toMatchObject({ code: 65 });
  });
});

/** Standard output and standard error together, as a terminal gets them. */
const onTerminal = (args: string, variables: Record<string, string> = {}, before = '') => {
  const command = `${before}${process.execPath} ${MAIN} ${args}`;
  const env = environment(folder, { TERM: 'xterm', ...variables });
  const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { cwd: folder, env });
  return stdout.toString();
};

describe('colour', () => {
  const hasScript = spawnSync('script', ['--version']).status === 0;
  if (!hasScript) console.warn('NOT CHECKED: there is no script(1) to make a terminal with');

  it.runIf(hasScript)('is on a terminal only, and never with NO_COLOR', async () => {
    const args = 'compile warning.json --arch x86_64 --no-cache -o colour.bpf';
    expect(onTerminal(args)).toContain('\u001b[33mwarning\u001b[39m');
    expect(onTerminal(args, { NO_COLOR: '1' })).not.toContain('\u001b');
    expect(onTerminal(args, { TERM: 'dumb' })).not.toContain('\u001b');
    expect((await compile('warning.json')).stderr).not.toContain('\u001b');
  });

  it.runIf(hasScript)('is not in the help, which keeps to the width of the terminal', () => {
    const linesAt = (columns: number) =>
      onTerminal('compile --help', {}, `stty cols ${columns}; `).split('Examples:')[0]!.split('\r\n');
    const [narrow, wide] = [linesAt(72), linesAt(120)];
    expect(narrow.filter((line) => line.length > 72 || line.includes('\u001b'))).toEqual([]);
    expect(narrow.find((line) => line.startsWith('Nothing is written'))).toBeDefined();
    expect(wide.some((line) => line.length > 100)).toBe(true);
    expect(wide.length).toBeLessThan(narrow.length);
  });

  it.runIf(hasScript)('comes with the line of a fault and a caret below its place', async () => {
    const long = `{"defaultAction": "SCMP_ACT_ALLOW", ${' '.repeat(500)}\t"\u202e": 1, "syscalls": "none"}`;
    writeFileSync(join(folder, 'long.json'), long);
    const lines = onTerminal('compile long.json --arch x86_64 --no-cache -o x', { NO_COLOR: '1' }).split(
      '\r\n',
    );
    const at = lines.findIndex((line) => line.includes('WRONG_TYPE'));
    const [shown = '', caret = ''] = lines.slice(at + 1);
    expect(shown).toMatch(/^ {4}1 \| .{1,90}$/);
    // The mark that reverses text is shown by its number, and the caret is right all the same.
    expect(shown).toContain(String.raw`"\u202e": 1`);
    expect(shown.slice(caret.indexOf('^'))).toBe('"none"}');
    expect((await compile('long.json')).stderr).not.toContain('^');
  });

  it.runIf(hasScript)('is not the only thing kept from a terminal: so is a raw filter', () => {
    const refused = onTerminal('compile plain.json --arch x86_64 --no-cache');
    expect(refused).toContain('OUTPUT_IS_TERMINAL');
    expect(refused).toContain('--format asm');
    expect(onTerminal('compile plain.json --arch x86_64 --no-cache --format asm')).toContain(
      'ret #0x7fff0000',
    );
  });
});
