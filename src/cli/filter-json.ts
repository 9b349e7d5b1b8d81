import { filterDocument } from '../serve/filter-document.ts';
import type { Compiled } from './compile-run.ts';
import { toJson } from './report.ts';

/** The document of `compile --json`: the program, what a runtime must know beside it, and how it was made. */
export function filterJson({ filter, tier, key, warnings }: Compiled): string {
  return toJson(filterDocument(filter, { tier, key }, warnings));
}
