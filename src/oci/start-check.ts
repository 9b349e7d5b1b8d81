/** Whether a container may start: asked by a createRuntime hook, when the runtime has read its config.json. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMeaning } from '../compile.ts';
import { diagnostic, fail } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { parseJson } from '../profile/json.ts';
import { compare } from '../prove/compare.ts';
import type { Side } from '../prove/compare.ts';
import { describeAnswer, describeCall } from '../prove/describe.ts';
import type { Target } from '../target.ts';
import { FILTER_ANNOTATION, readConfig, valueOf } from './config.ts';
import { judgeAnnotation, meaningOf } from './judge.ts';
import { systemReason } from '../fs/system-reason.ts';

export interface StartCheckOptions {
  target: Target;
  /** A profile that no container may exceed: text and name. */
  ceiling?: { input: Uint8Array; file: string };
  /** Refuse a container whose filter the runtime would have to compile. */
  requireAnnotation: boolean;
}

/**
 * Every reason not to let the container start; none when it may.
 * @param state What the runtime writes to a hook: the state of the runtime-spec, as JSON.
 * @throws SeccompcError when the question cannot be answered, which is no permission either
 */
export async function checkStart(state: Uint8Array, options: StartCheckOptions): Promise<Diagnostic[]> {
  const { target, requireAnnotation } = options;
  const { bundle, annotation: loaded } = readState(state);
  const file = join(bundle, 'config.json');
  const input = await readFile(file).catch((cause: unknown) =>
    fail('INPUT_UNREADABLE', { reason: `${file}: ${systemReason(cause)}` }, { cause }),
  );
  const config = readConfig(input, file);
  const key = FILTER_ANNOTATION;
  const reasons: Diagnostic[] = [];
  // What the runtime has read counts; the file could have been changed since.
  if (loaded !== undefined && loaded !== config.annotation)
    reasons.push(diagnostic('ANNOTATION_CHANGED', { key }));

  const { seccomp, annotation } = config;
  const meaning = seccomp && (await meaningOf(config, seccomp, target, file));
  if (meaning === undefined) {
    const none = annotation === undefined && loaded === undefined;
    return [...reasons, none ? diagnostic('START_UNCONFINED') : baseless(key)];
  }
  for (const value of new Set([annotation, loaded])) {
    const fault = value === undefined ? undefined : await judgeAnnotation(value, meaning, target);
    if (fault !== undefined) reasons.push(fault);
  }
  if (annotation === undefined && loaded === undefined && requireAnnotation)
    reasons.push(diagnostic('ANNOTATION_MISSING', { key }));
  if (options.ceiling !== undefined) {
    const fault = await exceeds(meaning, options.ceiling, target);
    if (fault !== undefined) reasons.push(fault);
  }
  return reasons;
}

function baseless(key: string): Diagnostic {
  return diagnostic('ANNOTATION_BASELESS', { key }, { severity: 'error' });
}

function readState(input: Uint8Array): { bundle: string; annotation: string | undefined } {
  const { root, diagnostics } = parseJson(Buffer.from(input).toString());
  const bundle = root?.kind === 'object' ? valueOf(root, 'bundle') : undefined;
  if (root?.kind !== 'object' || diagnostics.length > 0 || bundle?.kind !== 'string')
    return fail('NOT_A_STATE', { reason: diagnostics[0]?.message ?? 'it names no bundle' });
  const annotations = valueOf(root, 'annotations');
  const annotation = annotations?.kind === 'object' ? valueOf(annotations, FILTER_ANNOTATION) : undefined;
  return { bundle: bundle.value, annotation: annotation?.kind === 'string' ? annotation.value : undefined };
}

/** Undefined when the filter nowhere allows more than the ceiling, by the kernel's order of actions. */
async function exceeds(
  meaning: Side,
  ceiling: { input: Uint8Array; file: string },
  target: Target,
): Promise<Diagnostic | undefined> {
  const { file } = ceiling;
  const read = await readMeaning(ceiling.input, { target, file });
  if (!read.confined) return undefined;
  const result = compare(read.reference, meaning, { relation: 'tightens', limit: 1 });
  if (result.verdict === 'holds') return undefined;
  if (result.verdict !== 'broken') return diagnostic('CEILING_NOT_PROVED', { file, reason: result.reason });
  const { data, abi, first, second } = result.differences[0]!;
  return diagnostic('CEILING_EXCEEDED', {
    file,
    call: await describeCall(data, abi),
    limit: describeAnswer(first, abi),
    actual: describeAnswer(second, abi),
  });
}
