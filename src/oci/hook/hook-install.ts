/** Installs and removes podman's hooks, and checks whether they would work. */
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { diagnostic, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { replaceFile } from '../../fs/replace.ts';
import { UntrustedPath } from '../../fs/trust.ts';
import { LOOKUP_AWK } from '../store/lookup-awk.ts';
import { countPairFiles, isOfThisVersion, pairsDirectory, removeStore } from '../store/pairs.ts';
import {
  distinct, executableFaults, fileFaults, findAwk, makeTrusted, packageFaults, precreateWords, shellWord, unsafePlace,
  unwritable,
} from '../store/program.ts'; // prettier-ignore
import type { Preparation } from '../store/program.ts';
import { formatHookFile, readHookFile, variableOf } from './hook-file.ts';
import type { HookFile } from './hook-file.ts';

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

/**
 * The program of the checks. Runtimes name it where they tell that a hook has refused the start.
 */
const CHECK_PROGRAM = 'seccompc-check';
const CHECK_TEXT = `#!/bin/sh
# Written by "seccompc hook install". The log that the hook file names has the reason of a refused start.
exec "$${NODE}" "$${SCRIPT}" "$@"
`;

export interface Installation extends Preparation {
  /** The directory in which podman looks for hooks. */
  folder: string;
  /**
   * Also install a createRuntime hook that checks the first one; `loaded`: and a poststart hook.
   */
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
  const program = join(folder, CHECK_PROGRAM);
  if (check !== undefined && isForeignProgram(program)) fail('HOOK_FILE_FOREIGN', { file: program });
  const faults = distinct(Object.values(hooks).flatMap((hook) => (hook ? programFaults(hook, program) : [])));
  if (faults.length > 0) throw new SeccompcError(faults);
  try {
    if (check !== undefined) replaceFile(program, CHECK_TEXT, { mode: 0o755 });
    for (const [kind, file] of filesIn(folder)) {
      const hook = hooks[kind];
      if (hook === undefined) await rm(file, { force: true });
      else replaceFile(file, formatHookFile(hook), { mode: 0o644 });
    }
    if (check === undefined && !isForeignProgram(program)) await rm(program, { force: true });
  } catch (cause) {
    unwritable(folder, cause);
  }
  return { files, ...(awk === undefined ? {} : { awk }) };
}

/** Whether somebody else's file has the name of the check's program. */
function isForeignProgram(program: string): boolean {
  try {
    return readFileSync(program, 'utf8') !== CHECK_TEXT;
  } catch {
    return false;
  }
}

function precreateHook(installation: Installation, pairs: string, awk: string | undefined): HookFile {
  const { log, strict, command } = installation;
  const [node, script] = command;
  const words = precreateWords(installation);
  const env = [`${PAIRS}=${pairs}`];
  if (awk === undefined) return { path: node, args: [...command, ...words], env, stage: 'precreate' };
  return {
    path: awk,
    // The program is in the hook file, which is trusted anyway.
    args: ['awk', LOOKUP_AWK],
    env: [
      ...env,
      `${NODE}=${node}`,
      `${SCRIPT}=${script}`,
      `SECCOMPC_COMMAND="$${NODE}" "$${SCRIPT}" ${words.map(shellWord).join(' ')}`,
      `SECCOMPC_STRICT=${strict ? 1 : 0}`,
      `SECCOMPC_LOG=${log}`,
      // Lengths must be in bytes.
      'LC_ALL=C',
    ],
    stage: 'precreate',
  };
}

function checkHook(
  { folder, command, log, flags, check }: Installation,
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
    path: join(folder, CHECK_PROGRAM),
    args: [CHECK_PROGRAM, ...words],
    env: [`${NODE}=${node}`, `${SCRIPT}=${script}`],
    stage,
  };
}

/**
 * Removes the hook files, then what they name. Gives what was removed, and what stays.
 * @throws SeccompcError
 */
export async function uninstallHook(folder: string): Promise<{ removed: string[]; left: string[] }> {
  const removed: string[] = [];
  const left: string[] = [];
  for (const [, file] of filesIn(folder).toReversed()) {
    const hook = readHookFile(file);
    if (hook === undefined) fail('HOOK_FILE_FOREIGN', { file });
    if (hook === null) continue;
    await rm(file).catch((cause: unknown) => unwritable(file, cause));
    removed.push(file);
    if (hook.path === join(folder, CHECK_PROGRAM) && !isForeignProgram(hook.path))
      await rm(hook.path, { force: true });
    const pairs = variableOf(hook, PAIRS);
    if (pairs === undefined) continue;
    const store = dirname(pairs);
    const stays = await removeStore(store);
    if (stays.length === 0) removed.push(store);
    left.push(...stays.map((name) => join(store, name)));
  }
  return { removed, left };
}

export interface HookStatus extends Record<Kind, string | null> {
  /** What podman starts for the precreate hook. */
  program: string | null;
  store: string | null;
  files: number;
  /**
   * What is wrong. With an error the hook does not work, or another user can change what it does.
   */
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
function programFaults(hook: HookFile, own?: string): Diagnostic[] {
  const script = scriptOf(hook);
  const ceiling = hook.args[hook.args.indexOf('--ceiling') + 1];
  return [
    ...[hook.path, variableOf(hook, NODE)].flatMap((path) =>
      path === undefined || path === own ? [] : executableFaults(path),
    ),
    ...(script === undefined ? [] : packageFaults(script)),
    ...(hook.args.includes('--ceiling') && ceiling !== undefined ? fileFaults(ceiling) : []),
  ];
}

function scriptOf(hook: HookFile): string | undefined {
  return variableOf(hook, SCRIPT) ?? hook.args.find((word) => word.startsWith('/') && word !== hook.path);
}
