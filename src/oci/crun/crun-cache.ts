/** Puts filters into crun's own cache. Experimental: that cache is an internal of crun. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { machine, release, version } from 'node:os';
import { join } from 'node:path';
import { diagnostic, fail } from '../../errors.ts';
import type { Diagnostic } from '../../errors.ts';
import { encodeBase64 } from '../../format/text.ts';
import type { Target } from '../../target.ts';
import { configFile, faultsOf, notConfined, readable } from '../bundle.ts';
import type { ConfigCompiler } from '../compiler.ts';
import { readConfig } from '../config.ts';
import { crunCacheKey } from './crun-key.ts';
import type { CrunBuild } from './crun-key.ts';
import { judgeAnnotation, referenceOf } from '../judge.ts';
import { replaceFile } from '../../fs/replace.ts';
import { systemReason } from '../../fs/system-reason.ts';
import { readTrusted, trustedDirectory, UntrustedPath } from '../../fs/trust.ts';

/** Releases 1.x of crun that make names as crun-key.ts does. */
const KNOWN_RELEASES = { first: 14, last: 29 };

/**
 * `cached`: our filter is there. `equivalent`: another program, proved to mean the same.
 * `conflict`: a program that means something else, as crun's names leave out errnos. `annotated`:
 * crun reads the annotation instead of its cache. `unconfined`: asks for no filter.
 */
export type CrunCacheStatus =
  | 'written'
  | 'cached'
  | 'equivalent'
  | 'absent'
  | 'conflict'
  | 'annotated'
  | 'unconfined'
  | 'failed';

export interface CrunCacheResult {
  config: string;
  status: CrunCacheStatus;
  /** Name of the file in the cache. */
  key?: string;
  diagnostics: readonly Diagnostic[];
}

export interface CrunCache {
  folder: string;
  build: CrunBuild;
}

/**
 * @param program Name or path of crun.
 * @param stateRoot crun's `--root`; its default if undefined.
 * @throws SeccompcError CRUN_MISSING; CRUN_WITHOUT_CACHE; CRUN_UNTESTED unless `force`
 */
export function openCrunCache(program: string, stateRoot: string | undefined, force: boolean): CrunCache {
  const run = spawnSync(program, ['features'], { encoding: 'utf8' });
  if (run.error !== undefined) fail('CRUN_MISSING', { program, reason: systemReason(run.error) });
  const build = readFeatures(run.stdout);
  if (build === undefined) {
    const said = run.stderr.trim();
    return fail('CRUN_WITHOUT_CACHE', {
      program,
      reason: said === '' ? 'it is too old to have a cache' : said,
    });
  }
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(build.version) ?? [];
  const known =
    major === '1' && Number(minor) >= KNOWN_RELEASES.first && Number(minor) <= KNOWN_RELEASES.last;
  if (!known && !force) fail('CRUN_UNTESTED', { version: build.version });
  return { folder: join(stateRoot ?? defaultStateRoot(), '.cache', 'seccomp'), build };
}

/** A crun without the version of its library is older than these names. */
function readFeatures(text: string): CrunBuild | undefined {
  try {
    const { annotations } = JSON.parse(text) as { annotations?: Record<string, string> };
    const crun = annotations?.['run.oci.crun.version'];
    const numbers = /^(\d+)\.(\d+)\.(\d+)$/.exec(annotations?.['io.github.seccomp.libseccomp.version'] ?? '');
    if (crun === undefined || numbers === null) return undefined;
    return { version: crun, libseccomp: [Number(numbers[1]), Number(numbers[2]), Number(numbers[3])] };
  } catch {
    return undefined;
  }
}

function defaultStateRoot(): string {
  if (process.geteuid?.() === 0) return '/run/crun';
  const runtime = process.env['XDG_RUNTIME_DIR'];
  if (!runtime)
    fail('USAGE', { reason: "crun's state is in $XDG_RUNTIME_DIR, which is not set: give --root" });
  return join(runtime, 'crun');
}

export interface CrunCacheContext {
  cache: CrunCache;
  compiler: ConfigCompiler;
  target: Target;
  /** Whether a configuration may ask for no filter. */
  allowUnconfined: boolean;
}

export async function doCrunCache(
  config: string,
  task: 'warm' | 'status',
  context: CrunCacheContext,
): Promise<CrunCacheResult> {
  try {
    return { config, ...(await find(config, task, context)) };
  } catch (error) {
    return { config, status: 'failed', diagnostics: faultsOf(error, config) };
  }
}

async function find(
  given: string,
  task: 'warm' | 'status',
  { cache, compiler, target, allowUnconfined }: CrunCacheContext,
): Promise<Omit<CrunCacheResult, 'config'>> {
  const file = await configFile(given);
  const config = readConfig(await readable(() => readFile(file)), file);
  const { seccomp, annotation: loaded } = config;
  if (seccomp !== undefined && loaded !== undefined) return { status: 'annotated', diagnostics: [] };
  const compiled = await compiler.compile(config);
  const { diagnostics } = compiled;
  if (seccomp === undefined || !compiled.confined)
    return { status: 'unconfined', diagnostics: [...diagnostics, notConfined(file, allowUnconfined)] };

  const { filter, annotation } = compiled;
  const host = { release: release(), version: version(), machine: machine() };
  const key = crunCacheKey(seccomp, cache.build, host, config.failUnknown);
  const path = join(cache.folder, key);
  const present = readPresent(path);
  if (present !== undefined) {
    const program = encodeBase64(present);
    if (program === annotation) return { status: 'cached', key, diagnostics };
    const reference = (await referenceOf(config, target))!;
    const fault = await judgeAnnotation(program, reference, target);
    if (fault !== undefined) {
      const conflict = diagnostic('CRUN_CACHE_CONFLICT', { path });
      return { status: 'conflict', key, diagnostics: [...diagnostics, { ...conflict, file }] };
    }
    if (task === 'status') return { status: 'equivalent', key, diagnostics };
  }
  if (task === 'status') return { status: 'absent', key, diagnostics };
  store(cache.folder, key, filter.bytes);
  return { status: 'written', key, diagnostics };
}

/** crun never deletes files with the sticky bit, and ignores names with a dot. */
const MODE = 0o1700;

/** Containers that run have the old file by a hard link, so it is never changed in place. */
function store(folder: string, key: string, bytes: Uint8Array): void {
  try {
    replaceFile(join(trustedDirectory(folder, { make: true }), key), bytes, { mode: MODE });
  } catch (cause) {
    refuseUntrusted(cause);
    fail('OUTPUT_NOT_WRITTEN', { file: folder, reason: systemReason(cause) }, { cause });
  }
}

/** What crun would load, if anything. @throws SeccompcError if others can write there */
function readPresent(path: string): Uint8Array | undefined {
  try {
    return readTrusted(path);
  } catch (cause) {
    refuseUntrusted(cause);
    return fail('INPUT_UNREADABLE', { reason: systemReason(cause) }, { cause });
  }
}

function refuseUntrusted(cause: unknown): void {
  if (cause instanceof UntrustedPath)
    fail('PLACE_UNSAFE', { path: cause.path, reason: cause.reason }, { cause });
}
