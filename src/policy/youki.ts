import { parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';
import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { FlagName, Seccomp } from '../profile/types.ts';

const FLAGS: ReadonlySet<FlagName> = new Set([
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
]);
const UNKNOWN = new Set<ArchName>(['LOONGARCH64', 'M68K', 'PARISC', 'PARISC64', 'SH', 'SHEB']);

/**
 * What youki refuses, or reads otherwise than crun: read in its source (libcontainer/src/seccomp),
 * not tried.
 */
export function youkiFaults({ syscalls, flags = [], architectures, pointer }: Seccomp): Diagnostic[] {
  const fault = (what: string, where: string, hint?: string) =>
    diagnostic('YOUKI_REFUSES', { what }, { pointer: where, hint });
  return [
    ...flags.flatMap((flag, index) =>
      FLAGS.has(flag) ? [] : [fault(`does not know the flag ${flag}`, `${pointer}/flags/${index}`)],
    ),
    ...architectures.flatMap(({ name, pointer: where }) =>
      UNKNOWN.has(parseArch(name)!)
        ? [fault(`does not know ${name}`, where, 'leave it out, or replace the list with --architectures')]
        : [],
    ),
    // Conditions on one argument are alternatives for every runtime.
    ...syscalls.flatMap(({ args, pointer: where }) =>
      args.length > 1 && new Set(args.map(({ index }) => index)).size === args.length
        ? [fault('does not combine the conditions of this entry', `${where}/args`, 'give it one condition')]
        : [],
    ),
  ];
}
