/** What a start runs besides the runtime: awk, Node and its script. Who could change it? */
import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, realpathSync } from 'node:fs'; // prettier-ignore
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { trustedDirectory, trustedFile, UntrustedPath } from '../../fs/trust.ts';
import type { Target } from '../../target.ts';
import { findProgram } from '../../fs/find-program.ts';

/** The absolute paths that start this command: node, its script. */
export type OwnCommand = readonly [node: string, script: string];

/** What every way of handing over filters is installed with. */
export interface Preparation {
  store: string;
  log: string;
  command: OwnCommand;
  target: Target;
  /** The flags that made the target, for the command line of `hook precreate`. */
  flags: readonly string[];
  /**
   * `--cache` and `--trust` for the same; a runtime that an older version has installed has none.
   */
  server?: readonly string[];
  foreign: 'replace' | 'refuse';
  strict: boolean;
}

/** The arguments of the command that compiles what is not in the store. */
export function precreateWords({
  store,
  log,
  foreign,
  strict,
  flags,
  server = [],
}: Omit<Preparation, 'target'>): string[] {
  const words = ['hook', 'precreate', '--store', store, '--log', log, '--foreign', foreign];
  return [...words, ...(strict ? ['--strict'] : []), ...server, ...flags];
}

/**
 * mawk is the fastest. Any awk will do that gives the exit code of a command it wrote to, and fails
 * on a full disk.
 */
export function findAwk(): string | undefined {
  return ['mawk', 'awk', 'gawk'].map(findProgram).find((path) => {
    // The command reads, because otherwise awk may end by SIGPIPE.
    const probe = 'BEGIN { c = "read -r line; exit 3"; print "" | c; exit close(c) % 255 == 3 ? 42 : 0 }';
    return path !== undefined && spawnSync(path, [probe]).status === 42 && failsWhenFull(path);
  });
}

function failsWhenFull(awk: string): boolean {
  const full = openSync('/dev/full', 'w');
  try {
    return spawnSync(awk, ['BEGIN { print "" }'], { stdio: ['ignore', full, 'ignore'] }).status !== 0;
  } finally {
    closeSync(full);
  }
}

/** A word for sh(1) that stays one word. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** @throws SeccompcError */
export function makeTrusted(directory: string, mode?: number): void {
  try {
    trustedDirectory(directory, { make: mode ?? true });
  } catch (cause) {
    if (cause instanceof UntrustedPath) throw new SeccompcError([unsafePlace(cause)], { cause });
    unwritable(directory, cause);
  }
}

export function unsafePlace({ path, reason }: UntrustedPath): Diagnostic {
  return diagnostic('PLACE_UNSAFE', { path, reason });
}

export function unwritable(file: string, cause: unknown): never {
  fail('OUTPUT_NOT_CREATED', { file, reason: systemReason(cause) }, { cause });
}

export function executableFaults(path: string): Diagnostic[] {
  return fileFaults(path, isExecutable);
}

/** The script loads the files beside it. */
export function packageFaults(script: string): Diagnostic[] {
  const faults = fileFaults(script);
  if (faults.length > 0) return faults;
  const directory = dirname(realpathSync(script));
  return readdirSync(directory).flatMap((name) => fileFaults(join(directory, name)));
}

export function fileFaults(path: string, isUsable: (path: string) => boolean = existsSync): Diagnostic[] {
  if (!isUsable(path)) return [diagnostic('HOOK_PROGRAM_MISSING', { path })];
  try {
    trustedFile(path);
    return [];
  } catch (error) {
    if (error instanceof UntrustedPath) return [unsafePlace(error)];
    return [diagnostic('HOOK_PROGRAM_MISSING', { path })];
  }
}

/** Several files in one unsafe directory have one fault. */
export function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...new Map(diagnostics.map((found) => [found.message, found])).values()];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
