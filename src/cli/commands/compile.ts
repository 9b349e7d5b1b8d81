import { Option } from 'commander';
import { HOT_TIER, keepAnswer } from '../../cache/hot/answer.ts';
import { BUILD } from '../../cache/hot/build.ts';
import { hotRequest } from '../../cache/hot/request.ts';
import type { CompileOptions } from '../../compile.ts';
import { diagnostic, fail } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import type { FormatName } from '../../format/index.ts';
import { FORMAT_NAMES } from '../../format/names.ts';
import { addCacheOptions } from '../cache-options.ts';
import type { CacheFlags } from '../cache-options.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { compileWith } from '../compile-with.ts';
import { addUnconfinedOption, notConfined, refuseUnconfined } from '../confined.ts';
import type { UnconfinedFlag } from '../confined.ts';
import { filterJson } from '../filter-json.ts';
import type { Compiled } from '../filter-json.ts';
import { readInput } from '../input.ts';
import { isTerminal, writeProduct } from '../output.ts';
import { addVoiceOptions, formatDiagnostic, printWarnings, say } from '../report.ts';
import type { Voice } from '../report.ts';
import { summarise } from '../summary.ts';
import { addTargetOptions, targetOf } from '../target-options.ts';
import type { TargetFlags } from '../target-options.ts';

interface Options extends TargetFlags, CacheFlags, UnconfinedFlag, Voice {
  output?: string;
  format?: FormatName | 'json';
  optimize: 'attach' | 'frequency' | 'size';
  prove: boolean;
  requireProof?: true;
}

const HELP = `
Nothing is written when the profile has faults: all of them are listed, with line, column and a hint.
An existing FILE is replaced in one step, or left as it was.

Examples:
  seccompc compile profile.json -o filter.bpf
  seccompc compile profile.json --format asm | less
  seccompc compile config.json --arch arm64 --format c -o filter.h
  generate-profile | seccompc compile - --json --cap NET_ADMIN`;

export function makeCommand({ args }: Invocation): CliCommand {
  const command = new CliCommand('compile')
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
    .addHelpText('after', HELP)
    .runs((file: string, options: Options) => run(file, options, args));
  return addTargetOptions(addCacheOptions(addVoiceOptions(addUnconfinedOption(command))));
}

async function run(file: string, options: Options, args: readonly string[]): Promise<void> {
  const begin = Date.now();
  const format = chooseFormat(options);
  const voice = { ...options, json: format === 'json' };
  const input = await readInput(file);
  const settings: CompileOptions = {
    target: targetOf(options),
    optimize: options.optimize,
    prove: options.requireProof ? 'require' : options.prove ? 'auto' : 'never',
    file,
  };
  const compiled = await compileWith(options, input, settings);
  const { filter, tier, warnings } = compiled;
  refuseUnconfined(filter, file, options);
  const product = await render(compiled, format);
  const isQuiet = voice.quiet || voice.json;
  const summary = !isQuiet && filter.confined ? await summarise(filter) : '';
  if (options.cache !== false)
    warnings.push(...(await keepHot(args, { input, compiled, summary, product, isQuiet })));
  await printWarnings([...warnings, ...filter.diagnostics], voice);
  if (!filter.confined) await printWarnings([notConfined(file, options)], voice);

  await writeProduct(product, options.output);
  // A hot answer tells its origin in the same words: src/cli/hot.ts.
  const origin = tier === 'none' ? 'compiled' : `from the cache (${tier})`;
  if (summary !== '') await say(`${summary}${origin} in ${Date.now() - begin} ms\n`);
}

interface Made {
  input: Uint8Array;
  compiled: Compiled;
  summary: string;
  product: string | Uint8Array;
  isQuiet: boolean | undefined;
}

/** Keeps what the next process needs to answer the same command line without this module. Gives warnings. */
async function keepHot(args: readonly string[], made: Made): Promise<Diagnostic[]> {
  const { filter, warnings } = made.compiled;
  const request = BUILD === undefined ? undefined : hotRequest(args, BUILD);
  // A warning about the cache is true of this run only.
  if (request === undefined || !filter.confined || warnings.length > 0) return [];
  const product = request.json ? await render({ ...made.compiled, tier: HOT_TIER }, 'json') : made.product;
  const namesFile = filter.diagnostics.length > 0 && (!made.isQuiet || request.json);
  const refused = keepAnswer(request, made.input, {
    diagnostics: made.isQuiet
      ? ''
      : filter.diagnostics.map((found) => formatDiagnostic(found, false)).join(''),
    summary: made.summary,
    product: Buffer.from(product).toString('base64'),
    file: namesFile ? request.file : null,
  });
  return refused === undefined ? [] : [diagnostic('CACHE_ENTRY_REFUSED', { reason: refused })];
}

/** Contradictions are refused before anything is read. */
function chooseFormat({ format, json, output, prove, requireProof }: Options): FormatName | 'json' {
  if (json && format !== undefined && format !== 'json')
    fail('USAGE', { reason: `--json and --format ${format} ask for different products` });
  if (requireProof && !prove)
    fail('USAGE', { reason: '--require-proof and --no-prove contradict each other' });
  const chosen = json ? 'json' : (format ?? 'raw');
  if (chosen === 'raw' && output === undefined && isTerminal(1)) fail('OUTPUT_IS_TERMINAL');
  return chosen;
}

async function render(compiled: Compiled, format: FormatName | 'json'): Promise<string | Uint8Array> {
  const { filter } = compiled;
  if (format === 'json') return filterJson(compiled);
  // There is no program, and no text could stand for that.
  if (!filter.confined) return new Uint8Array();
  if (format === 'raw') return filter.bytes;
  const { formatProgram } = await import('../../format/index.ts');
  if (format !== 'asm') return formatProgram(format, filter);
  const { tablesFor } = await import('../tested-arches.ts');
  return formatProgram(format, filter, await tablesFor(filter.instructions));
}
