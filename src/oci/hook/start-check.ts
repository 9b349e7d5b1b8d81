/** Decides for a hook whether a container may start or go on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lowerProfile } from '../../compile.ts';
import { diagnostic, fail } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { membersOf, parseJson, valueOf } from '../../profile/json.ts';
import type { JsonNode } from '../../profile/json.ts';
import { decodeUtf8 } from '../../profile/json-text.ts';
import type { Reference } from '../../prove/profile/reference.ts';
import type { Target } from '../../target.ts';
import { FILTER_ANNOTATION, readConfig } from '../config.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { judgeAnnotation, judgeLoaded, mismatch, referenceOf } from '../judge.ts';
import { LISTENER_ANNOTATIONS, listenerOfRuntime } from '../crun/listeners.ts';
import type { Listener } from '../crun/listeners.ts';
import { readLoadedFilters, waitForFilter } from '../process/loaded-filter.ts';

export interface StartCheckOptions {
  target: Target;
  /** A profile that no container may exceed: text and name. */
  ceiling?: { input: Uint8Array; file: string };
  /** With a ceiling: sockets whose listeners may decide on calls. */
  listeners: readonly string[];
  /** Refuse a container whose filter the runtime would have to compile. */
  requireAnnotation: boolean;
  /** Also compare the program that the kernel runs: for a poststart hook on this machine. */
  loaded?: boolean;
}

/** What the runtime tells a hook: the state of the runtime-spec. */
export interface ContainerState {
  bundle: string;
  /** Of the container's first process; undefined where the runtime does not tell. */
  pid: number | undefined;
  /** As the runtime has read them, so that what was written later does not count. */
  annotations: ReadonlyMap<string, string>;
}

/** @throws SeccompcError NOT_A_STATE */
export function readState(input: Uint8Array): ContainerState {
  const text = decodeUtf8(input);
  if (text === undefined) return fail('NOT_A_STATE', { reason: 'it is not UTF-8' });
  const { root, diagnostics } = parseJson(text);
  const bundle = valueOf(root, 'bundle');
  if (diagnostics.length > 0 || bundle?.kind !== 'string')
    return fail('NOT_A_STATE', { reason: diagnostics[0]?.message ?? 'it names no bundle' });
  const pid = valueOf(root, 'pid');
  const number = pid?.kind === 'number' && /^[1-9][0-9]{0,8}$/.test(pid.text) ? Number(pid.text) : undefined;
  return { bundle: bundle.value, pid: number, annotations: annotationsOf(root) };
}

/**
 * The diagnostics. The container may start, or go on, only if none of them is an error.
 * @throws SeccompcError if the question cannot be answered, which is no permission either
 */
export async function checkStart(state: ContainerState, options: StartCheckOptions): Promise<Diagnostic[]> {
  const { target, requireAnnotation, loaded = false } = options;
  const file = join(state.bundle, 'config.json');
  const input = await readFile(file).catch((cause: unknown) =>
    fail('INPUT_UNREADABLE', { reason: `${file}: ${systemReason(cause)}` }, { cause }),
  );
  const config = readConfig(input, file);
  const key = FILTER_ANNOTATION;
  const found: Diagnostic[] = [];
  const now = config.annotation;
  const read = state.annotations.get(key);
  // The runtime of seccompc hands crun an annotation that config.json does not have; the proof
  // below decides.
  if (now !== undefined && read !== now)
    found.push(diagnostic('ANNOTATION_CHANGED', { key, change: changeOf(read) }));

  const reference = await referenceOf(config, target);
  if (reference === undefined) {
    if (now === undefined && read === undefined) return [...found, diagnostic('START_UNCONFINED')];
    return [...found, diagnostic('ANNOTATION_BASELESS', { key }, { severity: 'error' })];
  }
  for (const value of new Set([now, read])) {
    const fault = value === undefined ? undefined : await judgeAnnotation(value, reference, target);
    if (fault !== undefined) found.push(fault);
  }
  if (read === undefined && requireAnnotation) found.push(diagnostic('ANNOTATION_MISSING', { key }));
  else if (read === undefined && !loaded) found.push(diagnostic('PROFILE_UNSEEN'));
  if (options.ceiling !== undefined) {
    const named = namedListeners(reference, [state.annotations, annotationsOf(config.root)]);
    found.push(...(await exceeds(reference, options.ceiling, named, options)));
  }
  if (!loaded) return found;
  const { pid } = state;
  if (pid === undefined)
    return fail('NOT_A_STATE', { reason: 'it does not say which process the container is' });
  await waitForFilter(pid);
  const fault = await judgeLoaded(await readLoadedFilters(pid, target.arch), reference, target);
  return fault === undefined ? found : [...found, fault];
}

function changeOf(read: string | undefined): string {
  return read === undefined ? 'the runtime read none, now there is one' : 'the runtime read another one';
}

function annotationsOf(root: JsonNode | undefined): Map<string, string> {
  const members = membersOf(valueOf(root, 'annotations'));
  return new Map(members.flatMap(({ key, value }) => (value.kind === 'string' ? [[key, value.value]] : [])));
}

/** The listeners that linux.seccomp or an annotation names, now or when the runtime read it. */
function namedListeners(
  { seccomp: { listenerPath } }: Reference,
  annotations: readonly ReadonlyMap<string, string>[],
): Listener[] {
  const named: Listener[] = [];
  if (listenerPath !== undefined)
    named.push({ source: 'linux.seccomp.listenerPath', listener: listenerPath });
  for (const key of LISTENER_ANNOTATIONS)
    for (const listener of new Set(annotations.map((each) => each.get(key))))
      if (listener !== undefined) named.push({ source: `the annotation ${key}`, listener });
  return named;
}

/**
 * Empty if neither the filter (by the order of `diff --tightens`) nor a listener exceeds the
 * ceiling.
 */
async function exceeds(
  reference: Reference,
  ceiling: { input: Uint8Array; file: string },
  named: readonly Listener[],
  { target, listeners }: StartCheckOptions,
): Promise<Diagnostic[]> {
  const { file } = ceiling;
  const read = await lowerProfile(ceiling.input, { target, file });
  // A ceiling that asks for no filter would be no limit at all.
  if (!read.confined) fail('NOT_CONFINED', {}, { file });
  const { reference: limit } = read;
  const trusted = [...listeners, limit.seccomp.listenerPath];
  const found = [...named, ...listenerOfRuntime()]
    .filter(({ listener }) => !trusted.includes(listener))
    .map(({ source, listener }) => diagnostic('CEILING_LISTENER', { source, listener, file }));
  const fault = await mismatch(limit, reference, 'tightens');
  if (fault === undefined) return found;
  if ('reason' in fault) return [...found, diagnostic('CEILING_NOT_PROVED', { file, ...fault })];
  const { call, wanted, actual } = fault;
  return [...found, diagnostic('CEILING_EXCEEDED', { file, call, limit: wanted, actual })];
}
