import { SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';

/** A profile that is not compiled. The same request gets the same refusal without any work. */
export class Refusal extends SeccompcError {
  /**
   * Milliseconds by performance.now() from which on it is tried again; Infinity for a profile that
   * is wrong.
   */
  readonly until: number;

  constructor(diagnostics: readonly Diagnostic[], until: number, options: { cause?: unknown } = {}) {
    super(diagnostics, options);
    this.until = until;
  }
}
