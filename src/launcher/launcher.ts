/**
 * A program for Linux that runs a command under a filter that it embeds, made of machine code that
 * comes with us.
 */
import { SECCOMP_RET_ACTION_FULL, SECCOMP_RET_USER_NOTIF } from '../action.ts';
import { archOf } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { checkProgram } from '../bpf/check.ts';
import { BPF_K, BPF_RET, decode, INSTRUCTION_BYTES } from '../bpf/instruction.ts';
import { fail, SeccompcError } from '../errors.ts';
import { flagBits, needsListener } from '../compile/flag-bits.ts';
import { decodeBase64 } from '../format/text.ts';
import type { FlagName } from '../profile/types.ts';
import { ElfHeader } from './elf.ts';
import { launcher as aarch64 } from './generated/aarch64.ts';
import { launcher as arm } from './generated/arm.ts';
import { launcher as ppc64le } from './generated/ppc64le.ts';
import { launcher as riscv64 } from './generated/riscv64.ts';
import { launcher as s390x } from './generated/s390x.ts';
import { launcher as x86_64 } from './generated/x86_64.ts';

const PROGRAMS = {
  X86_64: x86_64,
  AARCH64: aarch64,
  RISCV64: riscv64,
  ARM: arm,
  S390X: s390x,
  PPC64LE: ppc64le,
} as const satisfies Partial<Record<ArchName, string>>;

/** The architectures that have a launcher. */
export type LauncherArch = keyof typeof PROGRAMS;
export const LAUNCHER_ARCHES = Object.keys(PROGRAMS) as LauncherArch[];

/** @throws SeccompcError LAUNCHER_ARCHITECTURE */
export function launcherArch(arch: ArchName): LauncherArch {
  if (Object.hasOwn(PROGRAMS, arch)) return arch as LauncherArch;
  return fail('LAUNCHER_ARCHITECTURE', { arch, arches: LAUNCHER_ARCHES.join(', ') });
}

/** Base64 of the launcher without a filter. */
export function launcherCode(arch: LauncherArch): string {
  return PROGRAMS[arch];
}

/**
 * A static ELF executable: `PROGRAM [--keep-fd N]... [--] COMMAND [ARG...]` sets no_new_privs,
 * loads the filter, closes the descriptors from 3 on, and becomes the command. It exits with 64,
 * 69, 126 or 127 if it cannot (docs/launcher.md).
 *
 * @param arch of the machine that runs it
 * @param filter a raw program in the byte order of that machine
 * @param flags of the profile; undefined as in a profile without them: SPEC_ALLOW
 * @throws SeccompcError LAUNCHER_ARCHITECTURE, LAUNCHER_HAS_NO_LISTENER; FILTER_* for what the
 *   kernel would refuse
 */
export function makeLauncher(
  arch: ArchName,
  filter: Uint8Array,
  { flags }: { flags?: readonly FlagName[] | undefined } = {},
): Uint8Array {
  const machineCode = decodeBase64(launcherCode(launcherArch(arch)))!;
  const program = decode(filter, archOf(arch).endian);
  const faults = checkProgram(program);
  if (faults.length > 0) throw new SeccompcError(faults);
  const flag = flags?.find(needsListener);
  if (flag !== undefined) fail('LAUNCHER_HAS_NO_LISTENER', { what: flag });
  const notifies = program.some(
    ({ code, k }) =>
      code === (BPF_RET | BPF_K) && (k & SECCOMP_RET_ACTION_FULL) >>> 0 === SECCOMP_RET_USER_NOTIF,
  );
  if (notifies) fail('LAUNCHER_HAS_NO_LISTENER', { what: 'SCMP_ACT_NOTIFY' });

  const image = new Uint8Array(machineCode.length + 8 + filter.length);
  image.set(machineCode);
  image.set(filter, machineCode.length + 8);
  const header = new ElfHeader(image);
  header.loaded = image.length;
  // struct embedded of source/launcher.c.
  const view = new DataView(image.buffer, machineCode.length);
  view.setUint32(0, flagBits(flags), header.littleEndian);
  view.setUint32(4, filter.length / INSTRUCTION_BYTES, header.littleEndian);
  return image;
}
