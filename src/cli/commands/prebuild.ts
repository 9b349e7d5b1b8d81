import { rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { ArchName } from '../../arch.ts';
import type { Cache } from '../../cache/compile-cached.ts';
import { filesIn } from '../../cache/plain-files.ts';
import { packageVersion } from '../../cache/version.ts';
import { diagnostic, EXIT, fail, SeccompcError } from '../../errors.ts';
import type { Diagnostic, ExitCode } from '../../errors.ts';
import { isTemporaryName } from '../../fs/replace.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { compilerPool } from '../../workers/pool.ts';
import { Index, programPath } from '../../prebuild/index-file.ts';
import { distinct, prebuild } from '../../prebuild/prebuild.ts';
import { findProfiles } from '../../prebuild/profile-files.ts';
import type { ProfileFile } from '../../prebuild/profile-files.ts';
import { programOf } from '../../options/flags.ts';
import { optionsIn } from '../../options/table.ts';
import type { ProgramFlags } from '../../options/table.ts';
import { parseProfile } from '../../profile/read.ts';
import type { KernelVersion, Target } from '../../target.ts';
import { CliCommand } from '../command.ts';
import { addCacheOptions, workingCache } from '../options/cache-options.ts';
import type { CacheFlags } from '../options/cache-options.ts';
import type { UnconfinedFlag } from '../options/confined.ts';
import { readInput } from '../options/input-file.ts';
import { addOptions, addOutputOptions, wholeNumber } from '../options/add-options.ts';
import { writeParts, writeProduct } from '../output/streams.ts';
import { makeProgress } from '../output/progress.ts';
import { diagnosticJson, printDiagnostics, writeStderr } from '../output/report.ts';
import type { OutputOptions } from '../output/report.ts';
import { printableJson } from '../output/text.ts';
import { takeArches, takeKernels } from '../options/target-lists.ts';
import { addTargetOptions, targetOf } from '../options/target-options.ts';
import type { TargetFlags } from '../options/target-options.ts';

interface Options
  extends Omit<TargetFlags, 'arch' | 'kernel'>, ProgramFlags, CacheFlags, UnconfinedFlag, OutputOptions {
  arch?: ArchName[];
  kernel?: KernelVersion[];
  out?: string;
  push?: string;
  jobs?: number;
  skipOthers?: true;
}

const HELP = `
Compiles every profile for every --arch and every --kernel. The filters go into the cache,
where "compile" and "serve" find them, and with --out into files named by their SHA-256 with
an index.json. A profile that is refused is reported, and the others are still compiled. A run
that was ended goes on where it stopped when it is started again.

Examples:
  seccompc prebuild profiles/ --arch x86_64,aarch64 --kernel 5.15,6.1
  seccompc prebuild default.json --arch all --out filters/
  seccompc prebuild profiles/ --arch all --push oci://registry.example/cache --sign release.pem`;

export function makeCommand(): CliCommand {
  const command = new CliCommand('prebuild')
    .description('Compiles profiles for many targets on all cores, to be shipped with an image.')
    .argument('PROFILE|DIR...', 'profiles, and folders: all .json files below them')
    .option('-o, --out <DIR>', 'write files and an index there')
    .option(
      '--push <URL>',
      'fill this server too, and fail if that fails: redis:, postgres:, oci://HOST/NAME',
    )
    .option('--jobs <N>', 'compile so many at a time (default: one for each core)', wholeNumber(1, 999))
    .option('--skip-others', 'skip .json files below a folder that are no profiles')
    .addHelpText('after', HELP)
    .runs(run);
  addOptions(command, optionsIn('program', 'input'));
  addTargetOptions(addCacheOptions(addOutputOptions(command)));
  takeArches(command, 'native architectures, with commas, or "all" (default: this machine)');
  takeKernels(command, 'kernel releases, with commas (default: this machine)');
  return command;
}

async function run(paths: string[], given: Options): Promise<number> {
  const { out, push } = given;
  const options = push === undefined ? given : { ...given, cache: await serverAt(push, given) };
  if (out === undefined && options.cache === false)
    fail('USAGE', { reason: '--no-cache without --out leaves no place for the filters' });
  const targets = targetsOf(options);
  const files = await findProfiles(paths);
  const folder = out === undefined ? undefined : await openFolder(out);
  const outcome: Outcome = {
    index: new Index(targets),
    counts: { asked: 0, done: 0, compiled: 0, others: 0 },
    programs: new Set(),
    cacheFaults: [],
    found: [],
  };
  await buildAll(files, targets, options, outcome, folder);
  if (folder !== undefined) await folder.finish(outcome.index);
  return report(outcome, options);
}

async function serverAt(address: string, { cache }: Options): Promise<string> {
  if (cache !== undefined) fail('USAGE', { reason: '--push needs no --cache and no --no-cache' });
  const { openStore } = await import('../../cache/open.ts');
  if (!openStore(address).shared)
    fail('USAGE', { reason: `--push takes the address of a server, not "${address}"` });
  return address;
}

/** Whether the cache is a place that the filters have to get to. */
function needsCache({ out, push }: Options): boolean {
  return out === undefined || push !== undefined;
}

/** What is kept of the work that is done: nothing whose size is that of profiles or programs. */
interface Outcome {
  index: Index;
  counts: Record<'asked' | 'done' | 'compiled' | 'others', number>;
  /** The SHA-256 of each program. */
  programs: Set<string>;
  cacheFaults: Diagnostic[];
  /** By the position of the profile. */
  found: Diagnostic[][];
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

function whyNoProfile(
  bytes: Uint8Array,
  file: string,
  semantics: Target['semantics'],
): Diagnostic | undefined {
  return parseProfile(bytes, { file, semantics }).diagnostics.find(({ code }) => code === 'NOT_A_PROFILE');
}

async function buildAll(
  files: readonly ProfileFile[],
  targets: readonly Target[],
  options: Options,
  { index, counts, programs, cacheFaults, found }: Outcome,
  folder: Folder | undefined,
): Promise<void> {
  const total = files.length * targets.length;
  const threads = Math.min(options.jobs ?? availableParallelism(), total);
  const cache = await workingCache(options, (fault) => {
    if (needsCache(options)) throw new SeccompcError([cacheFailure(fault)]);
    cacheFaults.push(fault);
  });
  const pool = compilerPool({ size: threads, cache: cache && filledCache(cache) });
  const progress = makeProgress(total, options);
  let done = 0;
  const matrix = {
    targets,
    options: programOf(options),
    allowUnconfined: options.allowUnconfined ?? false,
  };
  try {
    await prebuild(
      files,
      matrix,
      { pool, threads },
      {
        onDone: (count) => progress.show((done += count)),
        async read(file, at) {
          try {
            const bytes = await readInput(file.path);
            const other =
              options.skipOthers && file.found && whyNoProfile(bytes, file.path, targets[0]!.semantics);
            if (!other) return bytes;
            found[at] = [{ ...other, severity: 'note' }];
            counts.others += 1;
          } catch (error) {
            if (!(error instanceof SeccompcError)) throw error;
            found[at] = [...error.diagnostics];
          }
          return undefined;
        },
        async take(built, at) {
          index.add(built, at);
          found[at] = built.diagnostics;
          cacheFaults.splice(0, Infinity, ...distinct([...cacheFaults, ...built.cacheFaults]));
          counts.asked += targets.length;
          for (const filter of built.filters) {
            if (filter === undefined) continue;
            const { confined, sha256, cache: answer } = filter.document;
            counts.done += 1;
            if (answer.tier === 'none') counts.compiled += 1;
            if (programs.has(sha256)) continue;
            programs.add(sha256);
            if (confined) await folder?.write(sha256, filter.bytes);
          }
        },
      },
    );
  } finally {
    progress.clear();
    await pool.close();
    if (cache !== undefined) await (await import('../../cache/open.ts')).closeCache(cache);
  }
}

/**
 * A server gets every filter, also those that the user's own cache has, so that one is not asked.
 */
function filledCache(cache: Cache): Cache {
  const stores = cache.stores.filter(({ shared }) => shared);
  return stores.length === 0 ? cache : { ...cache, stores, turns: undefined };
}

function cacheFailure({ message, hint }: Diagnostic): Diagnostic {
  return diagnostic('CACHE_FAILED', { reason: message }, hint === undefined ? {} : { hint });
}

interface Folder {
  write: (digest: string, program: Uint8Array) => Promise<void>;
  finish: (index: Index) => Promise<void>;
}

/** The index is written last, when all files that it names exist. */
async function openFolder(folder: string): Promise<Folder> {
  const filters = join(folder, 'filters');
  for (const path of [folder, filters]) await makeFolder(path);
  // Another run may still write what is here now, but not until the end of this one.
  const leftOver = [folder, filters].flatMap((path) =>
    filesIn(path)
      .filter(({ name }) => isTemporaryName(name) && (path === filters || name.startsWith(`.${INDEX}.`)))
      .map(({ name }) => join(path, name)),
  );
  return {
    write: (digest, program) => writeProduct(program, join(folder, programPath(digest))),
    async finish(index) {
      await writeParts(printableParts(index.text(packageVersion())), join(folder, INDEX));
      for (const path of leftOver) rmSync(path, { force: true });
    },
  };
}

const INDEX = 'index.json';

function* printableParts(parts: Iterable<string>): Generator<string> {
  for (const part of parts) yield printableJson(part);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((cause: unknown) => {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return;
    fail('OUTPUT_NOT_CREATED', { file: path, reason: systemReason(cause) }, { cause });
  });
}

async function report(
  { index, counts, programs, cacheFaults, found }: Outcome,
  options: Options,
): Promise<number> {
  const ofCache = cacheFaults.map((fault) =>
    !needsCache(options) || fault.code === 'CACHE_ENTRY_REFUSED' ? fault : cacheFailure(fault),
  );
  const all = distinct([...ofCache, ...found.flat()]);
  const errors = all.filter(({ severity }) => severity === 'error');
  const exitCode = errors.length > 0 ? exitCodeOf(errors) : EXIT.ok;
  if (options.json) {
    const more = { failed: index.failed(), diagnostics: all.map(diagnosticJson) };
    await writeParts(printableParts(index.text(packageVersion(), more)));
    return exitCode;
  }
  await printDiagnostics(alike([...all.filter(({ severity }) => severity !== 'error'), ...errors]), options);
  if (!options.quiet) await writeStderr(summary(counts, programs.size));
  return exitCode;
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
function summary({ asked, done, compiled, others }: Outcome['counts'], programs: number): string {
  return `${[
    `${done} of ${asked} done (${programs} different filters)`,
    `${compiled} compiled, ${done - compiled} from the cache`,
    ...(others === 0 ? [] : [`${others} other files skipped`]),
    ...(done === asked ? [] : [`${asked - done} FAILED`]),
  ].join('; ')}\n`;
}
