import { parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { capabilitySet, makeTarget } from '../target.ts';
import type { KernelVersion, Target } from '../target.ts';
import { hostArch, hostKernel } from './host.ts';

/** The flags that say what a profile is compiled for, as the parser leaves them. */
export interface TargetFlags {
  arch?: ArchName;
  architectures?: ArchName[] | 'native';
  capSet: 'default' | 'all' | 'none';
  cap?: string[];
  capDrop?: string[];
  kernel?: KernelVersion;
  engine: Target['engine'];
  semantics: Target['semantics'];
  enosysStub?: boolean;
  enosysAfter?: KernelVersion;
  overlap: Target['overlap'];
  failUnknown?: true;
  force?: true;
}

/** The target that the flags ask for. Only here does a result come to depend on the machine it is made on. */
export function targetOf(flags: TargetFlags): Target {
  const arch = flags.arch ?? hostArch();
  const { architectures, enosysAfter } = flags;
  const kernel = flags.kernel ?? hostKernel();
  return makeTarget({
    arch,
    ...(architectures === undefined
      ? {}
      : { architectures: architectures === 'native' ? [arch] : architectures }),
    capabilities: capabilitySet(flags.engine, flags.capSet, flags.cap ?? [], flags.capDrop ?? []),
    ...(kernel === undefined ? {} : { kernel }),
    engine: flags.engine,
    semantics: flags.semantics,
    enosysStub: flags.enosysStub ?? flags.semantics === 'runc',
    ...(enosysAfter === undefined ? {} : { enosysAfter }),
    overlap: flags.overlap,
    failUnknown: flags.failUnknown ?? false,
    force: flags.force ?? false,
  });
}

/** What --architectures names; undefined where one of them is none. */
export function parseArchList(text: string): ArchName[] | 'native' | undefined {
  if (text === 'native') return text;
  const arches = text.split(',').map((name) => parseArch(name.trim()));
  return arches.includes(undefined) ? undefined : arches.flatMap((arch) => arch ?? []);
}

/** Both `--cap A --cap B` and `--cap A,B`. */
export function collect(text: string, before: string[] = []): string[] {
  return [...before, ...text.split(',').map((name) => name.trim())];
}
