import { fstatSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { arg, policy, PRESETS, wrapSpawn } from '../../src/sandbox/index.ts';
import type { ArgumentConditions, Condition, Policy } from '../../src/sandbox/index.ts';
import { runProgram } from '../oracle/bpf.ts';
import type { RawProgram } from '../oracle/bpf.ts';
import { abiOf } from '../oracle/facts.ts';
import { ALLOW, answer, brokenPromise, EPERM, filterOf, probes, PROMISES } from './sandbox-promises.ts';

const open = policy({ default: 'allow' });

describe.each(PRESETS.map((preset) => [preset.name, preset] as const))('%s', (name, preset) => {
  // Those with other constants, an order of arguments or bytes, or a multiplexed call of 64 bits.
  test('keeps its promise, whatever the high halves are, and refuses nothing else', () => {
    for (const arch of ['X86_64', 'S390X', 'MIPSEL64'])
      expect(brokenPromise(name, open.use(preset), arch)).toBeUndefined();
  });
});

test('all presets together refuse what each of them refuses', () => {
  const filter = filterOf(open.use(...PRESETS), 'X86_64', ['x86', 'x32']);
  const wrong: string[] = [];
  for (const abi of ['X86_64', 'X86', 'X32'].map((each) => abiOf(each)!))
    for (const [call, args] of probes('noNetwork', abi)) {
      const low = args.map((each) => Number(each & 0xffff_ffffn));
      const refused = Object.values(PROMISES).some((promise) => promise(abi, call, low) !== 0);
      const found = answer(filter, abi, call, args);
      if (found !== undefined && refused !== (found !== ALLOW))
        wrong.push(`${call}(${args.join()}) on ${abi.oci}`);
    }
  expect(wrong).toEqual([]);
});

describe('a condition', () => {
  /**
   * Calls with an argument of each kind, and how the kernel reads it: bits, and whether with a
   * sign.
   */
  const ARGUMENTS = [
    ['socket', 'family', 0, 32, true],
    ['ioctl', 'cmd', 1, 32, false],
    ['read', 'count', 2, 64, false],
    ['lseek', 'offset', 1, 64, true],
  ] as const;
  type Make = (which: ArgumentConditions, a: bigint, b: bigint) => Condition;
  type Meets = (x: bigint, a: bigint, b: bigint, bits: number) => boolean;
  const raw = (value: bigint, bits: number) => BigInt.asUintN(bits, value);
  const KINDS: Record<string, [Make, Meets]> = {
    is: [(which, a, b) => which.is(a, b), (x, a, b) => x === a || x === b],
    isNot: [(which, a, b) => which.isNot(a, b), (x, a, b) => x !== a && x !== b],
    isNotOne: [(which, a) => which.isNot(a), (x, a) => x !== a],
    lt: [(which, a) => which.lt(a), (x, a) => x < a],
    le: [(which, a) => which.le(a), (x, a) => x <= a],
    gt: [(which, a) => which.gt(a), (x, a) => x > a],
    ge: [(which, a) => which.ge(a), (x, a) => x >= a],
    between: [(which, a, b) => which.between(a, b), (x, a, b) => a <= x && x <= b],
    hasAny: [(which, a) => which.hasAny(a), (x, a, _, bits) => (raw(x, bits) & raw(a, bits)) !== 0n],
    hasAll: [
      (which, a) => which.hasAll(a),
      (x, a, _, bits) => (raw(x, bits) & raw(a, bits)) === raw(a, bits),
    ],
    hasNone: [(which, a) => which.hasNone(a), (x, a, _, bits) => (raw(x, bits) & raw(a, bits)) === 0n],
  };

  test('compares what the kernel reads: these bits, and with the sign of the type', () => {
    const number = fc.oneof(
      fc.bigInt({ min: -20n, max: 20n }),
      fc.bigInt({ min: -(1n << 63n), max: (1n << 64n) - 1n }),
    );
    let met = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...ARGUMENTS),
        fc.constantFrom(...Object.keys(KINDS)),
        number,
        number,
        fc.array(number, { minLength: 4, maxLength: 4 }),
        ([call, name, at, bits, signed], kind, first, second, others) => {
          const as = (value: bigint) => (signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
          const [a, b] = [first, second].map(as).toSorted((x, y) => (x < y ? -1 : 1)) as [bigint, bigint];
          const [make, meets] = KINDS[kind]!;
          let filter: RawProgram;
          try {
            filter = filterOf(open.deny(call, make(arg(name), a, b)), 'X86_64', 'native');
          } catch (error) {
            // Conditions that hold always or never.
            expect(String(error)).toMatch(/value meets the condition|no bit in the flags/);
            return;
          }
          const near = [a, b].flatMap((value) => [value - 1n, value, value + 1n, value + (1n << 32n)]);
          for (const value of [...others, ...near].map((each) => BigInt.asUintN(64, each))) {
            const args = [0n, 0n, 0n, 0n, 0n, 0n].with(at, value);
            const expected = meets(as(value), a, b, bits);
            met += Number(expected);
            expect(answer(filter, abiOf('X86_64')!, call, args)).toBe(expected ? EPERM : ALLOW);
          }
        },
      ),
      { numRuns: 60 },
    );
    expect(met).toBeGreaterThan(50);
  });

  test('on one argument joins another one on it, which the entries of a profile cannot', () => {
    const both = open.deny('ioctl', arg('cmd').ge(10), arg(1).lt(20), arg('fd').is(3), arg('cmd').isNot(15));
    const filter = filterOf(both, 'AARCH64');
    const refused = [0n, 9n, 10n, 14n, 15n, 16n, 19n, 20n].filter(
      (cmd) => answer(filter, abiOf('AARCH64')!, 'ioctl', [3n, cmd]) === EPERM,
    );
    expect(refused).toEqual([10n, 14n, 16n, 19n]);
    expect(answer(filter, abiOf('AARCH64')!, 'ioctl', [4n, 10n])).toBe(ALLOW);
  });

  test('names arguments and constants as each architecture has them', () => {
    const sandbox = open
      .deny('socket', arg('type').fieldIs('SOCK_DGRAM'))
      .deny('clone', arg('clone_flags').hasAll('CLONE_NEWUSER'));
    for (const [arch, dgram, flags] of [
      ['X86_64', 2n, 0],
      ['MIPS64', 1n, 0],
      ['S390X', 2n, 1],
    ] as const) {
      const [filter, abi] = [filterOf(sandbox, arch), abiOf(arch)!];
      expect(answer(filter, abi, 'socket', [2n, dgram | 0x800n])).toBe(EPERM);
      expect(answer(filter, abi, 'socket', [2n, 3n - dgram])).toBe(ALLOW);
      expect(answer(filter, abi, 'clone', [0n, 0n].with(flags, 0x10000011n))).toBe(EPERM);
      expect(answer(filter, abi, 'clone', [0n, 0n].with(1 - flags, 0x10000011n))).toBe(ALLOW);
    }
  });
});

describe('a policy', () => {
  test('gives the answers of its rules, with an errno for each', () => {
    const sandbox = policy({ default: 'deny', errno: 'ENOENT' })
      .allow(['read', 'write'])
      .errno('ENOSYS', 'clone3')
      .log('uname')
      .trap('reboot')
      .kill('ptrace');
    const filter = filterOf(sandbox, 'MIPS');
    const answers = ['read', 'clone3', 'uname', 'reboot', 'ptrace', 'close'].map((call) =>
      answer(filter, abiOf('MIPS')!, call),
    );
    expect(answers).toEqual([ALLOW, 0x50000 + 89, 0x7ffc0000, 0x30000, 0x80000000, 0x50002]);
  });

  test('does not change when a rule is added to it', () => {
    const first = open.deny('ptrace');
    first.kill('reboot').use(first);
    expect(first.rules).toHaveLength(1);
    expect(open.rules).toEqual([]);
  });

  test('gives bytes that a caller can change without changing the next ones', () => {
    const sandbox = open.deny('ptrace');
    sandbox.compile({ arch: 'x86_64' }).bytes.fill(0);
    expect(answer(filterOf(sandbox, 'X86_64'), abiOf('X86_64')!, 'ptrace')).toBe(EPERM);
  });

  test('is the profile that it prints: the compiler of profiles makes the same program', async () => {
    for (const arch of ['x86_64', 'arm64', 's390x']) {
      const sandbox = open.use(...PRESETS).deny('read', arg('count').gt(1n << 40n));
      const native = { arch, architectures: 'native' } as const;
      const { bytes, proved, diagnostics } = sandbox.compile(native);
      expect([proved, diagnostics]).toEqual([true, []]);
      expect(bytes).toEqual((await compile(sandbox.toProfile(native), { arch, overlap: 'error' })).bytes);
    }
  });

  test('ends calls of x32 unless it is among the architectures', () => {
    const call = { arch: abiOf('X32')!.audit, nr: 0x40000000, args: [] };
    expect(runProgram(filterOf(open.deny('ptrace'), 'X86_64'), call)).toBe(0);
    expect(runProgram(filterOf(open.deny('ptrace'), 'X86_64', ['x32']), call)).toBe(ALLOW);
  });

  test('refuses what socketcall hides, and nothing else of it', () => {
    const x86 = abiOf('X86')!;
    const filter = filterOf(open.deny('socket', arg('family').is('AF_VSOCK')), 'X86_64');
    const calls = [1n, 1n | (1n << 32n), 3n, 8n].map((call) => answer(filter, x86, 'socketcall', [call]));
    expect(calls).toEqual([EPERM, EPERM, ALLOW, ALLOW]);
    // On PowerPC and s390 the kernel reads 32 of 64 bits of its number, of ipc 16.
    for (const arch of ['PPC64LE', 'S390X']) {
      const own = filterOf(open.deny(['listen', 'shmget']), arch);
      expect(answer(own, abiOf(arch)!, 'socketcall', [4n | (7n << 32n)])).toBe(EPERM);
      expect(answer(own, abiOf(arch)!, 'ipc', [23n | (1n << 16n) | (7n << 32n)])).toBe(EPERM);
      expect(answer(own, abiOf(arch)!, 'ipc', [22n])).toBe(ALLOW);
    }
  });

  test('refuses all of socketcall if a call is allowed by arguments that it hides', () => {
    for (const [errno, expected] of [
      ['EPERM', 38],
      ['ENOSYS', 1],
    ] as const) {
      const sandbox = policy({ default: 'deny', errno })
        .allow('socket', arg('family').is('AF_INET'))
        .allow('bind');
      const filter = filterOf(sandbox, 'X86_64');
      for (const call of [1n, 2n])
        expect(answer(filter, abiOf('X86')!, 'socketcall', [call])).toBe(0x50000 + expected);
      expect(answer(filter, abiOf('X86')!, 'socket', [2n])).toBe(ALLOW);
    }
  });

  test('refuses all of socketcall if one of its calls gets two answers', () => {
    const two = open.deny('socket', arg(0).is('AF_UNIX')).kill('socket', arg(0).is('AF_PACKET'));
    expect(answer(filterOf(two, 'X86_64'), abiOf('X86')!, 'socketcall', [3n])).toBe(0x50000 + 38);
    const own = two.kill('socketcall');
    expect(answer(filterOf(own, 'X86_64'), abiOf('X86')!, 'socketcall', [3n])).toBe(0x80000000);
  });
});

describe('a policy is refused', () => {
  const denied = policy({ default: 'deny' });
  const onX86 = { arch: 'x86_64' };
  const refusal = (sandbox: () => Policy): string => {
    try {
      sandbox().compile(onX86);
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      return error.diagnostics.map(({ code, message, hint }) => `${code}: ${message}; ${hint}`).join('\n');
    }
    return 'nothing refused it';
  };

  test.each<[string, () => Policy, RegExp]>([
    // @ts-expect-error: no such call
    ['a call that no kernel has', () => open.deny('sockket'), /"sockket"\): there is no such system call; did you mean "socket"/],
    ['an argument that the call does not have', () => open.deny('socket', arg('famly').is(1)), /no such argument.*; it has family, type, protocol/],
    ['an argument that is not there', () => open.deny('close', arg(3).is(1)), /close has no such argument on X86_64/],
    ['a seventh argument', () => open.deny('socket', arg(6).is(1)), /arguments 0 to 5/],
    ['a constant of another call', () => open.deny('socket', arg(0).is('AF_UNX')), /no constant.*; did you mean AF_UNIX/],
    ['bits that the kernel does not read', () => open.deny('ioctl', arg('cmd').is(0x100005412)), /reads 32 bits/],
    ['a number that a double cannot hold', () => open.deny('read', arg(2).is(2 ** 60)), /use a bigint/],
    ['a field compared with its flags', () => open.deny('socket', arg('type').is('SOCK_RAW')), /fieldIs/],
    ['a value outside of its mask', () => open.deny('ioctl', arg('cmd').maskedIs(0xff, 0x100)), /outside the mask/],
    ['a condition without a value', () => open.deny('ioctl', arg('cmd').is()), /there is no value/],
    // @ts-expect-error: another value, as if it were a range
    ['a value that would be ignored', () => denied.allow('read', arg(2).ge(5, 10)), /ge takes one value/],
    // @ts-expect-error: no third value
    ['a third value', () => denied.allow('read', arg(2).between(5, 10, 20)), /between takes two values/],
    // @ts-expect-error: no value of the mask
    ['a mask without a value', () => open.deny('read', arg(2).maskedIs(1)), /maskedIs takes two values/],
    // @ts-expect-error: no list
    ['a list as a value', () => open.deny('socket', arg(0).is(['AF_UNIX'])), /AF_UNIX is no number/],
    // @ts-expect-error: no list
    ['a list of presets', () => open.use(PRESETS), /use: it takes presets/],
    ['a condition that always holds', () => open.deny('read', arg(2).ge(0)), /every value/],
    ['a condition that never holds', () => open.deny('read', arg(2).lt(0)), /no value/],
    ['conditions that never hold together', () => open.deny('read', arg(2).is(1), arg(2).is(2)), /no value/],
    ['flags in memory', () => open.deny('clone3', arg('flags').hasAny(1)), /in memory.*; refuse the call as a whole/],
    ['an argument in memory on one architecture', () => open.deny('mmap', arg('prot').hasAll('PROT_WRITE|PROT_EXEC')), /on X86 it is in memory/],
    ['an argument of two widths', () => open.deny('setuid', arg(0).is(0)), /X86_64 and X86 need different conditions/],
    ['an errno that is none', () => open.errno('ENOSY', 'read'), /ENOSY is no errno/],
    ['an errno that is success', () => open.errno(0, 'read'), /0 is no errno/],
    ['rules that disagree', () => open.deny('socket').allow('socket', arg(0).is(2)), /POLICY_CONFLICT: deny\("socket"\) and allow/],
    ['rules that disagree for one argument', () => open.deny('kill', arg(1).ge(9)).trap('kill', arg(0).is(1)), /POLICY_CONFLICT/],
    ['a rule like the default beside another one', () => denied.deny('kill').allow('kill', arg(1).is(0)), /POLICY_CONFLICT/],
    ['a preset that a rule contradicts', () => open.use(PRESETS[0]!).allow('socket'), /POLICY_CONFLICT/],
    ['socketcall allowed beside conditions that it hides', () => denied.allow('socket', arg(0).is(2)).allow('socketcall'), /POLICY_CONFLICT/],
    // @ts-expect-error: no such default
    ['a default that is none', () => policy({ default: 'block' }), /default is allow/],
    // @ts-expect-error: no such option
    ['an option that is none', () => policy({ default: 'allow', ernno: 'EPERM' }), /no option "ernno"/],
  ])('for %s', (_, sandbox, expected) => expect(refusal(sandbox)).toMatch(expected)); // prettier-ignore

  test('for architectures of two byte orders, and for none', () => {
    expect(() => open.deny('read').compile({ arch: 'x86_64', architectures: ['s390x'] })).toThrow(
      'big-endian',
    );
    expect(() => open.deny('read').compile({ arch: 'vax' })).toThrow('no architecture "vax"');
    // @ts-expect-error: no word but native
    expect(() => open.deny('read').compile({ architectures: 'Native' })).toThrow('or "native", not "Native"');
  });

  test('for what a filter on x32 would allow by half of its bits, but not for what it would refuse', () => {
    const withX32 = { arch: 'x86_64', architectures: ['x32'] };
    const half = 'on X32 a filter compares 32';
    for (const condition of [arg('count').is(5), arg('count').lt(5)])
      expect(() => denied.allow('read', condition).compile(withX32)).toThrow(half);
    expect(() => denied.allow('read', arg('count').hasNone(8)).compile(withX32)).not.toThrow();
    // With other high bits, what ends in 5 meets these.
    for (const condition of [arg('count').isNot(5), arg('count').gt(5)])
      expect(() => open.deny('read', condition).compile(withX32)).toThrow(half);
    const filter = filterOf(open.deny('read', arg('count').is(5)), 'X86_64', ['x32']);
    expect(answer(filter, abiOf('X32')!, 'read', [0n, 0n, 5n | (1n << 32n)])).toBe(EPERM);
    expect(answer(filter, abiOf('X86_64')!, 'read', [0n, 0n, 5n | (1n << 32n)])).toBe(ALLOW);
  });

  test('for an errno with several numbers, and for an option that is none', () => {
    expect(() => open.errno('ENOSYS', 'read').compile({ arch: 'parisc', architectures: ['ppc'] })).toThrow(
      'several numbers for ENOSYS',
    );
    // @ts-expect-error: it is called arch
    expect(() => open.deny('read').compile({ archs: 'arm64' })).toThrow('no option "archs"');
  });

  test('for nothing if rules with different answers never meet', () => {
    const sandbox = open.deny('kill', arg(1).ge('SIGKILL')).kill('kill', arg(1).lt('SIGKILL'), arg(0).is(1));
    const filter = filterOf(sandbox, 'X86_64');
    expect([9n, 8n].map((sig) => answer(filter, abiOf('X86_64')!, 'kill', [1n, sig]))).toEqual([
      EPERM,
      0x80000000,
    ]);
  });
});

test('each preset says why it is there and what it leaves', () => {
  expect(PRESETS.map(({ name }) => name).toSorted()).toEqual(Object.keys(PROMISES).toSorted());
  for (const { reason, leaves } of PRESETS)
    expect(Math.min(reason.length, leaves.length)).toBeGreaterThan(10);
});

describe('a policy for another program', () => {
  const sandbox = open.deny('ptrace');

  test('is a descriptor for bubblewrap, which reads the program from its start', () => {
    const { args, descriptor, close } = sandbox.toBwrap({ fd: 7 });
    expect(args).toEqual(['--seccomp', '7']);
    expect(new Uint8Array(readFileSync(descriptor))).toEqual(sandbox.compile().bytes);
    close();
    expect(() => fstatSync(descriptor)).toThrow('EBADF');
    expect(() => sandbox.toBwrap({ fd: 2 })).toThrow('fd is 3 or more');
  });

  test('is an executable with the program in it, on machines that have a launcher', () => {
    for (const arch of ['x86_64', 'arm64', 's390x']) {
      const { bytes } = sandbox.compile({ arch });
      const launcher = Buffer.from(sandbox.toLauncher(arch));
      expect(launcher.subarray(0, 4)).toEqual(Buffer.from('\x7fELF'));
      expect(launcher.subarray(-bytes.length)).toEqual(Buffer.from(bytes));
    }
    expect(() => sandbox.toLauncher('mips')).toThrow('LAUNCHER_ARCHITECTURE');
  });

  test('starts nothing through a shell, which would run without the filter', () => {
    for (const options of [{ shell: true }, { shell: '/bin/sh' }, { argv0: 'sh' }])
      expect(() => wrapSpawn(sandbox, 'echo', ['a; b'], options)).toThrow('shell and argv0');
  });
});
