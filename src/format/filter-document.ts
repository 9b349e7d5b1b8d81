import type { Filter } from '../compile.ts';
import { diagnostic, diagnosticJson } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { encodeBase64 } from './text.ts';

/** A filter as JSON: what `compile --json` prints and the server answers. */
export interface FilterDocument {
  /** The program in base64; empty if there is none. */
  bytes: string;
  instructions: number;
  convertedLength: number;
  /** SHA-256 of the program, 64 hex digits. */
  sha256: string;
  confined: boolean;
  endian: Filter['endian'];
  arches: Filter['arches'];
  target: Filter['target'];
  /** null: the profile has no such member, and runtimes use SECCOMP_FILTER_FLAG_SPEC_ALLOW. */
  flags: Exclude<Filter['flags'], undefined> | null;
  listenerPath: string | null;
  proved: boolean;
  /** The kind of store that had the program, or `none`; the key is null without a cache. */
  cache: { tier: string; key: string | null };
  diagnostics: ReturnType<typeof diagnosticJson>[];
}

/** What a document says about a filter that is not in the filter. */
export interface DocumentDetails {
  /**
   * SHA-256 of the program, 64 hex digits: the caller makes it, because this module runs in
   * browsers.
   */
  sha256: string;
  cache: FilterDocument['cache'];
  /** Warnings of the cache; they come first. */
  warnings: readonly Diagnostic[];
}

export function filterDocument(filter: Filter, { sha256, cache, warnings }: DocumentDetails): FilterDocument {
  const { bytes, target } = filter;
  const unconfined = filter.confined ? [] : [diagnostic('NOT_CONFINED', {}, { severity: 'warning' })];
  return {
    bytes: encodeBase64(bytes),
    instructions: filter.instructions.length,
    convertedLength: filter.convertedLength,
    sha256,
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

/** The diagnostic that a JSON object describes. Newer builds may have codes unknown here. */
export function readDiagnostic(value: unknown): Diagnostic {
  const members = Object.entries(typeof value === 'object' && value !== null ? value : {});
  return Object.fromEntries(members.filter(([, member]) => member !== null)) as unknown as Diagnostic;
}
