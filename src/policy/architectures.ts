import { allArches, archOf, ociArchName, parseArch } from '../arch.ts';
import type { Arch, ArchName } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { nearest } from '../profile/nearest.ts';
import type { Seccomp } from '../profile/types.ts';
import type { Target } from '../target.ts';
import { RUNC_SINCE, runcHas } from './runc.ts';

/** No runc knows any of these. docs/semantics.md section 12. */
const UNKNOWN_TO_RUNC = new Set<ArchName>(['PARISC', 'PARISC64', 'M68K', 'SH', 'SHEB']);

/**
 * The architectures of the filter: first the native one, then those of the profile or the target in
 * their order, each once. docs/semantics.md section 2.
 */
export function filterArches(seccomp: Seccomp, target: Target, report: (d: Diagnostic) => void): Arch[] {
  const names = new Set<ArchName>([target.arch]);
  const listed = target.architectures ?? seccomp.architectures.map((arch) => readArch(arch, target, report));
  for (const name of listed) if (name !== undefined) names.add(name);

  const arches = [...names].map(archOf);
  const native = arches[0]!;
  const other = arches.find((arch) => arch.endian !== native.endian);
  if (other !== undefined)
    report(
      diagnostic(
        'MIXED_BYTE_ORDER',
        { native: native.name, nativeOrder: native.endian, other: other.name, otherOrder: other.endian },
        { pointer: `${seccomp.pointer}/architectures` },
      ),
    );
  return arches;
}

/** An architecture of the profile's list; undefined after a reported error. */
function readArch(
  { name: spelled, pointer }: Seccomp['architectures'][number],
  target: Target,
  report: (d: Diagnostic) => void,
): ArchName | undefined {
  const unknown = (hint: string | (() => string | undefined)): undefined => {
    report(diagnostic('UNKNOWN_ARCHITECTURE', { name: spelled }, { pointer, hint }));
  };
  const { semantics } = target;
  const name = parseArch(spelled);
  if (name === undefined) return unknown(() => guess(spelled));
  const proper = ociArchName(name);
  if (semantics === 'runc' && UNKNOWN_TO_RUNC.has(name)) return unknown('runc has no such architecture');
  if ((name === 'RISCV64' || name === 'LOONGARCH64') && runcHas(target, name) === false)
    return unknown(`runc knows it from ${RUNC_SINCE[name]} on`);
  if (spelled === proper) return name;
  // Only the prefix may be missing, and only what follows it may be in another case.
  if (semantics === 'runc' || spelled.replace(/^SCMP_ARCH_/, '').toUpperCase() !== name)
    return unknown(`write "${proper}"`);
  report(diagnostic('ARCHITECTURE_SPELLING', { name: spelled, proper }, { pointer }));
  return name;
}

function guess(spelled: string): string | undefined {
  const spellings = allArches().flatMap(({ name, aliases }) => [ociArchName(name), ...aliases]);
  const meant = nearest(spelled, spellings);
  return meant && `did you mean "${ociArchName(parseArch(meant)!)}"?`;
}
