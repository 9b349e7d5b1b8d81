import { diagnostic } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';

/** Characters of all diagnostics together, per diagnostic that is allowed. */
const CHARACTERS = 1000;

/**
 * At most so many diagnostics, errors before others, in their order, and the number of those left out. A text of
 * unlimited length, such as a key of the profile in a pointer, counts by its length.
 */
export function boundDiagnostics(found: readonly Diagnostic[], most = Infinity): readonly Diagnostic[] {
  let room = most * CHARACTERS;
  const kept = new Set<Diagnostic>();
  const rank = ({ severity }: Diagnostic) => (severity === 'error' ? 0 : 1);
  for (const one of found.toSorted((a, b) => rank(a) - rank(b))) {
    room -= one.message.length + (one.pointer?.length ?? 0) + (one.hint?.length ?? 0);
    if (kept.size >= most || room < 0) break;
    kept.add(one);
  }
  const rest = found.length - kept.size;
  if (rest === 0) return found;
  // A refusal has an error, even if none of its own is short enough.
  const isError = (one: Diagnostic) => one.severity === 'error';
  const severity = found.some(isError) && ![...kept].some(isError) ? 'error' : 'note';
  const left = diagnostic('DIAGNOSTICS_LEFT_OUT', { count: rest }, { severity });
  return [...found.filter((one) => kept.has(one)), left];
}
