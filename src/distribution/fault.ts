import { diagnostic, SeccompcError } from '../errors.ts';
import type { Code } from '../errors.ts';

/** A registry that cannot be asked, refuses, or gives something else than was asked for. */
export class RegistryFault extends SeccompcError {
  constructor(code: Code & `REGISTRY_${string}`, values: Record<string, string | number>, cause?: unknown) {
    super([diagnostic(code, values)], { cause });
  }

  get code(): Code {
    return this.diagnostics[0]!.code;
  }
}
