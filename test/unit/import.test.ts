import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ArchName } from '../../src/arch.ts';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { draftText, errno } from '../../src/import/draft.ts';
import type { Draft } from '../../src/import/draft.ts';
import { callsIn, listDraft, namesIn } from '../../src/import/lists.ts';
import { lxcDraft } from '../../src/import/lxc.ts';
import { systemdDraft } from '../../src/import/systemd.ts';
import { makeTarget } from '../../src/target.ts';

/** What a draft says, as a runtime would read it. */
const said = (draft: Draft) => JSON.parse(draftText(draft)) as Record<string, unknown>;
const lxc = (lines: string[], arch: ArchName = 'X86_64') =>
  said(lxcDraft(`2\n${lines.join('\n')}\n`, 'in', arch));
const systemd = (lines: string[], arch: ArchName = 'X86_64') =>
  said(systemdDraft(`[Service]\n${lines.join('\n')}\n`, 'in', arch));

function refusal(run: () => unknown): { line: number | undefined; message: string } {
  try {
    run();
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const [{ code, line, message } = {} as never] = error.diagnostics;
    expect(code).toBe('IMPORT_REFUSED');
    return { line, message };
  }
  throw new Error('nothing was refused');
}

const X86 = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];

describe('a policy of LXC', () => {
  it('that lists what is refused allows the rest, and kills without an action', () => {
    expect(
      lxc(['denylist', '# ours', '', '[all]', 'kexec_load errno 1', 'init_module', 'ptrace trap # why']),
    ).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: X86,
      syscalls: [
        { names: ['kexec_load'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
        { names: ['init_module'], action: 'SCMP_ACT_KILL_THREAD' },
        { names: ['ptrace'], action: 'SCMP_ACT_TRAP' },
      ],
    });
  });

  it('that lists what is allowed kills the rest, or gives what its second line says', () => {
    const rule = { names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' };
    const arm = ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'];
    expect(lxc(['whitelist', 'write', 'read'], 'AARCH64')).toEqual({
      defaultAction: 'SCMP_ACT_KILL_THREAD',
      architectures: arm,
      syscalls: [rule],
    });
    expect(lxc(['allowlist errno 38', 'write', 'read'], 'AARCH64')).toMatchObject({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      syscalls: [rule],
    });
  });

  it('keeps conditions: the mask of LXC is the value of an OCI condition', () => {
    const { syscalls } = lxc([
      'denylist',
      'reject_force_umount  # comment',
      'clone errno 1 [0,0x10000000,SCMP_CMP_MASKED_EQ,0x7e020000]',
      'ioctl errno 010 [1,18446744073709551615,>=][2,010,!=]',
    ]); // prettier-ignore
    expect(JSON.stringify(syscalls)).toBe(
      JSON.stringify([
        {
          names: ['umount2'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 13,
          args: [{ index: 1, value: 1, valueTwo: 1, op: 'SCMP_CMP_MASKED_EQ' }],
        },
        {
          names: ['clone'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 1,
          args: [{ index: 0, value: 0x7e020000, valueTwo: 0x10000000, op: 'SCMP_CMP_MASKED_EQ' }],
        },
        {
          names: ['ioctl'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 10,
          args: [
            { index: 1, value: 18446744073709551615n.toString(), op: 'SCMP_CMP_GE' },
            { index: 2, value: 8, op: 'SCMP_CMP_NE' },
          ],
        },
      ]).replace('"18446744073709551615"', String(2 ** 64)),
    );
    expect(
      draftText(lxcDraft('2\ndenylist\nread kill [1,0xffffffffffffffff,==]\n', 'in', 'X86_64')),
    ).toContain('"value": 18446744073709551615');
  });

  it('with sections has the rules for this machine on all of its architectures, as LXC loads them', () => {
    const text = '2\nallowlist\n[x86]\nread\n[x86_64]\nread\nwrite\n[arm]\nmount\n[all]\nopen\n';
    const draft = lxcDraft(text, 'in', 'X86_64');
    expect(said(draft)).toEqual({
      defaultAction: 'SCMP_ACT_KILL_THREAD',
      architectures: X86,
      syscalls: [{ names: ['open', 'read', 'write'], action: 'SCMP_ACT_ALLOW' }],
    });
    expect(draft.notes).toMatchObject([
      { code: 'IMPORT_SECTION', line: 3 },
      { code: 'IMPORT_SECTION', line: 5 },
    ]);
    expect(lxc(['denylist', '[x86]', 'mount', '[arm64]', 'reboot'], 'RISCV64')).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: ['SCMP_ARCH_RISCV64'],
      syscalls: [],
    });
  });

  it('can be imported for one architecture only', () => {
    expect(
      said(lxcDraft('2\ndenylist\nsocket errno 97 [0,40,==]\n', 'in', 'X86_64', ['X86_64'])),
    ).toMatchObject({
      architectures: ['SCMP_ARCH_X86_64'],
      syscalls: [{ names: ['socket'], errnoRet: 97, args: [{ index: 0, value: 40, op: 'SCMP_CMP_EQ' }] }],
    });
  });

  it.each([
    [1, '1\nallowlist\n0'],
    [2, '2\nsomelist'],
    [3, '2\ndenylist\nno_such_call'],
    [3, '2\ndenylist\nmount notify'],
    [3, '2\ndenylist\nmount errno 4095'],
    [3, '2\ndenylist\nmount errno'],
    [3, '2\ndenylist\nmount [0,1,==]'],
    [3, '2\ndenylist\nmount kill [6,1,==]'],
    [3, '2\ndenylist\nmount kill [0,1,=]'],
    [3, '2\ndenylist\nmount kill [0,0x10000000000000000,==]'],
    [3, '2\ndenylist\nmount kill [0,1,==][0,2,==]'],
    [3, '2\ndenylist\nmount allow'],
    [3, '2\ndenylist\n mount'],
    [3, '2\ndenylist\n[pdp11]'],
    [4, '2\ndenylist\nmount\nsocket errno 1'],
  ])('is refused at line %i: %j', (line, text) => {
    expect(refusal(() => lxcDraft(text, 'in', 'X86_64')).line).toBe(line);
  });
});

describe('SystemCallFilter= of a systemd unit', () => {
  it('with ~ first refuses the listed calls, each with its own errno', () => {
    expect(
      systemd(['SystemCallFilter=~mount umount2:EACCES reboot:kill', 'SystemCallErrorNumber=EPERM']),
    ).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
      architectures: X86,
      syscalls: [
        { names: ['mount'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
        { names: ['umount2'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 },
        { names: ['reboot'], action: 'SCMP_ACT_KILL_PROCESS' },
      ],
    });
  });

  it('kills the process unless an errno is given', () => {
    expect(systemd(['SystemCallFilter=~ptrace'])).toMatchObject({
      syscalls: [{ names: ['ptrace'], action: 'SCMP_ACT_KILL_PROCESS' }],
    });
  });

  it('without ~ first allows the listed calls and @default; later lines add and take away', () => {
    const profile = systemd([
      'SystemCallFilter=openat mount \\',
      '  ; a comment in between',
      '  reboot',
      'SystemCallFilter=~reboot execve:ENOSYS',
      'SystemCallFilter=@swap',
    ]);
    expect(profile).toMatchObject({
      defaultAction: 'SCMP_ACT_KILL_PROCESS',
      syscalls: [{ action: 'SCMP_ACT_ALLOW' }],
    });
    const names = (profile['syscalls'] as { names: string[] }[])[0]!.names;
    expect(names).toEqual(
      expect.arrayContaining(['openat', 'mount', 'exit_group', 'swapon', 'swapoff', 'brk']),
    );
    expect(names).not.toContain('reboot');
    expect(names).not.toContain('execve');
  });

  it('starts again after an empty assignment', () => {
    expect(systemd(['SystemCallFilter=read', 'SystemCallFilter=', 'SystemCallFilter=~mount'])).toMatchObject({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mount'] }],
    });
  });

  it('holds for the architectures that SystemCallArchitectures= leaves', () => {
    const filter = 'SystemCallFilter=~mount';
    expect(systemd([filter, 'SystemCallArchitectures=native'])['architectures']).toEqual(X86.slice(0, 1));
    expect(systemd([filter, 'SystemCallArchitectures=x86-64 x86'])['architectures']).toEqual(X86.slice(0, 2));
    expect(systemd([filter], 'S390X')['architectures']).toEqual(['SCMP_ARCH_S390X', 'SCMP_ARCH_S390']);
  });

  it('names the settings that make filters of their own', () => {
    const { notes } = systemdDraft(
      '[Service]\nSystemCallFilter=~mount\nRestrictNamespaces=yes\n',
      'in',
      'X86_64',
    );
    expect(notes).toMatchObject([{ code: 'IMPORT_LEFT_OUT', severity: 'note', line: 3 }]);
  });

  it.each([
    [2, ['SystemCallFilter=~no_such_call']],
    [2, ['SystemCallFilter=@no-such-group']],
    [2, ['SystemCallFilter=read:EPERM']],
    [2, ['SystemCallFilter=~read:ENOPE']],
    [2, ['SystemCallFilter=~"read"']],
    [3, ['SystemCallFilter=~read', 'SystemCallErrorNumber=5000']],
    [3, ['SystemCallFilter=~read', 'SystemCallLog=write']],
    [3, ['SystemCallFilter=~read', 'SystemCallArchitectures=vax']],
    [2, ['one two']],
    [undefined, ['ExecStart=/bin/true']],
  ])('is refused at line %s: %j', (line, lines) => {
    expect(refusal(() => systemd(lines)).line).toBe(line);
  });

  const table = readFileSync(join(import.meta.dirname, '../../syscall-tables/systemd/groups.tsv'), 'utf8');
  const version = /^# version: (\d+)$/m.exec(table)![1]!;
  const installed = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '';

  it.skipIf(!installed.startsWith(`systemd ${version} `))(
    `has the groups of systemd ${version} as it prints them`,
    () => {
      for (const [, group, names] of table.matchAll(/^(@[\w-]+)\t(.*)$/gm)) {
        const { stdout } = spawnSync('systemd-analyze', ['syscall-filter', group!], { encoding: 'utf8' });
        const lines = stdout
          .split('\n')
          .slice(1)
          .map((line) => line.trim());
        expect(names!.split(' ')).toEqual(lines.filter((line) => /^[@a-z_]/.test(line)));
      }
    },
  );
});

describe('a log of strace', () => {
  it('gives every call that was made, once', () => {
    const log = [
      '4242 execve("/bin/true", ["true"], 0x7ffd /* 20 vars */) = 0',
      '[pid    17] 12:00:01.25 read(3, "mount(", 6) = 6',
      '4242 1700000000.5 wait4(-1,  <unfinished ...>',
      '17 <... read resumed>"", 1) = 0',
      '17 --- SIGCHLD {si_signo=SIGCHLD} ---',
      '17 +++ exited with 0 +++',
      'strace: Process 17 attached',
      '[00007f12] [   0] read(0, "", 1) = 0',
      '',
    ].join('\n');
    expect(callsIn(log, 'in').map(([name]) => name)).toEqual(['execve', 'read', 'wait4']);
  });

  it.each([
    [1, '[ Process PID=7 runs in 32 bit mode. ]'],
    [1, 'strace: [ Process PID=7 runs in 32 bit mode. ]'],
    [2, 'read(0, "", 1) = 0\n% time     seconds  usecs/call'],
    [1, '???( <unfinished ...>'],
  ])('is refused at line %i, which names no call: %j', (line, log) => {
    expect(refusal(() => callsIn(log, 'in')).line).toBe(line);
  });

  it('is refused at the line of a call that no architecture has', () => {
    const meaning = { refused: errno(1), allowRest: false };
    const run = () => listDraft(callsIn('read(0) = 0\nsyscall_0x1f4(0) = -1 ENOSYS\n', 'in'), meaning);
    expect(refusal(run).line).toBe(2);
  });
});

describe('a list of names', () => {
  it('is what is allowed, or with allowRest what is refused', () => {
    const words = namesIn('# ours\nwrite, read\n  read # again\n', 'in');
    expect(said(listDraft(words, { refused: errno(38), allowRest: false }))).toEqual({
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 38,
      syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_ALLOW' }],
    });
    expect(said(listDraft(words, { refused: errno(1), allowRest: true }))).toEqual({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['read', 'write'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
    });
  });
});

it('every import compiles without a word', async () => {
  const meaning = { refused: errno(1), allowRest: false };
  const drafts = [
    lxcDraft('2\ndenylist\nreject_force_umount\n[all]\nkexec_load errno 1\ninit_module\n', 'in', 'X86_64'),
    systemdDraft(
      '[Service]\nSystemCallFilter=@system-service\nSystemCallFilter=~@privileged\n',
      'in',
      'X86_64',
    ),
    listDraft([['@known', { file: 'in' }]], meaning),
  ];
  for (const draft of drafts) {
    const target = makeTarget({ arch: 'X86_64' });
    const { diagnostics } = await compile(draftText(draft), { target, prove: 'never' });
    expect(diagnostics).toEqual([]);
  }
});
