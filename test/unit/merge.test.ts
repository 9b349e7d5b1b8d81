/** Set operations on profiles and filters, judged by a BPF machine of the tests. */
import { beforeAll, describe, expect, it } from 'vitest';
import { allArches, archOf } from '../../src/arch.ts';
import { encode } from '../../src/bpf/instruction.ts';
import type { SockFilter } from '../../src/bpf/instruction.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { SeccompcError } from '../../src/errors.ts';
import { joined, merge } from '../../src/merge/merge.ts';
import type { Operation } from '../../src/merge/operations.ts';
import { archesOfFilter, namesWithoutEffect, readPatch } from '../../src/merge/patch.ts';
import { mergedProfile, simplifiedProfile } from '../../src/merge/proved-profile.ts';
import type { Joined, Side } from '../../src/prove/compare.ts';
import type { Reference } from '../../src/prove/profile/reference.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import type { SyscallTables } from '../../src/syscalls/tables.ts';
import { makeTarget } from '../../src/target.ts';
import { readProgram, runProgram } from '../oracle/bpf.ts';
import { insn } from './prove-programs.ts';

const [X86_64, I386] = [0xc000003e, 0x40000003];
const [ALLOW, LOG, ERRNO, KILL_THREAD] = [0x7fff0000, 0x7ffc0000, 0x00050000, 0];
const [READ, LSEEK, SOCKET, DUP3, GETPID] = [0, 8, 41, 292, 39];
const target = makeTarget({ arch: 'x86_64' });
let tables: SyscallTables;
beforeAll(async () => {
  tables = await loadTables(allArches().map(({ table }) => table));
});

interface Condition {
  index: number;
  op: string;
  value: number;
  valueTwo?: number;
}
const when = (index: number, op: string, value: number, valueTwo?: number): Condition => ({
  index,
  op: `SCMP_CMP_${op}`,
  value,
  ...(valueTwo !== undefined && { valueTwo }),
});
interface Entry {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: Condition[];
}
const allow = (name: string, ...args: Condition[]): Entry => ({
  names: [name],
  action: 'SCMP_ACT_ALLOW',
  args,
});
const profile = (syscalls: Entry[], others: object = {}) =>
  JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls, ...others });

async function side(text: string): Promise<Reference> {
  const lowered = await lowerProfile(text, { target });
  if (!lowered.confined) throw new Error('asks for no filter');
  return lowered.reference;
}

const filterOf = (operation: Operation, sides: Joined['sides']) =>
  merge(operation, sides, { native: archOf('X86_64'), tables }).program;
const profileOf = (operation: Operation, sides: Joined['sides']) =>
  mergedProfile(joined(operation, sides), { target, tables });

function answer(program: readonly SockFilter[], nr: number, args: readonly bigint[] = [], arch = X86_64) {
  const six = Array.from({ length: 6 }, (_, index) => args[index] ?? 0n);
  return runProgram(readProgram(encode(program, 'little'), false), { nr, arch, args: six, ip: 0n });
}

/** The program of an operation as a filter, and that of its profile, which must be exact. */
async function both(operation: Operation, ...texts: string[]): Promise<(readonly SockFilter[])[]> {
  const sides = await Promise.all(texts.map(side));
  const { text, lost } = await profileOf(operation, sides);
  expect(lost).toEqual([]);
  return [filterOf(operation, sides), (await compile(text, { target })).instructions];
}

function failure(make: () => unknown): readonly string[] {
  try {
    make();
  } catch (error) {
    if (error instanceof SeccompcError) return error.diagnostics.map(({ code }) => code);
    throw error;
  }
  return [];
}

describe('an intersection', () => {
  it('of different conditions on one call allows exactly the calls that meet both', async () => {
    const texts = [
      profile([allow('lseek', when(2, 'LT', 3))]),
      profile([allow('lseek', when(0, 'EQ', 7)), allow('lseek', when(2, 'EQ', 1))]),
    ] as const;
    for (const program of await both('intersect', ...texts))
      for (const [fd, whence] of [
        [7n, 0n],
        [7n, 3n],
        [5n, 1n],
        [5n, 0n],
      ] as const) {
        // prettier-ignore
        const isAllowed = whence < 3n && (fd === 7n || whence === 1n);
        expect(answer(program, LSEEK, [fd, 0n, whence])).toBe(isAllowed ? ALLOW : ERRNO + 1);
      }
  });

  it('of a range with a second condition and the range above it allows nothing that neither allows', async () => {
    const mixed = profile([
      allow('dup3', when(0, 'LT', 3), when(1, 'EQ', 2)),
      allow('dup3', when(0, 'GT', 3)),
    ]);
    for (const program of await both('intersect', mixed, profile([allow('dup3')])))
      for (const [first, second] of [
        [2n, 5n],
        [2n, 2n],
        [3n, 2n],
        [4n, 5n],
        [1n << 32n, 0n],
      ] as const)
        // prettier-ignore
        expect(answer(program, DUP3, [first, second])).toBe(
          (first < 3n && second === 2n) || first > 3n ? ALLOW : ERRNO + 1,
        );
  });

  it('takes the errno of the first input among equal actions, and the stricter action of any', async () => {
    const texts = [2, 3].map((errno) => profile([allow('read')], { defaultErrnoRet: errno }));
    const kill = profile([{ names: ['getpid'], action: 'SCMP_ACT_KILL_THREAD' }, allow('read')]);
    for (const program of await both('intersect', texts[0]!, texts[1]!, kill)) {
      expect(answer(program, READ)).toBe(ALLOW);
      expect(answer(program, LSEEK)).toBe(ERRNO + 2);
      expect(answer(program, GETPID)).toBe(KILL_THREAD);
    }
  });

  it('of profiles for different architectures keeps those of both', async () => {
    const wide = profile([allow('read')], { architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] });
    for (const program of await both('intersect', wide, profile([allow('read')]))) {
      expect(answer(program, READ)).toBe(ALLOW);
      expect(answer(program, 3, [], I386)).toBe(KILL_THREAD);
    }
  });

  it('takes filters of any compiler beside profiles, with their tests of single bits', async () => {
    const program = [
      insn('ld abs', 4),
      insn('jeq', X86_64, 1, 0),
      insn('ret', KILL_THREAD),
      insn('ld abs', 0),
      insn('jeq', SOCKET, 0, 3),
      insn('ld abs', 16),
      insn('jset', 0x6, 1, 0),
      insn('ret', LOG),
      insn('ret', ALLOW),
    ];
    const sides = [
      { program, endian: 'little' } as const,
      await side(profile([allow('socket', when(0, 'GE', 5)), allow('read')])),
    ];
    const { text, lost } = await profileOf('intersect', sides);
    expect(lost).toEqual([]);
    for (const made of [filterOf('intersect', sides), (await compile(text, { target })).instructions]) {
      expect(answer(made, READ)).toBe(ALLOW);
      expect(answer(made, SOCKET, [4n])).toBe(ERRNO + 1);
      expect(answer(made, SOCKET, [6n])).toBe(ALLOW);
      expect(answer(made, SOCKET, [8n])).toBe(LOG);
      expect(answer(made, SOCKET, [1n << 40n])).toBe(LOG);
    }
  });

  it('drops SPEC_ALLOW if one profile has it not, and keeps LOG if one has it', async () => {
    const flags = async (...lists: (string[] | undefined)[]) => {
      const sides = await Promise.all(lists.map((list) => side(profile([allow('read')], { flags: list }))));
      return (JSON.parse((await profileOf('intersect', sides)).text) as { flags?: string[] }).flags;
    };
    const [spec, log] = ['SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_LOG'];
    expect(await flags(undefined, undefined)).toBe(undefined);
    expect(await flags(undefined, [])).toEqual([]);
    expect(await flags(undefined, [log, spec])).toEqual([log, spec]);
  });

  it('with calls for two listeners is refused', async () => {
    const notify = (listenerPath: string) =>
      side(profile([{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }], { listenerPath }));
    const [a, b] = [await notify('/run/a.sock'), await notify('/run/b.sock')];
    await expect(profileOf('union', [a, b])).rejects.toThrow('MERGE_LISTENERS');
    expect((await profileOf('union', [a, a])).text).toContain('"/run/a.sock"');
    const none = await side(profile([]));
    expect((await profileOf('intersect', [a, b, none])).text).not.toContain('.sock');
  });
});

describe('a union', () => {
  it('allows what one of its inputs allows, and takes the errno of the first among equal actions', async () => {
    const texts = [
      profile([allow('read'), allow('lseek', when(2, 'EQ', 1))], { defaultErrnoRet: 2 }),
      profile([{ names: ['read'], action: 'SCMP_ACT_LOG' }, allow('lseek', when(2, 'EQ', 2))]),
    ];
    for (const program of await both('union', ...texts)) {
      expect(answer(program, READ)).toBe(ALLOW);
      expect([0n, 1n, 2n].map((whence) => answer(program, LSEEK, [0n, 0n, whence]))).toEqual([
        ERRNO + 2,
        ALLOW,
        ALLOW,
      ]);
    }
  });

  it('counts an action that the kernel does not know as the strictest', async () => {
    const unknown = { program: [insn('ret', 0x7ffe0000)], endian: 'little' } as const;
    const refusing = { program: [insn('ret', ERRNO + 1)], endian: 'little' } as const;
    expect(answer(filterOf('union', [unknown, refusing]), READ)).toBe(ERRNO + 1);
  });
});

describe('a subtraction', () => {
  it('gives what the first profile lets through the answer of the next one that refuses it', async () => {
    const first = profile([allow('read'), { names: ['lseek'], action: 'SCMP_ACT_LOG' }], {
      defaultErrnoRet: 2,
    });
    const deny = profile(
      [
        { names: ['lseek'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 },
        { names: ['read'], action: 'SCMP_ACT_LOG' },
        { names: ['socket'], action: 'SCMP_ACT_KILL_THREAD' },
      ],
      { defaultAction: 'SCMP_ACT_ALLOW' },
    );
    for (const program of await both('subtract', first, deny)) {
      expect(answer(program, READ)).toBe(ALLOW);
      expect(answer(program, LSEEK)).toBe(ERRNO + 5);
      expect(answer(program, SOCKET)).toBe(ERRNO + 2);
    }
  });
});

describe('an extension', () => {
  const deny = (name: string, ...args: Condition[]): Entry => ({ ...allow(name, ...args), action: 'SCMP_ACT_ERRNO', errnoRet: 5 }); // prettier-ignore
  const patchOf = (text: string, base: Side) =>
    readPatch(new TextEncoder().encode(text), { file: 'patch.json', target, arches: archesOf(base) });
  const archesOf = (base: Side) => archesOfFilter(base, archOf('X86_64'));
  async function extended(base: Side, ...entries: Entry[][]) {
    const patches = await Promise.all(entries.map((syscalls) => patchOf(JSON.stringify({ syscalls }), base)));
    const sides = [base, ...patches.map((patch) => patch.side)];
    const { text, lost } = await profileOf('extend', sides);
    expect(lost).toEqual([]);
    const programs = [filterOf('extend', sides), (await compile(text, { target })).instructions];
    return { programs, warnings: namesWithoutEffect(base, patches) };
  }
  const faultsOf = async (patch: object) => {
    const read = patchOf(JSON.stringify(patch), await side(profile([])));
    return (await read.catch((error: unknown) => error)) as Error;
  };

  it('of many bits on several arguments takes about as many instructions as its rules', async () => {
    const kill = (...args: object[]) => ({ names: ['openat'], action: 'SCMP_ACT_KILL_THREAD', args });
    const bits = (value: string) => ({ index: 3, value, op: 'SCMP_CMP_MASKED_EQ' });
    const entries = [
      kill(
        { index: 0, value: '4294967296', op: 'SCMP_CMP_EQ' },
        { index: 1, value: '15', op: 'SCMP_CMP_EQ' },
      ),
      { ...kill(bits('4294967296')), action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
      kill({ index: 1, value: '10848077177535525487', op: 'SCMP_CMP_EQ' }),
      kill(bits('7396849224710619137')),
    ];
    // JSON.stringify would round the values.
    const syscalls = JSON.stringify(entries).replaceAll(/"(\d+)"/g, '$1');
    const base = await side(profile([]));
    const patch = await patchOf(`{"syscalls":${syscalls}}`, base);
    expect(filterOf('extend', [base, patch.side]).length).toBeLessThan(40);
  });

  it('answers as the last patch that matches a call, also if it is laxer, and as the base elsewhere', async () => {
    const base = await side(profile([allow('read'), allow('lseek')]));
    const { programs, warnings } = await extended(
      base,
      [allow('socket'), deny('lseek', when(2, 'EQ', 1)), deny('getpid')],
      [allow('getpid')],
    );
    for (const program of programs) {
      expect([READ, SOCKET, DUP3, GETPID].map((nr) => answer(program, nr))).toEqual([
        ALLOW,
        ALLOW,
        ERRNO + 1,
        ALLOW,
      ]);
      expect([0n, 1n].map((whence) => answer(program, LSEEK, [0n, 0n, whence]))).toEqual([ALLOW, ERRNO + 5]);
    }
    expect(warnings).toMatchObject([{ code: 'PATCH_WITHOUT_EFFECT', pointer: '/syscalls/2', line: 1 }]);
  });

  it('passes on what a newer base answers, from the same patch', async () => {
    const bases = await Promise.all(
      [[allow('read')], [allow('dup3')]].map((entries) => side(profile(entries))),
    );
    const results = await Promise.all(bases.map((base) => extended(base, [allow('socket')])));
    const answers = results.map(({ programs }) => [READ, DUP3, SOCKET].map((nr) => answer(programs[1]!, nr)));
    expect(answers).toEqual([
      [ALLOW, ERRNO + 1, ALLOW],
      [ERRNO + 1, ALLOW, ALLOW],
    ]);
  });

  it('keeps to the architectures of the base, also of a filter that kills all calls of x32', async () => {
    const { instructions: program, endian } = await compile(profile([allow('read')]), { target });
    const { programs } = await extended({ program, endian }, [allow('lseek')]);
    for (const made of programs) {
      expect(answer(made, LSEEK)).toBe(ALLOW);
      expect([answer(made, LSEEK + 0x40000000), answer(made, 19, [], I386)]).toEqual([
        KILL_THREAD,
        KILL_THREAD,
      ]);
    }
  });

  it('is refused where no answer is left that tells calls without an entry', async () => {
    const syscalls = Array.from({ length: 0x10000 }, (_, errnoRet) => ({
      names: [errnoRet === 0 ? 'getpid' : 'z'],
      action: 'SCMP_ACT_TRACE',
      errnoRet,
    }));
    expect(await faultsOf({ syscalls })).toMatchObject({ diagnostics: [{ code: 'UNDECIDED' }] });
  });

  it('takes a kill and a trace of a patch for what they are', async () => {
    const entries = ['KILL_THREAD', 'TRACE'].map((action) => ({ names: [action === 'TRACE' ? 'lseek' : 'read'], action: `SCMP_ACT_${action}`, errnoRet: action === 'TRACE' ? 0 : undefined })); // prettier-ignore
    const { programs } = await extended(await side(profile([allow('read')])), entries as Entry[]);
    for (const program of programs)
      expect([READ, LSEEK].map((nr) => answer(program, nr))).toEqual([KILL_THREAD, 0x7ff00000]);
  });

  it('names what changes nothing, with the reason', async () => {
    const base = await side(profile([allow('read')]));
    const { warnings } = await extended(base, [
      allow('read'),
      allow('riscv_hwprobe'),
      deny('dup3'),
      allow('dup3', when(0, 'EQ', 7)),
      allow('socket'),
    ]);
    expect(warnings.map(({ message }) => message)).toEqual([
      'read in this entry changes nothing: the base answers these calls so already',
      'riscv_hwprobe in this entry changes nothing: no architecture of the base has these calls',
      'dup3 in this entry changes nothing: another entry decides these calls',
    ]);
  });

  it('refuses a patch with what only a base decides', async () => {
    const whole = await faultsOf({ defaultAction: 'SCMP_ACT_ALLOW', flags: [], archMap: [], syscalls: [] });
    expect(whole.message).toMatch(/defaultAction is not for a patch.*flags is not for a patch/s);
    expect((await faultsOf({ ociVersion: '1.0.0', linux: {} })).message).toContain('NOT_A_PROFILE');
  });

  it('takes a patch in the Docker dialect for the capabilities of the target', async () => {
    const patch = {
      syscalls: [{ ...allow('socket'), includes: { caps: ['CAP_SYS_ADMIN'] } }, allow('dup3')],
    };
    const base = await side(profile([allow('read')]));
    const program = filterOf('extend', [base, (await patchOf(JSON.stringify(patch), base)).side]);
    expect([SOCKET, DUP3].map((nr) => answer(program, nr))).toEqual([ERRNO + 1, ALLOW]);
  });

  it('takes an answer of a patch that podman writes as a number for one, whichever that is', async () => {
    const base = await side(profile([allow('read')]));
    const podman = makeTarget({ arch: 'x86_64', engine: 'podman' });
    for (const errno of ['0', '2', '4000']) {
      const trace = [0, 1].map((errnoRet) => ({ ...allow('lseek', when(0, 'EQ', errnoRet)), action: 'SCMP_ACT_TRACE', errnoRet })); // prettier-ignore
      const patch = { syscalls: [{ names: ['read'], action: 'SCMP_ACT_TRACE', errno }, ...trace] };
      const bytes = new TextEncoder().encode(JSON.stringify(patch));
      const read = await readPatch(bytes, { file: '-', target: podman, arches: archesOf(base) });
      expect(answer(filterOf('extend', [base, read.side]), READ)).toBe(0x7ff00000 + Number(errno));
    }
  });
});

describe('what a profile cannot say', () => {
  it('is stricter and never laxer, with each call that lost something', async () => {
    const wide = profile([allow('read'), allow('dup3')], {
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    });
    const sides = [await side(wide), await side(profile([allow('lseek'), allow('read')]))];
    const { text, lost } = await profileOf('union', sides);
    expect(lost.map(({ abi, data }) => [abi, data.nr])).toEqual([['X86_64', LSEEK]]);
    const made = (await compile(text, { target })).instructions;
    expect([answer(made, READ), answer(made, LSEEK), answer(made, DUP3)]).toEqual([ALLOW, ERRNO + 1, ALLOW]);
    const exact = filterOf('union', sides);
    expect([answer(exact, LSEEK), answer(exact, 19, [], I386)]).toEqual([ALLOW, ERRNO + 1]);
  });

  it('is refused for a filter that tests the address of the caller', async () => {
    const program = [insn('ld abs', 8), insn('jeq', 5, 0, 1), insn('ret', ALLOW), insn('ret', LOG)];
    const sides = [{ program, endian: 'little' } as const, await side(profile([allow('read')]))];
    expect(failure(() => filterOf('intersect', sides))).toEqual(['UNDECIDED']);
    await expect(profileOf('intersect', sides)).rejects.toThrow('the address that a call comes from');
  });
});

describe('simplify', () => {
  it('joins entries, and finds ranges and masks in lists of values', async () => {
    const values = [4, 5, 6, 7].map((value) => allow('lseek', when(0, 'EQ', value)));
    const { text, entries } = await simplifiedProfile(
      await side(profile([allow('read'), allow('getpid'), ...values, allow('read'), allow('exit')])),
      { target, tables },
    );
    expect(entries).toBe(2);
    expect(JSON.parse(text)).toMatchObject({
      syscalls: [
        { names: ['exit', 'getpid', 'read'] },
        { names: ['lseek'], args: [{ index: 0, valueTwo: 4, op: 'SCMP_CMP_MASKED_EQ' }] },
      ],
    });
  });

  it('leaves a profile as it is that has no shorter form', async () => {
    const text = profile([allow('lseek', when(0, 'GE', 3)), allow('lseek', when(1, 'NE', 4))]);
    const { entries } = await simplifiedProfile(await side(text), { target, tables });
    expect(entries).toBe(2);
  });
});
