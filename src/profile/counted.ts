import { diagnostic } from '../errors.ts';
import type { Code, Diagnostic } from '../errors.ts';
import type { Position } from './types.ts';

type Place = { pointer: string; hint?: string | undefined } & Partial<Position>;

/**
 * One diagnostic for each kind: it has the place of the first, and its message counts the others.
 */
export class CountedFindings {
  readonly #found = new Map<
    string,
    { code: Code; values: Record<string, string>; place: Place; count: number }
  >();

  /**
   * @param kind Only the first finding of a kind is kept.
   * @param place Called for the first finding of a kind.
   */
  add(kind: string, code: Code, values: Record<string, string>, place: () => Place): void {
    const before = this.#found.get(kind);
    if (before) before.count += 1;
    else this.#found.set(kind, { code, values, place: place(), count: 1 });
  }

  diagnostics(): Diagnostic[] {
    return [...this.#found.values()].map(({ code, values, place, count }) => {
      const { pointer, hint, ...position } = place;
      return { ...diagnostic(code, { ...values, more: more(count) }, { pointer, hint }), ...position };
    });
  }
}

function more(count: number): string {
  if (count < 2) return '';
  return count === 2 ? ' (and once more)' : ` (and ${count - 1} more times)`;
}
