/** Writes, checks and removes the filter annotation of OCI bundles. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diagnostic, fail, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Target } from '../target.ts';
import type { CompiledConfig, ConfigCompiler } from './compiler.ts';
import { FILTER_ANNOTATION, readConfig, withAnnotation, withoutAnnotation } from './config.ts';
import type { RuntimeConfig } from './config.ts';
import { judgeAnnotation, referenceOf } from './judge.ts';
import { outputPlace } from '../fs/output-place.ts';
import type { OutputPlace } from '../fs/output-place.ts';
import { readForReplacing, replaceDurably } from '../fs/replace-durably.ts';
import type { ReadFile } from '../fs/replace-durably.ts';
import { systemReason } from '../fs/system-reason.ts';

/**
 * `unconfined`: asks for no filter, so nothing changed. `equivalent`: other bytes than
 * linux.seccomp compiles to, proved to mean the same. `failed`: nothing changed; the diagnostics
 * say why.
 */
export type BundleStatus =
  | 'written'
  | 'unchanged'
  | 'removed'
  | 'absent'
  | 'equal'
  | 'equivalent'
  | 'different'
  | 'missing'
  | 'unconfined'
  | 'failed';

export interface BundleResult {
  bundle: string;
  status: BundleStatus;
  /** Of the compiled filter, where there is one. */
  instructions?: number;
  diagnostics: readonly Diagnostic[];
}

export type BundleTask = 'write' | 'check' | 'remove';

export interface BundleContext {
  compiler: ConfigCompiler;
  target: Target;
  /** Whether a bundle may ask for no filter. */
  allowUnconfined: boolean;
}

/** Handles one bundle: a directory, or its config.json. Never rejects for a fault of the bundle. */
export async function doBundle(
  bundle: string,
  task: BundleTask,
  { compiler, target, allowUnconfined }: BundleContext,
): Promise<BundleResult> {
  let file = bundle;
  let place: OutputPlace | undefined;
  try {
    file = await configFile(bundle);
    // Through a symbolic link to the file it points at: the link stays.
    place = await readable(() => outputPlace(file));
    const { path } = place;
    const read = await readable(() => readForReplacing(path));
    const config = readConfig(read.bytes, file);
    if (task === 'remove') return { bundle, ...(await remove(read, config)) };
    const compiled = await compiler.compile(config);
    if (!compiled.confined) return { bundle, ...unconfined(config, task, allowUnconfined) };
    const done =
      task === 'write' ? await write(read, config, compiled) : await check(config, compiled, target);
    return { bundle, ...done, instructions: compiled.filter.instructions.length };
  } catch (error) {
    return { bundle, status: 'failed', diagnostics: faultsOf(error, file) };
  } finally {
    place?.close();
  }
}

type Outcome = Omit<BundleResult, 'bundle'>;
type Confined = CompiledConfig & { confined: true };

/**
 * The path of a configuration, given as file or directory.
 * @throws SeccompcError INPUT_UNREADABLE
 */
export async function configFile(path: string): Promise<string> {
  const found = await readable(() => stat(path));
  return found.isDirectory() ? join(path, 'config.json') : path;
}

/** @throws SeccompcError INPUT_UNREADABLE for any error of the work */
export async function readable<Result>(work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    return fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { cause });
  }
}

/** What is wrong with a file. @throws the error if it says nothing about the file */
export function faultsOf(error: unknown, file: string): Diagnostic[] {
  if (!(error instanceof SeccompcError)) throw error;
  return error.diagnostics.map((found) => ({ ...found, file: found.file ?? file }));
}

export function notConfined(file: string, allowed: boolean): Diagnostic {
  return { ...diagnostic('NOT_CONFINED', {}, { severity: allowed ? 'warning' : 'error' }), file };
}

async function write(
  read: ReadFile,
  config: RuntimeConfig,
  { annotation, diagnostics }: Confined,
): Promise<Outcome> {
  if (config.annotation === annotation) return { status: 'unchanged', diagnostics };
  await put(config.file, read, withAnnotation(config, annotation));
  return { status: 'written', diagnostics };
}

async function remove(read: ReadFile, config: RuntimeConfig): Promise<Outcome> {
  if (config.annotation === undefined) return { status: 'absent', diagnostics: [] };
  await put(config.file, read, withoutAnnotation(config));
  return { status: 'removed', diagnostics: [] };
}

async function check(
  config: RuntimeConfig,
  { annotation, diagnostics }: Confined,
  target: Target,
): Promise<Outcome> {
  const { file } = config;
  if (config.annotation === annotation) return { status: 'equal', diagnostics };
  if (config.annotation === undefined) {
    const missing = diagnostic('ANNOTATION_MISSING', { key: FILTER_ANNOTATION });
    return { status: 'missing', diagnostics: [...diagnostics, { ...missing, file }] };
  }
  const reference = (await referenceOf(config, target))!;
  const fault = await judgeAnnotation(config.annotation, reference, target);
  if (fault === undefined) return { status: 'equivalent', diagnostics };
  return { status: 'different', diagnostics: [...diagnostics, { ...fault, file }] };
}

function unconfined({ annotation, file }: RuntimeConfig, task: BundleTask, allowed: boolean): Outcome {
  const found = notConfined(file, allowed);
  if (annotation === undefined) return { status: 'unconfined', diagnostics: [found] };
  const baseless = { ...diagnostic('ANNOTATION_BASELESS', { key: FILTER_ANNOTATION }), file };
  return { status: task === 'check' ? 'different' : 'unconfined', diagnostics: [found, baseless] };
}

async function put(file: string, read: ReadFile, text: string): Promise<void> {
  try {
    await replaceDurably(read, Buffer.from(text));
  } catch (cause) {
    fail('OUTPUT_NOT_WRITTEN', { file, reason: systemReason(cause) }, { cause });
  }
}

/**
 * Whether the work on a configuration failed, or it asks for no filter although that was not
 * allowed.
 */
export function isFailure({
  status,
  diagnostics,
}: {
  status: string;
  diagnostics: readonly Diagnostic[];
}): boolean {
  const faulty = diagnostics.some(({ severity }) => severity === 'error');
  return status === 'failed' || (status === 'unconfined' && faulty);
}
