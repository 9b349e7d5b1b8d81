import { Command, Option } from 'commander';
import { BUILD } from '../../cache/hot/build.ts';
import { keepHot } from '../../cache/hot/keep.ts';
import { hotRequest } from '../../cache/hot/request.ts';
import { countAnswer, HOT_TIER } from '../../cache/hot/serve.ts';
import type { CacheStore } from '../../cache/index.ts';
import type { Diagnostic } from '../../errors.ts';
import { diagnostic, fail } from '../../errors.ts';
import { FORMAT_NAMES, formatProgram } from '../../format/index.ts';
import type { FormatName } from '../../format/index.ts';
import type { CompileOptions, Filter } from '../../compile.ts';
import { readInput } from '../input.ts';
import { writeProduct } from '../output.ts';
import { addVoiceOptions, formatDiagnostic, printWarnings, say } from '../report.ts';
import type { Voice } from '../report.ts';
import { addTargetOptions, targetOf } from '../target-options.ts';
import type { TargetFlags } from '../target-options.ts';

interface Options extends TargetFlags, Voice {
  output?: string;
  format?: FormatName | 'json';
  optimize: 'attach' | 'frequency' | 'size';
  prove: boolean;
  requireProof?: true;
  /** A location, or false for --no-cache. */
  cache?: string | false;
}

/** A filter, and what the cache had to do with it. */
export interface Compiled {
  filter: Filter;
  /** The kind of store that answered, or `none`. */
  tier: string;
  /** null without a cache. */
  key: string | null;
  warnings: Diagnostic[];
}

const HELP = `
Nothing is written when the profile has faults: all of them are listed, with line, column and a hint.
An existing FILE is replaced in one step, or left as it was.

Examples:
  seccompc compile profile.json -o filter.bpf
  seccompc compile profile.json --format asm | less
  seccompc compile config.json --arch arm64 --format c -o filter.h
  generate-profile | seccompc compile - --json --cap NET_ADMIN`;

export function makeCommand(): Command {
  const command = new Command('compile')
    .description('Compiles a profile to the BPF program that seccomp(2) loads.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .option('-o, --output <FILE>', 'where to write the filter (default: standard output)')
    .addOption(
      new Option('--format <FORMAT>', 'raw: 8 bytes an instruction; asm: readable (default: raw)').choices([
        ...FORMAT_NAMES,
        'json',
      ]),
    )
    .addOption(
      new Option('--optimize <FOR>', 'attach: fast to load; frequency: fast common calls; size: short')
        .choices(['attach', 'frequency', 'size'])
        .default('attach'),
    )
    .option('--no-prove', 'do not prove that the filter answers every call as the profile says')
    .option('--require-proof', 'fail rather than give a filter without that proof')
    .option('--cache <DIR|URL>', "another cache than the user's own: a folder, or sqlite:FILE")
    .option('--no-cache', 'neither look into the cache nor keep the filter')
    .addHelpText('after', HELP)
    .action(run);
  return addTargetOptions(addVoiceOptions(command));
}

async function run(file: string, options: Options): Promise<void> {
  const begin = performance.now();
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
  const compiled = await compileWith(options.cache, input, settings);
  const { filter, warnings } = compiled;
  const product = await render(compiled, format);
  const { summarise, origin } = await import('../summary.ts');
  const speaks = !voice.quiet && !voice.json;
  const summary = speaks && filter.confined ? await summarise(filter) : '';
  if (options.cache !== false) {
    const hot = format === 'json' ? await render({ ...compiled, tier: HOT_TIER }, format) : product;
    const refused = keepAnswer({ input, compiled, summary, product: hot }, speaks);
    if (refused !== undefined) warnings.push(refused);
  }
  await printWarnings(warnings, voice);
  await printWarnings(filter.diagnostics, voice);
  if (!filter.confined) await printWarnings([{ ...diagnostic('NOT_CONFINED'), file }], voice);

  await writeProduct(product, options.output);
  if (summary !== '') await say(summary + origin(compiled.tier, performance.now() - begin));
}

/** What the next process needs to answer the same command line without any of this code. */
function keepAnswer(
  made: { input: Uint8Array; compiled: Compiled; summary: string; product: string | Uint8Array },
  speaks: boolean,
): Diagnostic | undefined {
  const { filter, tier, warnings } = made.compiled;
  const request = BUILD === undefined ? undefined : hotRequest(process.argv.slice(2), BUILD);
  if (request === undefined) return undefined;
  countAnswer(request, tier);
  // In JSON the warnings of this run's cache would be said again and again.
  if (!filter.confined || (request.json && warnings.length > 0)) return undefined;
  const reason = keepHot(request, made.input, {
    words: speaks ? filter.diagnostics.map((found) => formatDiagnostic(found, false)).join('') : '',
    summary: made.summary,
    product: Buffer.from(made.product),
    namesFile: filter.diagnostics.length > 0 && (speaks || request.json),
  });
  return reason === undefined ? undefined : diagnostic('CACHE_ENTRY_REFUSED', { reason });
}

/** Contradictions are refused before anything is read. */
function chooseFormat({ format, json, output, prove, requireProof }: Options): FormatName | 'json' {
  if (json && format !== undefined && format !== 'json')
    fail('USAGE', { reason: `--json and --format ${format} ask for different products` });
  if (requireProof && !prove)
    fail('USAGE', { reason: '--require-proof and --no-prove contradict each other' });
  const chosen = json ? 'json' : (format ?? 'raw');
  if (chosen === 'raw' && output === undefined && process.stdout.isTTY) fail('OUTPUT_IS_TERMINAL');
  return chosen;
}

/** Compiles by way of the cache at a location, of the user's own (undefined), or of none (false). */
export async function compileWith(
  cache: string | false | undefined,
  input: Uint8Array,
  options: CompileOptions,
): Promise<Compiled> {
  if (cache === false) return compileFresh(input, options, []);
  const { CacheFault, closeStore, compileCached, openStore } = await import('../../cache/index.ts');
  let store: CacheStore;
  try {
    store = openStore(cache);
  } catch (error) {
    if (error instanceof CacheFault) return compileFresh(input, options, [error.diagnostic]);
    throw error;
  }
  try {
    return await compileCached(input, options, store);
  } finally {
    await closeStore(store);
  }
}

async function compileFresh(
  input: Uint8Array,
  options: CompileOptions,
  warnings: Diagnostic[],
): Promise<Compiled> {
  const { compile } = await import('../../compile.ts');
  return { filter: await compile(input, options), tier: 'none', key: null, warnings };
}

async function render(compiled: Compiled, format: FormatName | 'json'): Promise<string | Uint8Array> {
  const { filter } = compiled;
  if (format === 'json') {
    const { filterJson } = await import('../filter-json.ts');
    return filterJson(compiled);
  }
  // There is no program, and no text could stand for that.
  if (!filter.confined) return new Uint8Array();
  if (format !== 'asm') return formatProgram(format, filter);
  const { tablesFor } = await import('../tested-arches.ts');
  return formatProgram(format, filter, await tablesFor(filter.instructions));
}
