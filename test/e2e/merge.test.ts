/** The running kernel answers under two filters as under their intersection. */
import { beforeAll, describe, expect, it } from 'vitest';
import { allArches, archOf } from '../../src/arch.ts';
import { encode } from '../../src/bpf/instruction.ts';
import { compile, lowerProfile } from '../../src/compile.ts';
import { merge } from '../../src/merge/merge.ts';
import { loadTables } from '../../src/syscalls/load.ts';
import type { SyscallTables } from '../../src/syscalls/tables.ts';
import { makeTarget } from '../../src/target.ts';
import { available, skipWithout } from '../oracle/compare.ts';
import { openVictim, withoutValue } from '../oracle/victim.ts';
import type { Probe } from '../oracle/victim.ts';

const opened = openVictim();
const target = makeTarget({ arch: 'x86_64' });
let tables: SyscallTables;
beforeAll(async () => {
  tables = await loadTables(allArches().map(({ table }) => table));
});

const entry = (names: string, action: string, others: object = {}) => ({
  names: names.split(' '),
  action: `SCMP_ACT_${action}`,
  ...others,
});
const lseek = (op: string, value: number) => ({ args: [{ index: 2, op: `SCMP_CMP_${op}`, value }] });
/** Each allows seccomp: the older filter has to let the newer one be loaded. */
const PROFILES = [
  {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 11,
    syscalls: [entry('seccomp getpid getuid', 'ALLOW'), entry('lseek', 'ALLOW', lseek('LT', 3))],
  },
  {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      entry('getppid', 'TRAP'),
      entry('lseek', 'ERRNO', { errnoRet: 22, ...lseek('EQ', 1) }),
      entry('getgid', 'KILL_THREAD'),
      entry('getuid', 'ERRNO', { errnoRet: 33 }),
    ],
  },
  {
    defaultAction: 'SCMP_ACT_LOG',
    syscalls: [
      entry('getuid lseek', 'ERRNO', { errnoRet: 44 }),
      entry('getpid', 'TRACE', { errnoRet: 5 }),
      entry('getegid', 'KILL_PROCESS'),
    ],
  },
];
/** getpid, getuid, getgid, getegid, getppid, lseek on no file: none leaves anything behind. */
const PROBES: Probe[] = [39, 102, 104, 108, 110]
  .map((nr): Probe => ({ how: 'syscall', nr, args: [] }))
  .concat([0n, 1n, 2n, 3n].map((whence) => ({ how: 'syscall', nr: 8, args: [0xffffffffn, 0n, whence] })));

describe.skipIf(skipWithout(opened))('the kernel', () => {
  const pairs = PROFILES.flatMap((_, newer) => PROFILES.map((__, older) => [newer, older] as const));
  it.each(pairs)(
    'with filter %i over filter %i answers as under their intersection',
    async (newer, older) => {
      const texts = [newer, older].map((at) => JSON.stringify(PROFILES[at]));
      const filters = await Promise.all(texts.map((text) => compile(text, { target })));
      const lowered = await Promise.all(texts.map((text) => lowerProfile(text, { target })));
      const sides = lowered.flatMap((each) => (each.confined ? [each.reference] : []));
      const { program, endian } = merge('intersect', sides, { native: archOf('X86_64'), tables });
      const victim = available(opened);
      const stacked = victim.runStacked(filters[0]!.bytes, filters[1]!.bytes, PROBES);
      const merged = victim.run(encode(program, endian), PROBES);
      expect(stacked.map(withoutValue)).toEqual(merged.map(withoutValue));
      expect(new Set(stacked).size).toBeGreaterThan(1);
    },
  );
});
