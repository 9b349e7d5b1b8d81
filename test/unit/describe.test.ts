import { describe, expect, it } from 'vitest';
import { answerParts, describeAnswer, describeCall } from '../../src/prove/describe.ts';

const data = (nr: number, arch: number, args: bigint[] = [], ip = 0n) => ({
  nr,
  arch,
  ip,
  args: Array.from({ length: 6 }, (_, index) => args[index] ?? 0n),
});

describe('an answer in words', () => {
  it('has an errno by name in the numbering of its architecture', () => {
    expect(describeAnswer(0x50001, 'X86_64')).toBe('ERRNO EPERM (1)');
    expect(describeAnswer(0x50059, 'MIPS')).toBe('ERRNO ENOSYS (89)');
    expect(describeAnswer(0x500fb, 'PARISC')).toBe('ERRNO ENOSYS (251)');
    expect(describeAnswer(0x50026, undefined)).toBe('ERRNO ENOSYS (38)');
    expect(describeAnswer(0x50000, 'X86_64')).toBe('ERRNO (0)');
    expect(answerParts(0x50059, 'X86_64').errnoName).not.toBe(answerParts(0x50059, 'MIPS').errnoName);
  });

  it('tells what the lower half holds', () => {
    expect(describeAnswer(0x7fff0000, 'X86_64')).toBe('ALLOW');
    expect(describeAnswer(0x7ff00007, 'X86_64')).toBe('TRACE (7)');
    expect(describeAnswer(0x7ff00000, 'X86_64')).toBe('TRACE (0)');
    expect(describeAnswer(0x30005, 'X86_64')).toBe('TRAP (5)');
  });

  it('is what the kernel does for an action that it does not know', () => {
    expect(answerParts(0x12340000, 'X86_64')).toEqual({
      action: 'KILL_PROCESS',
      errno: null,
      errnoName: null,
      value: 0x12340000,
    });
    expect(describeAnswer(0x12340000, 'X86_64')).toBe('KILL_PROCESS (unknown 0x12340000)');
  });
});

describe('a call in words', () => {
  it('has the names of its constants, and all arguments if one is not 0', async () => {
    expect(await describeCall(data(41, 0xc000003e, [40n]), 'X86_64')).toBe(
      'socket(AF_VSOCK, 0, 0) on X86_64',
    );
    expect(await describeCall(data(41, 0xc000003e, [0n, 0n, 2n ** 64n - 1n]), 'X86_64')).toBe(
      'socket(AF_UNSPEC, 0, 0xffffffffffffffff) on X86_64',
    );
    expect(await describeCall(data(39, 0xc000003e), 'X86_64')).toBe('getpid() on X86_64');
  });

  it('has a name on every architecture, whichever tables were loaded before', async () => {
    expect(await describeCall(data(4003, 0x8), 'MIPS')).toBe('read() on MIPS');
    expect(await describeCall(data(0x40000202, 0xc000003e), 'X32')).toBe('ioctl() on X32');
    expect(await describeCall(data(5000, 0xc00000f3), 'RISCV64')).toBe('number 5000() on RISCV64');
    expect(await describeCall(data(3, 0x62), undefined)).toBe('number 3() on audit arch 0x00000062');
  });

  it('has the instruction pointer where it counts', async () => {
    expect(await describeCall(data(0, 0xc000003e, [], 0x7f00n), 'X86_64')).toBe(
      'read() on X86_64, called from 0x7f00',
    );
  });
});
