/**
 * The 23 architectures of the OCI runtime-spec and what a filter must know of each.
 *
 * Sources: `AUDIT_ARCH_*` in linux/audit.h, EM_* in linux/elf-em.h, the OCI runtime-spec's
 * `SCMP_ARCH_*` constants, docs/semantics.md section 2.
 */

/** The 18 syscall tables: architectures that differ in byte order only share one. */
export type TableName =
  | 'x86' | 'x86_64' | 'x32' | 'arm' | 'aarch64' | 'mips' | 'mips64' | 'mips64n32' | 'ppc' | 'ppc64'
  | 's390' | 's390x' | 'parisc' | 'parisc64' | 'riscv64' | 'loongarch64' | 'm68k' | 'sh'; // prettier-ignore

/** OCI names without their `SCMP_ARCH_` prefix. */
export type ArchName =
  | 'X86' | 'X86_64' | 'X32' | 'ARM' | 'AARCH64' | 'MIPS' | 'MIPS64' | 'MIPS64N32' | 'MIPSEL' | 'MIPSEL64'
  | 'MIPSEL64N32' | 'PPC' | 'PPC64' | 'PPC64LE' | 'S390' | 'S390X' | 'PARISC' | 'PARISC64' | 'RISCV64'
  | 'LOONGARCH64' | 'M68K' | 'SH' | 'SHEB'; // prettier-ignore

/** Which errno numbering an architecture has: asm-generic/errno.h, or its own. */
export type ErrnoSet = 'generic' | 'mips' | 'parisc';

export interface Arch {
  readonly name: ArchName;
  /** `seccomp_data.arch`, u32. */
  readonly auditArch: number;
  readonly endian: 'little' | 'big';
  /** Bits of an argument that are compared: on a 32-bit ABI the high word is never looked at. */
  readonly wordBits: 32 | 64;
  readonly table: TableName;
  readonly errnos: ErrnoSet;
  /** Number of the multiplexed call, where socket and IPC calls can also go through one. */
  readonly socketcall?: number;
  readonly ipc?: number;
  /** What Go, uname and distributions call it; all accepted, lower case, by {@link parseArch}. */
  readonly aliases: readonly string[];
}

function arch(
  name: ArchName,
  auditArch: number,
  endian: Arch['endian'],
  wordBits: Arch['wordBits'],
  table: TableName,
  aliases: string[],
  multiplexed?: [socketcall: number, ipc: number],
): Arch {
  const errnos = table.startsWith('mips') ? 'mips' : table.startsWith('parisc') ? 'parisc' : 'generic';
  const calls = multiplexed ? { socketcall: multiplexed[0], ipc: multiplexed[1] } : {};
  return { name, auditArch, endian, wordBits, table, errnos, aliases, ...calls };
}

/** Bit 30 of an x32 syscall number (asm/unistd.h, `__X32_SYSCALL_BIT`). */
export const X32_SYSCALL_BIT = 0x40000000;

const ARCHES: readonly Arch[] = [
  arch('X86', 0x40000003, 'little', 32, 'x86', ['386', 'i386', 'i686'], [102, 117]),
  arch('X86_64', 0xc000003e, 'little', 64, 'x86_64', ['amd64']),
  arch('X32', 0xc000003e, 'little', 32, 'x32', ['amd64p32']),
  arch('ARM', 0x40000028, 'little', 32, 'arm', ['armhf', 'armel', 'armv7l']),
  arch('AARCH64', 0xc00000b7, 'little', 64, 'aarch64', ['arm64']),
  arch('MIPS', 0x00000008, 'big', 32, 'mips', [], [4102, 4117]),
  arch('MIPSEL', 0x40000008, 'little', 32, 'mips', ['mipsle'], [4102, 4117]),
  arch('MIPS64', 0x80000008, 'big', 64, 'mips64', []),
  arch('MIPSEL64', 0xc0000008, 'little', 64, 'mips64', ['mips64le', 'mips64el']),
  arch('MIPS64N32', 0xa0000008, 'big', 32, 'mips64n32', ['mips64p32']),
  arch('MIPSEL64N32', 0xe0000008, 'little', 32, 'mips64n32', ['mips64p32le', 'mips64eln32']),
  arch('PPC', 0x00000014, 'big', 32, 'ppc', ['powerpc'], [102, 117]),
  arch('PPC64', 0x80000015, 'big', 64, 'ppc64', ['powerpc64'], [102, 117]),
  arch('PPC64LE', 0xc0000015, 'little', 64, 'ppc64', ['ppc64el', 'powerpc64le'], [102, 117]),
  arch('S390', 0x00000016, 'big', 32, 's390', [], [102, 117]),
  arch('S390X', 0x80000016, 'big', 64, 's390x', [], [102, 117]),
  arch('PARISC', 0x0000000f, 'big', 32, 'parisc', ['hppa']),
  arch('PARISC64', 0x8000000f, 'big', 64, 'parisc64', ['hppa64']),
  arch('RISCV64', 0xc00000f3, 'little', 64, 'riscv64', []),
  arch('LOONGARCH64', 0xc0000102, 'little', 64, 'loongarch64', ['loong64']),
  arch('M68K', 0x00000004, 'big', 32, 'm68k', [], [102, 117]),
  arch('SH', 0x4000002a, 'little', 32, 'sh', ['sh4'], [102, 117]),
  arch('SHEB', 0x0000002a, 'big', 32, 'sh', ['sh4eb'], [102, 117]),
];

const byName = new Map(ARCHES.map((a) => [a.name, a]));
const bySpelling = new Map<string, Arch>();
for (const a of ARCHES)
  for (const spelling of [a.name.toLowerCase(), ...a.aliases]) bySpelling.set(spelling, a);

/** All 23 architectures, in a fixed order. */
export function allArches(): readonly Arch[] {
  return ARCHES;
}

export function archOf(name: ArchName): Arch {
  return byName.get(name)!;
}

/** The other architectures whose programs a kernel of one runs, in its byte order. */
const COMPATIBLE: Partial<Record<ArchName, readonly ArchName[]>> = {
  X86_64: ['X86', 'X32'],
  AARCH64: ['ARM'],
  PPC64: ['PPC'],
  S390X: ['S390'],
  MIPS64: ['MIPS', 'MIPS64N32'],
  MIPSEL64: ['MIPSEL', 'MIPSEL64N32'],
  PARISC64: ['PARISC'],
};

export function compatibleArches(name: ArchName | undefined): readonly ArchName[] {
  return (name && COMPATIBLE[name]) ?? [];
}

/** `SCMP_ARCH_X86_64`, the only spelling that every runtime reads. */
export function ociArchName(name: ArchName): string {
  return `SCMP_ARCH_${name}`;
}

/**
 * Reads an architecture name in any spelling people use: `SCMP_ARCH_X86_64`, `x86_64`, `amd64`, any
 * case. Undefined for anything else, `SCMP_ARCH_NATIVE` included (both runtimes refuse it).
 */
export function parseArch(text: string): ArchName | undefined {
  const plain = text.toLowerCase().replace(/^scmp_arch_/, '');
  return bySpelling.get(plain)?.name;
}

/**
 * An audit arch as the kernel's log and its headers write it: eight hex digits, or any number of
 * them after 0x.
 */
export function parseAuditArch(text: string): number | undefined {
  return /^(?:0x[0-9a-f]{1,8}|[0-9a-f]{8})$/i.test(text) ? Number.parseInt(text, 16) : undefined;
}

/** One, or two where x32 shares it; none for a number that is no audit arch. */
export function archesOf(auditArch: number | undefined): ArchName[] {
  return ARCHES.filter((each) => each.auditArch === auditArch).map(({ name }) => name);
}

/**
 * The ABI of a call: its audit arch, and for x86_64 bit 30 of the number. Undefined for an unknown
 * audit arch.
 */
export function abiOfCall(auditArch: number, nr: number): ArchName | undefined {
  const abi = allArches().find((each) => each.auditArch === auditArch);
  const isX86 = abi?.name === 'X86_64' || abi?.name === 'X32';
  if (!isX86) return abi?.name;
  return nr >= X32_SYSCALL_BIT && nr < 2 * X32_SYSCALL_BIT ? 'X32' : 'X86_64';
}
