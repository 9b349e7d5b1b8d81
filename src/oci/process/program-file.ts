import type { ArchName } from '../../arch.ts';
import { fail } from '../../errors.ts';
import { builtFile } from '../../fs/built-file.ts';

/**
 * The executable that the build made of `src/launcher/source/NAME.c`. A user who can change
 * it can change our own code beside it, so it is not checked. Nothing is written at a start.
 *
 * @param arch of this machine
 * @throws SeccompcError LOADER_MISSING
 */
export function programFile(name: string, arch: ArchName): string {
  if (process.platform !== 'linux') fail('LOADER_MISSING', { reason: 'seccomp is part of Linux' });
  try {
    return builtFile(`programs/${name}-${arch.toLowerCase()}`);
  } catch {
    return fail('LOADER_MISSING', { reason: `${arch} has none` });
  }
}
