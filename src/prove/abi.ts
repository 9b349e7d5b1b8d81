import type { ArchName } from '../arch.ts';
import { allArches, X32_SYSCALL_BIT } from '../arch.ts';

/** The ABI of a call: its audit arch, and for x86_64 bit 30 of the number. Undefined for an unknown audit arch. */
export function abiOfCall(auditArch: number, nr: number): ArchName | undefined {
  const abi = allArches().find((arch) => arch.auditArch === auditArch);
  const isX86 = abi?.name === 'X86_64' || abi?.name === 'X32';
  if (!isX86) return abi?.name;
  return nr >= X32_SYSCALL_BIT && nr < 2 * X32_SYSCALL_BIT ? 'X32' : 'X86_64';
}
