/** Compiles the linux.seccomp of many configurations, equal profiles only once. */
import { compileCached } from '../cache/compile-cached.ts';
import type { Cache } from '../cache/compile-cached.ts';
import { Lru } from '../cache/stores/lru.ts';
import { closeCache } from '../cache/open.ts';
import { CacheFault } from '../cache/stores/store.ts';
import type { CompileSettings, Filter } from '../compile.ts';
import { SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { encodeBase64 } from '../format/text.ts';
import type { JsonNode } from '../profile/json.ts';
import type { Target } from '../target.ts';
import { textOf } from './config.ts';
import type { RuntimeConfig } from './config.ts';

/** What linux.seccomp compiles to; `confined` is false if it asks for no filter. */
export type CompiledConfig = {
  /** Warnings and notes. Of equal profiles, only the first result has them. */
  diagnostics: Diagnostic[];
} & (
  | {
      confined: true;
      filter: Filter;
      /** The program as the annotation holds it. */
      annotation: string;
    }
  | { confined: false }
);

export interface ConfigCompiler {
  /** @throws SeccompcError as compile does, positions being those of the whole configuration */
  compile(config: RuntimeConfig): Promise<CompiledConfig>;
  close(): Promise<void>;
}

/** What a filter counts besides its profile, and the limit for all profiles and filters. */
const FILTER_BYTES = 64 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * @param openCache Gives the cache, if any; called when the first profile has to be compiled.
 * @param limit bytes of the profiles and filters that are remembered
 */
export function makeConfigCompiler(
  options: Pick<CompileSettings, 'target' | 'prove'>,
  openCache: () => Promise<Cache | undefined>,
  limit: number = MOST_BYTES,
): ConfigCompiler {
  const known = new Lru<Promise<CompiledConfig>>(limit);
  let cache: Promise<Cache | undefined> | undefined;

  async function openedCache(warnings: Diagnostic[]): Promise<Cache | undefined> {
    try {
      return await (cache ??= openCache());
    } catch (error) {
      if (!(error instanceof CacheFault)) throw error;
      warnings.push(error.diagnostic);
      return undefined;
    }
  }

  async function compileNew(config: RuntimeConfig, seccomp: JsonNode): Promise<CompiledConfig> {
    const warnings: Diagnostic[] = [];
    const filter = await withProfile(config, seccomp, options.target, async (input, place) => {
      // The caller of the compiler decides about configurations that ask for no filter.
      const settings = { ...options, ...place, allowUnconfined: true };
      const opened = await openedCache(warnings);
      if (opened === undefined) {
        const { compile } = await import('../compile.ts');
        return compile(input, settings);
      }
      const cached = await compileCached(input, settings, opened);
      warnings.push(...cached.warnings);
      return cached.filter;
    });
    const diagnostics = [...warnings, ...filter.diagnostics.map((found) => inConfig(found, config, seccomp))];
    if (!filter.confined) return { confined: false, diagnostics };
    return { confined: true, filter, annotation: encodeBase64(filter.bytes), diagnostics };
  }

  return {
    async compile(config) {
      const { seccomp } = config;
      if (seccomp === undefined) return { confined: false, diagnostics: [] };
      const key = `${config.failUnknown}${textOf(config, seccomp)}`;
      const earlier = known.get(key);
      // A failure is reported again for each file, with the positions in that file.
      const compiled = earlier && (await earlier.catch(() => undefined));
      if (compiled !== undefined) return { ...compiled, diagnostics: [] };
      const compiling = compileNew(config, seccomp);
      known.set(key, compiling, 2 * key.length + FILTER_BYTES);
      return compiling;
    },
    async close() {
      const open = await cache?.catch(() => undefined);
      if (open !== undefined) await closeCache(open);
    },
  };
}

const BEFORE = '{"linux":{"seccomp":';

/**
 * Runs a stage of the compiler on the smallest configuration with this profile. So it is read as a
 * runtime reads it, never as an engine's dialect, and equal profiles share a cache entry.
 *
 * @throws SeccompcError of the stage, positions being those of the whole configuration
 */
export async function withProfile<Result>(
  config: RuntimeConfig,
  seccomp: JsonNode,
  target: Target,
  stage: (input: Uint8Array, settings: { target: Target; file: string }) => Promise<Result>,
): Promise<Result> {
  const { file, failUnknown } = config;
  try {
    return await stage(Buffer.from(`${BEFORE}${textOf(config, seccomp)}}}`), {
      target: failUnknown ? { ...target, failUnknown } : target,
      file,
    });
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const diagnostics = error.diagnostics.map((found) => inConfig(found, config, seccomp));
    throw new SeccompcError(diagnostics, { cause: error });
  }
}

/** A diagnostic of {@link withProfile} with its place in the whole configuration. */
function inConfig(found: Diagnostic, config: RuntimeConfig, seccomp: JsonNode): Diagnostic {
  if (found.line === undefined) return found;
  const { line, column } = config.positionAt(seccomp.offset);
  if (found.line > 1) return { ...found, line: found.line + line - 1 };
  const within = Math.max(0, (found.column ?? 1) - 1 - BEFORE.length);
  return { ...found, line, column: column + within };
}
