import { EXIT, fail, SeccompcError } from '../../errors.ts';
import { doBundle, isFailure } from '../../oci/bundle.ts';
import type { BundleResult, BundleTask } from '../../oci/bundle.ts';
import { makeConfigCompiler } from '../../oci/compiler.ts';
import { inParallel } from '../../oci/parallel.ts';
import { CliCommand } from '../command.ts';
import { addCacheOptions, cacheOf } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { addUnconfinedOption } from '../options/confined.ts';
import type { UnconfinedFlag } from '../options/confined.ts';
import { writeProduct } from '../output/streams.ts';
import { makeProgress } from '../output/progress.ts';
import { addOutputOptions, addProofOption } from '../options/add-options.ts';
import type { ProofFlag } from '../options/add-options.ts';
import { programOf } from '../../options/flags.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

interface Options extends TargetFlags, ProofFlag, CacheFlags, UnconfinedFlag, OutputOptions {
  check?: true;
  remove?: true;
}

/** Bundles in hand at one time: their waits for the disk overlap, the compiler is one anyway. */
const AT_ONCE = 16;

const HELP = `
crun loads the filter from the annotation run.oci.seccomp_bpf_data instead of compiling
linux.seccomp at each start. linux.seccomp stays: runtimes that do not know the annotation
enforce it, and crun takes flags and listenerPath from it. No byte outside the annotation
changes.

Prints one line for each bundle: the result, a tab, the bundle. A failure does not stop the
other bundles.

Examples:
  seccompc bundle /var/lib/bundles/*
  seccompc bundle --check bundle      exit code 1 if the annotation differs from linux.seccomp
  seccompc bundle --remove bundle`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('bundle')
    .description(
      'Puts the compiled filter into the config.json of OCI bundles, as the annotation that crun reads.',
    )
    .argument('<DIR...>', 'folders of bundles, or their config.json')
    .usage('DIR... [OPTION...]')
    .option('--check', 'change nothing; say whether each annotation means what linux.seccomp says')
    .option('--remove', 'take the annotation out')
    .addHelpText('after', HELP)
    .runs(run);
  return addTargetOptions(addCacheOptions(addOutputOptions(addProofOption(addUnconfinedOption(command)))));
}

async function run(bundles: string[], options: Options): Promise<number> {
  if (options.check && options.remove)
    fail('USAGE', { reason: '--check and --remove contradict each other' });
  const task: BundleTask = options.check ? 'check' : options.remove ? 'remove' : 'write';
  const target = targetOf(options);
  const { allowUnconfined = false } = options;
  const prove = programOf(options).prove;
  const compiler = makeConfigCompiler({ target, prove }, () => cacheOf(options));
  const progress = makeProgress(bundles.length, options);
  const results: BundleResult[] = [];
  try {
    // Print the results in the order of the arguments, each as soon as possible.
    await inParallel(
      bundles,
      AT_ONCE,
      (bundle) => doBundle(bundle, task, { compiler, target, allowUnconfined }),
      async (result) => {
        results.push(result);
        progress.clear();
        if (!options.json) await print(result, options);
        progress.show(results.length);
      },
    );
  } finally {
    progress.clear();
    await compiler.close();
  }
  if (options.json) await writeProduct(toJson({ bundles: results.map(resultJson) }));
  return exitCodeOf(results);
}

async function print({ bundle, status, diagnostics }: BundleResult, output: OutputOptions): Promise<void> {
  await printDiagnostics(diagnostics, output);
  await writeProduct(table([[status, bundle]]));
}

function isRefusal(status: BundleResult['status']): boolean {
  return status === 'failed' || status === 'different' || status === 'missing';
}

function resultJson({ bundle, status, instructions, diagnostics }: BundleResult) {
  return { bundle, status, instructions: instructions ?? null, diagnostics: diagnostics.map(diagnosticJson) };
}

/** A bundle that could not be done outweighs one that answers no. */
function exitCodeOf(results: readonly BundleResult[]): number {
  const failed = results.find(isFailure);
  if (failed !== undefined) return new SeccompcError(failed.diagnostics).exitCode;
  return results.some(({ status }) => isRefusal(status)) ? EXIT.no : EXIT.ok;
}
