import { allArches, archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';
import { BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_W, OFFSET_ARCH } from '../../bpf/instruction.ts';
import type { SockFilter } from '../../bpf/instruction.ts';
import { loadTables } from '../../syscalls/load.ts';
import type { SyscallTables } from '../../syscalls/tables.ts';

/**
 * The architectures that a program compares seccomp_data.arch with, in program order; X32 comes with X86_64. Read off the text of the
 * program, without following its branches: good enough for a default, not for a judgement.
 */
export function testedArches(program: readonly SockFilter[]): ArchName[] {
  const found: ArchName[] = [];
  let archIsLoaded = false;
  for (const { code, k } of program) {
    if (code === (BPF_LD | BPF_W | BPF_ABS)) archIsLoaded = k === OFFSET_ARCH;
    else if (archIsLoaded && code === (BPF_JMP | BPF_JEQ | BPF_K)) {
      for (const { name, auditArch } of allArches())
        if (auditArch === k && !found.includes(name)) found.push(name);
    }
  }
  return found;
}

/** The tables that name the calls in a listing of a program. */
export function tablesFor(program: readonly SockFilter[], arch?: ArchName): Promise<SyscallTables> {
  const arches = [...(arch === undefined ? [] : [arch]), ...testedArches(program)];
  return loadTables(arches.map((name) => archOf(name).table));
}
