import { InvalidArgumentError } from 'commander';
import { allArches, parseArch } from '../arch.ts';
import type { ArchName } from '../arch.ts';

/** An option's value in any spelling of an architecture. */
export function archArgument(text: string): ArchName {
  const arch = parseArch(text);
  if (arch !== undefined) return arch;
  const known = allArches().map(({ name }) => name.toLowerCase());
  throw new InvalidArgumentError(`Known are: ${known.join(', ')}.`);
}
