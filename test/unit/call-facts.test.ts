import { beforeAll, describe, expect, it } from 'vitest';
import { allArches, type ArchName } from '../../src/arch.ts';
import {
  ArgumentError,
  describeArgument,
  describeCall,
  describeCondition,
  parseArgument,
} from '../../src/format/call.ts';
import { constantsOf, loadCallFacts } from '../../src/syscalls/constants.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import { prototypeText, signatureOf } from '../../src/syscalls/signatures.ts';

beforeAll(loadCallFacts);

/** `name:bits`, with s for a sign and * for a pointer. */
function shape(arch: ArchName, call: string): string | undefined {
  const args = signatureOf(arch, call)?.args;
  return args
    ?.map(({ name, bits, signed, pointer }) => `${name}:${signed ? 's' : ''}${bits}${pointer ? '*' : ''}`)
    .join(' ');
}

describe('the arguments of a call', () => {
  // By hand from the manual pages and from SYSCALL_DEFINE lines of the kernel's sources.
  it.each<[ArchName, string, string]>([
    ['X86_64', 'socket', 'family:s32 type:s32 protocol:s32'],
    ['X86_64', 'openat', 'dfd:s32 filename:64* flags:s32 mode:16'],
    ['X86', 'openat', 'dfd:s32 filename:32* flags:s32 mode:16'],
    ['X86_64', 'ioctl', 'fd:32 cmd:32 arg:64'],
    ['X32', 'ioctl', 'fd:32 cmd:32 arg:32'],
    ['X86_64', 'clone', 'clone_flags:32 newsp:64 parent_tidptr:64* child_tidptr:64* tls:64'],
    ['AARCH64', 'clone', 'clone_flags:32 newsp:64 parent_tidptr:64* tls:64 child_tidptr:64*'],
    ['S390X', 'clone', 'newsp:64 clone_flags:32 parent_tidptr:64* child_tidptr:64* tls:64'],
    ['X86_64', 'unshare', 'unshare_flags:64'],
    ['X86_64', 'setuid', 'uid:32'],
    ['X86', 'setuid', 'uid:16'],
    ['X86', 'setuid32', 'uid:32'],
    ['MIPS', 'setuid', 'uid:32'],
    ['X86_64', 'pread64', 'fd:32 buf:64* count:64 pos:s64'],
    ['X86', 'pread64', 'fd:32 buf:32* count:32 pos_low:32 pos_high:s32'],
    ['S390', 'pread64', 'fd:32 buf:32* count:32 pos_high:s32 pos_low:32'],
    ['ARM', 'pread64', 'fd:32 buf:32* count:32 unused:0 pos_low:32 pos_high:s32'],
    ['MIPS', 'pread64', 'fd:32 buf:32* count:32 unused:0 pos_high:s32 pos_low:32'],
    ['MIPSEL', 'pread64', 'fd:32 buf:32* count:32 unused:0 pos_low:32 pos_high:s32'],
    ['X86_64', 'getpid', ''],
    ['PPC64LE', 'personality', 'personality:32'],
  ])('on %s of %s are %s', (arch, call, wanted) => expect(shape(arch, call)).toBe(wanted));

  it('say when they are in a struct, or another call is carried', () => {
    for (const arch of ['X86', 'S390', 'S390X', 'M68K'] as const)
      expect(signatureOf(arch, 'mmap')!.form).toMatchObject({
        kind: 'struct',
        argument: 0,
        members: expect.arrayContaining(['prot']),
      });
    for (const arch of ['X86_64', 'ARM', 'AARCH64', 'PPC', 'SH'] as const)
      expect(signatureOf(arch, 'mmap')?.form).toBeUndefined();
    expect(signatureOf('S390', 'mmap2')!.form).toMatchObject({ kind: 'struct', argument: 0 });
    expect(signatureOf('X86', 'mmap2')!.form).toBeUndefined();
    expect(signatureOf('X86', 'select')!.form).toMatchObject({ kind: 'struct', struct: 'sel_arg_struct' });
    const socketcall = signatureOf('X86', 'socketcall')!.form;
    expect(socketcall?.kind === 'multiplexer' && socketcall.calls.get(1)).toBe('socket');
    const ipc = signatureOf('PPC', 'ipc')!;
    expect(ipc.form?.kind === 'multiplexer' && ipc.form.calls.get(21)).toBe('shmat');
    expect(ipc.args[0]!.bits).toBe(16);
  });

  it('are known for all calls but those that no kernel has, and are at most six of at most a word', async () => {
    for (const arch of allArches()) {
      const tables = await loadTables([arch.table]);
      const calls = tables
        .of(arch.name)
        .entries()
        .map(([, call]) => call);
      const without = calls.filter((call) => signatureOf(arch, call) === undefined);
      expect(without.length).toBeLessThan(28);
      for (const call of ['read', 'execve', 'mprotect', 'bpf', 'listns']) expect(without).not.toContain(call);
      for (const call of calls) {
        const args = signatureOf(arch, call)?.args ?? [];
        expect(args.length).toBeLessThanOrEqual(6);
        const word = arch.wordBits === 64 || arch.name === 'X32' || arch.name.includes('N32') ? 64 : 32;
        expect(args.filter(({ bits }) => bits > word)).toEqual([]);
      }
    }
  });

  it('make a prototype', () => {
    expect(prototypeText('socket', signatureOf('X86_64', 'socket')!)).toBe(
      'socket(int family, int type, int protocol)',
    );
    expect(prototypeText('getpid', signatureOf('X86_64', 'getpid')!)).toBe('getpid(void)');
    expect(prototypeText('read', signatureOf('X86_64', 'read')!)).toBe(
      'read(unsigned int fd, char *buf, size_t count)',
    );
  });
});

describe('constants', () => {
  it('differ between architectures as their headers do', () => {
    const value = (arch: ArchName, call: string, index: number, name: string) =>
      constantsOf(arch, call, index)?.entries.get(name);
    expect(value('X86_64', 'socket', 1, 'SOCK_STREAM')).toBe(1n);
    expect(value('MIPS', 'socket', 1, 'SOCK_STREAM')).toBe(2n);
    expect(value('X86_64', 'ioctl', 1, 'TIOCSTI')).toBe(0x5412n);
    expect(value('PPC64LE', 'ioctl', 1, 'TIOCSTI')).toBe(0x5412n);
    expect(value('MIPS64', 'ioctl', 1, 'TIOCSTI')).toBe(0x5472n);
    expect(value('X86_64', 'clone', 0, 'CLONE_NEWUSER')).toBe(0x10000000n);
    expect(value('S390X', 'clone', 1, 'CLONE_NEWUSER')).toBe(0x10000000n);
    expect(constantsOf('S390X', 'clone', 0)).toBeUndefined();
    expect(value('X86', 'clone', 0, 'CLONE_IO')).toBe(0x80000000n);
    expect(value('X86_64', 'mmap', 2, 'PROT_BTI')).toBeUndefined();
    expect(value('AARCH64', 'mmap', 2, 'PROT_BTI')).toBe(0x10n);
    expect(value('X86_64', 'openat', 0, 'AT_FDCWD')).toBe(0xffffff9cn);
  });

  it('have one value each that reads back, for every argument of every architecture', async () => {
    const wrong: string[] = [];
    const seen = new Set<object | undefined>([undefined]);
    for (const arch of allArches())
      for (const [, call] of (await loadTables([arch.table])).of(arch.name).entries())
        for (let index = 0; index < 6; index++) {
          const constants = constantsOf(arch, call, index);
          // Calls share sets.
          if (seen.has(constants)) continue;
          seen.add(constants);
          for (const [name, value] of constants!.entries) {
            const text = describeArgument(arch, call, index, value);
            const read = [name, text].map((each) => parseArgument(arch, call, index, each));
            if (read.some((each) => each !== value)) wrong.push(`${call} ${name} as ${text} on ${arch.name}`);
          }
        }
    expect(seen.size).toBeGreaterThan(1000);
    expect(wrong).toEqual([]);
  });
});

describe('a call', () => {
  it('is written with the names of its constants', () => {
    expect(describeCall('X86_64', 'socket', [40n, 1n, 0n, 0n, 0n, 0n])).toBe(
      'socket(AF_VSOCK, SOCK_STREAM, 0)',
    );
    expect(describeCall('X86_64', 'socket', [16n, 0x80003n, 0n])).toBe(
      'socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, 0)',
    );
    expect(describeCall('X86_64', 'clone', [0x10000011n])).toBe('clone(SIGCHLD|CLONE_NEWUSER, 0, 0, 0, 0)');
    expect(describeCall('X86_64', 'openat', [0xffffff9cn, 0n, 0x80000n])).toBe(
      'openat(AT_FDCWD, 0, O_RDONLY|O_CLOEXEC, 0)',
    );
    expect(describeCall('X86_64', 'read', [0n, 0n, 0n, 0n, 0n, 0n])).toBe('read()');
    expect(describeCall('X86_64', 'personality', [0xffffffffn])).toBe('personality(0xffffffff)');
    expect(describeCall(undefined, 'number 999', [0n, 12n])).toBe('number 999(0, 0xc)');
  });

  it('shows the bits that the kernel does not look at', () => {
    const text = describeArgument('X86_64', 'socket', 0, 0x100000028n);
    expect(text).toBe('0x100000000|AF_VSOCK');
    expect(parseArgument('X86_64', 'socket', 0, text)).toBe(0x100000028n);
  });

  it('has conditions in C', () => {
    const condition = (op: string, value: bigint, valueTwo = 0n, index = 0) => ({
      index,
      op: `SCMP_CMP_${op}`,
      value,
      valueTwo,
    });
    expect(describeCondition('X86_64', 'socket', condition('EQ', 40n))).toBe('family == AF_VSOCK');
    expect(describeCondition('X86_64', 'socket', condition('NE', 40n))).toBe('family != AF_VSOCK');
    expect(describeCondition('X86_64', 'clone', condition('MASKED_EQ', 0x10000000n, 0x10000000n))).toBe(
      '(clone_flags & CLONE_NEWUSER) != 0',
    );
    expect(describeCondition('X86_64', 'clone', condition('MASKED_EQ', 0x30000000n, 0n))).toBe(
      '(clone_flags & (CLONE_NEWUSER|CLONE_NEWPID)) == 0',
    );
    expect(describeCondition('X86_64', 'read', condition('LE', 16n, 0n, 5))).toBe('args[5] <= 0x10');
  });

  it('has arguments that are read in every notation', () => {
    const read = (text: string, index = 1) => parseArgument('X86_64', 'socket', index, text);
    expect(read('SOCK_STREAM|SOCK_CLOEXEC')).toBe(0x80001n);
    expect(read('SOCK_STREAM | 0x800')).toBe(0x801n);
    expect([read('10'), read('0x10'), read('-1')]).toEqual([10n, 16n, 0xffffffffffffffffn]);
    expect(read('18446744073709551615')).toBe(0xffffffffffffffffn);
  });

  it.each([
    ['AF_VSOK', 0, 'AF_VSOK is no constant of argument 0 (family) of socket', 'did you mean AF_VSOCK?'],
    ['vsock', 0, 'vsock is no constant of argument 0 (family) of socket', 'did you mean AF_VSOCK?'],
    [
      'AF_VSOCK',
      2,
      'no constants are known for argument 2 (protocol) of socket, so not "AF_VSOCK"',
      'give a number',
    ],
    ['1x', 0, '"1x" is no number and no constant of argument 0 (family) of socket', undefined],
    ['', 0, '"" is no number and no constant of argument 0 (family) of socket', undefined],
    ['18446744073709551616', 0, '"18446744073709551616" does not fit 64 bits', undefined],
  ])('refuses the argument %j at %i', (text, index, message, hint) => {
    const error = (() => {
      try {
        return parseArgument('X86_64', 'socket', index, text);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toBeInstanceOf(ArgumentError);
    expect(error).toMatchObject({ message, hint });
  });
});
