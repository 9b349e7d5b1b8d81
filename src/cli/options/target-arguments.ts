import { givenOptions } from '../../options/flags.ts';
import { optionsIn } from '../../options/table.ts';
import type { OptionSpec, TargetFlags } from '../../options/table.ts';

/**
 * The flags, as words of a command line, that make a difference for a linux.seccomp object; those
 * for the Docker dialect do not. Defaults are left out, so the machine that runs the command line
 * decides.
 */
export function targetArguments(
  flags: TargetFlags,
  table: readonly OptionSpec[] = optionsIn('target'),
): string[] {
  return givenOptions(
    flags,
    table.filter(({ oci }) => oci === true),
  )
    .filter(({ option, text }) => text === undefined || text !== option.default)
    .flatMap(({ option: { name }, text }) => (text === undefined ? [`--${name}`] : [`--${name}`, text]));
}
