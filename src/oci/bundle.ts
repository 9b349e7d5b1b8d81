/** The filter annotation of OCI bundles: put in, checked, taken out. */
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
 * `unconfined`: no filter is asked for, and nothing was touched. `equivalent`: other bytes than linux.seccomp compiles
 * to, but proved to mean the same. `failed`: the diagnostics say why, and nothing was touched.
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
  /** As it was given. */
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
  /** Whether a bundle that asks for no filter is none to refuse. */
  allowUnconfined: boolean;
}

/** Does one bundle: a folder with a config.json, or that file itself. Never rejects for what is wrong with it. */
export async function doBundle(
  bundle: string,
  task: BundleTask,
  { compiler, target, allowUnconfined }: BundleContext,
): Promise<BundleResult> {
  let file = bundle;
  let place: OutputPlace | undefined;
  try {
    file = await configFile(bundle);
    place = placeOf(file);
    const read = await readForReplacing(place.path).catch(unreadable);
    const config = readConfig(read.bytes, file);
    if (task === 'remove') return { bundle, ...(await remove(file, read, config)) };
    const none = () => ({ bundle, ...unconfined(config, file, task, allowUnconfined ? 'warning' : 'error') });
    if (config.seccomp === undefined) return none();
    const compiled = await compiler.compile(config, config.seccomp, file);
    if (!compiled.filter.confined) return none();
    const done =
      task === 'write'
        ? await write(file, read, config, compiled)
        : await check(config, compiled, { seccomp: config.seccomp, target, file });
    return { bundle, ...done, instructions: compiled.filter.instructions.length };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const diagnostics = error.diagnostics.map((found) => ({ ...found, file: found.file ?? file }));
    return { bundle, status: 'failed', diagnostics };
  } finally {
    place?.close();
  }
}

type Outcome = Omit<BundleResult, 'bundle'>;

async function configFile(bundle: string): Promise<string> {
  const found = await stat(bundle).catch(unreadable);
  return found.isDirectory() ? join(bundle, 'config.json') : bundle;
}

/** Through a symbolic link to the file it points at: the link stays. */
function placeOf(file: string): OutputPlace {
  try {
    return outputPlace(file);
  } catch (cause) {
    return unreadable(cause);
  }
}

function unreadable(cause: unknown): never {
  fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { cause });
}

async function write(
  file: string,
  read: ReadFile,
  config: RuntimeConfig,
  { annotation, diagnostics }: CompiledConfig,
): Promise<Outcome> {
  if (config.annotation === annotation) return { status: 'unchanged', diagnostics };
  await put(file, read, withAnnotation(config, annotation));
  return { status: 'written', diagnostics };
}

async function remove(file: string, read: ReadFile, config: RuntimeConfig): Promise<Outcome> {
  if (config.annotation === undefined) return { status: 'absent', diagnostics: [] };
  await put(file, read, withoutAnnotation(config));
  return { status: 'removed', diagnostics: [] };
}

async function check(
  config: RuntimeConfig,
  { annotation, diagnostics }: CompiledConfig,
  about: { seccomp: NonNullable<RuntimeConfig['seccomp']>; target: Target; file: string },
): Promise<Outcome> {
  const { seccomp, target, file } = about;
  if (config.annotation === annotation) return { status: 'equal', diagnostics };
  if (config.annotation === undefined) {
    const missing = diagnostic('ANNOTATION_MISSING', { key: FILTER_ANNOTATION });
    return { status: 'missing', diagnostics: [...diagnostics, { ...missing, file }] };
  }
  const reference = (await referenceOf(config, seccomp, target, file))!;
  const fault = await judgeAnnotation(config.annotation, reference, target);
  if (fault === undefined) return { status: 'equivalent', diagnostics };
  return { status: 'different', diagnostics: [...diagnostics, { ...fault, file }] };
}

function unconfined(
  config: RuntimeConfig,
  file: string,
  task: BundleTask,
  severity: 'error' | 'warning',
): Outcome {
  const found = { ...diagnostic('NOT_CONFINED', {}, { severity }), file };
  if (config.annotation === undefined) return { status: 'unconfined', diagnostics: [found] };
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
