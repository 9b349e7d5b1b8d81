import { collector, SeccompcError } from '../errors.ts';
import type { Diagnostic } from '../errors.ts';
import { byPlace } from '../profile/json-text.ts';
import { parseProfile } from '../profile/read.ts';
import type { ReadOptions } from '../profile/read.ts';
import type { Profile } from '../profile/types.ts';

/** A profile as text, as bytes, or as {@link parseProfile} returned it. */
export type ProfileInput = Profile | string | Uint8Array;

/** The diagnostics of one compilation, collected over all stages. */
export class Findings {
  /** Gives a diagnostic the line and column of its pointer, and keeps it. */
  readonly report: (found: Diagnostic) => void;
  /** The place of a pointer in words, for a message about another one. */
  readonly placeOf: (pointer: string, from: string) => string;
  readonly #found: Diagnostic[];

  constructor(profile: Profile, found: readonly Diagnostic[]) {
    this.#found = [...found];
    const keep = collector(this.#found);
    this.report = (d) => {
      const position = d.pointer === undefined ? undefined : profile.locate(d.pointer);
      // A copy would compute the hint, which may never be read.
      keep(Object.assign(d, { file: profile.file, ...position }));
    };
    this.placeOf = (pointer, from) => {
      const [there, here] = [profile.locate(pointer), profile.locate(from)];
      if (there === undefined) return pointer;
      return there.line === here?.line ? `line ${there.line}, column ${there.column}` : `line ${there.line}`;
    };
  }

  /** @throws SeccompcError with everything found so far, if there is an error among it */
  refuseErrors(): void {
    if (this.#found.some(({ severity }) => severity === 'error')) throw new SeccompcError(this.inFileOrder());
  }

  inFileOrder(): Diagnostic[] {
    return byPlace(this.#found);
  }
}

/**
 * The first stage.
 * @throws SeccompcError if the input cannot be read so far that a search for more errors makes
 *   sense
 */
export function readInput(
  input: ProfileInput,
  options: ReadOptions,
): { profile: Profile; findings: Findings } {
  const { profile, diagnostics } =
    typeof input === 'string' || input instanceof Uint8Array
      ? parseProfile(input, options)
      : { profile: input, diagnostics: input.diagnostics };
  if (profile === undefined) throw new SeccompcError(byPlace(diagnostics));
  return { profile, findings: new Findings(profile, diagnostics) };
}
