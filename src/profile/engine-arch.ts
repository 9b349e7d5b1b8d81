import { allArches, ociArchName, parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import type { Target } from '../target.ts';

/**
 * What each engine calls its machine, and where its archMap works (docs/semantics.md section 11).
 * Docker maps Go's name to libseccomp's and that to the OCI constant, through two tables that
 * differ. Podman asks libseccomp and has a short table of its own.
 */

interface EngineArch {
  /** What `arches` must hold; '' where the engine knows no name. */
  name: string;
  /** The `architecture` an archMap entry must have to be taken; undefined: none is. */
  archMap?: string;
}

const MOBY: Partial<Record<ArchName, string>> = {
  X86: 'x86', X86_64: 'amd64', ARM: 'arm', AARCH64: 'arm64', MIPS64: 'mips64', MIPS64N32: 'mips64n32',
  MIPSEL: 'mipsel', MIPSEL64: 'mipsel64', MIPSEL64N32: 'mips3l64n32', PPC: 'ppc', PPC64: 'ppc64',
  PPC64LE: 'ppc64le', RISCV64: 'riscv64', LOONGARCH64: 'loongarch64', S390: 's390', S390X: 's390x',
}; // prettier-ignore
const MOBY_WITHOUT_ARCHMAP: readonly ArchName[] = ['MIPSEL', 'LOONGARCH64'];

const PODMAN: Record<ArchName, string> = {
  X86: 'x86', X86_64: 'amd64', X32: 'x32', ARM: 'arm', AARCH64: 'arm64', MIPS: 'mips', MIPS64: 'mips64',
  MIPS64N32: 'mips64n32', MIPSEL: 'mipsel', MIPSEL64: 'mipsel64', MIPSEL64N32: 'mipsel64n32', PPC: 'ppc',
  PPC64: 'ppc64', PPC64LE: 'ppc64le', S390: 's390', S390X: 's390x', PARISC: 'parisc', PARISC64: 'parisc64',
  RISCV64: 'riscv64', LOONGARCH64: 'loong64', M68K: 'm68k', SH: 'sh', SHEB: 'sheb',
}; // prettier-ignore
const PODMAN_WITH_ARCHMAP: readonly ArchName[] = [
  'X86_64', 'AARCH64', 'MIPS64', 'MIPSEL64', 'MIPS64N32', 'MIPSEL64N32', 'S390X',
]; // prettier-ignore

export function engineArch(engine: Target['engine'], arch: ArchName): EngineArch {
  const name = engine === 'moby' ? (MOBY[arch] ?? '') : PODMAN[arch];
  const mapped =
    engine === 'moby'
      ? name !== '' && !MOBY_WITHOUT_ARCHMAP.includes(arch)
      : PODMAN_WITH_ARCHMAP.includes(arch);
  return mapped ? { name, archMap: ociArchName(arch) } : { name };
}

export const ENGINE_NAMES: ReadonlySet<string> = new Set([...Object.values(MOBY), ...Object.values(PODMAN)]);

/**
 * Whether a value of `arches` cannot match: no engine has such a name, or it means the target's
 * architecture, which this engine names differently. Gives the right name if there is one.
 */
export function misnamedArch(value: string, target: Target): { write: string | undefined } | undefined {
  const { name } = engineArch(target.engine, target.arch);
  if (value === name) return undefined;
  const meant = parseArch(value) ?? allArches().find((a) => MOBY[a.name] === value)?.name;
  if (ENGINE_NAMES.has(value) && meant !== target.arch) return undefined;
  return { write: meant && (engineArch(target.engine, meant).name || undefined) };
}
