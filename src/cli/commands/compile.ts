import { HOT_TIER } from '../../cache/hot/hot-tier.ts';
import type { CompileSettings } from '../../compile.ts';
import { fail } from '../../errors.ts';
import type { FormatName } from '../../format/index.ts';
import { programOf } from '../../options/flags.ts';
import { OPTIONS } from '../../options/table.ts';
import type { FlagsOf } from '../../options/table.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { CliCommand } from '../command.ts';
import type { Invocation } from '../command.ts';
import { compileWith } from '../compile-with.ts';
import { keepHot } from '../keep-hot.ts';
import { notConfined, refuseUnconfined } from '../options/confined.ts';
import type { Compiled } from '../output/filter-json.ts';
import { readInput } from '../options/input-file.ts';
import { openProfile } from '../options/profile-file.ts';
import { addOptions } from '../options/add-options.ts';
import { isTerminal, writeProduct } from '../output/streams.ts';
import { printDiagnostics, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { summarise } from '../output/summary.ts';
import { targetOf } from '../options/target-options.ts';

interface Options
  extends FlagsOf<'product' | 'program' | 'target' | 'input' | 'reading'>, CacheFlags, OutputOptions {}

type Format = FormatName | 'json' | 'elf';

const HELP = `
Nothing is written if the profile has faults: all of them are listed with line, column and a
hint. An existing FILE is replaced in one step, or left as it was.

Examples:
  seccompc compile profile.json -o filter.bpf
  seccompc compile profile.json --format asm | less
  seccompc compile config.json --arch arm64 --format c -o filter.h
  seccompc compile profile.json --format elf -o sandboxed && ./sandboxed ls
  generate-profile | seccompc compile - --json --cap NET_ADMIN`;

export function makeCommand({ args }: Invocation): CliCommand {
  const command = new CliCommand('compile')
    .description('Compiles a profile to the BPF program that seccomp(2) loads.')
    .argument('PROFILE', 'an OCI, config.json or Docker profile; - for standard input')
    .addHelpText('after', HELP)
    .runs((file: string, options: Options) => run(file, options, args));
  return addOptions(command, OPTIONS);
}

async function run(file: string, options: Options, args: readonly string[]): Promise<void> {
  const begin = Date.now();
  const format = chooseFormat(options);
  const voice = { ...options, json: format === 'json' };
  const input = await readInput(file);
  const profile = await openProfile(input, file, options);
  const settings: CompileSettings = {
    target: targetOf(options),
    ...programOf(options),
    file: profile.file,
  };
  const compiled = await compileWith(options, profile, settings);
  const { filter, tier, warnings } = compiled;
  // An empty program would run no command, and say that it succeeded.
  refuseUnconfined(filter, profile.file, format === 'elf' ? undefined : options);
  const product = await render(compiled, format);
  const summary = voice.quiet || voice.json || !filter.confined ? '' : await summarise(filter);
  if (filter.confined)
    warnings.push(
      ...(await keepHot(args, {
        input,
        warnings,
        diagnostics: filter.diagnostics,
        output: voice,
        summary,
        product: async ({ json }) => (json ? render({ ...compiled, tier: HOT_TIER }, 'json') : product),
      })),
    );
  await printDiagnostics([...warnings, ...filter.diagnostics], voice);
  if (!filter.confined) await printDiagnostics([notConfined(file, options)], voice);

  await writeProduct(product, options.output, { executable: format === 'elf' });
  // src/cli/hot-answer.ts prints the same text for a hit.
  const origin = tier === 'none' ? 'compiled' : `from the cache (${tier})`;
  if (summary !== '') await writeStderr(`${summary}${origin} in ${Date.now() - begin} ms\n`);
}

/** Refuses contradicting options before anything is read. */
function chooseFormat({ format, json, output }: Options): Format {
  if (json && format !== undefined && format !== 'json')
    fail('USAGE', { reason: `--json and --format ${format} ask for different products` });
  const chosen = json ? 'json' : (format ?? 'raw');
  if ((chosen === 'raw' || chosen === 'elf') && output === undefined && isTerminal(1))
    fail('OUTPUT_IS_TERMINAL');
  return chosen;
}

async function render(compiled: Compiled, format: Format): Promise<string | Uint8Array> {
  const { filter } = compiled;
  if (format === 'json') return (await import('../output/filter-json.ts')).filterJson(compiled);
  // No format has a text for "no program".
  if (!filter.confined) return new Uint8Array();
  if (format === 'raw') return filter.bytes;
  if (format === 'elf') {
    const { makeLauncher } = await import('../../launcher/launcher.ts');
    return makeLauncher(filter.target.arch, filter.bytes, filter);
  }
  const { formatProgram } = await import('../../format/index.ts');
  if (format !== 'asm') return formatProgram(format, filter);
  const { tablesFor } = await import('../../bpf/tested-arches.ts');
  return formatProgram(format, filter, await tablesFor(filter.instructions));
}
