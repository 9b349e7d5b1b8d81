import { sha256 } from '../../cache/records/sha256.ts';
import type { Filter } from '../../compile.ts';
import type { Diagnostic } from '../../errors.ts';
import { filterDocument } from '../../format/filter-document.ts';
import { toJson } from './report.ts';

/** A filter and where it came from. */
export interface Compiled {
  filter: Filter;
  /** The kind of store that answered, or `none`. */
  tier: string;
  /** null without a cache. */
  key: string | null;
  warnings: Diagnostic[];
}

/**
 * The document of `compile --json`: the program, what a runtime needs besides it, and how it was
 * made.
 */
export function filterJson({ filter, tier, key, warnings }: Compiled): string {
  return toJson(filterDocument(filter, { sha256: sha256(filter.bytes), cache: { tier, key }, warnings }));
}
