/**
 * Filters of the kinds that public sandboxes ship, written here by hand from what such sandboxes
 * say they refuse. For each, the policy that says the same: proved equal, or every difference is
 * named; and its program is not longer. docs/sandbox.md has the figures.
 */
import { expect, test } from 'vitest';
import { compare, describeAnswer, describeCall } from '../../src/index.ts';
import type { SockFilter } from '../../src/index.ts';
import { arg, policy } from '../../src/sandbox/index.ts';
import type { CallName, Policy, SandboxOptions } from '../../src/sandbox/index.ts';
import { tableOf } from '../oracle/facts.ts';

// linux/bpf_common.h, linux/seccomp.h, linux/audit.h
const OPCODES = { ld: 0x20, and: 0x54, jeq: 0x15, jge: 0x35, jset: 0x45, ret: 0x06 };
const [NR, ARCH, ARGS] = [0, 4, 16];
const [X86_64, AARCH64, X86] = [0xc000003e, 0xc00000b7, 0x40000003];
const ALLOW = 0x7fff0000;
const KILL = 0;
const errno = (number: number) => 0x50000 + number;
const [EPERM, EACCES, ENOSYS, EAFNOSUPPORT] = [1, 13, 38, 97].map(errno) as [number, number, number, number];

/**
 * An instruction, its targets by label: '' is the next one. A label alone stands for what follows
 * it.
 */
type Line = string | [code: keyof typeof OPCODES, k: number, yes?: string, no?: string];

function assemble(lines: readonly Line[]): SockFilter[] {
  const labels = new Map<string, number>();
  const instructions: Exclude<Line, string>[] = [];
  for (const line of lines)
    if (typeof line === 'string') labels.set(line, instructions.length);
    else instructions.push(line);
  const offset = (label: string, at: number) => (label === '' ? 0 : labels.get(label)! - at - 1);
  return instructions.map(([code, k, yes = '', no = ''], at) => {
    const [jt, jf] = [offset(yes, at), offset(no, at)];
    if (!(jt >= 0 && jf >= 0 && jt < 256 && jf < 256))
      throw new Error(`no way from ${at} to ${yes} or ${no}`);
    return { code: OPCODES[code], jt, jf, k };
  });
}

const nr = (name: string, table = 'x86_64'): number => {
  const number = tableOf(table).numbers.get(name);
  if (number === undefined) throw new Error(`${table} has no ${name}`);
  return number;
};

/** Each difference as a call with both answers; those of x32, which are many, without the call. */
async function differences(
  sandbox: Policy,
  options: SandboxOptions & { arch: string },
  theirs: SockFilter[],
): Promise<string[]> {
  const result = await compare(
    { profile: sandbox.toProfile(options), arch: options.arch },
    { filter: theirs, arch: options.arch },
    { limit: 1000 },
  );
  if (result.verdict === 'holds') return [];
  if (result.verdict !== 'broken') throw new Error(result.verdict);
  const texts = await Promise.all(
    result.differences.map(async ({ data, abi, first, second }) => {
      const [ours, other] = [first, second].map((value) => describeAnswer(value, abi));
      const call = abi === 'X32' ? 'X32' : await describeCall(data, abi);
      return `${call}: ${ours}, not ${other}`;
    }),
  );
  return [...new Set(texts)];
}

const open = policy({ default: 'allow' });

test('Unix sockets, by a library that compares 64 bits: one call differs, whose high half the kernel ignores', async () => {
  const theirs = assemble([
    ['ld', ARCH], ['jeq', X86_64, '', 'kill'],
    ['ld', NR], ['jge', 0x40000000, '', 'name'], ['jeq', 0xffffffff, '', 'kill'],
    'name', ['jeq', nr('socket'), '', 'allow'],
    ['ld', ARGS + 4], ['jeq', 0, '', 'allow'], ['ld', ARGS], ['jeq', 1, '', 'allow'],
    ['ret', EPERM], 'allow', ['ret', ALLOW], 'kill', ['ret', KILL],
  ]); // prettier-ignore
  const sandbox = open.deny('socket', arg('family').is('AF_UNIX'));
  const options = { arch: 'x86_64', architectures: 'native' } as const;
  expect(await differences(sandbox, options, theirs)).toMatchInlineSnapshot(`
    [
      "socket(0x100000000|AF_UNIX, 0, 0) on X86_64: ERRNO EPERM (1), not ALLOW",
    ]
  `);
  expect([theirs.length, sandbox.compile(options).instructions.length]).toEqual([13, 11]);
});

test('Unix sockets, by hand for two architectures in one program: x32 is ended and not refused', async () => {
  const theirs = assemble([
    ['ld', ARCH], ['jeq', X86_64, '', 'arm'],
    ['ld', NR], ['jge', 0x40000000, 'deny', ''], ['jeq', nr('socket'), '', 'allow'],
    ['ld', ARGS], ['jeq', 1, 'deny', 'allow'],
    'arm', ['jeq', AARCH64, '', 'kill'],
    ['ld', NR], ['jeq', nr('socket', 'aarch64'), '', 'allow'],
    ['ld', ARGS], ['jeq', 1, 'deny', 'allow'],
    'allow', ['ret', ALLOW], 'deny', ['ret', EACCES], 'kill', ['ret', KILL],
  ]); // prettier-ignore
  const sandbox = policy({ default: 'allow', errno: 'EACCES' }).deny('socket', arg('family').is('AF_UNIX'));
  const options = { arch: 'x86_64', architectures: ['aarch64'] };
  expect(await differences(sandbox, options, theirs)).toMatchInlineSnapshot(`
    [
      "X32: KILL_THREAD, not ERRNO EACCES (13)",
      "number 2147483648() on X86_64: KILL_THREAD, not ERRNO EACCES (13)",
      "number 4294967294() on X86_64: KILL_THREAD, not ERRNO EACCES (13)",
      "number 4294967295() on X86_64: ALLOW, not ERRNO EACCES (13)",
    ]
  `);
  expect([theirs.length, sandbox.compile(options).instructions.length]).toEqual([15, 14]);
});

test('the network, by a library that tests one call after the other: x32 is ended and not allowed', async () => {
  const refused =
    'connect accept accept4 bind listen getpeername getsockname shutdown sendto sendmmsg recvmmsg getsockopt setsockopt ptrace io_uring_setup io_uring_enter io_uring_register'.split(
      ' ',
    ) as CallName[];
  const theirs = assemble([
    ['ld', ARCH], ['jeq', X86_64, 'start', ''], ['ret', KILL], 'start',
    ['ld', NR],
    ...refused.flatMap((call): Line[] => [['jeq', nr(call), '', `after ${call}`], ['ret', EPERM], `after ${call}`]),
    ...(['socket', 'socketpair'] as const).flatMap((call): Line[] => [
      ['jeq', nr(call), '', `after ${call}`],
      ['ld', ARGS], ['jeq', 1, 'allow', ''], ['ret', EPERM],
      `after ${call}`,
    ]),
    'allow', ['ret', ALLOW],
  ]); // prettier-ignore
  const sandbox = open.deny(refused).deny(['socket', 'socketpair'], arg('family').isNot('AF_UNIX'));
  const options = { arch: 'x86_64', architectures: 'native' } as const;
  expect(await differences(sandbox, options, theirs)).toMatchInlineSnapshot(`
    [
      "X32: KILL_THREAD, not ALLOW",
      "number 2147483648() on X86_64: KILL_THREAD, not ALLOW",
      "number 4294967294() on X86_64: KILL_THREAD, not ALLOW",
    ]
  `);
  expect([theirs.length, sandbox.compile(options).instructions.length]).toEqual([47, 24]);
});

test('a list for desktop programs, with 32-bit programs: equal but for socketcall, which the policy refuses too', async () => {
  const plain =
    'syslog uselib acct quotactl add_key keyctl request_key move_pages mbind set_mempolicy migrate_pages unshare setns mount umount2 pivot_root chroot ptrace perf_event_open'.split(
      ' ',
    ) as CallName[];
  const absent = 'clone3 open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr'.split(
    ' ',
  ) as CallName[];
  const section = (table: string): Line[] => [
    `names ${table}`,
    ...plain.map((call): Line => ['jeq', nr(call, table), `deny ${table}`, '']),
    ...absent.map((call): Line => ['jeq', nr(call, table), `absent ${table}`, '']),
    ['jeq', nr('clone', table), '', `not clone ${table}`],
    ['ld', ARGS], ['jset', 0x10000000, `deny ${table}`, `allow ${table}`],
    `not clone ${table}`, ['jeq', nr('ioctl', table), '', `not ioctl ${table}`],
    ['ld', ARGS + 8], ['jeq', 0x5412, `deny ${table}`, ''], ['jeq', 0x541c, `deny ${table}`, `allow ${table}`],
    `not ioctl ${table}`, ['jeq', nr('socket', table), '', `allow ${table}`],
    ['ld', ARGS],
    ...[1, 2, 10, 16].map((family): Line => ['jeq', family, `allow ${table}`, '']),
    ['ret', EAFNOSUPPORT],
    `deny ${table}`, ['ret', EPERM], `absent ${table}`, ['ret', ENOSYS], `allow ${table}`, ['ret', ALLOW],
  ]; // prettier-ignore
  const theirs = assemble([
    ['ld', ARCH], ['jeq', X86_64, '', 'other'],
    ['ld', NR], ['jge', 0x40000000, '', 'names x86_64'], ['jeq', 0xffffffff, 'names x86_64', 'kill'],
    'other', ['jeq', X86, 'x86', ''], 'kill', ['ret', KILL],
    ...section('x86_64'),
    'x86', ['ld', NR], ...section('x86'),
  ]); // prettier-ignore
  const sandbox = open
    .deny(plain)
    .errno('ENOSYS', absent)
    .deny('clone', arg('clone_flags').hasAny('CLONE_NEWUSER'))
    .deny('ioctl', arg('cmd').is('TIOCSTI', 'TIOCLINUX'))
    .errno('EAFNOSUPPORT', 'socket', arg('family').isNot('AF_UNIX', 'AF_INET', 'AF_INET6', 'AF_NETLINK'));
  const options = { arch: 'x86_64', architectures: ['x86'] };
  expect(await differences(sandbox, options, theirs)).toMatchInlineSnapshot(`
    [
      "socketcall(SYS_SOCKET, 0) on X86: ERRNO EAFNOSUPPORT (97), not ALLOW",
    ]
  `);
  expect([theirs.length, sandbox.compile(options).instructions.length]).toEqual([96, 79]);
});

test('namespaces, as a service manager restricts them on a 64-bit machine of one ABI: equal', async () => {
  const theirs = assemble([
    ['ld', ARCH], ['jeq', AARCH64, 'start', ''], ['ret', KILL],
    'start', ['ld', NR],
    ['jeq', nr('clone3', 'aarch64'), 'absent', ''],
    ['jeq', nr('setns', 'aarch64'), 'deny', ''],
    ['jeq', nr('clone', 'aarch64'), '', 'unshare'],
    ['ld', ARGS],
    ...[17, 25, 26, 27, 28, 29, 30].map((bit): Line => ['jset', 2 ** bit, 'deny', '']),
    ['ret', ALLOW],
    'unshare', ['jeq', nr('unshare', 'aarch64'), '', 'allow'],
    ['ld', ARGS],
    ...[7, 17, 25, 26, 27, 28, 29, 30].map((bit): Line => ['jset', 2 ** bit, 'deny', '']),
    'allow', ['ret', ALLOW], 'deny', ['ret', EPERM], 'absent', ['ret', ENOSYS],
  ]); // prettier-ignore
  const options = { arch: 'aarch64', architectures: 'native' } as const;
  const namespaces =
    'CLONE_NEWNS|CLONE_NEWCGROUP|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWUSER|CLONE_NEWPID|CLONE_NEWNET';
  const sandbox = open
    .deny('clone', arg('clone_flags').hasAny(namespaces))
    .deny('unshare', arg('unshare_flags').hasAny(`${namespaces}|CLONE_NEWTIME`))
    .deny('setns')
    .errno('ENOSYS', 'clone3');
  expect(await differences(sandbox, options, theirs)).toEqual([]);
  expect([theirs.length, sandbox.compile(options).instructions.length]).toEqual([29, 17]);
});
