import { describe, expect, test } from 'vitest';
import { foldRecords, readCalls, readLog, splitArgs } from '../../src/audit/records.ts';

const read = async (text: string) => (await readLog(text, 'X86_64')).records;
const shown = async (text: string) =>
  (await read(text)).map(({ name, abi, action, program }) => [
    name,
    abi,
    action.toString(16),
    ...(program === undefined ? [] : [program]),
  ]);

const FIELDS =
  'auid=4294967295 uid=0 gid=0 ses=4294967295 pid=77 comm="app" exe="/usr/bin/app" sig=0 arch=c000003e syscall=435 compat=0 ip=0x0 code=0x50000';

describe('records of the kernel', () => {
  test.each([
    ['dmesg', `[  100.200000] audit: type=1326 audit(1700000000.123:456): ${FIELDS}`],
    ['/dev/kmsg', `5,606,7520639951,-;audit: type=1326 audit(1700000000.123:456): ${FIELDS}`],
    ['journalctl', `Nov 14 22:13:20 host kernel: audit: type=1326 audit(1700000000.123:456): ${FIELDS}`],
    ['the journal of the audit socket', `Nov 14 22:13:20 host audit[77]: SECCOMP ${FIELDS}`],
    ['the journal in JSON', JSON.stringify({ MESSAGE: `audit: type=1326 audit(1.2:3): ${FIELDS}` })],
    ['audit.log', `type=SECCOMP msg=audit(1700000000.123:456): ${FIELDS}`],
    ['audit.log with names', `type=SECCOMP msg=audit(1.2:3): ${FIELDS}\u001dARCH=x86_64 SYSCALL=clone3`],
  ])('are read as %s shows them', async (_, line) => {
    const where = { auditArch: 0xc000003e, abi: 'X86_64', nr: 435, name: 'clone3' };
    expect(await read(`first\r\n${line}\r\n`)).toEqual([
      { ...where, action: 0x50000, pid: 77, program: '/usr/bin/app', line: 2 },
    ]);
  });

  test('are read as ausearch -i shows them', async () => {
    // Printed by ausearch 3.0.9.
    const log = `----
type=SECCOMP msg=audit(11/14/23 22:13:20.123:456) : auid=user uid=user gid=user ses=2 pid=77 comm=app exe=/usr/bin/app sig=SIGSYS arch=x86_64 syscall=setpriority compat=0 ip=0x7f0000000000 code=kill 
----
type=SECCOMP msg=audit(11/14/23 22:13:21.123:457) : auid=unset uid=root gid=root ses=unset pid=78 comm=a b c exe=/tmp/a b c sig=SIG0 arch=i386 syscall=socket compat=1 ip=0x5636d8d53703 code=log 
----
type=SECCOMP msg=audit(11/14/23 22:13:22.123:458) : auid=unset uid=root gid=root ses=unset pid=78 comm=x exe=/x sig=SIG0 arch=x86_64 syscall=unknown-syscall(1073741863) compat=1 ip=0x5636d8d53703 code=errno 
----
type=SECCOMP msg=audit(11/14/23 22:13:22.123:459) : auid=unset uid=root gid=root ses=unset pid=78 comm=x exe=/x sig=SIGSYS arch=aarch64 syscall=clone3 compat=0 ip=0x0 code=kill `;
    expect(await shown(log)).toEqual([
      ['setpriority', 'X86_64', '0', '/usr/bin/app'],
      ['socket', 'X86', '7ffc0000', '/tmp/a b c'],
      ['getpid', 'X32', '50000', '/x'],
      ['clone3', 'AARCH64', '0', '/x'],
    ]);
  });

  test('name each action, each kind of number, and programs written in hex', async () => {
    const line = (arch: string, nr: number, code: string, program = 'exe="/x"') =>
      `audit: type=1326 audit(1.2:3): pid=1 comm="x" ${program} sig=31 arch=${arch} syscall=${nr} compat=1 ip=0x0 code=${code}`;
    const log = [
      line('40000003', 359, '0x80000000'),
      line('c000003e', 0x40000027, '0x7ffc0000', 'exe=2F746D702F6120622063'),
      line('8', 4003, '0x30000', 'exe=(null)'),
      line('c00000b7', 63, '0x7fc00000'),
    ];
    expect(await shown(log.join('\n'))).toEqual([
      ['socket', 'X86', '80000000', '/x'],
      ['getpid', 'X32', '7ffc0000', '/tmp/a b c'],
      ['read', 'MIPS', '30000', 'x'],
      ['read', 'AARCH64', '7fc00000', '/x'],
    ]);
  });

  test('count as unread if their architecture or action is unknown, and other records do not count', async () => {
    const log = `type=SYSCALL msg=audit(1.2:3): arch=c000003e syscall=59 success=yes exit=0 comm="a" exe="/a"
type=SECCOMP msg=audit(1.2:3): pid=1 comm=a exe=/a sig=SIG0 arch=vax syscall=read compat=0 ip=0x0 code=kill
type=SECCOMP msg=audit(1.2:3): pid=1 comm=a exe=/a sig=SIG0 arch=x86_64 syscall=read compat=0 ip=0x0 code=odd`;
    // Old kernels do not name the architecture.
    const old = 'type=1326 audit(1.2:3): auid=0 uid=0 gid=0 ses=1 pid=1 comm="a" sig=31 syscall=2 compat=0 ip=0x0 code=0x0'; // prettier-ignore
    expect(await readLog(`${log}\n${old}`, 'X86_64')).toEqual({ records: [], unread: [2, 3, 4] });
  });

  test('fold to one of each call and action, with a count and the programs', async () => {
    const log = [FIELDS, FIELDS.replaceAll('app', 'other'), FIELDS, FIELDS.replace('0x50000', '0x0')];
    const folded = foldRecords(await read(log.map((line) => `audit[7]: SECCOMP ${line}`).join('\n')));
    expect(folded.map(({ count, programs, lines }) => ({ count, programs, lines }))).toEqual([
      { count: 3, programs: ['/usr/bin/app', '/usr/bin/other'], lines: [1, 2, 3] },
      { count: 1, programs: ['/usr/bin/app'], lines: [4] },
    ]);
  });
});

describe('lines of strace', () => {
  test.each([
    ['', ''],
    ['[pid   77] ', 'a process in brackets'],
    ['77    ', 'a process'],
    ['77    12:30:59.123456 ', 'a process and a time'],
    ['1700000000.123456 ', 'a time'],
    ['77    [00007f0a3f1104a7] [ 435] ', 'a process, an instruction pointer and a number'],
  ])('tell of a failed call after "%s"', async (prefix) => {
    const [record] = await read(
      `${prefix}clone3({flags=CLONE_VM, x={1, 2}}, 88) = -1 EPERM (Operation not permitted)`,
    );
    expect(record).toMatchObject({ name: 'clone3', action: 0x50000, errno: 1, args: [undefined, 88n] });
    expect(record!.pid).toBe(/^(?:\[pid|77)/.test(prefix) ? 77 : undefined);
  });

  test('tell of a signal with the arguments of the call before it, once', async () => {
    const log = `15569 mount("x", "/mnt", "tmpfs", 0, NULL) = 165
15569 --- SIGSYS {si_signo=SIGSYS, si_code=SYS_SECCOMP, si_call_addr=0x7f0c91a9ce5a, si_syscall=__NR_mount, si_arch=AUDIT_ARCH_X86_64} ---
15569 +++ killed by SIGSYS +++`;
    expect(await read(log)).toEqual([
      {
        auditArch: 0xc000003e,
        abi: 'X86_64',
        nr: 165,
        name: 'mount',
        action: 0x30000,
        pid: 15569,
        line: 2,
        args: [undefined, undefined, undefined, 0n, 0n],
      },
    ]);
  });

  test('tell of a killed process, also where another one got its turn, and of the last call of a pasted piece', async () => {
    const killed = `7 read(3,  <unfinished ...>
8 chroot("/") = 161
8 +++ killed by SIGSYS (core dumped) +++
7 <... read resumed>"", 1) = -1 ENOSYS (Function not implemented)
7 exit_group(0) = ?
7 +++ exited with 0 +++`;
    expect(await shown(killed)).toEqual([
      ['chroot', 'X86_64', '80000000'],
      ['read', 'X86_64', '50000'],
    ]);
    expect(await shown('mount("x", "/mnt", "tmpfs", 0, NULL) = ?')).toEqual([
      ['mount', 'X86_64', '80000000'],
    ]);
    expect(await shown('7 pause() = ?\n7 +++ killed by SIGKILL +++\n8 exit_group(0) = ?')).toEqual([]);
  });

  test('are read behind an instruction pointer of 32 bits, or none that is known', async () => {
    for (const pointer of ['[f7f3a549]', '[00007f0a3f1104a7]', '[????????????????]'])
      expect(await shown(`7 ${pointer} mkdir("d", 0777) = -1 EPERM (Operation not permitted)`)).toEqual([
        ['mkdir', 'X86_64', '50000'],
      ]);
  });

  test('follow a process into another mode', async () => {
    const log = `strace: [ Process PID=7 runs in 32 bit mode. ]
[pid 7] socket(0x28, -1, 0777) = -1 EPERM (Operation not permitted)
[pid 8] socket(0x28, 1, 0) = -1 EPERM (Operation not permitted)`;
    const records = await read(log);
    expect(records.map(({ abi, nr }) => [abi, nr])).toEqual([['X86', 359], ['X86_64', 41]]); // prettier-ignore
    expect(records[0]!.args).toEqual([0x28n, 0xffff_ffff_ffff_ffffn, 0o777n]);
  });

  test('have arguments by name, in the order that the kernel has', async () => {
    const args = async (line: string) =>
      (await read(`${line} = -1 EPERM (Operation not permitted)`))[0]!.args;
    expect(await args('socket(AF_VSOCK, SOCK_STREAM|SOCK_CLOEXEC, 0)')).toEqual([40n, 0x80001n, 0n]);
    expect(await args('clone(child_stack=NULL, flags=CLONE_NEWUSER|SIGCHLD)')).toEqual([0x10000011n]);
    expect(await args('openat(AT_FDCWD</tmp>, "x", O_RDWR|O_CREAT|0x1, 0644)')).toEqual([
      undefined,
      undefined,
      0x43n,
      0o644n,
    ]);
    expect(await args('fchmod(3</a|b>, 0600)')).toEqual([3n, 0o600n]);
    expect(await args('socket(AF_NEWER, 1, 0)')).toEqual([undefined, 1n, 0n]);
  });

  test('are cut at commas that are in no string, structure or list', () => {
    const text = String.raw`AT_FDCWD</a,b>, "x,\", y", {a=[1, 2], b={c=3, d=4}}, [{x=1, y=[2, 3]}], A|B`;
    expect(splitArgs(text)).toEqual([
      'AT_FDCWD</a,b>',
      String.raw`"x,\", y"`,
      '{a=[1, 2], b={c=3, d=4}}',
      '[{x=1, y=[2, 3]}]',
      'A|B',
    ]);
  });
});

describe('every call of a strace log', () => {
  async function* lines(text: string) {
    yield* text.split('\n');
  }
  const seen = async (text: string, wanted: string[] = []) =>
    (await readCalls(lines(text), 'X86_64', (call) => wanted.includes(call))).records;

  test('is there once, with the architecture that its number belongs to', async () => {
    const log = `7 [  59] execve("/x", ["x"], 0x7ffc /* 39 vars */) = 0
7 [  45] brk(NULL)                  = 0x582de000
7 [  12] brk(NULL)                  = 0x582de000
8 [   0] read(3,  <unfinished ...>
7 [  12] brk(NULL)                  = 0x582de000
8 [   0] <... read resumed>"", 1)   = -1 EIO (Input/output error)
7 [1073741863] getpid()             = 7
7 [ 231] exit_group(0)              = ?`;
    expect((await seen(log)).map(({ name, abi, line }) => [name, abi, line])).toEqual([
      ['execve', 'X86_64', 1],
      ['brk', 'X86', 2],
      ['brk', 'X86_64', 3],
      ['read', 'X86_64', 4],
      ['getpid', 'X32', 7],
      ['exit_group', 'X86_64', 8],
    ]);
  });

  test('has its arguments where they are wanted, once for each list', async () => {
    const log =
      'socket(AF_INET, 1, 0) = 3\nsocket(AF_UNIX, 1, 0) = 3\nsocket(AF_INET, 1, 0) = 3\nclose(3) = 0\nclose(4) = 0';
    const records = await seen(log, ['socket']);
    expect(records.map(({ name, args }) => [name, args?.[0]])).toEqual([
      ['socket', 2n],
      ['socket', 1n],
      ['close', undefined],
    ]);
  });
});
