import type { CompileSettings } from '../compile.ts';
import { SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Target } from '../target.ts';
import { sha256 } from '../cache/records/sha256.ts';
import { readDiagnostic } from '../format/filter-document.ts';
import type { CompilerPool } from '../workers/pool.ts';
import type { Product } from '../workers/messages.ts';
import type { ProfileFile } from './profile-files.ts';

/** What every profile is compiled for, and how. */
export interface Matrix {
  targets: readonly Target[];
  options: Pick<CompileSettings, 'optimize' | 'prove'>;
  /** Whether a profile that asks for no filter is accepted. */
  allowUnconfined: boolean;
}

/** One profile for every target, in their order. */
export interface Built {
  file: ProfileFile;
  /** Of the profile, 64 hex digits. */
  sha256: string;
  /** Undefined where the profile was refused. */
  filters: (Pick<Product, 'document' | 'bytes'> | undefined)[];
  /** Each once. */
  diagnostics: Diagnostic[];
  /** What was wrong with the cache. */
  cacheFaults: Diagnostic[];
}

/** Where profiles come from and what becomes of them. */
export interface PrebuildSteps {
  /** Undefined for a file that is left out. */
  read: (file: ProfileFile, at: number) => Promise<Uint8Array | undefined>;
  /** In the order in which profiles are done. */
  take: (built: Built, at: number) => Promise<void>;
  /** So many more profiles for a target are done, or left out. */
  onDone: (count: number) => void;
}

/**
 * Compiles every profile for every target. A profile that is refused keeps none of the others. What
 * is read and not yet taken is bounded by the threads and targets, however many profiles there are.
 */
export async function prebuild(
  files: readonly ProfileFile[],
  matrix: Matrix,
  { pool, threads }: { pool: CompilerPool; threads: number },
  { read, take, onDone }: PrebuildSteps,
): Promise<void> {
  const { length } = matrix.targets;
  // Shared, and a generator, so that a loop that fails ends it for all of them.
  const rest = entriesOf(files);
  const work = async () => {
    for (const [at, file] of rest) {
      const bytes = await read(file, at);
      if (bytes === undefined) onDone(length);
      else await take(await build(file, bytes, matrix, pool, onDone), at);
    }
  };
  // Each thread has one job that runs and one that waits.
  const loops = Math.ceil((2 * threads) / length) + 1;
  await Promise.all(Array.from({ length: loops }, work));
}

function* entriesOf<T>(items: readonly T[]): Generator<[number, T]> {
  yield* items.entries();
}

async function build(
  file: ProfileFile,
  input: Uint8Array,
  { targets, options, allowUnconfined }: Matrix,
  pool: CompilerPool,
  onDone: PrebuildSteps['onDone'],
): Promise<Built> {
  const outcomes = await Promise.all(
    targets.map(async (target) => {
      const settings = { ...options, target, file: file.path };
      const outcome = await buildOne(file, { input, options: settings }, pool, allowUnconfined);
      onDone(1);
      return outcome;
    }),
  );
  return {
    file,
    sha256: sha256(input),
    filters: outcomes.map(({ filter }) => filter),
    diagnostics: distinct(outcomes.flatMap(({ diagnostics }) => diagnostics)),
    cacheFaults: distinct(outcomes.flatMap(({ filter }) => filter?.warnings ?? [])),
  };
}

async function buildOne(
  { path }: ProfileFile,
  job: Parameters<CompilerPool['compile']>[0],
  pool: CompilerPool,
  allowUnconfined: boolean,
): Promise<{ filter: Product | undefined; diagnostics: Diagnostic[] }> {
  try {
    const filter = await pool.compile(job);
    const { confined, diagnostics: found } = filter.document;
    const diagnostics = found.map((one) => ({ file: path, ...readDiagnostic(one) }));
    if (!confined && !allowUnconfined) throw new SeccompcError(diagnostics.map(asError));
    return { filter, diagnostics };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    return { filter: undefined, diagnostics: error.diagnostics.map((d) => ({ file: path, ...d })) };
  }
}

function asError(found: Diagnostic): Diagnostic {
  return found.code === 'NOT_CONFINED' ? { ...found, severity: 'error' } : found;
}

/** A profile causes the same diagnostics for most targets. */
export function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...new Map(diagnostics.map((found) => [JSON.stringify(found), found])).values()];
}
