/**
 * What the page needs and has not in its code: the generated modules by name, without those that it
 * does not use.
 */
import type { Arch } from '../arch.ts';
import { LAUNCHER_ARCHES, launcherCode } from '../launcher/launcher.ts';
import { tableData } from '../syscalls/load.ts';

export async function factsFor(arches: Iterable<Arch>): Promise<Record<string, unknown>> {
  const facts: Record<string, unknown> = {
    constants: { ...(await import('../syscalls/generated/constants.ts')) },
    errno: { ...(await import('../syscalls/generated/errno.ts')) },
    signatures: { ...(await import('../syscalls/generated/signatures.ts')) },
    since: { ...(await import('../syscalls/generated/since.ts')) },
    union: { ...(await import('../syscalls/generated/union.ts')) },
  };
  for (const { name, table } of new Set(arches)) {
    facts[table] ??= { ...(await tableData(table)) };
    const machine = LAUNCHER_ARCHES.find((each) => each === name);
    if (machine !== undefined) facts[`launcher ${name.toLowerCase()}`] = launcherCode(machine);
  }
  return facts;
}
