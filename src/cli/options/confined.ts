import type { Command } from 'commander';
import type { Filter } from '../../compile.ts';
import { diagnostic, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { optionsIn } from '../../options/table.ts';
import type { InputFlags } from '../../options/table.ts';
import { addOptions } from './add-options.ts';

/** `--allow-unconfined`, for commands whose output can express that there is no filter. */
export type UnconfinedFlag = InputFlags;

export function addUnconfinedOption<T extends Command>(command: T): T {
  return addOptions(command, optionsIn('input'));
}

/**
 * The diagnostic for an input that asks for no filter: an error, or a warning if that is allowed.
 */
export function notConfined(file: string, flag?: UnconfinedFlag): Diagnostic {
  if (flag !== undefined && !flag.allowUnconfined) return { ...diagnostic('NOT_CONFINED'), file };
  const severity = flag === undefined ? 'error' : 'warning';
  return {
    ...diagnostic(
      'NOT_CONFINED',
      {},
      { severity, hint: 'a filter needs a defaultAction, in a container configuration below linux.seccomp' },
    ),
    file,
  };
}

/**
 * @param flag of a command that has it
 * @throws SeccompcError for a profile that asks for no filter: NOT_CONFINED, after what else was
 *   found
 */
export function refuseUnconfined(
  { confined, diagnostics }: Pick<Filter, 'confined' | 'diagnostics'>,
  file: string,
  flag?: UnconfinedFlag,
): void {
  if (!confined && !flag?.allowUnconfined) throw new SeccompcError([...diagnostics, notConfined(file, flag)]);
}
