/**
 * Records of the running kernel: what exec says of a call that ended its command, and a patch for
 * each logged one.
 */
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { environment, MAIN, runIn, scratch } from '../cli/run.ts';
import { changedCalls } from '../oracle/changed-calls.ts';
import { skipWithout } from '../oracle/compare.ts';
import { runs } from '../runs.ts';
import { requirements } from './oci/require.ts';

/**
 * Prints every SECCOMP record of the kernel as auditd would write it: linux/netlink.h,
 * AUDIT_NLGRP_READLOG.
 */
const LISTENER = String.raw`
socket(my $s, 16, 3, 9) or die "NETLINK_AUDIT: $!";
bind($s, pack("S S L L", 16, 0, 0, 1)) or die "NETLINK_AUDIT: $!";
setsockopt($s, 1, 33, pack("i", 1 << 22));
$| = 1;
print "ready\n";
while (sysread($s, my $m, 9000)) {
  print "type=SECCOMP msg=", unpack("x16 Z*", $m), "\n" if unpack("x4 S", $m) == 1326;
}`;

function needs(): { missing: string } | object {
  const missing = requirements(['perl', 'strace'], { root: true });
  if ('missing' in missing) return missing;
  const heard = spawnSync('timeout', ['1', 'perl', '-e', LISTENER], { encoding: 'utf8' });
  return heard.stdout.startsWith('ready') ? {} : { missing: `the kernel's audit records: ${heard.stderr}` };
}

const folder = scratch();
const file = (name: string, profile: object) => {
  writeFileSync(join(folder, name), `${JSON.stringify(profile, null, 2)}\n`);
  return name;
};
const run = (profile: string, ...command: string[]) =>
  runIn(folder, ['exec', profile, '--no-cache', '--arch', 'x86_64', '--', ...command]);

/**
 * Runs commands under a profile; gives the kernel's records until one that another profile has made
 * afterwards.
 */
async function recordsUnder(profile: string, script: string): Promise<string> {
  const marking = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['uselib'], action: 'SCMP_ACT_LOG' }],
  };
  const marker = file('marker.json', marking);
  const listener = spawn('perl', ['-e', LISTENER], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  for await (const line of createInterface({ input: listener.stdout })) {
    if (line === 'ready')
      void run(profile, 'sh', '-c', script).then(() => run(marker, 'perl', '-e', 'syscall(134)'));
    else if (line.includes(' comm="perl" ') && line.includes(' syscall=134 ')) break;
    else lines.push(line);
  }
  listener.kill();
  return `${lines.join('\n')}\n`;
}

const PROGRAMS = `cd /tmp; ls -la /usr; id; uname -a; date; stat /etc; df /; touch seccompc-a; ln -s x seccompc-b
mv seccompc-a seccompc-c; chmod 600 seccompc-c; chown 0 seccompc-c; cp seccompc-c seccompc-d; rm -f seccompc-?
mkdir seccompc-e; rmdir seccompc-e; find /etc -maxdepth 1; tar cf /dev/null /etc/hostname; sleep 0; nice true
sort /etc/passwd; timeout 1 true; env; pwd; tty; stty; nproc; free; ps; kill -0 $$; setpriv --no-new-privs true
mount; umount /nowhere; unshare -m true; chroot / true; mknod seccompc-f p; rm -f seccompc-f; sync; hostname; ulimit -a
perl -e 'fork; wait; pipe(A, B); socket(S, 1, 1, 0); rename "a", "b"; utime 0, 0, "a"; alarm 1; umask 0; getpriority 0, 0'`;
const FLAGS = ['SECCOMP_FILTER_FLAG_LOG'];
const START = ['execve', 'brk', 'mmap', 'exit_group', 'write', 'read', 'close'];

const PROFILES = {
  'an allow list of three architectures': {
    defaultAction: 'SCMP_ACT_LOG',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    syscalls: [
      { names: ['exit_group'], action: 'SCMP_ACT_ALLOW' },
      { names: START, action: 'SCMP_ACT_ALLOW' },
    ],
  },
  'the Docker dialect': {
    defaultAction: 'SCMP_ACT_LOG',
    archMap: [{ architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] }],
    syscalls: [
      { names: START, action: 'SCMP_ACT_ALLOW', comment: 'start', includes: {}, excludes: {} },
      { names: ['mount', 'chroot'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_SYS_ADMIN'] } },
    ],
  },
  'a config.json': {
    ociVersion: '1.2.0',
    linux: {
      seccomp: {
        defaultAction: 'SCMP_ACT_LOG',
        syscalls: [
          { names: ['read'], action: 'SCMP_ACT_ALLOW', args: [{ index: 2, value: 9, op: 'SCMP_CMP_EQ' }] },
        ],
      },
    },
  },
  'a deny list': {
    defaultAction: 'SCMP_ACT_ALLOW',
    flags: FLAGS,
    syscalls: [
      {
        names: ['getdents64', 'statx', 'uname', 'sysinfo', 'keyctl'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 38,
      },
      { names: ['ustat', 'chmod', 'fchmodat', 'symlink', 'symlinkat', 'umount2'], action: 'SCMP_ACT_ERRNO' },
      { names: ['unshare'], action: 'SCMP_ACT_KILL_PROCESS' },
    ],
  },
};

interface Shown {
  call: string;
  lines: number[];
  verdicts: {
    patch: { op: 'add' | 'remove'; path: string; value?: unknown }[] | null;
    reason: string | null;
  }[];
}

describe.skipIf(skipWithout(needs()))('audit', () => {
  it.each(Object.entries(PROFILES))('patches each call that the kernel logs under %s', async (_, profile) => {
    const name = file('profile.json', profile);
    writeFileSync(join(folder, 'audit.log'), await recordsUnder(name, `exec 2>&1 >/dev/null\n${PROGRAMS}`));
    const audit = async (...args: string[]) =>
      runIn(folder, ['audit', 'audit.log', '--profile', name, '--arch', 'x86_64', ...args]);
    const { records } = JSON.parse((await audit('--json')).stdout.toString()) as { records: Shown[] };
    const denied = records.filter(({ verdicts }) => verdicts.some(({ patch }) => patch !== null));
    console.log(`${denied.length} of ${records.length} logged calls have a patch`);
    expect(denied.length).toBeGreaterThan(5);
    // Other filters of this machine may log calls meanwhile that this profile allows.
    const without = records.filter(({ verdicts }) => verdicts.some(({ reason }) => reason !== null));
    for (const { call, verdicts } of without) {
      expect(verdicts[0]!.reason).toContain('depends on arguments');
      expect(call).toBe('read');
    }
    // Each one by itself, judged by the naive evaluator.
    const plain = async (path: string) =>
      (await runIn(folder, ['resolve', path, '-q', '--arch', 'x86_64'])).stdout.toString();
    const before = await plain(name);
    const log = readFileSync(join(folder, 'audit.log'), 'utf8').split('\n');
    const every = Math.ceil(denied.length / runs(2, 12));
    for (const { call, lines } of denied.filter((__, at) => at % every === 0)) {
      writeFileSync(join(folder, 'one.log'), `${log[lines[0]! - 1]}\n`);
      const args = ['audit', 'one.log', '--profile', name, '--arch', 'x86_64', '--apply', '-o', 'new.json'];
      expect(await runIn(folder, args)).toMatchObject({ code: 0, stderr: '' });
      const changed = changedCalls(before, await plain('new.json'));
      const names = new Set(changed.map((each) => each.split(' ')[1]));
      // X86 has these calls behind another one too.
      for (const carrier of ['socketcall', 'ipc']) names.delete(carrier);
      expect([...names]).toEqual([call]);
    }
  });

  it('reads what strace shows of a call that a filter refuses, kills or traps', async () => {
    const seen: string[] = [];
    for (const action of ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_TRAP']) {
      const name = file('acct.json', {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['acct'], action }],
      });
      const command = [
        process.execPath,
        MAIN,
        'exec',
        name,
        '--no-cache',
        '-q',
        '--',
        'perl',
        '-e',
        'syscall(163, 0)',
      ];
      spawnSync('strace', ['-f', '-e', 'trace=acct', '-o', 'strace.log', ...command], {
        cwd: folder,
        env: environment(folder),
      });
      const { stdout } = await runIn(folder, ['audit', 'strace.log', '--profile', name, '--arch', 'x86_64']);
      seen.push(
        ...stdout
          .toString()
          .split('\n')
          .filter((line) => line.includes('\tacct\t') || line.includes('proof: ')),
      );
    }
    expect(seen.map((line) => line.split('\t').slice(1, 4).join(' '))).toEqual([
      'acct X86_64 ERRNO EPERM (1)',
      expect.stringContaining('acct on X86_64: ERRNO EPERM (1) becomes ALLOW'),
      'acct X86_64 KILL_PROCESS',
      expect.stringContaining('acct on X86_64: KILL_PROCESS becomes ALLOW'),
      'acct X86_64 TRAP',
      expect.stringContaining('acct on X86_64: TRAP becomes ALLOW'),
    ]);
  });
});

describe.skipIf(skipWithout(needs()))('exec', () => {
  it('names the call that ended the command and the entry, or how to find them', async () => {
    const name = file('kill.json', {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['acct'], action: 'SCMP_ACT_KILL_PROCESS' }],
    });
    const note = async () => {
      const { code, stderr } = await run(name, 'perl', '-e', 'syscall(163, 0)');
      expect(code).toBe(128 + 31);
      return stderr;
    };
    // The kernel drops records of its log where others make many.
    await expect
      .poll(note, { timeout: 120_000 })
      .toContain('note: the filter ended the command at acct on X86_64: KILL_PROCESS, from kill.json:4:5');
    const child = async (words: string) => {
      const { code, stderr } = await run(name, 'sh', '-c', `${words}; exit $?`);
      expect(code).toBe(128 + 31);
      return stderr;
    };
    await expect
      .poll(() => child(`perl -e 'syscall(163, 0)'`), { timeout: 120_000 })
      .toMatch(
        /exit code 159, SIGSYS ended a process of the command, probably \S*perl at acct on X86_64: KILL_PROCESS, from kill.json:4:5.*\n.*not certain/,
      );
    // The other records of this machine are of calls that the profile allows.
    const other = file('swapoff.json', {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['swapoff'], action: 'SCMP_ACT_KILL_PROCESS' }],
    });
    const own = await run(other, 'sh', '-c', 'exit 159');
    expect(own).toMatchObject({
      code: 159,
      stderr: expect.stringContaining('SIGSYS ended a process of the command'),
    });
    expect(own.stderr).toContain('CALL_NOT_LOGGED');
    // TRAP is not logged without the filter's flag for it.
    const trap = file('trap.json', {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['acct'], action: 'SCMP_ACT_TRAP' }],
    });
    const unknown = await run(trap, 'perl', '-e', 'syscall(163, 0)');
    expect(unknown.code).toBe(128 + 31);
    expect(unknown.stderr).toMatch(
      /CALL_NOT_LOGGED\]\n.*strace -f -o LOG.*seccompc audit LOG --profile trap.json/,
    );
  });
});
