/** Compiling the linux.seccomp of many configurations: equal text is compiled once. */
import { compileCached } from '../cache/compile-cached.ts';
import type { Cache } from '../cache/compile-cached.ts';
import { Lru } from '../cache/stores/lru.ts';
import { closeCache } from '../cache/open.ts';
import { CacheFault } from '../cache/stores/store.ts';
import type { CompileSettings, Filter } from '../compile.ts';
import { SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { encodeBase64 } from '../format/text.ts';
import type { Target } from '../target.ts';
import type { RuntimeConfig, Span } from './config.ts';

/** What linux.seccomp compiles to. */
export interface CompiledConfig {
  filter: Filter;
  /** The program as the annotation holds it. */
  annotation: string;
  /** Warnings and notes; of equal texts, only the first that was compiled has them. */
  diagnostics: Diagnostic[];
}

export interface ConfigCompiler {
  /** @throws SeccompcError as compile does, positions being those of the whole configuration */
  compile(config: RuntimeConfig, seccomp: Span, file: string): Promise<CompiledConfig>;
  close(): Promise<void>;
}

/** What a filter counts for besides its profile, about; and what all profiles and filters may have together. */
const FILTER_BYTES = 64 * 1024;
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * @param openCache Gives the cache, or undefined for none; asked when something has to be compiled.
 * @param limit bytes of the profiles and filters that are remembered
 */
export function makeConfigCompiler(
  options: Pick<CompileSettings, 'target' | 'prove'>,
  openCache: () => Promise<Cache | undefined>,
  limit: number = MOST_BYTES,
): ConfigCompiler {
  const known = new Lru<Promise<CompiledConfig>>(limit);
  let cache: Promise<Cache | undefined> | undefined;
  const opened = () => (cache ??= openCache());

  async function compileNew(config: RuntimeConfig, seccomp: Span, file: string): Promise<CompiledConfig> {
    const settings = { ...options, target: targetFor(config, options.target), file };
    const warnings: Diagnostic[] = [];
    try {
      const compiled = await compileText(seccompDocument(seccomp), settings, opened, warnings);
      const { filter } = compiled;
      const found = filter.diagnostics.map((d) => inConfig(d, config, seccomp));
      return { filter, annotation: encodeBase64(filter.bytes), diagnostics: [...warnings, ...found] };
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      throw new SeccompcError(
        error.diagnostics.map((d) => inConfig(d, config, seccomp)),
        { cause: error },
      );
    }
  }

  return {
    async compile(config, seccomp, file) {
      const key = `${config.failUnknown}${seccomp.text}`;
      const compiling = known.get(key);
      if (compiling !== undefined) {
        // Of one that failed every file gets its own account, with its own positions.
        const compiled = await compiling.catch(() => undefined);
        if (compiled !== undefined) return { ...compiled, diagnostics: [] };
        return compileNew(config, seccomp, file);
      }
      const made = compileNew(config, seccomp, file);
      known.set(key, made, 2 * key.length + FILTER_BYTES);
      return made;
    },
    async close() {
      const open = await cache?.catch(() => undefined);
      if (open !== undefined) await closeCache(open);
    },
  };
}

async function compileText(
  input: Uint8Array,
  settings: CompileSettings,
  opened: () => Promise<Cache | undefined>,
  warnings: Diagnostic[],
): Promise<{ filter: Filter }> {
  const options = { ...settings, allowUnconfined: true }; // the caller of the compiler decides
  let cache: Cache | undefined;
  try {
    cache = await opened();
  } catch (error) {
    if (!(error instanceof CacheFault)) throw error;
    warnings.push(error.diagnostic);
  }
  if (cache !== undefined) {
    const cached = await compileCached(input, options, cache);
    warnings.push(...cached.warnings);
    return cached;
  }
  const { compile } = await import('../compile.ts');
  return { filter: await compile(input, options) };
}

/** What the configuration itself says about how its profile is to be read. */
export function targetFor(config: RuntimeConfig, target: Target): Target {
  return config.failUnknown ? { ...target, failUnknown: true } : target;
}

const BEFORE = '{"linux":{"seccomp":';

/**
 * The profile as the smallest configuration that holds it: read as a runtime does, never as an engine's dialect, and the
 * same for all configurations with that profile, which the cache counts on.
 */
export function seccompDocument(seccomp: Span): Uint8Array {
  return Buffer.from(`${BEFORE}${seccomp.text}}}`);
}

/** A diagnostic of {@link seccompDocument} with its place in the whole configuration. */
export function inConfig(found: Diagnostic, config: RuntimeConfig, seccomp: Span): Diagnostic {
  if (found.line === undefined) return found;
  const { line, column } = config.positionAt(seccomp.offset);
  if (found.line > 1) return { ...found, line: found.line + line - 1 };
  const within = Math.max(0, (found.column ?? 1) - 1 - BEFORE.length);
  return { ...found, line, column: column + within };
}
