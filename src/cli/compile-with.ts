import type { CompileOptions, CompileSettings } from '../compile.ts';
import type { Diagnostic } from '../errors.ts';
import { workingCache } from './options/cache-options.ts';
import type { CacheFlags } from './options/cache-options.ts';
import { withNotes } from './options/profile-file.ts';
import type { Compiled } from './output/filter-json.ts';
import { expectShortRun } from './short-run.ts';

/** Compiles by way of the cache that the flags ask for. @throws SeccompcError as `compile` does */
export async function compileWith(
  flags: CacheFlags,
  { bytes, notes = [] }: { bytes: Uint8Array; notes?: readonly Diagnostic[] },
  settings: CompileSettings,
): Promise<Compiled> {
  const compiling = compileInput(flags, bytes, settings);
  const filter = await withNotes(
    notes,
    compiling.then((compiled) => compiled.filter),
  );
  return { ...(await compiling), filter };
}

async function compileInput(
  flags: CacheFlags,
  input: Uint8Array,
  settings: CompileSettings,
): Promise<Compiled> {
  const options = { ...settings, allowUnconfined: true }; // each command decides: refuseUnconfined
  if (flags.cache === false) return compileFresh(input, options, []);
  const warnings: Diagnostic[] = [];
  const cache = await workingCache(flags, (found) => warnings.push(found));
  if (cache === undefined) return compileFresh(input, options, warnings);
  const { compileCached } = await import('../cache/compile-cached.ts');
  const { closeCache } = await import('../cache/open.ts');
  try {
    return await compileCached(input, options, cache, expectShortRun);
  } finally {
    await closeCache(cache);
  }
}

async function compileFresh(
  input: Uint8Array,
  options: CompileOptions,
  warnings: Diagnostic[],
): Promise<Compiled> {
  expectShortRun();
  const { compile } = await import('../compile.ts');
  return { filter: await compile(input, options), tier: 'none', key: null, warnings };
}
