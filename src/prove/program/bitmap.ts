/**
 * The kernel's constant-allow bitmap: numbers it found, when a filter was attached, to be allowed
 * whatever the arguments, so that it never runs the filter for them again.
 *
 * Source: seccomp_is_const_allow in kernel/seccomp.c (Linux 5.11 and newer); docs/semantics.md
 * 13.4.
 */
import { SECCOMP_RET_ALLOW } from '../../action.ts';
import {
  BPF_ABS, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET,
  BPF_W, OFFSET_ARCH, OFFSET_NR,
} from '../../bpf/instruction.ts'; // prettier-ignore
import type { SeccompData, SockFilter } from '../../bpf/instruction.ts';
import { programsOf } from '../../bpf/stack.ts';
import type { Programs } from '../../bpf/stack.ts';
import { archOf } from '../../arch.ts';
import type { ArchName } from '../../arch.ts';

/** Numbers looked at: all that the tables of the architectures with a bitmap reach. */
export const BITMAP_NUMBERS = 512;

/**
 * Whether the kernel remembers that all programs always allow a call. MIPS and x32 have no such
 * memory.
 */
export function isAlwaysAllowed(
  programs: Programs,
  abi: ArchName,
  { arch, nr }: Pick<SeccompData, 'arch' | 'nr'>,
): boolean {
  const hasBitmap = archOf(abi).errnos !== 'mips' && abi !== 'X32';
  const all = programsOf(programs);
  return hasBitmap && nr < BITMAP_NUMBERS && all.every((program) => isConstantAllow(program, arch, nr));
}

/** Whether the kernel's emulator finds that a call is allowed whatever its arguments. */
export function isConstantAllow(program: readonly SockFilter[], auditArch: number, nr: number): boolean {
  let a = 0;
  for (let pc = 0; pc < program.length; pc++) {
    const { code, jt, jf, k } = program[pc]!;
    switch (code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (k === OFFSET_NR) a = nr;
        else if (k === OFFSET_ARCH) a = auditArch;
        else return false;
        break;
      case BPF_RET | BPF_K:
        return k === SECCOMP_RET_ALLOW;
      case BPF_ALU | BPF_AND | BPF_K:
        a = (a & k) >>> 0;
        break;
      case BPF_JMP | BPF_JA:
        pc += k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += a === k ? jt : jf;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        pc += a > k ? jt : jf;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        pc += a >= k ? jt : jf;
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        pc += (a & k) !== 0 ? jt : jf;
        break;
      default:
        return false;
    }
  }
  return false;
}
