import { membersOf } from '../cache/members.ts';
import { sha256 } from '../cache/sha256.ts';
import { diagnostic, diagnosticJson } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { encodeBase64 } from '../format/text.ts';
import type { Filter } from '../compile.ts';

/** A filter as JSON: what `compile --json` prints and the server answers. */
export interface FilterDocument {
  /** The program in base64; empty when there is none. */
  bytes: string;
  /** How many. */
  instructions: number;
  convertedLength: number;
  /** SHA-256 of the program, 64 hex digits. */
  sha256: string;
  confined: boolean;
  endian: Filter['endian'];
  arches: Filter['arches'];
  target: Filter['target'];
  /** null: the profile has none, and runtimes take SECCOMP_FILTER_FLAG_SPEC_ALLOW. */
  flags: Exclude<Filter['flags'], undefined> | null;
  listenerPath: string | null;
  proved: boolean;
  /** The kind of store that answered, or `none`; the key is null without a cache. */
  cache: { tier: string; key: string | null };
  diagnostics: ReturnType<typeof diagnosticJson>[];
}

/** `warnings` are those of the cache, and come first. */
export function filterDocument(
  filter: Filter,
  cache: FilterDocument['cache'],
  warnings: readonly Diagnostic[],
): FilterDocument {
  const { bytes, target } = filter;
  const unconfined = filter.confined ? [] : [diagnostic('NOT_CONFINED')];
  return {
    bytes: encodeBase64(bytes),
    instructions: filter.instructions.length,
    convertedLength: filter.convertedLength,
    sha256: sha256(bytes),
    confined: filter.confined,
    endian: filter.endian,
    arches: filter.arches,
    target,
    flags: filter.flags ?? null,
    listenerPath: filter.listenerPath ?? null,
    proved: filter.proved,
    cache,
    diagnostics: [...warnings, ...unconfined, ...filter.diagnostics].map(diagnosticJson),
  };
}

/** The diagnostic that a JSON object stands for; a newer build may have codes that this one does not know. */
export function readDiagnostic(value: unknown): Diagnostic {
  const members = [...(membersOf(value) ?? [])].filter(([, member]) => member !== null);
  return Object.fromEntries(members) as unknown as Diagnostic;
}
