import type { ArchName } from '../arch.ts';
import type { CompileSettings } from '../compile.ts';
import { diagnostic, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { flagsFor, givenOptions, programOf, targetOf } from '../options/flags.ts';
import type { Flags } from '../options/flags.ts';
import { COMPILE_OPTIONS, flagOf } from '../options/table.ts';
import type { InputFlags, OptionSpec, ProgramFlags, TargetFlags } from '../options/table.ts';
import { isRepeatable, parseValue, wantedBy } from '../options/option-values.ts';
import type { KernelVersion } from '../target.ts';

/** Defaults of a request: the machine of the server. */
export interface HostDefaults {
  arch?: ArchName;
  kernel?: KernelVersion;
}

/** The options in the query of a request. */
export interface QueryOptions extends Omit<CompileSettings, 'file'> {
  /** Accept a profile that asks for no filter. */
  allowUnconfined?: boolean;
}

/** To find what else is wrong with a query that names no architecture. */
const ANY_ARCH = 'X86_64';
/** A query of 8 KiB can have thousands of wrong parameters. At most this many are named. */
const MOST_UNKNOWN = 10;

/**
 * The options that a query asks for, such as `arch=arm64&kernel=6.1&cap=NET_ADMIN`.
 *
 * @throws SeccompcError with everything that is wrong with it: REQUEST_INVALID, TARGET_INVALID
 */
export function readQuery(query: URLSearchParams, host: HostDefaults): QueryOptions {
  const faults: Diagnostic[] = [];
  const given = readFlags(query, COMPILE_OPTIONS, faults) as TargetFlags & ProgramFlags & InputFlags;
  const flags = { ...host, ...given };
  const { arch } = flags;
  if (arch === undefined && !query.has('arch'))
    faults.push(diagnostic('REQUEST_INVALID', { reason: 'there is no parameter "arch"' }));
  try {
    const target = targetOf({ ...flags, arch: arch ?? ANY_ARCH });
    if (faults.length === 0)
      return { target, ...programOf(flags), ...(flags.allowUnconfined ? { allowUnconfined: true } : {}) };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    faults.push(...error.diagnostics);
  }
  throw new SeccompcError(faults);
}

/**
 * The flags that a query sets. Its parameters are the options of the table, without dashes. An
 * option without a value is set by its name alone, or by 1 or true, and not set by 0 or false.
 */
export function readFlags(query: URLSearchParams, table: readonly OptionSpec[], faults: Diagnostic[]): Flags {
  const fault = (reason: string, hint?: string) =>
    void faults.push(diagnostic('REQUEST_INVALID', { reason }, hint === undefined ? {} : { hint }));
  const names = table.map(({ name }) => name);
  const unknown = [...new Set(query.keys())].filter((name) => !names.includes(name));
  for (const name of unknown.slice(0, MOST_UNKNOWN))
    fault(`there is no parameter "${name}"`, `there are ${names.join(', ')}`);
  const flags: Record<string, unknown> = {};
  const set = new Set<string>();
  for (const option of table) {
    const { name } = option;
    const texts = query.getAll(name);
    if (texts.length > 1 && !isRepeatable(option)) fault(`"${name}" is given twice`);
    const { flag, negative } = flagOf(option);
    for (const text of isRepeatable(option) ? texts : texts.slice(0, 1)) {
      const value = parseValue(option, text, flags[flag]);
      if (value === undefined) fault(`"${name}" is ${wantedBy(option)}, not "${text}"`);
      else if (!negative) flags[flag] = value;
      else if (value === true) flags[flag] = false;
      if (value === true) set.add(name);
    }
  }
  for (const { name, excludes } of table)
    for (const other of [excludes, `no-${name}`])
      if (set.has(name) && other !== undefined && set.has(other))
        fault(`"${name}" and "${other}" contradict each other`);
  return flags;
}

/**
 * The query that asks for exactly these options, whatever machine the server runs on:
 * {@link readQuery} undone.
 */
export function writeQuery({
  target,
  optimize = 'attach',
  prove = 'auto',
  allowUnconfined = false,
}: QueryOptions): URLSearchParams {
  const flags = { ...flagsFor({ target, optimize, prove }), allowUnconfined };
  return writeFlags(flags, COMPILE_OPTIONS);
}

/** {@link readFlags} undone. */
export function writeFlags(flags: Flags, table: readonly OptionSpec[]): URLSearchParams {
  return new URLSearchParams(
    givenOptions(flags, table).map(({ option: { name }, text }): [string, string] => [name, text ?? '1']),
  );
}
