import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { encode } from '../../src/bpf/instruction.ts';
import {
  ALLOW,
  ERRNO,
  insn,
  KILL_THREAD,
  little,
  LOG,
  plainProgram,
  replay,
  witnessesOf,
} from './comparison.ts';
import { FAULTY, PLAIN } from './profiles.ts';
import { codesOf, documentOf, runIn, scratch } from './run.ts';

const folder = scratch();
const run = (args: string[], input: Uint8Array | string = '') => runIn(folder, args, { input });
const diff = (a: string, b: string, ...more: string[]) => run(['diff', a, b, '--arch', 'x86_64', ...more]);

const PROGRAMS = {
  'same.bpf': little(plainProgram()),
  'errno.bpf': little(plainProgram({ otherwise: ERRNO | 38 })),
  'tighter.bpf': little(plainProgram({ read: KILL_THREAD })),
  'looser.bpf': little(plainProgram({ refused: LOG })),
  // socket() with family 40 seems to succeed.
  'success.bpf': little(plainProgram({ refused: ERRNO })),
  'both.bpf': little(plainProgram({ read: KILL_THREAD, refused: LOG })),
};
type Name = keyof typeof PROGRAMS;

beforeAll(() => {
  const files = { ...PROGRAMS, 'plain.json': PLAIN, 'faulty.json': FAULTY };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
});

describe('diff', () => {
  it('of two that answer alike is 0, in every mix of profiles and filters', async () => {
    const mixes = [
      ['plain.json', 'plain.json'],
      ['plain.json', 'same.bpf'],
      ['same.bpf', 'plain.json'],
      ['same.bpf', 'same.bpf'],
    ] as const;
    for (const [a, b] of mixes) {
      const { code, stdout, stderr } = await diff(a, b);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.toString()).toMatch(/^equal: .*\n$/);
    }
    expect(await run(['diff', '-', 'same.bpf', '--arch', 'x86_64'], PLAIN)).toMatchObject({ code: 0 });
  });

  it('shows in Markdown what a change opens and closes, one call in both lists if it must be', async () => {
    const { code, stdout, stderr } = await diff('plain.json', 'both.bpf', '--format', 'markdown');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout.toString().split('\n')).toEqual([
      '### Seccomp: `plain.json` → `both.bpf`',
      '',
      '**Opens** (1 on X86\\_64)',
      '',
      '- socket(AF\\_VSOCK, 0, 0) on X86\\_64: ERRNO EPERM (1) becomes LOG',
      '',
      '**Closes** (1 on X86\\_64)',
      '',
      '- read on X86\\_64: ALLOW becomes KILL\\_THREAD',
      '',
      'All other calls get the same answer. This is proved.',
      '',
    ]);
    const renamed = (await diff('plain.json', 'errno.bpf', '--format', 'markdown')).stdout.toString();
    expect(renamed).toMatch(/\n\*\*Answers otherwise\*\* .*\n\n- .*ERRNO EPERM \(1\) becomes ERRNO ENOSYS/);
    expect(renamed).not.toContain('**Opens**');
    const equal = await diff('plain.json', 'same.bpf', '--format', 'markdown');
    expect(equal).toMatchObject({ code: 0, stdout: expect.anything() });
    expect(equal.stdout.toString()).toContain('Every call gets the same answer.');
    expect(await diff('plain.json', 'same.bpf', '--format', 'markdown', '--tightens')).toMatchObject({
      code: 64,
    });
  });

  it('keeps names of files from being Markdown', async () => {
    const name = '`<b>.json';
    writeFileSync(join(folder, name), PLAIN);
    const { stdout } = await diff('both.bpf', name, '--format', 'markdown');
    expect(stdout.toString()).toMatch(/^### Seccomp: `both\.bpf` → `` `<b>\.json ``\n/);
  });

  it('shows what both answer', async () => {
    const { code, stdout, stderr } = await diff('plain.json', 'both.bpf');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout.toString().trimEnd().split('\n').slice(1)).toEqual([
      'read on X86_64: ALLOW becomes KILL_THREAD',
      'socket(AF_VSOCK, 0, 0) on X86_64: ERRNO EPERM (1) becomes LOG',
      'total of calls: 2 on X86_64',
    ]);
  });

  it('groups equal changes, names a call once, and begins with the native architecture', async () => {
    const profile = (defaultAction: string, names: string[]) =>
      JSON.stringify({
        defaultAction,
        architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X86_64', 'SCMP_ARCH_X32'],
        syscalls: [
          { names, action: 'SCMP_ACT_ALLOW' },
          { names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 40, op: 'SCMP_CMP_NE' }] },
        ],
      });
    writeFileSync(join(folder, 'one.json'), profile('SCMP_ACT_ERRNO', ['read', 'chown32']));
    writeFileSync(join(folder, 'two.json'), profile('SCMP_ACT_ERRNO', ['mount', 'umount2', 'arch_prctl']));
    writeFileSync(join(folder, 'three.json'), profile('SCMP_ACT_LOG', ['mount', 'umount2', 'arch_prctl']));
    const changed = await diff('one.json', 'two.json');
    // What is said of socket has no bearing.
    expect(changed).toMatchObject({ code: 1, stderr: '' });
    expect(changed.stdout.toString().trimEnd().split('\n').slice(1)).toEqual([
      'read on X86_64, X86, X32: ALLOW becomes ERRNO EPERM (1)',
      'arch_prctl, mount, umount2 on X86_64, X86, X32: ERRNO EPERM (1) becomes ALLOW',
      'chown32 on X86: ALLOW becomes ERRNO EPERM (1)',
      'total of calls: 4 on X86_64, 5 on X86, 4 on X32',
    ]);
    const [, line, total, ...rest] = (await diff('two.json', 'three.json', '--limit', '3')).stdout
      .toString()
      .trimEnd()
      .split('\n');
    expect(line).toMatch(
      /^read, write, open and \d+ more, and numbers without a name on X86_64, X86, X32: ERRNO EPERM \(1\) becomes LOG$/,
    );
    expect(total).toMatch(/^total of calls: \d+ on X86_64, \d+ on X86, \d+ on X32$/);
    expect(rest).toEqual([]);
  });

  it('of two filters needs no architecture, and its witnesses are true', async () => {
    const result = await run(['diff', 'same.bpf', 'errno.bpf', '--json', '--limit', '400']);
    expect(result).toMatchObject({ code: 1, stderr: '' });
    const witnesses = witnessesOf(result);
    // Each call of the table that neither program names, and one for the numbers without a name.
    expect(witnesses.length).toBeGreaterThan(300);
    expect(witnesses.map(({ call }) => call.name)).toContain('mount');
    expect(new Set(witnesses.map(({ call }) => call.nr)).size).toBe(witnesses.length);
    for (const witness of witnesses) {
      expect(witness['a']).toMatchObject({ value: replay(PROGRAMS['same.bpf'], witness), errno: 1 });
      expect(witness['b']).toMatchObject({ value: replay(PROGRAMS['errno.bpf'], witness), errno: 38 });
    }
  });

  it('compares what filters mean, not the byte order they are written in', async () => {
    writeFileSync(join(folder, 'big.bpf'), encode([insn(0x06, ALLOW)], 'big'));
    expect(await run(['diff', 'big.bpf', '-'], little([insn(0x06, ALLOW)]))).toMatchObject({ code: 0 });
    expect(await run(['diff', 'big.bpf', '-'], little([insn(0x06, LOG)]))).toMatchObject({ code: 1 });
  });
});

describe('diff --tightens and --loosens', () => {
  const CASES: [b: Name, tightens: boolean, loosens: boolean][] = [
    ['same.bpf', true, true],
    ['errno.bpf', true, true],
    ['tighter.bpf', true, false],
    ['looser.bpf', false, true],
    ['success.bpf', false, true],
    ['both.bpf', false, false],
  ];

  it.each(CASES)('%s: %s, %s', async (b, ...expected) => {
    for (const [index, flag] of (['--tightens', '--loosens'] as const).entries()) {
      const { code, stdout } = await diff('plain.json', b, flag);
      const yes = expected[index]!;
      expect({ flag, code }).toEqual({ flag, code: yes ? 0 : 1 });
      expect(stdout.toString()).toMatch(yes ? /^yes: .*\n$/ : /^no: .*\n\S/);
    }
  });

  it('show only calls that break what was asked', async () => {
    const looser = witnessesOf(await diff('plain.json', 'both.bpf', '--tightens', '--json'));
    expect(looser.map(({ call }) => call.name)).toEqual(['socket']);
    expect(looser[0]).toMatchObject({ a: { value: ERRNO | 1 }, b: { value: LOG } });
    expect(replay(PROGRAMS['both.bpf'], looser[0]!)).toBe(LOG);
    expect(replay(PROGRAMS['same.bpf'], looser[0]!)).toBe(ERRNO | 1);
    const stricter = witnessesOf(await diff('plain.json', 'both.bpf', '--loosens', '--json'));
    expect(stricter.map(({ call }) => call.name)).toEqual(['read']);
  });

  it('take success without running for stricter than any call that runs', async () => {
    expect(await diff('looser.bpf', 'success.bpf', '--tightens')).toMatchObject({ code: 0 });
    expect(await diff('success.bpf', 'looser.bpf', '--tightens')).toMatchObject({ code: 1 });
    expect(await diff('success.bpf', 'plain.json', '--tightens')).toMatchObject({ code: 0 });
    expect(await diff('success.bpf', 'plain.json', '--loosens')).toMatchObject({ code: 1 });
  });

  it('are one document with --json', async () => {
    const yes = await diff('plain.json', 'tighter.bpf', '--tightens', '--json');
    expect(documentOf(yes)).toEqual({ verdict: 'yes', witnesses: [], more: false, diagnostics: [] });
    const no = await diff('tighter.bpf', 'plain.json', '--tightens', '--json');
    expect(documentOf(no)).toMatchObject({ verdict: 'no', more: false });
  });
});

describe('diff refuses', () => {
  it('faults with 65, contradicting options and two standard inputs with 64', async () => {
    const faulty = await diff('plain.json', 'faulty.json', '--json');
    expect(faulty).toMatchObject({ code: 65, stderr: '' });
    expect(codesOf(faulty)).toContain('UNKNOWN_ACTION');
    writeFileSync(join(folder, 'endless.bpf'), little(plainProgram().slice(0, -1)));
    const endless = await diff('plain.json', 'endless.bpf', '--json');
    expect(endless).toMatchObject({ code: 65 });
    expect(new Set(codesOf(endless))).toEqual(new Set(['FILTER_INVALID']));
    expect(await diff('plain.json', 'same.bpf', '--tightens', '--loosens')).toMatchObject({ code: 64 });
    expect(await diff('-', '-')).toMatchObject({ code: 64 });
  });

  it('to guess, with 2', async () => {
    const result = await diff('plain.json', 'tighter.bpf', '--tightens', '--json', '--node-budget', '9');
    expect(result).toMatchObject({ code: 2, stderr: '' });
    expect(documentOf(result)).toMatchObject({ verdict: 'undecided' });
    expect(codesOf(result)).toEqual(['UNDECIDED']);
  });
});
