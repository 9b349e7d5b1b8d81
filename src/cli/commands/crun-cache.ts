import { EXIT, SeccompcError } from '../../errors.ts';
import { makeConfigCompiler } from '../../oci/compiler.ts';
import { isFailure } from '../../oci/bundle.ts';
import { doCrunCache, openCrunCache } from '../../oci/crun/crun-cache.ts';
import type { CrunCacheResult } from '../../oci/crun/crun-cache.ts';
import { CliCommand } from '../command.ts';
import { addCacheOptions, cacheOf } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import { addUnconfinedOption } from '../options/confined.ts';
import type { UnconfinedFlag } from '../options/confined.ts';
import { writeProduct } from '../output/streams.ts';
import { addOutputOptions } from '../options/add-options.ts';
import { diagnosticJson, printDiagnostics, table, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

interface Options extends TargetFlags, CacheFlags, UnconfinedFlag, OutputOptions {
  crun: string;
  root?: string;
}

const HELP = `
Experimental: the names of crun's files are an internal of crun, known for releases 1.14 to
1.29. The cache saves crun the compilation at the first start after boot, with any engine
and without a change to any configuration.

The name does not cover errnos. If two profiles differ only in errnos, crun uses the first
one that is cached for both. Such a filter is not written, and the exit code is 1.

Examples:
  seccompc crun-cache warm config.json
  seccompc crun-cache status config.json`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('crun-cache')
    .usage('warm|status CONFIG... [OPTION...]')
    .description("Puts filters into crun's own cache of compiled profiles (experimental).")
    .addHelpText('after', HELP);
  const add = (task: 'warm' | 'status', description: string) => {
    const added = command
      .command(task)
      .description(description)
      .argument('<CONFIG...>', 'config.json files or folders of bundles, as crun will see them')
      .option('--crun <PROGRAM>', 'which crun', 'crun')
      .option('--root <DIR>', "crun's state folder (default: /run/crun, or crun below $XDG_RUNTIME_DIR)")
      .addHelpText('after', `\nExample:\n  seccompc crun-cache ${task} bundle/config.json`)
      .runs((configs: string[], options: Options) => run(configs, task, options));
    addTargetOptions(addCacheOptions(addOutputOptions(addUnconfinedOption(added))));
  };
  add('warm', 'put the filters of these configurations into the cache');
  add('status', 'say what the cache has for them');
  return command;
}

async function run(configs: string[], task: 'warm' | 'status', options: Options): Promise<number> {
  const target = targetOf(options);
  const { allowUnconfined = false } = options;
  const cache = openCrunCache(options.crun, options.root, options.force ?? false);
  const compiler = makeConfigCompiler({ target, prove: 'auto' }, () => cacheOf(options));
  const results: CrunCacheResult[] = [];
  try {
    // One by one: each may conflict with what an earlier one wrote.
    for (const config of configs) {
      const result = await doCrunCache(config, task, { cache, compiler, target, allowUnconfined });
      results.push(result);
      if (!options.json) await print(result, options);
    }
  } finally {
    await compiler.close();
  }
  if (options.json)
    await writeProduct(
      toJson({
        folder: cache.folder,
        crun: cache.build.version,
        configs: results.map(({ config, status, key, diagnostics }) => ({
          config,
          status,
          key: key ?? null,
          diagnostics: diagnostics.map(diagnosticJson),
        })),
      }),
    );
  const failed = results.find(isFailure);
  if (failed !== undefined) return new SeccompcError(failed.diagnostics).exitCode;
  return results.some(({ status }) => status === 'conflict') ? EXIT.no : EXIT.ok;
}

async function print({ config, status, diagnostics }: CrunCacheResult, output: OutputOptions): Promise<void> {
  await printDiagnostics(diagnostics, output);
  await writeProduct(table([[status, config]]));
}
