import { endianness, machine, release } from 'node:os';
import { archOf, parseArch } from './arch.ts';
import type { ArchName } from './arch.ts';
import { fail } from './errors.ts';
import { parseKernelVersion } from './target.ts';
import type { KernelVersion } from './target.ts';

/** What Node calls the architectures it runs on, where that is not a name that parseArch knows. */
const NODE_NAMES: Record<string, string> = { x64: 'x86_64', ia32: 'x86' };

/** The architecture of this process. @throws SeccompcError HOST_ARCHITECTURE_UNKNOWN */
export function hostArch(): ArchName {
  // Both byte orders of PowerPC and MIPS have one name in process.arch.
  for (const name of [NODE_NAMES[process.arch] ?? process.arch, machine()]) {
    const arch = [name, `${name}le`, `${name}el`].map(parseArch).find((found) => {
      return found !== undefined && (archOf(found).endian === 'little') === (endianness() === 'LE');
    });
    if (arch !== undefined) return arch;
  }
  return fail('HOST_ARCHITECTURE_UNKNOWN', { machine: machine() });
}

/**
 * The running kernel's version on Linux; undefined elsewhere, where no profile will ever meet it.
 */
export function hostKernel(): KernelVersion | undefined {
  if (process.platform !== 'linux') return undefined;
  return parseKernelVersion(release());
}
