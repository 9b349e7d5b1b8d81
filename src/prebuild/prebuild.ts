import type { CompileSettings } from '../compile.ts';
import { SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import type { Target } from '../target.ts';
import { sha256 } from '../cache/records/sha256.ts';
import { readDiagnostic } from '../format/filter-document.ts';
import type { FilterDocument } from '../format/filter-document.ts';
import type { CompilerPool } from '../workers/pool.ts';
import type { ProfileFile } from './profile-files.ts';

/** One profile, read. */
export interface PrebuildInput extends ProfileFile {
  bytes: Uint8Array;
}

/** What every profile is compiled for, and how. */
export interface Matrix {
  targets: readonly Target[];
  options: Pick<CompileSettings, 'optimize' | 'prove'>;
  /** Whether a profile that asks for no filter is accepted. */
  allowUnconfined: boolean;
}

/** One profile for one target, done. */
export interface Built {
  input: PrebuildInput;
  target: Target;
  /** Undefined for a profile that was refused. */
  filter: { document: FilterDocument; bytes: Uint8Array } | undefined;
  /** Of the profile, in order. */
  diagnostics: Diagnostic[];
  /** What was wrong with the cache. */
  cacheFaults: Diagnostic[];
}

/**
 * Compiles every profile for every target, as many at a time as the pool has threads. The result is
 * in the order of inputs and targets, whichever was done first; a profile that is refused keeps
 * none of the others.
 */
export async function prebuild(
  inputs: readonly PrebuildInput[],
  { targets, options, allowUnconfined }: Matrix,
  pool: CompilerPool,
  onDone: () => void,
): Promise<Built[]> {
  const pairs = inputs.flatMap((input) => targets.map((target) => ({ input, target })));
  return Promise.all(
    pairs.map(async ({ input, target }) => {
      const built = await build(input, { ...options, target, file: input.path }, pool, allowUnconfined);
      onDone();
      return built;
    }),
  );
}

async function build(
  input: PrebuildInput,
  options: CompileSettings,
  pool: CompilerPool,
  allowUnconfined: boolean,
): Promise<Built> {
  const { target } = options;
  try {
    const { document, bytes, warnings } = await pool.compile({ input: input.bytes, options });
    const diagnostics = document.diagnostics.map(readDiagnostic).map((d) => ({ file: input.path, ...d }));
    if (!document.confined && !allowUnconfined) throw new SeccompcError(diagnostics.map(asError));
    return { input, target, filter: { document, bytes }, diagnostics, cacheFaults: warnings };
  } catch (error) {
    if (!(error instanceof SeccompcError)) throw error;
    const diagnostics = error.diagnostics.map((d) => ({ file: input.path, ...d }));
    return { input, target, filter: undefined, diagnostics, cacheFaults: [] };
  }
}

function asError(found: Diagnostic): Diagnostic {
  return found.code === 'NOT_CONFINED' ? { ...found, severity: 'error' } : found;
}

/** Version of the index below. */
const INDEX_FORMAT = 1;

/** Where a program is, below the folder of the index. */
export function programPath(digest: string): string {
  return `filters/${digest}.bpf`;
}

/** The programs by name. Depends on nothing but the profiles, the targets and this version. */
export function makeIndex(built: readonly Built[], version: string): object {
  const filters = built.flatMap(({ input, target, filter }) => {
    if (filter === undefined) return [];
    const { document } = filter;
    const { confined, endian, arches, flags, listenerPath, proved } = document;
    const { instructions, convertedLength } = document;
    return [
      {
        profile: input.name,
        profileSha256: sha256(input.bytes),
        target,
        /** null: the profile asks for no filter. */
        filter: confined ? { path: programPath(document.sha256), sha256: document.sha256 } : null,
        instructions,
        convertedLength,
        endian,
        arches,
        flags,
        listenerPath,
        proved,
      },
    ];
  });
  return { format: INDEX_FORMAT, version, filters };
}
