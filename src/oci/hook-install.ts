/** Installing podman's hooks, taking them out, and saying whether they would work. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { diagnostic, fail } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Target } from '../target.ts';
import { findAwk, formatHookFile, isExecutable, readHookFile, shellWord, variableOf } from './hook-file.ts';
import type { HookFile } from './hook-file.ts';
import { hookStore } from './hook-store.ts';
import { replaceWith } from './replace-file.ts';
import { systemReason } from './system-reason.ts';

const PRECREATE_FILE = 'seccompc.json';
const CHECK_FILE = 'seccompc-check.json';
const STORE = 'SECCOMPC_STORE';

/** How this command is started anew, with absolute paths: node, its script. */
export type OwnCommand = readonly [node: string, script: string];

export interface Installation {
  /** The folder that podman looks for hooks in. */
  folder: string;
  store: string;
  log: string;
  command: OwnCommand;
  target: Target;
  /** The flags that made the target, for the command line of the hook. */
  flags: readonly string[];
  foreign: 'replace' | 'refuse';
  strict: boolean;
  /** Also a createRuntime hook, which refuses what the first one did not do. */
  check?: { ceiling?: string };
}

/** Writes the hook files, last, when everything they name is there. Gives their paths. @throws SeccompcError */
export async function installHook(installation: Installation): Promise<{ files: string[]; awk?: string }> {
  const { folder, target, check } = installation;
  const files = [join(folder, PRECREATE_FILE), ...(check === undefined ? [] : [join(folder, CHECK_FILE)])];
  for (const file of files) if (readHookFile(file) === undefined) fail('HOOK_FILE_FOREIGN', { file });
  const store = hookStore(installation.store, target);
  await store.prepare().catch((cause: unknown) => unwritable(installation.store, cause));
  const awk = findAwk();
  const hooks = [
    precreateHook(installation, store.awkProgram, awk),
    ...(check === undefined ? [] : [checkHook(installation)]),
  ];
  try {
    await mkdir(folder, { recursive: true });
    for (const [index, hook] of hooks.entries())
      await replaceWith(files[index]!, formatHookFile(hook), 0o644);
  } catch (cause) {
    unwritable(folder, cause);
  }
  if (check === undefined) await rm(join(folder, CHECK_FILE), { force: true });
  return { files, ...(awk === undefined ? {} : { awk }) };
}

function unwritable(file: string, cause: unknown): never {
  fail('OUTPUT_NOT_CREATED', { file, reason: systemReason(cause) }, { cause });
}

function precreateHook(installation: Installation, program: string, awk: string | undefined): HookFile {
  const { store, log, foreign, strict, flags, command } = installation;
  const words = [
    ...command,
    'hook',
    'precreate',
    ...wordsOf({ '--store': store, '--log': log, '--foreign': foreign }),
    ...(strict ? ['--strict'] : []),
    ...flags,
  ];
  const env = [`${STORE}=${store}`];
  if (awk === undefined) return { path: command[0], args: words, env, stage: 'precreate' };
  return {
    path: awk,
    args: ['awk', '-f', program],
    // Lengths are lengths in bytes, whatever the user's language.
    env: [
      ...env,
      `SECCOMPC_COMMAND=${words.map(shellWord).join(' ')}`,
      `SECCOMPC_STRICT=${strict ? 1 : 0}`,
      'LC_ALL=C',
    ],
    stage: 'precreate',
  };
}

function wordsOf(options: Record<string, string>): string[] {
  return Object.entries(options).flat();
}

function checkHook({ command, log, flags, check }: Installation): HookFile {
  const ceiling = check?.ceiling === undefined ? [] : ['--ceiling', resolve(check.ceiling)];
  const words = ['hook', 'check', '--require-annotation', '--log', log, ...ceiling, ...flags];
  return { path: command[0], args: [...command, ...words], env: [], stage: 'createRuntime' };
}

/** Removes the hook files first, then what they name. Gives the paths. @throws SeccompcError HOOK_FILE_FOREIGN */
export async function uninstallHook(folder: string): Promise<string[]> {
  const removed: string[] = [];
  for (const file of [join(folder, CHECK_FILE), join(folder, PRECREATE_FILE)]) {
    const hook = readHookFile(file);
    if (hook === undefined) fail('HOOK_FILE_FOREIGN', { file });
    if (hook === null) continue;
    await rm(file).catch((cause: unknown) => unwritable(file, cause));
    removed.push(file);
    const store = variableOf(hook, STORE);
    if (store === undefined) continue;
    await hookStore(store).remove();
    removed.push(store);
  }
  return removed;
}

export interface HookStatus {
  /** Null where there is none. */
  precreate: string | null;
  check: string | null;
  /** What podman starts for the first. */
  program: string | null;
  store: string | null;
  /** Files of pairs in the store. */
  files: number;
  /** What is wrong; errors keep the hook from working. */
  diagnostics: Diagnostic[];
}

export async function hookStatus(folder: string): Promise<HookStatus> {
  const file = join(folder, PRECREATE_FILE);
  const checkFile = join(folder, CHECK_FILE);
  const diagnostics: Diagnostic[] = [];
  const read = (path: string): HookFile | undefined => {
    const hook = readHookFile(path);
    if (hook === undefined) diagnostics.push(diagnostic('HOOK_FILE_FOREIGN', { file: path }));
    return hook ?? undefined;
  };
  const hook = read(file);
  const check = read(checkFile);
  if (hook === undefined && diagnostics.length === 0)
    diagnostics.push(diagnostic('HOOK_NOT_INSTALLED', { folder }));
  const store = hook && variableOf(hook, STORE);
  for (const path of missingOf([hook, check])) diagnostics.push(diagnostic('HOOK_PROGRAM_MISSING', { path }));
  const state = store === undefined ? undefined : await stateOf(store);
  if (store !== undefined && state?.current !== true)
    diagnostics.push(diagnostic(state === undefined ? 'HOOK_STORE_MISSING' : 'HOOK_STORE_STALE', { store }));
  return {
    precreate: hook === undefined ? null : file,
    check: check === undefined ? null : checkFile,
    program: hook?.path ?? null,
    store: store ?? null,
    files: state?.files ?? 0,
    diagnostics,
  };
}

/** What podman or the hook itself would start, and not find. */
function missingOf(hooks: readonly (HookFile | undefined)[]): string[] {
  const present = hooks.filter((hook) => hook !== undefined);
  const programs = present.map(({ path }) => path);
  // Of the awk hook, the command behind it: node and its script.
  const words = present.flatMap((hook) =>
    (variableOf(hook, 'SECCOMPC_COMMAND') ?? hook.args.join(' ')).split(' ').slice(0, 2),
  );
  const scripts = words.filter((word) => word.startsWith('/') && !programs.includes(word));
  return [
    ...new Set([
      ...programs.filter((path) => !isExecutable(path)),
      ...scripts.filter((path) => !existsSync(path)),
    ]),
  ];
}

async function stateOf(store: string): Promise<{ files: number; current: boolean } | undefined> {
  return hookStore(store)
    .state()
    .catch(() => undefined);
}
