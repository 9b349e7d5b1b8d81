import { allArches } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_W, OFFSET_ARCH } from '../bpf/instruction.ts';
import type { SockFilter } from '../bpf/instruction.ts';

/**
 * The architectures that a program compares seccomp_data.arch with, in program order. Read off the text of the
 * program, without following its branches: good enough for a default, not for a judgement.
 */
export function testedArches(program: readonly SockFilter[]): ArchName[] {
  const found: ArchName[] = [];
  let archIsLoaded = false;
  for (const { code, k } of program) {
    if (code === (BPF_LD | BPF_W | BPF_ABS)) archIsLoaded = k === OFFSET_ARCH;
    else if (archIsLoaded && code === (BPF_JMP | BPF_JEQ | BPF_K)) {
      const arch = allArches().find(({ auditArch }) => auditArch === k);
      if (arch !== undefined && !found.includes(arch.name)) found.push(arch.name);
    }
  }
  return found;
}
