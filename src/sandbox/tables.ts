import * as aarch64 from '../syscalls/generated/aarch64.ts';
import * as arm from '../syscalls/generated/arm.ts';
import * as constants from '../syscalls/generated/constants.ts';
import * as loongarch64 from '../syscalls/generated/loongarch64.ts';
import * as m68k from '../syscalls/generated/m68k.ts';
import * as mips from '../syscalls/generated/mips.ts';
import * as mips64 from '../syscalls/generated/mips64.ts';
import * as mips64n32 from '../syscalls/generated/mips64n32.ts';
import * as parisc from '../syscalls/generated/parisc.ts';
import * as parisc64 from '../syscalls/generated/parisc64.ts';
import * as ppc from '../syscalls/generated/ppc.ts';
import * as ppc64 from '../syscalls/generated/ppc64.ts';
import * as riscv64 from '../syscalls/generated/riscv64.ts';
import * as s390 from '../syscalls/generated/s390.ts';
import * as s390x from '../syscalls/generated/s390x.ts';
import * as sh from '../syscalls/generated/sh.ts';
import * as signatures from '../syscalls/generated/signatures.ts';
import * as x32 from '../syscalls/generated/x32.ts';
import * as x86 from '../syscalls/generated/x86.ts';
import * as x86_64 from '../syscalls/generated/x86_64.ts';
import { addConstants } from '../syscalls/constants.ts';
import { addTables, tablesNow } from '../syscalls/load.ts';
import { addSignatures } from '../syscalls/signatures.ts';
import { archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { SyscallTables } from '../syscalls/tables.ts';

const TABLES = {
  aarch64, arm, loongarch64, m68k, mips, mips64, mips64n32, parisc, parisc64, ppc, ppc64, riscv64, s390, s390x, sh,
  x32, x86, x86_64,
}; // prettier-ignore

/** The tables of architectures and all facts of calls, at once: nothing in a policy waits. */
export function tablesFor(arches: readonly ArchName[]): SyscallTables {
  addTables(TABLES);
  addSignatures(signatures);
  addConstants(constants);
  return tablesNow(arches.map((name) => archOf(name).table));
}
