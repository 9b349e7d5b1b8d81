/** Installs and removes podman's hooks, and checks whether they would work. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { replaceFile } from '../../fs/replace.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { trustedDirectory, trustedFile, UntrustedPath } from '../../fs/trust.ts';
import type { Target } from '../../target.ts';
import { findAwk, formatHookFile, isExecutable, readHookFile, shellWord, variableOf } from './hook-file.ts';
import type { HookFile } from './hook-file.ts';
import { countPairFiles, isOfThisVersion, pairsDirectory, removeStore } from './hook-store.ts';
import { PRECREATE_AWK } from './precreate-awk.ts';

/** The names of the hook files, in the order in which they are written. */
const FILES = {
  precreate: 'seccompc.json',
  check: 'seccompc-check.json',
  loaded: 'seccompc-loaded.json',
} as const;
type Kind = keyof typeof FILES;

function filesIn(folder: string): [kind: Kind, file: string][] {
  return Object.entries(FILES).map(([kind, name]) => [kind as Kind, join(folder, name)]);
}

/** Variables of the hooks: where the pairs are, and what to start. */
const PAIRS = 'SECCOMPC_STORE';
const NODE = 'SECCOMPC_NODE';
const SCRIPT = 'SECCOMPC_SCRIPT';

/** The absolute paths that start this command: node, its script. */
export type OwnCommand = readonly [node: string, script: string];

export interface Installation {
  /** The directory in which podman looks for hooks. */
  folder: string;
  store: string;
  log: string;
  command: OwnCommand;
  target: Target;
  /** The flags that made the target, for the command line of the hook. */
  flags: readonly string[];
  foreign: 'replace' | 'refuse';
  strict: boolean;
  /** Also install a createRuntime hook that checks the first one; `loaded`: and a poststart hook. */
  check?: { ceiling?: string; listeners: readonly string[]; loaded: boolean };
}

/**
 * Writes the hook files, after everything they name. Gives their paths.
 * @throws SeccompcError; PLACE_UNSAFE if another user could change what the hooks run or trust
 */
export async function installHook(installation: Installation): Promise<{ files: string[]; awk?: string }> {
  const { folder, store, log, target, check } = installation;
  const pairs = await pairsDirectory(store, target);
  const awk = findAwk();
  const hooks: Record<Kind, HookFile | undefined> = {
    precreate: precreateHook(installation, pairs, awk),
    check: check && checkHook(installation, 'createRuntime'),
    loaded: check?.loaded ? checkHook(installation, 'poststart') : undefined,
  };
  const files = filesIn(folder).flatMap(([kind, file]) => (hooks[kind] === undefined ? [] : [file]));
  // The engine's users must be able to read it.
  makeTrusted(folder, 0o755);
  for (const file of files) if (readHookFile(file) === undefined) fail('HOOK_FILE_FOREIGN', { file });
  for (const directory of [store, dirname(log), pairs]) makeTrusted(directory);
  const faults = distinct(Object.values(hooks).flatMap((hook) => (hook ? programFaults(hook) : [])));
  if (faults.length > 0) throw new SeccompcError(faults);
  try {
    for (const [kind, file] of filesIn(folder)) {
      const hook = hooks[kind];
      if (hook === undefined) await rm(file, { force: true });
      else replaceFile(file, formatHookFile(hook), { mode: 0o644 });
    }
  } catch (cause) {
    unwritable(folder, cause);
  }
  return { files, ...(awk === undefined ? {} : { awk }) };
}

function makeTrusted(directory: string, mode?: number): void {
  try {
    trustedDirectory(directory, { make: mode ?? true });
  } catch (cause) {
    if (cause instanceof UntrustedPath) throw new SeccompcError([unsafePlace(cause)], { cause });
    unwritable(directory, cause);
  }
}

function unsafePlace({ path, reason }: UntrustedPath): Diagnostic {
  return diagnostic('PLACE_UNSAFE', { path, reason });
}

function unwritable(file: string, cause: unknown): never {
  fail('OUTPUT_NOT_CREATED', { file, reason: systemReason(cause) }, { cause });
}

function precreateHook(installation: Installation, pairs: string, awk: string | undefined): HookFile {
  const { store, log, foreign, strict, flags, command } = installation;
  const [node, script] = command;
  const words = ['hook', 'precreate', '--store', store, '--log', log, '--foreign', foreign];
  if (strict) words.push('--strict');
  words.push(...flags);
  const env = [`${PAIRS}=${pairs}`];
  if (awk === undefined) return { path: node, args: [...command, ...words], env, stage: 'precreate' };
  return {
    path: awk,
    // The program is in the hook file, which is trusted anyway.
    args: ['awk', PRECREATE_AWK],
    env: [
      ...env,
      `${NODE}=${node}`,
      `${SCRIPT}=${script}`,
      `SECCOMPC_COMMAND="$${NODE}" "$${SCRIPT}" ${words.map(shellWord).join(' ')}`,
      `SECCOMPC_STRICT=${strict ? 1 : 0}`,
      // Lengths must be in bytes.
      'LC_ALL=C',
    ],
    stage: 'precreate',
  };
}

function checkHook(
  { command, log, flags, check }: Installation,
  stage: 'createRuntime' | 'poststart',
): HookFile {
  const ceiling = check?.ceiling === undefined ? [] : ['--ceiling', resolve(check.ceiling)];
  const listeners = (check?.listeners ?? []).flatMap((listener) => ['--listener', listener]);
  // crun goes on when a poststart hook fails.
  const how = stage === 'poststart' ? ['--loaded', '--kill'] : [];
  const words = ['hook', 'check', '--require-annotation', ...how, '--log', log];
  words.push(...ceiling, ...listeners, ...flags);
  const [node, script] = command;
  return {
    // podman skips a hook whose program is missing. The shell is always there, and fails without Node.
    path: '/bin/sh',
    args: ['sh', '-c', `exec "$${NODE}" "$${SCRIPT}" "$@"`, 'sh', ...words],
    env: [`${NODE}=${node}`, `${SCRIPT}=${script}`],
    stage,
  };
}

/** Removes the hook files, then what they name. Gives the paths. @throws SeccompcError */
export async function uninstallHook(folder: string): Promise<string[]> {
  const removed: string[] = [];
  for (const [, file] of filesIn(folder).toReversed()) {
    const hook = readHookFile(file);
    if (hook === undefined) fail('HOOK_FILE_FOREIGN', { file });
    if (hook === null) continue;
    await rm(file).catch((cause: unknown) => unwritable(file, cause));
    removed.push(file);
    const pairs = variableOf(hook, PAIRS);
    if (pairs === undefined) continue;
    const store = dirname(pairs);
    await removeStore(store);
    removed.push(store);
  }
  return removed;
}

export interface HookStatus extends Record<Kind, string | null> {
  /** What podman starts for the precreate hook. */
  program: string | null;
  store: string | null;
  files: number;
  /** What is wrong. With an error the hook does not work, or another user can change what it does. */
  diagnostics: Diagnostic[];
}

export async function hookStatus(folder: string): Promise<HookStatus> {
  const found = filesIn(folder).map(([kind, file]) => ({ kind, file, hook: readHookFile(file) }));
  const installed = found.flatMap((one) => (one.hook ? [{ ...one, hook: one.hook }] : []));
  const fileOf = (kind: Kind) => installed.find((one) => one.kind === kind)?.file ?? null;
  const diagnostics = found
    .filter(({ hook }) => hook === undefined)
    .map(({ file }) => diagnostic('HOOK_FILE_FOREIGN', { file }));
  if (fileOf('precreate') === null && diagnostics.length === 0)
    diagnostics.push(diagnostic('HOOK_NOT_INSTALLED', { folder }));
  diagnostics.push(...installed.flatMap(({ hook }) => programFaults(hook)));
  for (const { file, hook } of found) if (hook !== null) diagnostics.push(...fileFaults(file));
  const hook = installed.find(({ kind }) => kind === 'precreate')?.hook;
  const pairs = hook && variableOf(hook, PAIRS);
  const store = pairs === undefined ? null : dirname(pairs);
  const files = pairs === undefined ? 0 : await countFiles(pairs, diagnostics);
  if (store !== null && !(await isOfThisVersion(pairs!)))
    diagnostics.push(diagnostic('HOOK_STORE_STALE', { store }));
  return {
    precreate: fileOf('precreate'),
    check: fileOf('check'),
    loaded: fileOf('loaded'),
    program: hook?.path ?? null,
    store,
    files,
    diagnostics: distinct(diagnostics),
  };
}

async function countFiles(pairs: string, diagnostics: Diagnostic[]): Promise<number> {
  try {
    return await countPairFiles(pairs);
  } catch (error) {
    const missing = diagnostic('HOOK_STORE_MISSING', { store: dirname(pairs) });
    diagnostics.push(error instanceof UntrustedPath ? unsafePlace(error) : missing);
    return 0;
  }
}

/** Files that a hook runs or reads and that are missing, or that another user can change. */
function programFaults(hook: HookFile): Diagnostic[] {
  const script = scriptOf(hook);
  const ceiling = hook.args[hook.args.indexOf('--ceiling') + 1];
  return [
    ...[hook.path, variableOf(hook, NODE)].flatMap((path) =>
      path === undefined ? [] : fileFaults(path, isExecutable),
    ),
    ...(script === undefined ? [] : packageFaults(script)),
    ...(hook.args.includes('--ceiling') && ceiling !== undefined ? fileFaults(ceiling) : []),
  ];
}

function scriptOf(hook: HookFile): string | undefined {
  return variableOf(hook, SCRIPT) ?? hook.args.find((word) => word.startsWith('/') && word !== hook.path);
}

/** The script loads the files beside it. */
function packageFaults(script: string): Diagnostic[] {
  const faults = fileFaults(script);
  if (faults.length > 0) return faults;
  const directory = dirname(realpathSync(script));
  return readdirSync(directory).flatMap((name) => fileFaults(join(directory, name)));
}

function fileFaults(path: string, isUsable: (path: string) => boolean = existsSync): Diagnostic[] {
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
function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...new Map(diagnostics.map((found) => [found.message, found])).values()];
}
