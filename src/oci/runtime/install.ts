/** Writes the runtime in front of crun, tells its state, removes it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { packageVersion } from '../../cache/version.ts';
import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { replaceFile } from '../../fs/replace.ts';
import { trustedDirectory, UntrustedPath } from '../../fs/trust.ts';
import { findProgram } from '../../fs/find-program.ts';
import { countPairFiles, isOfThisVersion, pairsDirectory, removeStore } from '../store/pairs.ts';
import {
  distinct, executableFaults, fileFaults, findAwk, makeTrusted, packageFaults, unsafePlace, unwritable,
} from '../store/program.ts'; // prettier-ignore
import type { Preparation } from '../store/program.ts';
import { formatRuntime, readRuntime } from './script.ts';
import type { RuntimeSettings } from './script.ts';

export interface RuntimeInstallation extends Preparation {
  /** Where the script is written. */
  file: string;
  /** The path of crun. */
  runtime: string;
}

/**
 * Writes the script, after everything that it names.
 * @throws SeccompcError; PLACE_UNSAFE if another user could change what it runs or trusts
 */
export async function installRuntime({ file, target, ...rest }: RuntimeInstallation): Promise<void> {
  const { runtime, store, log } = rest;
  if (settingsOf(file) === undefined) fail('HOOK_FILE_FOREIGN', { file });
  const { faults } = askRuntime(runtime);
  if (faults.length > 0) throw new SeccompcError(faults);
  const tools = { ...necessaryTools(), ...optionalTools('timeout', 'flock') };
  const pairs = await pairsDirectory(store, target);
  // The users of the engine run it too.
  makeTrusted(dirname(file), 0o755);
  const copies = copiesDirectory(store);
  for (const directory of [store, dirname(log), pairs, dirname(copies)]) makeTrusted(directory);
  const settings = { version: packageVersion(), ...rest, pairs, copies, tools };
  const unsafe = programFaults(settings);
  if (unsafe.length > 0) throw new SeccompcError(unsafe);
  try {
    replaceFile(file, formatRuntime(settings), { mode: 0o755 });
  } catch (cause) {
    unwritable(file, cause);
  }
}

/** In memory, where there is a directory that only this user can change. */
function copiesDirectory(store: string): string {
  if (process.geteuid?.() === 0) return '/run/seccompc';
  const runtime = process.env['XDG_RUNTIME_DIR'] ?? '';
  return join(isAbsolute(runtime) ? runtime : store, 'seccompc');
}

/**
 * What a runtime says of itself, and why it is not crun: others would not know --config, and ignore
 * the filter.
 */
function askRuntime(runtime: string): { crun: string | null; faults: Diagnostic[] } {
  const refused = (reason: string) => [diagnostic('RUNTIME_NOT_CRUN', { runtime, reason })];
  // It might be in front of itself.
  if (settingsOf(runtime)) return { crun: null, faults: refused('it is a runtime of seccompc') };
  const { stdout, error } = spawnSync(runtime, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const crun = stdout?.split('\n')[0] || null;
  if (crun?.startsWith('crun version')) return { crun, faults: [] };
  const said = `"${runtime} --version" says: ${crun ?? 'nothing'}`;
  return { crun, faults: refused(error?.message ?? said) };
}

/** Programs that the script starts. */
export const NECESSARY_TOOLS = ['awk', 'grep', 'rm', 'mkdir', 'date'] as const;

function necessaryTools(): Pick<RuntimeSettings['tools'], (typeof NECESSARY_TOOLS)[number]> {
  const found = NECESSARY_TOOLS.map((name) => {
    const path = name === 'awk' ? findAwk() : findProgram(name);
    return [name, path !== undefined && isAbsolute(path) ? path : fail('RUNTIME_WITHOUT_TOOL', { name })];
  });
  return Object.fromEntries(found) as ReturnType<typeof necessaryTools>;
}

function optionalTools<Name extends string>(...names: Name[]): Partial<Record<Name, string>> {
  const found = names.map((name) => [name, findProgram(name)] as const);
  return Object.fromEntries(found.filter(([, path]) => path !== undefined && isAbsolute(path))) as Partial<
    Record<Name, string>
  >;
}

export interface RuntimeStatus {
  file: string;
  version: string;
  runtime: string;
  /** What it says of itself; null if it cannot be run. */
  crun: string | null;
  store: string;
  /** Files of filters in the store. */
  files: number;
  /**
   * Starts that Node had to compile a profile for, as far as the log goes. Other starts are not
   * counted.
   */
  misses: number;
  log: string;
  strict: boolean;
  diagnostics: Diagnostic[];
}

/** @throws SeccompcError RUNTIME_NOT_INSTALLED, HOOK_FILE_FOREIGN */
export async function runtimeStatus(file: string): Promise<RuntimeStatus> {
  const { settings, text } = installed(file);
  const { version, runtime, store, pairs, log, strict } = settings;
  const { crun, faults } = askRuntime(runtime);
  const diagnostics = [...fileFaults(file), ...programFaults(settings)];
  if (executableFaults(runtime).length === 0) diagnostics.push(...faults);
  let files = 0;
  try {
    files = await countPairFiles(pairs);
  } catch (error) {
    const missing = diagnostic('HOOK_STORE_MISSING', { store });
    diagnostics.push(error instanceof UntrustedPath ? unsafePlace(error) : missing);
  }
  if (text !== formatRuntime(settings) || !(await isOfThisVersion(pairs)))
    diagnostics.push(diagnostic('HOOK_STORE_STALE', { store }));
  return {
    file,
    version,
    runtime,
    crun,
    store,
    files,
    misses: linesWith(log, '[HOOK_MISS]'),
    log,
    strict,
    diagnostics: distinct(diagnostics),
  };
}

function linesWith(file: string, code: string): number {
  try {
    return readFileSync(file, 'utf8').split(code).length - 1;
  } catch {
    return 0;
  }
}

/** Removes the script, then what only it needs. Gives what was removed, and what stays. */
export async function uninstallRuntime(file: string): Promise<{ removed: string[]; left: string[] }> {
  const { store, copies } = installed(file).settings;
  await rm(file).catch((cause: unknown) => unwritable(file, cause));
  removeCopies(copies);
  const left = await removeStore(store);
  const removed = left.length === 0 ? [file, store] : [file];
  return { removed, left: left.map((name) => join(store, name)) };
}

function removeCopies(copies: string): void {
  try {
    trustedDirectory(copies);
    // They have what is in a config, such as passwords in variables.
    for (const name of readdirSync(copies))
      if (!existsSync(`/proc/${name.split('.')[0]}`)) rmSync(join(copies, name));
    rmdirSync(copies);
  } catch {
    // A start may be using it, and there may be none.
  }
}

function installed(file: string): { settings: RuntimeSettings; text: string } {
  const settings = settingsOf(file);
  if (settings === null) return fail('RUNTIME_NOT_INSTALLED', { file });
  if (settings === undefined) return fail('HOOK_FILE_FOREIGN', { file });
  return { settings, text: readFileSync(file, 'utf8') };
}

/** Null without a file, undefined for a file that is not ours. */
function settingsOf(file: string): RuntimeSettings | undefined | null {
  try {
    return readRuntime(readFileSync(file, 'utf8'));
  } catch {
    return statSync(file, { throwIfNoEntry: false }) === undefined ? null : undefined;
  }
}

function programFaults({ runtime, command: [node, script], tools }: RuntimeSettings): Diagnostic[] {
  const programs = [runtime, node, ...Object.values(tools)];
  return distinct([...programs.flatMap(executableFaults), ...packageFaults(script)]);
}
