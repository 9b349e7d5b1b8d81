/** Decides what the precreate hook writes for a config; reads and writes nothing itself. */
import { diagnostic, SeccompcError } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import type { ConfigCompiler } from '../compiler.ts';
import { FILTER_ANNOTATION, readConfig, textOf, withAnnotation, withoutAnnotation } from '../config.ts';
import type { RuntimeConfig } from '../config.ts';

export interface PrecreateOptions {
  /** What happens to a filter annotation that is not ours. */
  foreign: 'replace' | 'refuse';
  /** Refuse a start whose profile could not be compiled, instead of leaving that to the runtime. */
  strict: boolean;
}

/** `output` is the whole config to hand on; without it the start is refused. */
export interface Precreated {
  output?: Uint8Array;
  /** Refused because runtimes read the config differently. */
  ambiguous?: true;
  diagnostics: readonly Diagnostic[];
  /** What the store keeps: linux.seccomp, one character for each byte, and its filter. */
  pair?: { profile: string; filter: string };
}

/**
 * The config with the annotation. Without linux.seccomp, or if that cannot be compiled, the config
 * stays as it was, because the runtime then enforces the same policy itself. A foreign filter never
 * replaces linux.seccomp, and a config that runtimes read differently is refused.
 */
export async function precreate(
  input: Uint8Array,
  makeCompiler: () => ConfigCompiler,
  { foreign, strict }: PrecreateOptions,
): Promise<Precreated> {
  let config: RuntimeConfig;
  try {
    config = readConfig(input, 'config');
  } catch (error) {
    // Some runtime may read it, and find another profile or annotation.
    return { diagnostics: diagnosticsOf(error), ambiguous: true };
  }
  const { seccomp, annotation } = config;
  const refuses = foreign === 'refuse';
  const foundForeign = (reaction: keyof typeof REACTIONS) =>
    diagnostic('FOREIGN_ANNOTATION', { key: FILTER_ANNOTATION, what: REACTIONS[reaction] });
  const unconfined = (before: readonly Diagnostic[]): Precreated => {
    if (annotation === undefined) return { output: input, diagnostics: before };
    if (refuses) return { diagnostics: [...before, foundForeign('refused')] };
    return { output: input, diagnostics: [...before, foundForeign('kept')] };
  };
  if (seccomp === undefined) return unconfined([]);
  try {
    const compiled = await makeCompiler().compile(config);
    const diagnostics = [...compiled.diagnostics];
    if (!compiled.confined) return unconfined(diagnostics);
    if (annotation === compiled.annotation) return { output: input, diagnostics };
    if (annotation !== undefined) diagnostics.push(foundForeign(refuses ? 'refused' : 'replaced'));
    if (annotation !== undefined && refuses) return { diagnostics };
    const profile = Buffer.from(textOf(config, seccomp)).toString('latin1');
    const output = Buffer.from(withAnnotation(config, compiled.annotation));
    return { output, diagnostics, pair: { profile, filter: compiled.annotation } };
  } catch (error) {
    const diagnostics = diagnosticsOf(error);
    if (diagnostics.some(({ code }) => READ_DIFFERENTLY.has(code))) return { diagnostics, ambiguous: true };
    if (strict || (annotation !== undefined && refuses)) return { diagnostics };
    if (annotation === undefined) return { output: input, diagnostics };
    const output = Buffer.from(withoutAnnotation(config));
    return { output, diagnostics: [...diagnostics, foundForeign('removed')] };
  }
}

/**
 * Faults that some runtime takes for no profile at all, and then starts the container without a
 * filter: docs/semantics.md 1.11. With other faults the runtime enforces linux.seccomp or refuses.
 */
const READ_DIFFERENTLY: ReadonlySet<string> = new Set(['WRONG_TYPE', 'NUMBER_FORM', 'NUMBER_RANGE']);

const REACTIONS = {
  kept: 'kept, as there is no linux.seccomp for it to weaken',
  replaced: 'replaced',
  removed: 'removed, so that the runtime enforces linux.seccomp',
  refused: 'a reason to refuse the start',
};

/** An unexpected error must not decide whether the container starts. */
function diagnosticsOf(error: unknown): readonly Diagnostic[] {
  if (error instanceof SeccompcError) return error.diagnostics;
  return [diagnostic('INTERNAL_ERROR', { reason: error instanceof Error ? error.message : String(error) })];
}
