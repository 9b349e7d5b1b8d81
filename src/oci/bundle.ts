/** The filter annotation of OCI bundles: put in, checked, taken out. */
import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { diagnostic, fail, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Target } from '../target.ts';
import type { CompiledConfig, ConfigCompiler } from './compiler.ts';
import { FILTER_ANNOTATION, readConfig, withAnnotation, withoutAnnotation } from './config.ts';
import type { RuntimeConfig } from './config.ts';
import { judgeAnnotation, referenceOf } from './judge.ts';
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
  try {
    file = await configFile(bundle);
    const read = await readFileOf(file);
    const config = readConfig(read.bytes, file);
    if (task === 'remove') return { bundle, ...(await remove(read, config)) };
    const none = () => ({ bundle, ...unconfined(config, file, task, allowUnconfined ? 'warning' : 'error') });
    if (config.seccomp === undefined) return none();
    const compiled = await compiler.compile(config, config.seccomp, file);
    if (!compiled.filter.confined) return none();
    const done =
      task === 'write'
        ? await write(read, config, compiled)
        : await check(config, compiled, { seccomp: config.seccomp, target, file });
    return { bundle, ...done, instructions: compiled.filter.instructions.length };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const diagnostics = error.diagnostics.map((found) => ({ ...found, file: found.file ?? file }));
    return { bundle, status: 'failed', diagnostics };
  }
}

type Outcome = Omit<BundleResult, 'bundle'>;

async function configFile(bundle: string): Promise<string> {
  const found = await stat(bundle).catch(unreadable);
  return found.isDirectory() ? join(bundle, 'config.json') : bundle;
}

/** Through a symbolic link to what it points at: the link stays. */
async function readFileOf(file: string): Promise<ReadFile> {
  return readForReplacing(await realpath(file).catch(unreadable)).catch(unreadable);
}

function unreadable(cause: unknown): never {
  fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { cause });
}

async function write(
  read: ReadFile,
  config: RuntimeConfig,
  { annotation, diagnostics }: CompiledConfig,
): Promise<Outcome> {
  if (config.annotation === annotation) return { status: 'unchanged', diagnostics };
  await put(read, withAnnotation(config, annotation));
  return { status: 'written', diagnostics };
}

async function remove(read: ReadFile, config: RuntimeConfig): Promise<Outcome> {
  if (config.annotation === undefined) return { status: 'absent', diagnostics: [] };
  await put(read, withoutAnnotation(config));
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

async function put(read: ReadFile, text: string): Promise<void> {
  try {
    await replaceDurably(read, Buffer.from(text));
  } catch (cause) {
    fail('OUTPUT_NOT_WRITTEN', { file: read.path, reason: systemReason(cause) }, { cause });
  }
}
