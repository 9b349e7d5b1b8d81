import { allArches, archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { BPF_ABS, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_W, OFFSET_ARCH } from './instruction.ts';
import type { SockFilter } from './instruction.ts';
import { constantText } from '../syscalls/call-text.ts';
import { loadCallFacts } from '../syscalls/constants.ts';
import { loadTables } from '../syscalls/load.ts';
import { signatureOf } from '../syscalls/signatures.ts';
import type { SyscallTables } from '../syscalls/tables.ts';

/**
 * The architectures that a program compares seccomp_data.arch with, in program order; X32 comes
 * with X86_64.
 */
export function testedArches(program: readonly SockFilter[]): ArchName[] {
  const found = new Set<ArchName>();
  // Instructions that some path reaches with seccomp_data.arch in the accumulator. Branches go
  // forward only.
  const reachedWithArch = new Set<number>();
  program.forEach(({ code, jt, jf, k }, at) => {
    const holdsArch = isLoad(code) ? k === OFFSET_ARCH : reachedWithArch.has(at);
    if (!holdsArch) return;
    if (code === (BPF_JMP | BPF_JEQ | BPF_K))
      for (const { name, auditArch } of allArches()) if (auditArch === k) found.add(name);
    if (code === (BPF_JMP | BPF_JA)) reachedWithArch.add(at + 1 + k);
    else if (isBranch(code)) reachedWithArch.add(at + 1 + jt).add(at + 1 + jf);
    else if (isLoad(code)) reachedWithArch.add(at + 1);
  });
  return [...found];
}

function isLoad(code: number): boolean {
  return code === (BPF_LD | BPF_W | BPF_ABS);
}

function isBranch(code: number): boolean {
  return (code & 0x07) === BPF_JMP;
}

/** The tables that name the calls in a listing of a program, and their arguments and constants. */
export async function tablesFor(program: readonly SockFilter[], arch?: ArchName): Promise<SyscallTables> {
  const arches = [...(arch === undefined ? [] : [arch]), ...testedArches(program)];
  const tables = await loadTables(arches.map((name) => archOf(name).table));
  await loadCallFacts();
  return {
    ...tables,
    argument: (on, call, index) => signatureOf(on, call)?.args[index]?.name,
    constant: constantText,
  };
}
