import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { ArchName } from '../../arch.ts';
import type { Cache } from '../../cache/compile-cached.ts';
import { packageVersion } from '../../cache/version.ts';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic, ExitCode } from '../../errors.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { compilerPool } from '../../workers/pool.ts';
import { makeIndex, prebuild, programPath } from '../../prebuild/prebuild.ts';
import type { Built, PrebuildInput } from '../../prebuild/prebuild.ts';
import { findProfiles } from '../../prebuild/profile-files.ts';
import { programOf } from '../../options/flags.ts';
import { optionsIn } from '../../options/table.ts';
import type { ProgramFlags } from '../../options/table.ts';
import { parseProfile } from '../../profile/read.ts';
import type { KernelVersion, Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addCacheLocation, cacheOf } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import type { UnconfinedFlag } from '../options/confined.ts';
import { readInput } from '../options/input-file.ts';
import { addOptions, addOutputOptions, wholeNumber } from '../options/add-options.ts';
import { writeProduct } from '../output/streams.ts';
import { makeProgress } from '../output/progress.ts';
import { diagnosticJson, printDiagnostics, writeStderr, toJson } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { takeArches, takeKernels } from '../options/target-lists.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

interface Options
  extends Omit<TargetFlags, 'arch' | 'kernel'>, ProgramFlags, CacheFlags, UnconfinedFlag, OutputOptions {
  arch?: ArchName[];
  kernel?: KernelVersion[];
  out?: string;
  jobs?: number;
  skipOthers?: true;
}

const HELP = `
Compiles every profile for every --arch and every --kernel. The filters go into the cache,
where "compile" and "serve" find them, or with --out into files named by their SHA-256 with
an index.json. A profile that is refused is reported, and the others are still compiled.

Examples:
  seccompc prebuild profiles/ --arch x86_64,aarch64 --kernel 5.15,6.1
  seccompc prebuild default.json --arch all --out filters/`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('prebuild')
    .description('Compiles profiles for many targets on all cores, to be shipped with an image.')
    .argument('PROFILE|DIR...', 'profiles, and folders: all .json files below them')
    .option('-o, --out <DIR>', 'write files and an index there instead of filling the cache')
    .option('--jobs <N>', 'compile so many at a time (default: one for each core)', wholeNumber(1, 999))
    .option('--skip-others', 'skip .json files below a folder that are no profiles')
    .addHelpText('after', HELP)
    .runs(run);
  addOptions(command, optionsIn('program', 'input'));
  addTargetOptions(addCacheLocation(addOutputOptions(command)));
  takeArches(command, 'native architectures, with commas, or "all" (default: this machine)');
  takeKernels(command, 'kernel releases, with commas (default: this machine)');
  return command;
}

async function run(paths: string[], options: Options): Promise<number> {
  if (options.out !== undefined && options.cache !== undefined)
    fail('USAGE', { reason: '--out and --cache are two places for the same filters' });
  const targets = targetsOf(options);
  const { inputs, unreadable, others } = await readAll(
    await findProfiles(paths),
    options.skipOthers ?? false,
    targets[0]!,
  );
  const built = await buildAll(inputs, targets, options);
  const index = makeIndex(built, packageVersion());
  if (options.out !== undefined) await writeFolder(options.out, built, index);
  return report(built, index, { unreadable, others }, options);
}

function targetsOf({ arch, kernel, ...flags }: Options): Target[] {
  return (arch ?? [undefined]).flatMap((name) =>
    (kernel ?? [undefined]).map((version) =>
      targetOf({
        ...flags,
        ...(name === undefined ? {} : { arch: name }),
        ...(version === undefined ? {} : { kernel: version }),
      }),
    ),
  );
}

/** `others`: why files are left out that no profile is in; a profile with a fault is not one of them. */
async function readAll(
  files: Awaited<ReturnType<typeof findProfiles>>,
  skipOthers: boolean,
  { semantics }: Target,
) {
  const inputs: PrebuildInput[] = [];
  const unreadable: Diagnostic[] = [];
  const others: Diagnostic[] = [];
  for (const file of files) {
    try {
      const bytes = await readInput(file.path);
      const other = skipOthers && file.found ? whyNoProfile(bytes, file.path, semantics) : undefined;
      if (other === undefined) inputs.push({ ...file, bytes });
      else others.push({ ...other, severity: 'note' });
    } catch (error) {
      if (!(error instanceof SeccompcError)) throw error;
      unreadable.push(...error.diagnostics);
    }
  }
  return { inputs, unreadable, others };
}

function whyNoProfile(
  bytes: Uint8Array,
  file: string,
  semantics: Target['semantics'],
): Diagnostic | undefined {
  return parseProfile(bytes, { file, semantics }).diagnostics.find(({ code }) => code === 'NOT_A_PROFILE');
}

async function buildAll(
  inputs: readonly PrebuildInput[],
  targets: readonly Target[],
  options: Options,
): Promise<Built[]> {
  const total = inputs.length * targets.length;
  const cache = options.out === undefined ? await openCache(options) : undefined;
  const pool = compilerPool({ size: Math.min(options.jobs ?? availableParallelism(), total), cache });
  const progress = makeProgress(total, options);
  let done = 0;
  try {
    const { allowUnconfined = false } = options;
    const matrix = { targets, options: programOf(options), allowUnconfined };
    return await prebuild(inputs, matrix, pool, () => progress.show((done += 1)));
  } finally {
    progress.clear();
    await pool.close();
    if (cache !== undefined) await (await import('../../cache/open.ts')).closeCache(cache);
  }
}

/** The cache is the output of this command, so a fault of it ends the command. */
async function openCache(flags: CacheFlags): Promise<Cache | undefined> {
  const { CacheFault } = await import('../../cache/stores/store.ts');
  try {
    return await cacheOf(flags);
  } catch (cause) {
    throw cause instanceof CacheFault
      ? new SeccompcError([cacheFailure(cause.diagnostic)], { cause })
      : cause;
  }
}

function cacheFailure({ message, hint }: Diagnostic): Diagnostic {
  return diagnostic('CACHE_FAILED', { reason: message }, hint === undefined ? {} : { hint });
}

/** Writes the index last, when all files that it names exist. */
async function writeFolder(folder: string, built: readonly Built[], index: object): Promise<void> {
  const programs = new Map<string, Uint8Array>();
  for (const { filter } of built)
    if (filter?.document.confined) programs.set(programPath(filter.document.sha256), filter.bytes);
  for (const path of [folder, join(folder, 'filters')]) await makeFolder(path);
  for (const [path, bytes] of programs) await writeProduct(bytes, join(folder, path));
  await writeProduct(toJson(index), join(folder, 'index.json'));
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    fail('OUTPUT_NOT_CREATED', { file: path, reason: systemReason(cause) }, { cause });
  });
}

async function report(
  built: readonly Built[],
  index: object,
  { unreadable, others }: Record<'unreadable' | 'others', readonly Diagnostic[]>,
  options: Options,
): Promise<number> {
  const cacheFaults = built
    .flatMap((one) => one.cacheFaults)
    .map((found) => (found.code === 'CACHE_ENTRY_REFUSED' ? found : cacheFailure(found)));
  const found = built.flatMap(({ diagnostics }) => diagnostics);
  const all = distinct([...others, ...cacheFaults, ...unreadable, ...found]);
  const errors = all.filter(({ severity }) => severity === 'error');
  const failed = built.filter(({ filter }) => filter === undefined);
  const exitCode = errors.length > 0 ? exitCodeOf(errors) : EXIT.ok;
  if (options.json) {
    const refused = failed.map(({ input, target }) => ({ profile: input.name, target }));
    await writeProduct(toJson({ ...index, failed: refused, diagnostics: all.map(diagnosticJson) }));
    return exitCode;
  }
  await printDiagnostics(alike([...all.filter(({ severity }) => severity !== 'error'), ...errors]), options);
  if (!options.quiet) await writeStderr(summary(built, failed.length, others.length));
  return exitCode;
}

/** A profile causes the same diagnostics for most targets. */
function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...new Map(diagnostics.map((found) => [JSON.stringify(found), found])).values()];
}

/** The first of those that say the same of several files, with the names of the others. */
function alike(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  const groups = new Map<string, Diagnostic[]>();
  for (const found of diagnostics) {
    const key = `${found.severity} ${found.code} ${found.message}`;
    groups.set(key, [...(groups.get(key) ?? []), found]);
  }
  return [...groups.values()].flatMap(([first, ...rest]) => {
    const files = new Set([first!, ...rest].map(({ file }) => file));
    if (files.size === 1) return [first!, ...rest];
    const names = [...files].slice(1, 1 + MOST_FILES).join(', ');
    const more = files.size - 1 - MOST_FILES;
    const others = more > 0 ? `${names} and ${more} more files` : names;
    return [{ ...first!, message: `${first!.message}; also in ${others}` }];
  });
}

const MOST_FILES = 3;

/** The most serious one: a bug, then the cache, then a profile, then a file. */
function exitCodeOf(errors: readonly Diagnostic[]): ExitCode {
  const codes = new Set(errors.map((found) => new SeccompcError([found]).exitCode));
  const order = [EXIT.software, EXIT.unavailable, EXIT.dataError, EXIT.noInput];
  return order.find((code) => codes.has(code)) ?? EXIT.dataError;
}

/** For people; its wording is not an interface. */
function summary(built: readonly Built[], failed: number, others: number): string {
  const filters = built.flatMap(({ filter }) => filter ?? []);
  const compiled = filters.filter(({ document }) => document.cache.tier === 'none').length;
  const distinctPrograms = new Set(filters.map(({ document }) => document.sha256)).size;
  return `${[
    `${filters.length} of ${built.length} done (${distinctPrograms} different filters)`,
    `${compiled} compiled, ${filters.length - compiled} from the cache`,
    ...(others === 0 ? [] : [`${others} other files skipped`]),
    ...(failed === 0 ? [] : [`${failed} FAILED`]),
  ].join('; ')}\n`;
}
