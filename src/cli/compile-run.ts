import { BUILD } from '../cache/hot/build.ts';
import { keepHot } from '../cache/hot/keep.ts';
import { hotRequest, KEEP_FOR_SH } from '../cache/hot/request.ts';
import { countAnswer, HOT_TIER } from '../cache/hot/serve.ts';
import type { Cache, CacheStore } from '../cache/index.ts';
import type * as Compiler from '../compile.ts';
import type { CompileOptions } from '../compile.ts';
import type { Diagnostic } from '../errors.ts';
import { diagnostic, fail } from '../errors.ts';
import type { FormatName } from '../format/index.ts';
import { cacheOf } from './cache-flags.ts';
import type { CacheFlags } from './cache-flags.ts';
import type { Compiled } from './filter-json.ts';
import { readInput } from './input.ts';
import { isTerminal, writeProduct } from './output.ts';
import { formatDiagnostic, printWarnings, say } from './report.ts';
import type { Voice } from './report.ts';
import { targetOf } from './target-flags.ts';
import type { TargetFlags } from './target-flags.ts';
import { optimizeLater } from './tier-up.ts';

/** What the flags of `compile` say, however they were read. */
export interface CompileFlags extends TargetFlags, CacheFlags, Voice {
  output?: string;
  format?: FormatName | 'json';
  optimize: 'attach' | 'frequency' | 'size';
  prove: boolean;
  requireProof?: true;
}

/** The command `compile`. @throws SeccompcError, OutputClosed */
export async function runCompile(file: string, options: CompileFlags): Promise<void> {
  const begin = Date.now();
  const format = chooseFormat(options);
  const voice = { ...options, json: format === 'json' };
  const input = await readInput(file);
  const target = targetOf(options);
  const settings: CompileOptions = {
    target,
    optimize: options.optimize,
    prove: options.requireProof ? 'require' : options.prove ? 'auto' : 'never',
    file,
  };
  const compiled = await compileWith(options, input, settings, 'ends');
  const { filter, warnings } = compiled;
  const product = await render(compiled, format);
  const speaks = !voice.quiet && !voice.json;
  const summary = speaks && filter.confined ? await (await import('./summary.ts')).summarise(filter) : '';
  if (options.cache !== false) {
    const hot = format === 'json' ? await render({ ...compiled, tier: HOT_TIER }, format) : product;
    const refused = await keepAnswer({ input, compiled, summary, product: hot }, speaks);
    if (refused !== undefined) warnings.push(refused);
  }
  await printWarnings(warnings, voice);
  await printWarnings(filter.diagnostics, voice);
  if (!filter.confined) await printWarnings([{ ...diagnostic('NOT_CONFINED'), file }], voice);

  await writeProduct(product, options.output);
  if (summary !== '') await say(summary + originOf(compiled.tier, Date.now() - begin));
}

/** What the next process needs to answer the same command line without any of this code. */
async function keepAnswer(
  made: { input: Uint8Array; compiled: Compiled; summary: string; product: string | Uint8Array },
  speaks: boolean,
): Promise<Diagnostic | undefined> {
  const { filter, tier, warnings } = made.compiled;
  const args = process.argv.slice(2);
  const request = BUILD === undefined ? undefined : hotRequest(args, BUILD);
  if (request === undefined) return undefined;
  countAnswer(request, tier);
  // In JSON the warnings of this run's cache would be said again and again.
  if (!filter.confined || (request.json && warnings.length > 0)) return undefined;
  const product = Buffer.from(made.product);
  // The script seccompc-sh found nothing, and started us.
  if (process.env[KEEP_FOR_SH] !== undefined) {
    const { keepForShell } = await import('../cache/hot/shell.ts');
    keepForShell(args, request, BUILD!, { input: made.input, product });
  }
  const reason = keepHot(request, made.input, {
    words: speaks ? filter.diagnostics.map((found) => formatDiagnostic(found, false)).join('') : '',
    summary: made.summary,
    product,
    namesFile: filter.diagnostics.length > 0 && (speaks || request.json),
  });
  return reason === undefined ? undefined : diagnostic('CACHE_ENTRY_REFUSED', { reason });
}

/** How it was made, the end of the summary. The hot tier says the same (src/cache/hot/serve.ts). */
function originOf(tier: string, milliseconds: number): string {
  return `${tier === 'none' ? 'compiled' : `from the cache (${tier})`} in ${milliseconds} ms\n`;
}

/** Contradictions are refused before anything is read. */
function chooseFormat({ format, json, output, prove, requireProof }: CompileFlags): FormatName | 'json' {
  if (json && format !== undefined && format !== 'json')
    fail('USAGE', { reason: `--json and --format ${format} ask for different products` });
  if (requireProof && !prove)
    fail('USAGE', { reason: '--require-proof and --no-prove contradict each other' });
  const chosen = json ? 'json' : (format ?? 'raw');
  if (chosen === 'raw' && output === undefined && isTerminal(1)) fail('OUTPUT_IS_TERMINAL');
  return chosen;
}

/**
 * Compiles by way of the cache that the flags ask for.
 *
 * @param then whether the process ends with that: a cache that only was read is then left to the system to close
 */
export async function compileWith(
  flags: CacheFlags,
  input: Uint8Array,
  options: CompileOptions,
  then: 'ends' | 'goes on' = 'goes on',
): Promise<Compiled> {
  if (flags.cache === false) return compileFresh(input, options, []);
  const { CacheFault, closeCache, compileCached } = await import('../cache/index.ts');
  let cache: Cache;
  try {
    cache = (await cacheOf(flags))!;
  } catch (error) {
    if (error instanceof CacheFault) return compileFresh(input, options, [error.diagnostic]);
    throw error;
  }
  let found: Compiled | undefined;
  try {
    const stores = cache.stores.map((store) => onMiss(store, loadCompiler));
    found = await compileCached(input, options, { ...cache, stores });
    return found;
  } finally {
    if (then === 'goes on' || found === undefined || found.tier === 'none') await closeCache(cache);
  }
}

/** The compiler comes first: what is loaded after the flags have changed is loaded without the code kept of it. */
async function loadCompiler(): Promise<typeof Compiler> {
  const compiler = await import('../compile.ts');
  optimizeLater();
  return compiler;
}

/** The same store; `work` is done before an entry is reported missing. */
function onMiss(store: CacheStore, work: () => Promise<unknown>): CacheStore {
  return {
    ...store,
    async get(key) {
      const text = await store.get(key);
      if (text === undefined) await work();
      return text;
    },
  };
}

async function compileFresh(
  input: Uint8Array,
  options: CompileOptions,
  warnings: Diagnostic[],
): Promise<Compiled> {
  const { compile } = await loadCompiler();
  return { filter: await compile(input, options), tier: 'none', key: null, warnings };
}

async function render(compiled: Compiled, format: FormatName | 'json'): Promise<string | Uint8Array> {
  const { filter } = compiled;
  if (format === 'json') {
    const { filterJson } = await import('./filter-json.ts');
    return filterJson(compiled);
  }
  // There is no program, and no text could stand for that.
  if (!filter.confined) return new Uint8Array();
  if (format === 'raw') return filter.bytes;
  const { formatProgram } = await import('../format/index.ts');
  if (format !== 'asm') return formatProgram(format, filter);
  const { tablesFor } = await import('./tested-arches.ts');
  return formatProgram(format, filter, await tablesFor(filter.instructions));
}
